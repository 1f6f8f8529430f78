"""What the README's table shows exists, and its rows say what the run's figures say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from typer.testing import CliRunner

from assistant.errors import LLMUnavailable, ModelNotFound
from assistant.llm import smollm2
from assistant.settings import Settings
from eval.answers.metrics import METRICS as ANSWERS
from eval.answers.pubmedqa import METRICS as PUBMEDQA
from eval.cli import commands
from eval.harness.metrics import METRICS as MMLU
from eval.metric import Result
from eval.metrics.ranking import METRICS as RETRIEVAL
from eval.runs.about import About, Data
from eval.runs.figures import figures_of
from eval.runs.run import begin, read_run
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
    assert list(markdown(part, record, figures_of(record, ANSWERS))) == [
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


def test_a_server_that_cannot_be_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REFDESK_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("REFDESK_LLM__URL", "http://127.0.0.1:9/v1")
    monkeypatch.setenv("REFDESK_LLM__PYTHON", "/nowhere/python")
    result = CliRunner().invoke(commands, ["eval", "table", "meridian"])
    assert isinstance(result.exception, ModelNotFound)
    assert "/nowhere/python" in str(result.exception)
    assert not (tmp_path / "runs").exists()


def test_a_language_model_that_dies_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, serve_llm: Any, model_cache: Path
) -> None:
    from transformers import AutoTokenizer

    study = {"CONTEXTS": ["The ferry was seen."], "final_decision": "yes"}
    (tmp_path / "pubmedqa").mkdir()
    studies = {str(number): {"QUESTION": f"Is it {number} {uuid4()}?", **study} for number in range(4)}
    (tmp_path / "pubmedqa/pqal_500.json").write_text(json.dumps(studies))
    monkeypatch.chdir(tmp_path)
    tokenizer = AutoTokenizer.from_pretrained(smollm2.folder())
    with serve_llm(model=smollm2.NAME, tokenizer=tokenizer, answers=4) as server:  # the last of them for closed-book
        monkeypatch.setenv("REFDESK_LLM__URL", server.url)
        died = CliRunner().invoke(commands, ["eval", "table", "pubmedqa", "--data", str(tmp_path)])
    assert isinstance(died.exception, LLMUnavailable), died.exception
    (left,) = map(read_run, (tmp_path / "runs").iterdir())
    assert [len(results) for results in left.results.values()] == [4, 4, 0, 0, 0]
    assert not left.finished
    assert f"8 of 20 results are kept in runs/{left.folder.name}: the same" in str(died.exception)


def test_missing_data_are_named_before_anything_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(commands, ["eval", "table", "--data", "nowhere"])
    assert result.exit_code == 2
    said = " ".join(result.output.replace("│", " ").split())
    assert "there is no nowhere/scifact, no nowhere/pubmedqa, no nowhere/mmlu" in said
    assert not (tmp_path / "runs").exists()
