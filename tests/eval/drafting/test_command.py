from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner, Result

from assistant.types import Access
from eval.cli import commands
from eval.questions import read_questions
from ingest import build_library

if TYPE_CHECKING:
    from assistant.library import Library


def run(*arguments: object) -> Result:
    return CliRunner().invoke(commands, ["eval", "make-questions", *map(str, arguments)])


def test_from_a_library_to_a_question_file(demo: Library, tmp_path: Path) -> None:
    drafts, questions = tmp_path / "drafts.toml", tmp_path / "questions.jsonl"
    result = run(demo.path, "--out", drafts, "--count", 12, "--json")
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    written = tomllib.loads(drafts.read_text("utf-8"))
    assert len(written["draft"]) == sum(told["kept"].values()) == 12
    assert told["unanswerable"] == 3 == sum(not draft["answerable"] for draft in written["draft"])
    assert sum(told["drafted"].values()) == 12 + sum(map(len, told["dropped"].values()))
    assert written["made"] == {"library": demo.path.name, "generation": 1, "seed": 0, "groups": ["everyone"]}

    refused = run("--accept", drafts, "--out", questions)
    assert refused.exit_code == 2
    assert "12 of 12 drafts have not been reviewed" in re.sub(r"[\s│]+", " ", refused.output)
    assert not questions.exists()
    drafts.write_text(drafts.read_text("utf-8").replace('review = "?"', 'review = "keep"'), "utf-8")
    assert run("--accept", drafts, "--out", questions).exit_code == 0
    assert len(read_questions(questions)) == 12


def test_a_review_is_not_written_over(demo: Library, tmp_path: Path) -> None:
    drafts = tmp_path / "drafts.toml"
    drafts.write_text("my review")
    assert run(demo.path, "--out", drafts).exit_code == 2
    assert drafts.read_text() == "my review"


def test_what_was_dropped_is_told_with_examples(demo: Library, tmp_path: Path) -> None:
    result = run(demo.path, "--out", tmp_path / "drafts.toml", "--count", 20)
    assert result.exit_code == 0
    assert re.search(r"^cloze +\d+ +\d+ +\d+ +\d+$", result.stdout, re.MULTILINE)
    assert "Dropped for relevance: " in result.stdout
    assert "20 drafts written to" in result.stdout


def test_bad_usage(demo: Library, tmp_path: Path) -> None:
    assert run().exit_code == 2
    assert run(demo.path).exit_code == 2
    assert run(demo.path, "--accept", __file__, "--out", tmp_path / "x").exit_code == 2
    assert run("--accept", tmp_path / "missing.toml", "--out", tmp_path / "x").exit_code == 2


def test_drafts_for_a_group_are_for_that_group(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/a.md").write_text("The Bureau of Quiet Affairs (BQA) has 44 offices.\n")
    library, drafts = tmp_path / "library", tmp_path / "drafts.toml"
    build_library([tmp_path / "docs"], library, access=Access.of("board"))
    outsider = run(library, "--out", drafts)
    assert outsider.exit_code == 0
    assert "so nothing was written" in outsider.stdout
    assert not drafts.exists()
    assert run(library, "--out", drafts, "--as", "board").exit_code == 0
    written = tomllib.loads(drafts.read_text("utf-8"))
    assert written["made"]["groups"] == ["board", "everyone"]
    assert "What does BQA stand for?" in [draft["question"] for draft in written["draft"]]


def test_without_a_server_the_language_model_is_an_error_at_once(
    demo: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from assistant.errors import LLMUnavailable

    monkeypatch.setenv("REFDESK_LLM__URL", "http://127.0.0.1:9/v1")
    result = run(demo.path, "--out", tmp_path / "drafts.toml", "--llm")
    assert isinstance(result.exception, LLMUnavailable)
    assert not (tmp_path / "drafts.toml").exists()
