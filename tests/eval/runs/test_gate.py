"""The gate: how often it stops what did not change, how often it finds what did, and what it refuses to judge."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats
from typer.testing import CliRunner

from assistant.errors import RunError
from eval.cli import commands
from eval.metric import Metric, Result
from eval.runs.about import About, Data
from eval.runs.gate import ALPHA, Verdict, gate, holm
from eval.runs.run import Record, begin

if TYPE_CHECKING:
    from assistant import Assistant

Floats = NDArray[np.float64]
CORRECT = Metric("correct", "", ("correct",))
F1 = Metric("f1", "", ("f1",))
SECONDS = Metric("seconds", "", ("seconds",), better="lower", bounds=None)
MACRO = Metric("macro", "", ("correct",), macro=True)
N = 500


def results(values: Mapping[str, Floats | Sequence[float]], group: Sequence[str] | None = None) -> tuple[Result, ...]:
    n = len(next(iter(values.values())))
    return tuple(
        Result(
            f"q{i:03}",
            group[i] if group else "",
            {name: float(column[i]) for name, column in values.items()},
            {"question": f"Question {i}?", "answer": "it"},
        )
        for i in range(n)
    )


def record(found: Sequence[Result], folder: str = "run", system: str = "extract", kind: str = "answers") -> Record:
    about = About.of(kind, Data("test", "ab" * 32, len(found)), {system: {}})
    return Record(Path(folder), about, "2026-01-01T00:00:00+00:00", True, (), {system: tuple(found)})


def judge(before: Sequence[Result], after: Sequence[Result], *metrics: Metric) -> Verdict:
    return gate(record(before, "before"), record(after, "after"), metrics)


def on_disk(folder: Path, found: Sequence[Result], finished: bool = True, kind: str = "answers") -> Path:
    with begin(folder, record(found, kind=kind).about, cached=False) as run:
        for one in found:
            run.add("extract", one)
        if finished:
            run.finish()
    return folder


def answers(random: np.random.Generator, skill: Floats) -> tuple[Result, ...]:
    """What an assistant says that answers each question rightly with its own probability: now so, now otherwise."""
    right = (random.random(len(skill)) < skill).astype(float)
    f1 = np.where(right == 1, random.beta(8, 1, len(skill)), random.beta(1, 4, len(skill)))
    return results({"correct": right, "f1": f1, "seconds": random.lognormal(skill, 0.3)})


def false_alarms(n: int, runs: int, seed: int) -> dict[str, int]:
    """How often an unchanged assistant is stopped: for each metric alone, and for three together."""
    random = np.random.default_rng(seed)
    stopped = {"correct": 0, "f1": 0, "seconds": 0, "together": 0}
    for _ in range(runs):
        skill = random.beta(0.8, 0.5, n)
        verdict = judge(answers(random, skill), answers(random, skill), CORRECT, F1, SECONDS)
        for one in verdict.metrics:
            stopped[one.comparison.metric] += one.comparison.p_worse < ALPHA
        stopped["together"] += verdict.worse
    return stopped


def test_an_unchanged_assistant_passes() -> None:
    stopped = false_alarms(n=60, runs=200, seed=1)
    assert max(stopped.values()) <= 10, stopped
    assert stopped["seconds"] > 0, "a test at 2.5 % that never rejects is none"


@pytest.mark.long
def test_an_unchanged_assistant_passes_long() -> None:
    """At most 5 % of all; of 200 alone, a test at 2.5 % gives more once in 80 times."""
    several = [false_alarms(n=N, runs=200, seed=seed) for seed in range(5)]
    assert all(max(stopped.values()) <= stats.binom.ppf(0.9995, 200, ALPHA) for stopped in several), several
    assert all(sum(stopped[name] for stopped in several) <= 50 for name in several[0]), several


@pytest.mark.long
def test_false_alarms_are_as_many_as_the_test_says() -> None:
    stopped = false_alarms(n=60, runs=2000, seed=9)
    assert stopped["seconds"] > stats.binom.ppf(0.0005, 2000, ALPHA)
    assert max(stopped.values()) <= stats.binom.ppf(0.9995, 2000, ALPHA), stopped


def right_but(lost: Sequence[int]) -> list[float]:
    """70 % right, but for those that were lost."""
    return [float(i < 0.7 * N and i not in lost) for i in range(N)]


@pytest.mark.parametrize("seed", range(5))
def test_a_loss_of_5_points_on_500_questions_is_caught(seed: int) -> None:
    lost = np.random.default_rng(seed).choice(350, 25, replace=False).tolist()
    verdict = judge(results({"correct": right_but([])}), results({"correct": right_but(lost)}), CORRECT)
    assert verdict.worse
    (one,) = verdict.metrics
    assert one.comparison.difference == pytest.approx(-0.05)
    assert one.comparison.high < 0
    assert {change.id for change in one.lost} == {f"q{i:03}" for i in lost}
    back = judge(results({"correct": right_but(lost)}), results({"correct": right_but([])}), CORRECT)
    assert not back.worse, "what became better may pass"


def caught(unsure: float, runs: int) -> float:
    """How often a loss of 25 of 500 is caught where a part of the questions is answered rightly half of the time."""
    random, found = np.random.default_rng(int(100 * unsure)), 0
    for _ in range(runs):
        skill = np.repeat([0.5, 1.0, 0.0], [int(unsure * N), int((1 - unsure) * 0.7 * N), N])[:N]
        worse = skill.copy()
        worse[random.choice(np.flatnonzero(skill == 1), 25, replace=False)] = 0
        found += judge(answers(random, skill), answers(random, worse), CORRECT).worse
    return found / runs


@pytest.mark.long
@pytest.mark.parametrize("unsure", [0.0, 0.1, 0.2, 0.4])
def test_power_over_noisy_answers(unsure: float) -> None:
    """As the normal test foretells: more than the level's part of all that changed, lost or by chance, must be lost."""
    noise = np.sqrt(N * unsure / 2)
    needed = stats.norm.ppf(1 - ALPHA) * np.sqrt(25 + noise**2) + 1
    foretold = stats.norm.sf((needed - 25) / (noise + 1e-9))
    assert caught(unsure, 100) == pytest.approx(foretold, abs=0.15)
    assert foretold > {0.0: 0.999, 0.1: 0.97, 0.2: 0.83, 0.4: 0.55}[unsure]


def test_gains_elsewhere_do_not_hide_a_loss_and_several_metrics_share_the_level() -> None:
    assert holm([0.02, 0.5, 0.005]) == pytest.approx([0.04, 0.5, 0.015])
    assert holm([0.01, 0.01]) == [0.02, 0.02]
    assert holm([0.6, 0.7]) == [1, 1]
    assert holm([]) == []
    f1 = np.full(N, 0.5)
    verdict = judge(
        results({"correct": right_but([]), "f1": f1}),
        results({"correct": right_but(range(25)), "f1": f1 + 0.2}),
        F1,
        CORRECT,
    )
    assert [one.worse for one in verdict.metrics] == [False, True]
    assert verdict.worse
    assert verdict.metrics[1].p == pytest.approx(2 / 10_001)


def test_slower_is_worse() -> None:
    quick = np.random.default_rng(0).lognormal(0, 0.5, 50)
    assert judge(results({"seconds": quick}), results({"seconds": quick * 1.2}), SECONDS).worse
    assert not judge(results({"seconds": quick * 1.2}), results({"seconds": quick}), SECONDS).worse


def test_macro_averages_are_judged_with_their_weights() -> None:
    """Ten lost of a small subject are a loss of its mean; as many of a large one are not much."""
    group = ["small"] * 20 + ["large"] * 480
    all_right = results({"correct": [1.0] * N}, group)
    small = results({"correct": [0.0] * 6 + [1.0] * 494}, group)
    (one,) = judge(all_right, small, MACRO).metrics
    assert one.comparison.difference == pytest.approx(-0.15)
    assert one.worse
    (one,) = judge(all_right, results({"correct": [1.0] * 494 + [0.0] * 6}, group), MACRO).metrics
    assert one.comparison.difference == pytest.approx(-6 / 480 / 2)
    (one,) = judge(small, results({"correct": [1.0] * 6 + [1.0] * 484 + [0.0] * 10}, group), MACRO).metrics
    assert not one.worse


def test_what_would_have_been_noticed() -> None:
    same = results({"correct": right_but([])})
    (one,) = judge(same, same, CORRECT).metrics
    assert one.noticeable == pytest.approx(6 / N), "six lost and none gained are 1 in 64, five are 1 in 32"
    lost = results({"correct": right_but(range(6))})
    assert judge(same, lost, CORRECT).worse
    assert not judge(same, results({"correct": right_but(range(5))}), CORRECT).worse
    random = np.random.default_rng(0)
    skill = np.full(N, 0.5)
    (one,) = judge(answers(random, skill), answers(random, skill), CORRECT).metrics
    expected = (stats.norm.ppf(1 - ALPHA) + stats.norm.ppf(0.8)) * (0.5 / N) ** 0.5
    assert one.noticeable == pytest.approx(expected, rel=0.1)


def test_what_cannot_be_judged_does_not_pass() -> None:
    some = results({"correct": [1.0] * 10})
    whole = record(some, "before")
    for other, metric, why in (
        (replace(whole, finished=False), CORRECT, r"before is not finished: of 10 questions .* extract 10.* goes on"),
        (replace(whole, about=replace(whole.about, kind="mmlu")), CORRECT, "kind mmlu"),
        (replace(whole, about=replace(whole.about, data=Data("t", "0", 10))), CORRECT, "different questions"),
        (replace(whole, results={"extract": some[:9]}), CORRECT, r"before has 9 results of extract, but 10 questions"),
        (record([replace(some[0], id="x"), *some[1:]]), CORRECT, r"1 questions have results in before only, 'q000'"),
        (record(results({"correct": [7.0] * 10})), CORRECT, r"Nothing can be told of correct: 7 cannot be"),
        (whole, F1, "Nothing can be told of f1: there are no questions"),
        (record([replace(one, values={}) for one in some], "after"), CORRECT, "no value over these 10 questions"),
    ):
        with pytest.raises(RunError, match=why):
            gate(whole, other, [metric])
    with pytest.raises(RunError, match=r"from 5 questions.* At least 6"):
        gate(record(some[:5]), record(some[:5]), [CORRECT])
    gate(record(some[:6]), record(some[:6]), [CORRECT])
    with pytest.raises(RunError, match=r"from 6 questions.* At least 7"):
        gate(record(some[:6]), record(some[:6]), [CORRECT, replace(CORRECT, name="again")])


def test_which_system_is_judged_is_said_or_clear() -> None:
    some, none = results({"correct": [1.0] * 10}), results({"correct": [0.0] * 10})
    two = replace(
        record(some), about=replace(record(some).about, systems={"a": {}, "b": {}}), results={"a": some, "b": none}
    )
    with pytest.raises(ValueError, match="several systems; name the one to judge: a, b"):
        gate(two, replace(two, folder=Path("other")), [CORRECT])
    assert not gate(two, two, [CORRECT], ["a"]).worse
    assert gate(two, two, [CORRECT], ["a", "b"]).worse
    with pytest.raises(ValueError, match="no system 'c'; it has a, b"):
        gate(two, two, [CORRECT], ["c"])


VALUES = {name: right_but([]) for name in ("accurate", "contains", "f1")}
LOST = {**VALUES, "accurate": right_but([1, 2, *range(10, 33)])}


def test_the_command_says_what_became_worse(tmp_path: Path) -> None:
    before = str(on_disk(tmp_path / "before", results(VALUES)))
    after = str(on_disk(tmp_path / "after", results(LOST)))
    passed = CliRunner().invoke(commands, ["eval", "gate", before, after, "--metric", "f1", "--metric", "contains"])
    assert passed.exit_code == 0
    assert passed.stdout.endswith("Not worse beyond chance.\n")
    assert "would have been noticed" in passed.stdout
    stopped = CliRunner().invoke(commands, ["eval", "gate", before, after, "--metric", "accuracy", "--metric", "f1"])
    assert stopped.exit_code == 1
    expected = "accuracy: WORSE. 0.700 before, 0.650 after: -0.050 [-0.070, -0.030], p < 0.001, 500 questions"
    assert expected in stopped.stdout
    assert "25 became worse, these most:\n    q001: Question 1?\n    q002: Question 2?\n" in stopped.stdout
    assert "f1: not worse." in stopped.stdout
    as_json = CliRunner().invoke(commands, ["eval", "gate", before, after, "--metric", "accuracy", "--json"])
    assert as_json.exit_code == 1
    said = json.loads(as_json.stdout)
    assert said["worse"] is True
    assert said["metrics"][0]["comparison"]["difference"] == pytest.approx(-0.05)
    assert [one["id"] for one in said["metrics"][0]["lost"]][:2] == ["q001", "q002"]


def test_the_command_in_another_process_fails_a_build(tmp_path: Path) -> None:
    before, after = on_disk(tmp_path / "before", results(VALUES)), on_disk(tmp_path / "after", results(LOST))
    code = "from assistant.cli import main; main()"
    for metric, expected in (("accuracy", 1), ("f1", 0)):
        command = [sys.executable, "-c", code, "eval", "gate", str(before), str(after), "--metric", metric]
        assert subprocess.run(command, capture_output=True).returncode == expected


def test_exit_codes_tell_worse_from_misused_from_unknowable(tmp_path: Path) -> None:
    before = str(on_disk(tmp_path / "before", results(VALUES)))
    half = str(on_disk(tmp_path / "half", results(VALUES), finished=False))

    def code(*arguments: str) -> tuple[int, str]:
        done = CliRunner().invoke(commands, ["eval", "gate", *arguments])
        return done.exit_code, " ".join(done.output.replace("│", "").split())  # as wide as a line, in a frame

    assert code(before, before, "--metric", "accuracy")[0] == 0
    assert code(before, before)[0] == 2
    assert code(before, str(tmp_path / "nowhere"), "--metric", "accuracy")[0] == 2
    misused, said = code(before, before, "--metric", "beauty")
    assert misused == 2
    assert "no metric 'beauty'" in said
    assert "accuracy" in said
    misused, said = code(before, before, "--metric", "f1", "--system", "oracle")
    assert misused == 2
    assert "no system 'oracle'" in said
    assert code(before, half, "--metric", "accuracy")[0] == 3
    unknowable, said = code(before, before, "--metric", "meteor")
    assert unknowable == 3
    assert "Nothing can be told of meteor" in said
    assert code(before, str(tmp_path), "--metric", "accuracy")[0] == 3


def test_macro_averages_of_mmlu_are_judged(tmp_path: Path) -> None:
    group = [f"subject {i % 10}" for i in range(N)]
    before = on_disk(tmp_path / "before", results({"correct": right_but([])}, group), kind="mmlu")
    after = on_disk(tmp_path / "after", results({"correct": right_but(range(25))}, group), kind="mmlu")
    for second, expected in ((before, 0), (after, 1)):
        arguments = ["eval", "gate", str(before), str(second), "--metric", "macro_accuracy"]
        assert CliRunner().invoke(commands, arguments).exit_code == expected


FACTS = {"pump": 70, "valve": 3, "motor": 12, "fan": 45, "lamp": 60, "crane": 20, "gauge": 8, "boiler": 95}


@pytest.fixture(scope="module")
def assistants(tmp_path_factory: pytest.TempPathFactory, model_cache: Path) -> list[Assistant]:
    """One that knows the facts, and one whose library says something else."""
    from assistant import Assistant
    from ingest import build_library

    made = []
    for plus in (0, 1):
        folder = tmp_path_factory.mktemp("gate")
        (folder / "docs").mkdir()
        for thing, number in FACTS.items():
            text = f"# The {thing}\n\nThe {thing} of hall 4 has a power of {number + plus} kW.\n"
            (folder / f"docs/{thing}.md").write_text(text)
        build_library([folder / "docs"], folder / "library")
        made.append(Assistant.open(folder / "library"))
    return made


def asked(assistant: Assistant, folder: Path) -> Path:
    found = []
    for thing, number in FACTS.items():
        question = f"What power has the {thing} of hall 4?"
        text = assistant.ask(question, mode="extract").text
        found.append(Result(thing, "", {"contains": float(f"{number} kW" in text)}, {"question": question}))
    return on_disk(folder, found)


def test_real_answers_of_an_unchanged_assistant_pass_and_wrong_ones_do_not(
    assistants: list[Assistant], tmp_path: Path
) -> None:
    good, wrong = assistants
    before, again = asked(good, tmp_path / "before"), asked(good, tmp_path / "again")
    bad = asked(wrong, tmp_path / "bad")
    same = CliRunner().invoke(commands, ["eval", "gate", str(before), str(again), "--metric", "contains"])
    assert same.exit_code == 0
    assert "1.000 before" in same.stdout.replace("1.00 before", "1.000 before")
    assert CliRunner().invoke(commands, ["eval", "gate", str(before), str(bad), "--metric", "contains"]).exit_code == 1
