from __future__ import annotations

import json
import math
from collections import Counter
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lm_eval.tasks.pubmedqa.preprocess_pubmedqa import doc_to_text
from transformers import AutoTokenizer
from typer.testing import CliRunner

from assistant import Assistant
from assistant.errors import LLMUnavailable
from assistant.llm import smollm2
from eval.answers.pubmedqa import METRICS, probabilities_of, prompt
from eval.answers.studies import index_abstracts, read_studies
from eval.cli import commands
from eval.runs.run import read_run
from eval.statistics import Figure, Undefined, figure
from ingest import build_library

PUBLISHED = Path(__file__).parents[4] / "shared/data/pubmedqa/pqal_500.json"
ROWS: dict[str, dict[str, Any]] = {
    "11": {
        "QUESTION": "Does the pump of hall 4 leak?",
        "CONTEXTS": ["The pump of hall 4 was watched for a year.", "No leak of the pump was seen."],
        "final_decision": "no",
    },
    "12": {
        "QUESTION": "Do magnets warm the tunnel?",
        "CONTEXTS": ["Magnets in the tunnel were cooled. The tunnel was 2 degrees warmer beside magnets."],
        "final_decision": "yes",
    },
    "13": {
        "QUESTION": "Can moss grow on concrete shields?",
        "CONTEXTS": ["Moss was found on one of nine concrete shields."],
        "final_decision": "maybe",
    },
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "pqal.json"
    path.write_text(json.dumps(ROWS))
    return path


def test_the_prompt_is_lm_evals(file: Path) -> None:
    for study, row in zip(read_studies(file), ROWS.values(), strict=True):
        assert prompt(study.question, study.abstract) == doc_to_text(row)
    assert prompt("Why?", "") == "Question: Why?\nAnswer:"


def test_probabilities_by_hand() -> None:
    assert probabilities_of([math.log(0.2), math.log(0.1), math.log(0.1)]) == pytest.approx((0.5, 0.25, 0.25))


@given(st.lists(st.floats(-1e4, 0), min_size=3, max_size=3))
def test_probabilities_sum_to_one_in_the_same_order(likelihoods: list[float]) -> None:
    found = probabilities_of(likelihoods)
    assert sum(found) == pytest.approx(1)
    assert found[likelihoods.index(max(likelihoods))] == max(found)  # others may be as large by rounding


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is not JSON"),
        ("[]", "is no PQA-L file"),
        ('{"11": 3}', "question 11: expected an object, found '3'"),
        ('{"11": {"QUESTION": ""}}', "question 11: 'QUESTION' must be a text"),
        ('{"11": {"QUESTION": "a", "CONTEXTS": "b"}}', "question 11: 'CONTEXTS' must be a list of texts, found 'b'"),
        ('{"11": {"QUESTION": "a", "CONTEXTS": []}}', r"question 11: 'CONTEXTS' must be a list of texts, found \[\]"),
        ('{"11": {"QUESTION": "a", "CONTEXTS": [" "]}}', "question 11: 'CONTEXTS' must be a list of texts, found"),
        ('{"11": {"QUESTION": "a", "CONTEXTS": ["b"]}}', "question 11: 'final_decision' must be yes, no or maybe"),
        ('{"11": {"QUESTION": "a", "CONTEXTS": ["b"], "final_decision": "Yes"}}', "question 11: 'final_decision' must"),
    ],
)
def test_a_malformed_file_is_refused(tmp_path: Path, content: str, message: str) -> None:
    file, out = tmp_path / "q.json", tmp_path / "run"
    file.write_text(content)
    with pytest.raises(ValueError, match=message):
        read_studies(file)
    refused = CliRunner().invoke(commands, ["eval", "pubmedqa", str(file), "--out", str(out)])
    assert refused.exit_code == 2
    assert "Invalid value for QUESTIONS" in refused.output
    assert not out.exists()


def test_a_server_that_dies_half_way_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, serve_llm: Any
) -> None:
    file, out = tmp_path / "pqal.json", tmp_path / "run"
    row = ROWS["11"]
    asked = {str(n): {**row, "QUESTION": f"{row['QUESTION']} {n} {uuid4()}"} for n in range(20)}  # in no cache yet
    file.write_text(json.dumps(asked))
    command = ["eval", "pubmedqa", str(file), "--out", str(out)]
    tokenizer = AutoTokenizer.from_pretrained(smollm2.folder())
    with serve_llm(model=smollm2.NAME, tokenizer=tokenizer) as server:
        monkeypatch.setenv("REFDESK_LLM__URL", server.url)
        server.answers = 4  # three to see what it is and can, and 16 questions
        died = CliRunner().invoke(commands, command)
        assert isinstance(died.exception, LLMUnavailable)
        assert f"36 of 100 results are kept in {out}: the same command goes on" in str(died.exception)
        left = read_run(out)
        assert not left.finished
        assert {system: len(results) for system, results in left.results.items() if results} == {
            "always yes": 20,
            "closed-book": 16,
        }
        server.answers, server.bodies = 1_000_000, []
        assert CliRunner().invoke(commands, command).exit_code == 0
    assert sum(len(body["prompt"]) for body in server.bodies[3:]) == 3 * (4 + 20 + 20)
    record = read_run(out)
    assert record.finished
    assert record.results["closed-book"][:16] == left.results["closed-book"]


def test_where_something_else_answers_the_notes_say_so(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, serve_llm: Any
) -> None:
    with serve_llm(instead=(200, "<html>")) as server:
        monkeypatch.setenv("REFDESK_LLM__URL", server.url)
        done = CliRunner().invoke(commands, ["eval", "pubmedqa", str(file), "--out", str(tmp_path / "run")])
    assert done.exit_code == 0, done.output
    (note,) = read_run(tmp_path / "run").notes
    assert "is not the list of models of an OpenAI-compatible server" in note


def test_abstracts_are_indexed_and_follow_the_file(file: Path, tmp_path: Path) -> None:
    from assistant.settings import Settings

    studies = read_studies(file)
    assistant = index_abstracts(studies, tmp_path / "library", Settings(), lambda done, total, what: None)
    assert [one.key for one in assistant.documents()] == ["11", "12", "13"]
    assert assistant.search("Does the pump leak?", 1)[0].key == "11"
    generation = assistant.status().generation
    again = index_abstracts(studies, tmp_path / "library", Settings(), lambda done, total, what: None)
    assert [one.key for one in again.documents()] == ["11", "12", "13"]
    fewer = index_abstracts(studies[1:], tmp_path / "library", Settings(), lambda done, total, what: None)
    assert [one.key for one in fewer.documents()] == ["12", "13"]
    assert fewer.status().generation > generation


def test_other_documents_are_not_searched_with_them(file: Path, tmp_path: Path) -> None:
    from assistant.settings import Settings

    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/pump.md").write_text("# The pump\n\nIt leaks.\n")
    build_library([tmp_path / "docs"], tmp_path / "library")
    with pytest.raises(ValueError, match=r"holds other documents, such as 'pump\.md'"):
        index_abstracts(read_studies(file), tmp_path / "library", Settings(), lambda done, total, what: None)
    assert [one.key for one in Assistant.open(tmp_path / "library").documents()] == ["pump.md"]


def test_without_a_model_two_systems_are_left(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REFDESK_LLM__URL", "http://127.0.0.1:9/v1")
    out = tmp_path / "run"
    found = CliRunner().invoke(commands, ["eval", "pubmedqa", str(file), "--out", str(out), "--json"])
    assert found.exit_code == 0, found.output
    record = read_run(out)
    assert record.finished
    assert list(record.results) == ["always yes", "extract"]
    (note,) = record.notes
    left_out = "closed-book, with its abstract, with retrieval"
    assert note.startswith(f"What needs a language model is left out ({left_out}). No LLM server")
    figures = {
        system: {metric.name: figure(metric, results) for metric in METRICS}
        for system, results in record.results.items()
    }
    accuracy, f1 = figures["always yes"]["accuracy"], figures["always yes"]["macro_f1"]
    assert isinstance(accuracy, Figure)
    assert isinstance(f1, Figure)
    assert accuracy.value == pytest.approx(1 / 3)
    assert f1.value == pytest.approx((2 * 1 / (1 + 3) + 0 + 0) / 3)
    assert isinstance(figures["extract"]["accuracy"], Undefined)
    own = figures["extract"]["own_abstract"]
    assert isinstance(own, Figure)
    assert own.value == 1


@pytest.mark.shared_data
@pytest.mark.skipif(not PUBLISHED.exists(), reason=f"needs PubMedQA's test set in {PUBLISHED}")
def test_the_published_questions_are_read() -> None:
    studies = read_studies(PUBLISHED)
    # As the paper's authors count their test set.
    assert Counter(study.decision for study in studies) == {"yes": 276, "no": 169, "maybe": 55}
