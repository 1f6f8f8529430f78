from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from assistant.errors import RunError
from eval.answers import METRICS
from eval.cli import commands
from eval.metric import Result
from eval.runs.figures import figures_of
from eval.runs.run import Record
from eval.statistics import Figure


def run(*arguments: object, code: int = 0) -> str:
    done = CliRunner().invoke(commands, ["eval", *map(str, arguments)])
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == code, done.output
    return done.output if code == 0 else " ".join(done.output.replace("│", "").split())  # out of its box


def results(wrong: Sequence[int]) -> list[Result]:
    return [
        Result(
            f"q{n}",
            "fact",
            {"accurate": float(n not in wrong), "contains": float(n not in wrong), "seconds": 1.0 + n},
            {"question": f"What is {n}?", "accepted": ["1871"], "answer": "" if n in wrong else f"It is {n}."},
        )
        for n in range(30)
    ]


@pytest.fixture
def runs(make_run: Callable[..., Record]) -> tuple[Record, Record]:
    return make_run("a", {"extract": results([1, 2])}, notes=["No LLM."]), make_run(
        "b", {"extract": results([2, 3, 4])}
    )


def test_report(runs: tuple[Record, Record]) -> None:
    record = runs[0]
    printed = run("report", record.folder)
    lines = {line.split()[0]: line.rstrip() for line in printed.splitlines() if line.strip()}
    accuracy = figures_of(record, METRICS).overall["extract"]["accuracy"]
    assert isinstance(accuracy, Figure)
    assert f"{accuracy.value:.3f} [{accuracy.low:.3f}, {accuracy.high:.3f}]" in lines["accuracy"]
    assert "30 questions" in lines["accuracy"]
    assert lines["bleu"].split(maxsplit=2)[1:] == ["extract", "there are no answerable questions"]
    assert printed.endswith(f"No LLM.\n{record.folder / 'report.html'}\n")
    assert (record.folder / "report.md").exists()
    found = json.loads(run("report", record.folder, "--json"))
    assert (found["folder"], found["notes"]) == (str(record.folder), ["No LLM."])
    assert found["overall"]["extract"]["accuracy"]["value"] == pytest.approx(28 / 30)
    assert found["overall"]["extract"].keys() == {metric.name for metric in METRICS}


def test_compare(runs: tuple[Record, Record]) -> None:
    before, after = runs
    printed = run("compare", before.folder, after.folder)
    better, worse = printed.partition("Better in accuracy (1):")[2].split("Worse in accuracy (2):")
    assert "q1: What is 1?\n    before: (no answer)\n    after:  It is 1." in better
    assert "q3: What is 3?\n    before: It is 3.\n    after:  (no answer)" in worse
    assert "q4: What is 4?" in worse
    assert "What differs" not in printed
    row = next(line for line in printed.splitlines() if line.startswith("accuracy"))
    assert row.split()[1:4] == ["0.93", "0.90", "-0.03"]
    assert row.split()[-3:] == ["30", "1", "2"]
    assert "Better in accuracy" not in run("compare", before.folder, after.folder, "--metric", "seconds")
    found = json.loads(run("compare", before.folder, after.folder, "--json"))["systems"][0]["metrics"]["contains"]
    assert ([one["id"] for one in found["gained"]], [one["id"] for one in found["lost"]]) == (["q1"], ["q3", "q4"])
    assert found["comparison"]["difference"] == pytest.approx(-1 / 30)


def test_bad_arguments(runs: tuple[Record, Record], make_run: Callable[..., Record]) -> None:
    before, after = (record.folder for record in runs)
    assert "known are accuracy" in run("compare", before, after, "--metric", "luck", code=2)
    assert "has no system 'luck'" in run("compare", before, after, "--system", "luck", code=2)
    run("compare", before, code=2)
    with pytest.raises(RunError, match="no run of an evaluation"):
        run("report", before / "results")
    other = make_run("c", {"extract": results([])[:5]})
    with pytest.raises(RunError, match="over different questions"):
        run("compare", before, other.folder)


def test_questions_write_nothing_on_a_terminal_but_their_text(make_run: Callable[..., Record]) -> None:
    def named(wrong: Sequence[int]) -> list[Result]:
        # of ids, questions and answers, the escape codes of colours, of a title and of a cleared screen (C1)
        return [
            Result(f"[/x]\x1b[31m{one.id}", "[bold]", one.values, {"question": "\x1b]0;t\x07?", "answer": f"\x9b2J{n}"})
            for n, one in enumerate(results(wrong))
        ]

    before = make_run("codes before", {"[bold]": named([])}).folder
    after = make_run("codes after", {"[bold]": [replace(one, detail={}) for one in named(range(20))]}).folder
    printed = run("report", before) + run("compare", before, after)
    printed += CliRunner().invoke(commands, ["eval", "gate", str(before), str(after), "--metric", "accuracy"]).output
    printed += (before / "report.md").read_text()
    assert "[/x][31mq0" in printed
    assert "WORSE" in printed
    assert "[bold]" in printed.split("\n", 1)[0], "names of systems are no markup"
    assert not [char for char in printed if unicodedata.category(char) == "Cc" and char != "\n"]
