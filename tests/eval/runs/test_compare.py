from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.errors import RunError
from eval.metric import Metric, Result, ratio
from eval.runs.about import Data
from eval.runs.compare import changes_of, compare_runs
from eval.runs.run import Record
from eval.statistics import compare

ACCURACY = Metric("accuracy", "right ones", ("right",))
RISK = Metric("risk", "wrong ones", ("wrong",), "lower")
CITED = Metric("cited", "right citations", ("good", "cited"), statistic=ratio, over="citations")
MakeRun = Callable[..., Record]


def result(id_: str, right: float | None, answer: str = "1871", **values: float) -> Result:
    own = {} if right is None else {"right": right, "wrong": 1 - right}
    return Result(id_, "fact", {**own, **values}, {"question": f"What is {id_}?", "answer": answer})


@given(st.lists(st.tuples(st.sampled_from([0.0, 1.0, None]), st.sampled_from([0.0, 1.0, None])), max_size=25))
def test_exactly_the_planted_changes_are_named(pairs: list[tuple[float | None, float | None]]) -> None:
    before = [result(str(number), old) for number, (old, _) in enumerate(pairs)]
    after = [result(str(number), new) for number, (_, new) in enumerate(pairs)]
    np.random.default_rng(0).shuffle(after)  # type: ignore[arg-type]
    expected = {str(number): pair for number, pair in enumerate(pairs) if pair[0] != pair[1]}
    assert {one.id: (one.before, one.after) for one in changes_of(ACCURACY, before, after)} == expected


def test_what_changed_and_for_which_questions(make_run: MakeRun) -> None:
    old = [result(f"q{n}", float(n % 3 > 0), good=1.0, cited=2.0) for n in range(60)]
    new = {one.id: one for one in old}
    new |= {f"q{n}": result(f"q{n}", 1.0, "in 1871", good=1.0, cited=2.0) for n in (3, 30)}  # wrong before
    new |= {f"q{n}": result(f"q{n}", 0.0, "", good=1.0, cited=2.0) for n in (4, 5, 50)}  # right before
    new["q7"] = result("q7", None, good=1.0, cited=2.0)
    new["q8"] = result("q8", 1.0, good=2.0, cited=2.0)
    settings = {"extract": {"search": {"k": 6}, "llm": "m"}}, {"extract": {"search": {"k": 8}, "adapter": "ab" * 32}}
    before = make_run("a", {"extract": old}, settings=settings[0], library={"generation": 1})
    after = make_run("b", {"extract": list(new.values())}, settings=settings[1], library={"generation": 2})
    found = compare_runs(before, after, metrics=(ACCURACY, RISK, CITED))
    assert found.about == ("library.generation: 1 → 2",)
    assert found.notes == ()
    [system] = found.systems
    assert (system.before, system.after, system.questions, system.answers) == ("extract", "extract", 60, 5)
    assert system.about == ("adapter: nothing → abababababab…", "llm: m → nothing", "search.k: 6 → 8")
    for name in ("accuracy", "risk"):
        change = system.metrics[name]
        assert [one.id for one in change.gained] == ["q3", "q30"]
        assert [one.id for one in change.lost] == ["q4", "q5", "q50"]
        assert [(one.id, one.before is None, one.after is None) for one in change.other] == [("q7", False, True)]
    assert system.metrics["accuracy"].comparison == compare(ACCURACY, old, list(new.values()), 0)
    lost = system.metrics["accuracy"].lost[0]
    assert (lost.question, lost.answer_before, lost.answer_after) == ("What is q4?", "1871", "")
    assert (lost.before, lost.after, lost.group) == (1.0, 0.0, "fact")
    assert [(one.id, one.before, one.after) for one in system.metrics["cited"].gained] == [("q8", 0.5, 1.0)]
    assert not system.metrics["cited"].lost


def test_nothing_changed(make_run: MakeRun) -> None:
    same = [result(f"q{n}", float(n % 2)) for n in range(20)]
    found = compare_runs(make_run("a", {"x": same}), make_run("b", {"x": same}), metrics=(ACCURACY,))
    change = found.systems[0].metrics["accuracy"]
    assert (found.about, found.systems[0].about, found.systems[0].answers) == ((), (), 0)
    assert (change.gained, change.lost, change.other) == ((), (), ())


def test_systems_are_paired(make_run: MakeRun) -> None:
    right, wrong = [result("1", 1.0), result("2", 1.0)], [result("1", 0.0)]
    before = make_run("a", {"extract": right, "bm25": right})
    after = make_run("b", {"extract": wrong, "generate": right})

    def pairs(one: Record, other: Record, *systems: str) -> list[tuple[str, str]]:
        return [(found.before, found.after) for found in compare_runs(one, other, systems, (ACCURACY,)).systems]

    assert pairs(before, after) == [("extract", "extract")]
    assert pairs(before, after, "extract") == [("extract", "extract")]
    assert pairs(before, after, "bm25", "generate") == [("bm25", "generate")]
    assert pairs(before, before, "extract", "bm25") == [("extract", "bm25")]
    assert compare_runs(before, after, (), (ACCURACY,)).notes == (
        f"Only {before.folder} has bm25.",
        f"Only {after.folder} has generate.",
        f"{after.folder} is not finished: extract has 1 of 2 questions.",
    )
    with pytest.raises(ValueError, match=r"b has no system 'bm25'; it has extract, generate"):
        pairs(before, after, "bm25")
    with pytest.raises(ValueError, match=r"Name another run, or two of the systems of .*: extract, bm25"):
        pairs(before, before)
    with pytest.raises(ValueError, match=r"Two systems can be compared, not 3"):
        pairs(before, after, "a", "b", "c")
    one, other = make_run("c", {"old": right}), make_run("d", {"new": right})
    assert pairs(one, other) == [("old", "new")]
    with pytest.raises(ValueError, match=r"share no system: .*c has old, .*a has extract, bm25"):
        pairs(one, before)


def test_other_questions_cannot_be_compared(make_run: MakeRun) -> None:
    found = [result("1", 1.0)]
    before = make_run("a", {"x": found})
    other = make_run("b", {"x": found}, data=Data("ships", "cd" * 32, 1))
    with pytest.raises(
        RunError, match=r"tides \(1 questions, SHA-256 abababababab\).*ships \(1 questions, SHA-256 cdcd"
    ):
        compare_runs(before, other, metrics=(ACCURACY,))
    split = make_run("c", {"x": found}, data=replace(before.about.data, questions=2))
    with pytest.raises(RunError, match=r"over different questions"):
        compare_runs(before, split, metrics=(ACCURACY,))
    with pytest.raises(RunError, match=r"of kind answers, .* of kind retrieval"):
        compare_runs(before, make_run("d", {"x": found}, kind="retrieval"), metrics=(ACCURACY,))
