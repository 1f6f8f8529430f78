"""The real command: exit codes, JSON fields, messages, pipes; in a process of its own where that makes a difference."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from assistant.cli import commands

REFDESK = Path(sys.executable).with_name("refdesk")
PASSAGE = {"rank", "score", "title", "source", "key", "url", "page", "section", "start", "end", "text", "status"}
CITATION = {"number", "sentence", "quote", "support", "title", "source", "key", "revision", "url", "page"}
SPAN = {"section", "start", "end", "status"}


def refdesk(*arguments: str | Path | bytes, **more: str) -> subprocess.CompletedProcess[str]:
    # Nothing listens at port 9, so that no language model that happens to run here takes part.
    environment = {**os.environ, "REFDESK_LLM__URL": "http://127.0.0.1:9/v1", "COLUMNS": "200", **more}
    return subprocess.run(
        [REFDESK, *arguments], capture_output=True, text=True, check=False, timeout=120, env=environment
    )


def invoke(*arguments: str | Path, **more: str) -> Result:
    """The same in this process, which saves the second that its imports take."""
    return CliRunner().invoke(
        commands, list(map(str, arguments)), env={"REFDESK_LLM__URL": "http://127.0.0.1:9/v1", **more}
    )


def assert_one_line(said: subprocess.CompletedProcess[str], *words: str) -> None:
    assert "Traceback" not in said.stderr + said.stdout
    assert said.stdout == ""
    assert said.stderr.startswith("refdesk: ")
    assert said.stderr.count("\n") == 1
    for word in words:
        assert word in said.stderr


@pytest.fixture(scope="module")
def documents(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cli") / "pages"
    folder.mkdir()
    (folder / "calorimeter.md").write_text("# Calorimeter\n\n## Mass\n\nThe tile calorimeter weighs 2900 tonnes.\n")
    (folder / "choir.md").write_text("# Choir\n\nThe choir rehearses on Thursdays in the ‘old’ chapel.\n")
    (folder / "broken.pdf").write_bytes(b"%PDF-1.4 no")
    (folder / "data.bin").write_bytes(b"x")
    return folder


@pytest.fixture(scope="module")
def library(documents: Path) -> Path:
    folder = documents.parent / "library"
    made = refdesk("index", documents, "--library", folder)
    assert made.returncode == 3, made.stderr
    return folder


def answer_of(said: subprocess.CompletedProcess[str] | Result) -> Any:
    assert (said.exit_code if isinstance(said, Result) else said.returncode) == 0, said.stderr
    assert said.stderr == ""
    return json.loads(said.stdout)


def test_index_says_what_became_of_each_file(documents: Path, library: Path, tmp_path: Path) -> None:
    again = refdesk("index", documents, "--library", library)
    assert again.returncode == 3
    lines = again.stdout.splitlines()
    assert any(line.startswith("failed") and "broken.pdf" in line and "corrupt" in line for line in lines)
    assert any(line.startswith("skipped") and "data.bin" in line and "unsupported" in line for line in lines)
    assert lines[-2].startswith("pages: 2 unchanged, 1 skipped, 1 failed;")
    assert lines[-1].startswith("0 chunks embedded")
    good = refdesk("index", documents / "choir.md", "--library", tmp_path / "library", "--json")
    assert good.returncode == 0
    report = json.loads(good.stdout)
    assert report["generation"] == 1
    assert [(line["key"], line["outcome"], line["chunks"]) for line in report["lines"]] == [("choir.md", "new", 1)]


def test_search_json(library: Path) -> None:
    found = answer_of(refdesk("search", "How heavy is the calorimeter?", "-k", "1", "--json", "--library", library))
    (passage,) = found["passages"]
    assert set(passage) == PASSAGE
    assert passage["rank"] == 1
    assert (passage["source"], passage["key"], passage["title"]) == ("pages", "calorimeter.md", "Calorimeter")
    assert passage["url"].startswith("file:///")
    assert "2900 tonnes" in passage["text"]
    assert len(passage["text"]) == passage["end"] - passage["start"]
    assert passage["section"] == ["Mass"]
    assert passage["page"] is None


def test_the_settings_say_how_many_passages(library: Path) -> None:
    for k in (1, 2):
        found = answer_of(invoke("search", "choir", "--json", "--library", library, REFDESK_SEARCH__K=str(k)))
        assert len(found["passages"]) == k


def test_ask_json(library: Path) -> None:
    answer = answer_of(refdesk("ask", "How heavy is the tile calorimeter?", "--json", "--library", library))
    assert {"question", "text", "answered", "confidence", "mode", "citations", "passages", "generation"} <= set(answer)
    assert answer["question"] == "How heavy is the tile calorimeter?"
    assert answer["answered"] is True
    assert answer["mode"] == "extract"
    assert any("127.0.0.1:9" in note for note in answer["notes"])
    assert set(answer["models"]) == {"embedder"}
    assert set(answer["passages"][0]) == PASSAGE
    citation = answer["citations"][0]
    assert set(citation) == CITATION | SPAN
    assert "2900 tonnes" in citation["quote"]
    assert f"[{citation['number']}]" in answer["text"]
    cited = answer["passages"][citation["number"] - 1]
    offset = citation["start"] - cited["start"]
    assert cited["text"][offset : offset + len(citation["quote"])] == citation["quote"]


def test_ask_refuses_in_json_too(library: Path) -> None:
    question = "Who won the football world cup in 1998?"
    answer = answer_of(refdesk("ask", question, "--json", "--mode", "extract", "--library", library))
    assert answer["answered"] is False
    assert answer["text"] == "I cannot answer this from the library."
    assert answer["citations"] == []
    assert answer["passages"]


def test_status_json(library: Path) -> None:
    status = answer_of(refdesk("status", "--json", "--library", library))
    assert set(status) == {"generation", "documents", "chunks", "items"}
    assert (status["generation"], status["documents"], status["chunks"]) == (1, 2, 2)
    assert [(item["key"], item["status"], item["reason"]) for item in status["items"]] == [
        ("broken.pdf", "failed", "corrupt"),
        ("calorimeter.md", "indexed", ""),
        ("choir.md", "indexed", ""),
        ("data.bin", "skipped", "unsupported"),
    ]
    assert set(status["items"][0]) == {"source", "key", "status", "reason"}


def test_for_people(library: Path) -> None:
    said = invoke("ask", "When does the choir rehearse?", "--mode", "extract", "--library", library)
    assert said.exit_code == 0
    assert "Thursdays in the ‘old’ chapel. [1]" in said.stdout
    assert "choir.md" in said.stdout
    assert invoke("search", "choir", "--library", library).stdout.startswith("1. Choir")
    assert "2 documents, 2 chunks" in invoke("status", "--library", library).stdout


def test_groups(documents: Path, tmp_path: Path) -> None:
    library = tmp_path / "library"
    assert refdesk("index", documents / "choir.md", "--library", library, "--readers", "board, it").returncode == 0
    assert answer_of(invoke("search", "choir", "--json", "--library", library)) == {"passages": []}
    for group in ("board", "it", "cms,it"):
        found = answer_of(invoke("search", "choir", "--json", "--library", library, "--as", group))
        assert len(found["passages"]) == 1
    groups = tmp_path / "groups.toml"
    groups.write_text('[groups]\nboard = ["chairs"]\nchairs = ["user:anne"]\n')
    anne = ("--library", library, "--as", "user:anne")
    known = {"REFDESK_PEOPLE__GROUPS_FILE": str(groups)}
    assert len(answer_of(invoke("search", "choir", "--json", *anne, **known))["passages"]) == 1
    assert answer_of(invoke("ask", "When does the choir rehearse?", "--json", *anne, **known))["answered"]
    assert answer_of(invoke("status", "--json", *anne, **known))["documents"] == 1
    assert answer_of(invoke("status", "--json", *anne))["documents"] == 0
    groups.unlink()
    for command in (["status"], ["search", "choir"]):
        gone = refdesk(*command, *anne, **known)
        assert gone.returncode == 1
        assert_one_line(gone, str(groups), "people.groups_file")


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["nonsense"], "nonsense"),
        (["search"], "Missing argument"),
        (["search", "  "], "empty"),
        (["search", "q", "-k", "0"], "greater than or equal to 1"),
        (["ask", "q", "--mode", "guess"], "'extract', 'generate'"),
        (["index", "not-there"], "not-there"),
        (["index", ".", "--readers", " , "], "at least one group"),
        (["search", "caf\udce9"], "UTF-8"),
    ],
)
def test_bad_usage_is_2(arguments: list[str], word: str, tmp_path: Path) -> None:
    said = refdesk(*arguments, REFDESK_LIBRARY=str(tmp_path / "library"))
    assert said.returncode == 2
    assert word in said.stderr
    assert "Traceback" not in said.stderr
    assert not (tmp_path / "library").exists()


def test_no_library_is_one_line(tmp_path: Path) -> None:
    for command in (["search", "q"], ["ask", "q"], ["status"]):
        said = refdesk(*command, "--library", tmp_path / "none")
        assert said.returncode == 1
        assert_one_line(said, "There is no library at", "refdesk index")


def test_other_failures_are_one_line(library: Path, tmp_path: Path) -> None:
    said = refdesk("search", "q", "--library", library, REFDESK_EMBEDDER__MODEL="no-such/model")
    assert said.returncode == 1
    assert_one_line(said, "no-such/model", "refdesk.toml")
    said = refdesk("search", "q", "--library", library, REFDESK_SEARCH__K="many")
    assert said.returncode == 1
    assert "Traceback" not in said.stderr
    assert "search.k" in said.stderr
    damaged = tmp_path / "library"
    damaged.mkdir()
    (damaged / "catalog.sqlite").write_text("no database")
    said = refdesk("status", "--library", damaged)
    assert said.returncode == 1
    assert_one_line(said, "catalog.sqlite", "is damaged")


def test_help() -> None:
    said = refdesk("--help")
    assert said.returncode == 0
    for command in ("index", "search", "ask", "status", "llm"):
        assert command in said.stdout
    for command in ("search", "ask", "status", "llm"):
        assert invoke(command, "--help").exit_code == 0


def test_a_reader_that_has_seen_enough(library: Path) -> None:
    command = f'"{REFDESK}" search calorimeter --json --library "{library}" | head -c 1'
    said = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False, timeout=60)
    assert said.stdout == "{"
    closed = f'"{REFDESK}" search calorimeter --library "{library}" | true; exit ${{PIPESTATUS[0]}}'
    shut = subprocess.run(["bash", "-c", closed], capture_output=True, text=True, check=False, timeout=60)
    for stderr in (said.stderr, shut.stderr):
        assert "Traceback" not in stderr
        assert "Exception" not in stderr


def test_output_into_a_pipe_has_no_colours(library: Path) -> None:
    said = refdesk("search", "choir", "--library", library)
    assert "\x1b" not in said.stdout
