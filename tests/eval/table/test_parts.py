"""What the README's table shows exists, and its rows say what the run's figures say."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from assistant.settings import Settings
from eval.answers.metrics import METRICS as ANSWERS
from eval.answers.pubmedqa import METRICS as PUBMEDQA
from eval.cli import commands
from eval.harness.metrics import METRICS as MMLU
from eval.metric import Result
from eval.metrics.ranking import METRICS as RETRIEVAL
from eval.runs.about import About, Data
from eval.runs.run import begin
from eval.table.parts import PASSAGE_TOKENS, Part, markdown, parts


def test_every_metric_is_one_of_its_evaluation() -> None:
    rooms = (RETRIEVAL, ANSWERS, PUBMEDQA, MMLU)
    for part, metrics in zip(parts(Path("data"), Path("work"), Settings()), rooms, strict=True):
        assert set(part.metrics) <= {metric.name for metric in metrics}, part.title


def test_a_command_measures_what_the_table_measures() -> None:
    mmlu = parts(Path("data"), Path("work"), Settings())[-1]
    assert mmlu.command.endswith(f"--passage-tokens {PASSAGE_TOKENS}")


def test_rows_by_hand(tmp_path: Path) -> None:
    about = About.of("answers", Data("tides", "ab" * 32, 4), {"extract": {}, "closed-book": {}})
    with begin(tmp_path / "run", about, ["No judge was asked."], cached=False) as run:
        for number in range(4):
            values = {"accurate": float(number > 0), "contains": 1.0}
            run.add("extract", Result(str(number), "", values, {}))
            run.add("closed-book", Result(str(number), "", {"accurate": 0.0}, {}))
        record = run.finish()
    part = Part("Tides", "refdesk eval answers tides.jsonl", ("accuracy", "contains"), lambda progress: record)
    # Wilson's intervals of 3, 4 and 0 of 4.
    assert list(markdown(part, record)) == [
        "**Tides** (4 questions; `refdesk eval answers tides.jsonl`)",
        "",
        "| | accuracy | contains |",
        "|---|---|---|",
        "| extract | 0.750 [0.301, 0.954] | 1.000 [0.510, 1.000] |",
        "| closed-book | 0.000 [0.000, 0.490] | – |",
        "",
        "No judge was asked.\n",
    ]


def test_an_unknown_part_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(commands, ["eval", "table", "poetry"])
    assert result.exit_code == 2
    assert "there is no 'poetry'; there are: scifact, meridian" in " ".join(result.output.replace("│", " ").split())


def test_missing_data_are_named_before_anything_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(commands, ["eval", "table", "--data", "nowhere"])
    assert result.exit_code == 2
    said = " ".join(result.output.replace("│", " ").split())
    assert "there is no nowhere/scifact, no nowhere/pubmedqa, no nowhere/mmlu" in said
    assert not (tmp_path / "runs").exists()
