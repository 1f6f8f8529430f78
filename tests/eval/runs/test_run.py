from __future__ import annotations

import json
import resource
import signal
import stat
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from assistant.errors import LLMGarbage, LLMUnavailable, RunError
from eval.kinds import metrics_of
from eval.metric import Result
from eval.runs.about import About, Data
from eval.runs.run import begin, read_run, run_folder

ABOUT = About.of("answers", Data("tides", "ab" * 32, 2), {"extract": {"k": 6}, "closed book": {"model": "m"}})
QUESTIONS = {"1": {"question": "Why?"}, "2": {"question": "When?"}}


def result(id_: str, value: float = 1.0) -> Result:
    return Result(id_, "fact", {"correct": value}, {"answer": "so\nit is “é”"})


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("REFDESK_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_what_was_added_is_read(tmp_path: Path) -> None:
    with begin(tmp_path / "run", ABOUT, ["no LLM"]) as run:
        assert run.todo("extract", QUESTIONS) == ["1", "2"]
        run.add("extract", result("1"))
        run.add("extract", result("2", 0.25))
        run.add("closed book", result("2", 0.5))
        with pytest.raises(ValueError, match="has a result for '2' already"):
            run.add("extract", result("2"))
        assert not read_run(run.folder).finished
        with pytest.raises(RunError, match=r"cannot be finished: .* results of 2 questions, but closed book has 1\."):
            run.finish()
        run.add("closed book", result("1"))
        record = run.finish()
    assert record == read_run(tmp_path / "run")
    assert (record.about, record.finished, record.notes) == (ABOUT, True, ("no LLM",))
    assert record.results == {
        "extract": (result("1"), result("2", 0.25)),
        "closed book": (result("2", 0.5), result("1")),
    }


def test_the_same_run_goes_on_and_another_is_refused(tmp_path: Path) -> None:
    with begin(tmp_path / "run", ABOUT, cached=False) as run:
        run.add("extract", result("1"))
    with begin(tmp_path / "run", ABOUT, cached=False) as run:
        assert run.todo("extract", QUESTIONS) == ["2"]
        assert run.todo("closed book", QUESTIONS) == ["1", "2"]
    other = replace(ABOUT, systems={"extract": {"k": 7}, "closed book": {"model": "m"}})
    with pytest.raises(RunError, match=r"another run: systems.extract.k: 7 here, 6 there"):
        begin(tmp_path / "run", other).__enter__()
    assert ABOUT.differences(other) == ["systems.extract.k: 6 here, 7 there"]
    assert run_folder(tmp_path, ABOUT) == run_folder(tmp_path, ABOUT) != run_folder(tmp_path, other)


@pytest.mark.parametrize("rest", ['{"id": "2", "gro', '{"id": "2"', "{"])
def test_a_line_that_was_cut_is_done_again(tmp_path: Path, rest: str) -> None:
    with begin(tmp_path / "run", ABOUT, cached=False) as run:
        run.add("extract", result("1"))
    file = tmp_path / "run/results/extract.jsonl"
    whole = file.read_text()
    file.write_text(whole + rest)
    assert [one.id for one in read_run(tmp_path / "run").results["extract"]] == ["1"]
    with begin(tmp_path / "run", ABOUT, cached=False) as run:
        assert run.todo("extract", QUESTIONS) == ["2"]
        run.add("extract", result("2"))
    assert file.read_text() == whole + whole.replace('"1"', '"2"')


def test_a_killed_process_loses_nothing_that_was_added(tmp_path: Path) -> None:
    code = """
    import os, signal, sys
    from pathlib import Path
    from eval.metric import Result
    from eval.runs.about import About, Data
    from eval.runs.run import begin
    about = About.of("answers", Data("tides", "ab" * 32, 2), {"extract": {}})
    with begin(Path(sys.argv[1]), about) as run:
        for number in range(500):
            run.add("extract", Result(str(number), "", {"correct": 1.0}, {}))
        os.kill(os.getpid(), signal.SIGKILL)
    """
    ended = subprocess.run([sys.executable, "-c", textwrap.dedent(code), str(tmp_path / "run")])
    assert ended.returncode == -signal.SIGKILL
    assert [one.id for one in read_run(tmp_path / "run").results["extract"]] == [str(n) for n in range(500)]


def test_results_are_taken_from_the_cache_by_content(tmp_path: Path) -> None:
    with begin(tmp_path / "first", ABOUT) as run:
        run.todo("extract", QUESTIONS)
        run.add("extract", result("1"))
        run.add("extract", result("2"))
    with begin(tmp_path / "second", ABOUT) as run:
        assert run.todo("extract", {**QUESTIONS, "2": {"question": "Where?"}, "3": {}}) == ["2", "3"]
        assert run.todo("closed book", QUESTIONS) == ["1", "2"]
        assert run.done("extract") == {"1": result("1")}
    for changed in (
        replace(ABOUT, code="c" * 64),
        replace(ABOUT, library={"generation": 2}),
        replace(ABOUT, groups=("atlas",)),
        replace(ABOUT, seed=1),
        replace(ABOUT, versions={"torch": "0"}),
        replace(ABOUT, systems={"extract": {"k": 7}}),
    ):
        with begin(tmp_path / f"other-{changed.seed}-{id(changed)}", changed) as run:
            assert run.todo("extract", QUESTIONS) == ["1", "2"]
    with begin(tmp_path / "third", ABOUT, cached=False) as run:
        assert run.todo("extract", QUESTIONS) == ["1", "2"]


def test_only_the_owner_may_read(tmp_path: Path, cache: Path) -> None:
    with begin(tmp_path / "runs/run", ABOUT) as run:
        run.add("extract", result("1"))
    assert stat.S_IMODE((tmp_path / "runs/run").stat().st_mode) == 0o700
    (tmp_path / "mine").mkdir(mode=0o755)
    with begin(tmp_path / "mine", ABOUT):
        pass
    assert stat.S_IMODE((tmp_path / "mine").stat().st_mode) == 0o700
    assert stat.S_IMODE((cache / "evaluations.sqlite3").stat().st_mode) == 0o600


def test_one_process_writes_at_a_time(tmp_path: Path) -> None:
    with begin(tmp_path / "run", ABOUT), pytest.raises(RunError, match="Another process"):
        begin(tmp_path / "run", ABOUT).__enter__()


def test_what_is_no_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"no run of an evaluation: it has no run.json"):
        read_run(tmp_path)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/thesis.tex").write_text("x")
    with pytest.raises(RunError, match=r"is no run: it holds thesis.tex"), begin(tmp_path / "mine", ABOUT):
        pass
    with begin(tmp_path / "runs/run", ABOUT, cached=False) as run:
        run.add("extract", result("1"))
    file = tmp_path / "runs/run/results/extract.jsonl"
    file.write_text(file.read_text() + "no result\n" + file.read_text())
    with pytest.raises(RunError, match=r"extract.jsonl, line 2 is no result"):
        read_run(tmp_path / "runs/run")
    (tmp_path / "runs/run/run.json").write_text(json.dumps({"about": {}}))
    with pytest.raises(RunError, match=r"run.json is not what an evaluation writes"):
        read_run(tmp_path / "runs/run")


@pytest.mark.parametrize(
    ("edited", "says"),
    [
        ({"values": {"correct": float("nan")}}, "correct is nan, which is no number"),
        ({"values": {"correct": float("inf")}}, "correct is inf"),
        ({"values": {"correct": "1.0"}}, r"correct is '1\.0'"),
        ({"values": {"correct": None}}, "correct is None"),
        ({"values": None}, "values is None"),
        ({"detail": None}, "detail is None"),
        ({"group": 3}, "group is 3"),
        ({"wider": "all"}, "wider is 'all'"),
        ({"id": 3}, "id is 3"),
    ],
)
def test_an_edited_result_is_named(tmp_path: Path, edited: dict[str, Any], says: str) -> None:
    with begin(tmp_path / "run", ABOUT, cached=False) as run:
        run.add("extract", result("1"))
    file = tmp_path / "run/results/extract.jsonl"
    file.write_text(json.dumps(json.loads(file.read_text()) | edited) + "\n")
    with pytest.raises(RunError, match=rf"extract.jsonl, line 1 is no result \({says}"):
        read_run(tmp_path / "run")
    file.write_text(2 * (json.dumps(asdict(result("1"))) + "\n"))
    with pytest.raises(RunError, match=r"extract.jsonl, line 2 is no result \(it is a second one of '1'\)"):
        read_run(tmp_path / "run")
    file.write_bytes(b"\xff\n")
    with pytest.raises(RunError, match=r"extract.jsonl is damaged"):
        read_run(tmp_path / "run")


@pytest.mark.parametrize(
    ("about", "header", "says"),
    [
        ({}, {"finished": "no"}, "finished is 'no'"),
        ({}, {"created": None}, "created is None"),
        ({}, {"notes": "x"}, "notes is 'x'"),
        ({"seed": "x"}, {}, "about.seed is 'x'"),
        ({"groups": "ab"}, {}, "about.groups is 'ab'"),
        ({"kind": []}, {}, r"about.kind is \[\]"),
        ({"systems": ["extract"]}, {}, "about.systems is"),
        ({"systems": {"extract": None}}, {}, "about.systems.extract is None"),
        ({"systems": {}}, {}, "about.systems is empty"),
        ({"systems": {"../../other/results/extract": {}}}, {}, "a system is called '../../other"),
        ({"data": {"name": "x", "sha256": "x", "questions": "60"}}, {}, "about.data.questions is '60'"),
    ],
)
def test_an_edited_header_is_named(tmp_path: Path, about: dict[str, Any], header: dict[str, Any], says: str) -> None:
    with begin(tmp_path / "run", ABOUT, cached=False):
        pass
    file = tmp_path / "run/run.json"
    found = json.loads(file.read_text())
    file.write_text(json.dumps(found | {"about": found["about"] | about} | header))
    with pytest.raises(RunError, match=rf"run.json is not what an evaluation writes \({says}"):
        read_run(tmp_path / "run")


@pytest.mark.parametrize("kind", [LLMUnavailable, LLMGarbage, KeyboardInterrupt])
def test_what_ends_an_evaluation_half_way_says_what_is_kept(tmp_path: Path, kind: type[BaseException]) -> None:
    def measure() -> None:
        with begin(tmp_path / "run", ABOUT, cached=False) as run:
            run.add("extract", result("1"))
            raise kind("It is over.")

    with pytest.raises(kind, match=r"1 of 4 results are kept in .*/run: the same command goes on") as ended:
        measure()
    assert type(ended.value) is kind
    assert str(ended.value).startswith("It is over. 1 of 4")
    assert [one.id for one in read_run(tmp_path / "run").results["extract"]] == ["1"]


def test_a_run_that_was_ended_before_it_began_is_begun(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run/.run.json.new").write_text("{")
    (tmp_path / "run/run.lock").touch()
    with begin(tmp_path / "run", ABOUT, cached=False) as run:
        run.add("extract", result("1"))
    assert len(read_run(tmp_path / "run").results["extract"]) == 1


@pytest.mark.parametrize("metrics", [{}, {"metrics": {}}, {"metrics": {"acc": "best"}}, {"metrics": ["acc"]}])
def test_a_task_without_metrics_is_damaged(tmp_path: Path, metrics: dict[str, Any]) -> None:
    about = About.of("task", Data("arc_easy", "ab" * 32, 1), {"without retrieval": metrics})
    with begin(tmp_path / "run", about, cached=False) as run:
        run.add("without retrieval", result("1"))
        run.finish()
    with pytest.raises(RunError, match=r"The run of arc_easy is damaged: `metrics` of its systems in run.json"):
        metrics_of(read_run(tmp_path / "run").about)
    with pytest.raises(RunError, match="damaged"):
        metrics_of(replace(about, systems={}))


@contextmanager
def room_for(more: int, file: Path) -> Iterator[None]:
    """Lets no file grow past what this one has and `more` bytes, as on a disk that is full by then."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (file.stat().st_size + more, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_keeps_what_is_done(tmp_path: Path) -> None:
    def measure() -> None:
        with begin(tmp_path / "run", ABOUT, cached=False) as run:
            run.add("extract", result("1"))
            (file,) = (tmp_path / "run/results").iterdir()
            with room_for(20, file):
                run.add("extract", result("2"))

    with pytest.raises(
        RunError, match=r"run cannot be written .*File too large.* 1 of 4 results are kept in .*/run: the same"
    ):
        measure()
    assert [one.id for one in read_run(tmp_path / "run").results["extract"]] == ["1"]
    with begin(tmp_path / "run", ABOUT, cached=False) as run:
        assert list(run.done("extract")) == ["1"]
        run.add("extract", result("2"))
    assert [one.id for one in read_run(tmp_path / "run").results["extract"]] == ["1", "2"]
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match=r"file cannot be written"), begin(tmp_path / "file", ABOUT):
        pass
