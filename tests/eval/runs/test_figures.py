from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from assistant.errors import RunError
from eval.kinds import metrics_of
from eval.metric import Metric, Result, ratio
from eval.runs.figures import ENOUGH, FILE, by_question, figures_of
from eval.runs.run import Record, read_run
from eval.statistics import Comparison, Figure, Undefined, compare, figure

ACCURACY = Metric("accuracy", "right ones", ("right",))
MACRO = Metric("macro_accuracy", "mean over groups", ("right",), macro=True)
CITED = Metric("citation precision", "right citations", ("good", "cited"), statistic=ratio, over="citations")
NEVER = Metric("perplexity", "of the LLM", ("nats",), "lower", bounds=None, over="LLM answers")
METRICS = (ACCURACY, MACRO, CITED, NEVER)


def results(seed: int, share: float) -> list[Result]:
    """40 questions on tides, 12 on ships, 9 on birds of which 4 have citations."""
    random = np.random.default_rng(seed)
    found = []
    for number, group in enumerate(["tides"] * 40 + ["ships"] * 12 + ["birds"] * 9):
        values = {"right": float(random.random() < share)}
        if number < 56:
            cited = int(random.integers(0, 4))
            values |= {"cited": float(cited), "good": float(random.integers(0, cited + 1))}
        found.append(Result(f"q{number}", group, values, {"question": "Why?"}))
    return found


@pytest.fixture
def record(make_run: Callable[..., Record]) -> Record:
    return make_run("run", {"extract": results(1, 0.7), "generate": results(2, 0.6), "bm25": results(3, 0.2)}, seed=3)


def test_every_figure_is_that_of_the_statistics(record: Record) -> None:
    found = figures_of(record, METRICS)
    assert found.against == "extract"
    assert list(found.overall) == list(found.groups) == ["extract", "generate", "bm25"]
    assert list(found.differences) == ["generate", "bm25"]
    for system, of_system in record.results.items():
        for metric in METRICS:
            assert found.overall[system][metric.name] == figure(metric, of_system, 3)
            if system != "extract":
                expected = compare(metric, record.results["extract"], of_system, 3)
                assert found.differences[system][metric.name] == expected
    assert isinstance(found.overall["bm25"]["accuracy"], Figure)
    assert isinstance(found.differences["bm25"]["accuracy"], Comparison)
    assert found.overall["bm25"]["perplexity"] == Undefined("perplexity", "there are no LLM answers")


def test_a_group_has_figures_where_it_has_enough(record: Record) -> None:
    found = figures_of(record, METRICS).groups["extract"]
    by_group = {name: [one for one in record.results["extract"] if one.group == name] for name in found}
    assert list(found) == ["birds", "ships", "tides"]
    for group in ("ships", "tides"):
        assert found[group]["accuracy"] == figure(ACCURACY, by_group[group], 3)
        assert found[group]["citation precision"] == figure(CITED, by_group[group], 3)
    assert found["birds"]["accuracy"] == Undefined("accuracy", f"only 9 of the {ENOUGH} that it takes")
    assert found["birds"]["citation precision"] == Undefined("citation precision", "only 4 of the 10 that it takes")
    assert found["birds"]["perplexity"] == Undefined("perplexity", "there are no LLM answers")
    assert "macro_accuracy" not in found["tides"]


def test_one_group_is_no_group(make_run: Callable[..., Record]) -> None:
    same = [replace(one, group="all") for one in results(1, 0.5)]
    assert figures_of(make_run("run", {"extract": same}), METRICS).groups == {"extract": {}}


def test_a_wider_group_of_several_groups_has_figures(make_run: Callable[..., Record]) -> None:
    cells = ["wiki, pdf"] * 12 + ["wiki, html"] * 15 + ["talks, pdf"] * 11
    asked = []
    for one, cell in zip(results(1, 0.5), cells, strict=False):
        source, kind = cell.split(", ")
        asked.append(replace(one, group=cell, wider=(f"{source}, all kinds", f"all sources, {kind}")))
    record = make_run("run", {"extract": asked})
    assert list(record.results["extract"]) == asked
    found = figures_of(record, METRICS).groups["extract"]
    assert sorted(found) == ["all sources, pdf", "talks, pdf", "wiki, all kinds", "wiki, html", "wiki, pdf"]
    of_wiki, of_pdf = asked[:27], asked[:12] + asked[27:]
    for metric in (ACCURACY, CITED):
        assert found["wiki, all kinds"][metric.name] == figure(metric, of_wiki, 0)
        assert found["all sources, pdf"][metric.name] == figure(metric, of_pdf, 0)
    accuracy = found["all sources, pdf"]["accuracy"]
    assert isinstance(accuracy, Figure)
    assert accuracy.value == pytest.approx(np.mean([one.values["right"] for one in of_pdf]))
    one_source = [replace(one, wider=("wiki, all kinds", f"all sources, {one.group[6:]}")) for one in of_wiki]
    assert sorted(figures_of(make_run("one", {"extract": one_source}), METRICS).groups["extract"]) == [
        "wiki, html",
        "wiki, pdf",
    ]


def test_figures_are_kept_until_something_changes(record: Record, make_run: Callable[..., Record]) -> None:
    found = figures_of(record, METRICS)
    file = record.folder / FILE
    kept: dict[str, Any] = json.loads(file.read_text())
    assert figures_of(record, METRICS) == found
    kept["overall"]["extract"]["accuracy"]["value"] = 0.125
    file.write_text(json.dumps(kept))
    taken = figures_of(record, METRICS).overall["extract"]["accuracy"]
    assert isinstance(taken, Figure)
    assert taken.value == 0.125  # so it was read

    lines = (record.folder / "results/extract.jsonl").read_text().split("\n")
    (record.folder / "results/extract.jsonl").write_text("\n".join(lines[1:]))
    shorter = read_run(record.folder)
    again = figures_of(shorter, METRICS)
    assert again.overall["extract"]["accuracy"] == figure(ACCURACY, shorter.results["extract"], 3)
    other = (replace(ACCURACY, bounds=(0.0, 2.0)), *METRICS[1:])
    assert figures_of(shorter, other).overall["extract"]["accuracy"] == figure(other[0], shorter.results["extract"], 3)


def test_the_value_of_a_question_alone() -> None:
    asked = [
        Result("1", "", {"right": 1.0, "good": 1.0, "cited": 4.0}, {}),
        Result("2", "", {"right": 0.0, "good": 0.0, "cited": 0.0}, {}),
        Result("3", "", {"good": 2.0}, {}),
    ]
    assert by_question(ACCURACY, asked) == [1.0, 0.0, None]
    assert by_question(MACRO, asked) == [1.0, 0.0, None]
    assert by_question(CITED, asked) == [0.25, None, None]  # nothing by nothing is not defined
    assert by_question(NEVER, asked) == [None, None, None]
    assert by_question(NEVER, []) == []


def test_kinds(make_run: Callable[..., Record]) -> None:
    for kind in ("answers", "attacks", "mmlu", "pubmedqa", "retrieval"):
        metrics = metrics_of(make_run(kind, {"extract": []}, kind=kind).about)
        assert len({metric.name for metric in metrics}) == len(metrics) > 3
    task = make_run("task", {"llm": []}, kind="task", settings={"llm": {"metrics": {"acc": "higher", "loss": "lower"}}})
    assert [(one.name, one.better) for one in metrics_of(task.about)][:2] == [("acc", "higher"), ("loss", "lower")]
    with pytest.raises(RunError, match=r"no evaluation of kind 'speed'; known are answers, attacks"):
        metrics_of(make_run("other", {"extract": []}, kind="speed").about)


@pytest.mark.parametrize("damaged", ["{", "[]", "null", '{"of": 1}', "[" * 100_000])
def test_damaged_figures_are_made_anew(record: Record, damaged: str) -> None:
    found = figures_of(record, METRICS[:1])
    (record.folder / FILE).write_text(damaged)
    assert figures_of(record, METRICS[:1]) == found
    assert json.loads((record.folder / FILE).read_text())["overall"]
