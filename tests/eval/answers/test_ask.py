"""Real questions to a real library; the language model is a stand-in at the edge of its socket."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from assistant import Assistant
from assistant.errors import LLMUnavailable
from assistant.settings import Settings
from assistant.types import Access
from eval.answers.ask import require_documents
from eval.answers.judge import Judge
from eval.answers.measure import measure
from eval.answers.systems import AssistantSystem, ClosedBook
from eval.cli import commands
from eval.questions import Question
from eval.runs.run import Record, read_run
from ingest import build_library

NOWHERE = "http://127.0.0.1:9/v1"
ROWS: list[dict[str, Any]] = [
    {"id": "p", "question": "How much does the pump of hall 4 move?", "answers": ["70 litres per second", "70 l/s"]},
    {"id": "v", "question": "In what time does the valve of hall 4 close?", "answers": ["3 seconds", "3 s"]},
    {"id": "f", "question": "And the pump?", "answers": ["70 litres"], "after": "v"},
    {"id": "h", "question": "Who wrote Hamlet?", "answers": []},
]
DOCUMENTS = {"p": ["pump.md"], "v": ["valve.md"]}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "questions.jsonl"
    rows = [{**row, "answerable": bool(row["answers"]), "documents": DOCUMENTS.get(row["id"], [])} for row in ROWS]
    path.write_text("\n".join(json.dumps(row) for row in rows))
    return path


def run(file: Path, library: Path, settings: Settings, *names: str, **more: Any) -> Record:
    return measure(file, library, settings, names, lambda done, total, what: None, **more)


def test_extract_is_what_the_assistant_says(assistant: Assistant, pump: Question) -> None:
    reply = AssistantSystem(assistant, "extract", {}, Settings().llm).ask(pump.asked)
    answer = assistant.ask(pump.question, mode="extract")
    assert reply.answered
    assert (reply.text, reply.citations, reply.passages) == (answer.text, answer.citations, answer.passages)
    assert (reply.confidence, reply.mode, reply.notes) == (answer.confidence, answer.mode, answer.notes)
    assert (reply.drafted, reply.tokens, reply.told) == (answer.text, None, ())


def test_what_it_would_have_said_is_kept_of_a_refusal(assistant: Assistant, library: Path, unknown: Question) -> None:
    reply = AssistantSystem(assistant, "extract", {}, Settings().llm).ask(unknown.question)
    assert not reply.answered
    settings = Settings()
    bold = settings.model_copy(update={"answer": settings.answer.model_copy(update={"min_confidence": 0.0})})
    answer = Assistant.open(library, bold).ask(unknown.question, mode="extract")
    assert answer.answered
    assert reply.drafted == answer.text
    assert reply.confidence == answer.confidence < settings.answer.min_confidence


def test_all_systems_in_one_run(
    file: Path, library: Path, serve: Callable[..., Any], with_server: Callable[[str], Settings]
) -> None:
    def says(asked: str) -> str:
        if "Hamlet" in asked:
            return "I do not know."
        return "The valve of hall 4 closes in 3 seconds [1]." if "valve" in asked else "It moves 7 litres."

    with serve(says) as server:
        record = run(file, library, with_server(server.url))
    assert record.finished
    assert list(record.results) == ["extract", "generate", "closed-book"]
    (note,) = record.notes
    assert note.startswith("Perplexity is not measured: ")
    found = {system: {one.id: one for one in results} for system, results in record.results.items()}
    assert {id_: found["extract"][id_].values["accurate"] for id_ in "pvh"} == {"p": 1, "v": 1, "h": 1}
    closed = found["closed-book"]
    assert closed["p"].detail["answer"] == "It moves 7 litres."
    assert (closed["p"].values["right"], closed["p"].values["tokens"]) == (0, 4)
    assert (closed["h"].values["refused"], closed["h"].detail["answer"]) == (1, "")
    assert closed["h"].detail["notes"] == ["The language model said: I do not know."]
    assert "confidence" not in closed["p"].values
    generated = found["generate"]
    assert (generated["v"].values["right"], generated["v"].values["written"]) == (1, 1)
    assert generated["p"].values["written"] == 0  # "7 litres" does not pass the check, so the library is quoted
    # A follow-up is asked after what it follows; the closed book sees the question only, the others evidence too.
    assert f"{ROWS[1]['question']} {ROWS[2]['question']}" in server.asked
    assert any("Question: In what time" in asked and "And the pump?" in asked for asked in server.asked)


def test_a_server_that_dies_half_way_loses_nothing(
    file: Path, library: Path, serve: Callable[..., Any], with_server: Callable[[str], Settings]
) -> None:
    answers = iter(["One.", "Two.", None])
    with (
        serve(lambda asked: next(answers)) as server,
        pytest.raises(LLMUnavailable, match=r"6 of 8 results are kept in .*: the same command goes on"),
    ):
        run(file, library, settings := with_server(server.url), "extract", "closed-book")
    (left,) = map(read_run, Path(settings.eval.runs).iterdir())
    assert not left.finished
    assert [len(results) for results in left.results.values()] == [4, 2]
    with serve(lambda asked: "Three.") as server:  # at another port: where a model is served makes no difference
        record = run(file, library, with_server(server.url), "extract", "closed-book")
    assert record.folder == left.folder
    assert record.finished
    assert len(server.asked) == 2
    said = [one.detail["answer"] for one in record.results["closed-book"]]
    assert said == ["One.", "Two.", "Three.", "Three."]


def test_generate_never_falls_back_to_quotes(
    file: Path, library: Path, serve: Callable[..., Any], with_server: Callable[[str], Settings]
) -> None:
    with serve(lambda asked: None) as server, pytest.raises(LLMUnavailable, match="0 of 4 results are kept"):
        run(file, library, with_server(server.url), "generate")


def test_a_model_that_says_nothing_has_answered_nothing(
    file: Path, library: Path, serve: Callable[..., Any], with_server: Callable[[str], Settings]
) -> None:
    with serve(lambda asked: "") as server:
        record = run(file, library, with_server(server.url), "generate", "closed-book")
    closed, generated = (record.results[system][0] for system in ("closed-book", "generate"))
    assert (closed.values["answered"], closed.detail["notes"]) == (0, ["The language model said: nothing"])
    assert (generated.values["answered"], generated.values["written"], generated.detail["mode"]) == (1, 0, "extract")
    assert "before it had said a word" in generated.detail["notes"][0]


def test_without_a_server_extract_is_asked_and_the_notes_say_so(
    file: Path, library: Path, with_server: Callable[[str], Settings]
) -> None:
    record = run(file, library, with_server(NOWHERE))
    assert list(record.results) == ["extract"]
    assert any("left out (generate, closed-book). No LLM server listens" in note for note in record.notes)
    with pytest.raises(LLMUnavailable, match=r"No LLM server listens .* Start one with `refdesk llm start`"):
        run(file, library, with_server(NOWHERE), "closed-book")


def test_a_judge_is_asked_in_both_orders(
    file: Path, library: Path, serve: Callable[..., Any], with_server: Callable[[str], Settings], model: str
) -> None:
    def prefers_the_first(asked: str) -> str:
        return "Yes." if "Text A: The pump" in asked else "No, not at all."

    with serve(prefers_the_first) as server:
        record = run(file, library, with_server(NOWHERE), "extract", judge=server.url)
    found = {one.id: one for one in record.results["extract"]}
    assert found["p"].detail["judge"] == ["no", "yes"]
    assert (found["p"].values["judge_consistent"], found["p"].values["judged_right"]) == (0, 0)
    assert "judge_verdict" not in found["p"].values
    assert found["v"].detail["judge"] == ["no", "no"]
    assert (found["v"].values["judge_verdict"], found["v"].values["judge_agrees"]) == (0, 0)
    assert "judge" not in found["h"].detail  # refused
    assert record.about.systems["extract"]["measured"]["judge"]["model"] == model


@pytest.mark.parametrize(
    ("said", "verdict"), [("YES!", "yes"), ("**No**.", "no"), ("Yesterday", ""), ("Maybe yes", "")]
)
def test_a_verdict_is_yes_or_no(
    said: str, verdict: str, serve: Callable[..., Any], with_server: Callable[[str], Settings]
) -> None:
    with serve(lambda asked: said) as server:
        found = Judge(with_server(server.url).llm, "stand-in").verdicts("Why?", "so", "thus")
    assert found == (verdict, verdict)
    first, second = server.asked
    assert first.index("so") < first.index("thus")
    assert second.index("thus") < second.index("so")


def test_a_closed_book_is_told_nothing_of_the_library(
    serve: Callable[..., Any], with_server: Callable[[str], Settings]
) -> None:
    with serve(lambda asked: "Shakespeare did.") as server:
        reply = ClosedBook(with_server(server.url).llm, "stand-in", {}).ask("Who wrote Hamlet?")
    assert server.asked == ["Who wrote Hamlet?"]
    assert (reply.text, reply.answered, reply.tokens) == ("Shakespeare did.", True, 2)


def test_documents_must_be_in_the_library(assistant: Assistant, pump: Question) -> None:
    require_documents([pump], assistant)
    with pytest.raises(
        ValueError, match=r"lacks 1 documents .* 'docs/pump.md' of question '1'. Its keys look like 'pump"
    ):
        require_documents([pump, replace(pump, documents=("docs/pump.md",))], assistant)


def command(*arguments: str) -> Any:
    return CliRunner().invoke(commands, ["eval", "answers", *arguments])


def test_the_command(file: Path, library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REFDESK_LLM__URL", NOWHERE)
    arguments = [str(file), "--library", str(library), "--out", str(tmp_path / "run"), "--system", "extract"]
    found = json.loads(command(*arguments, "--json").stdout)
    assert found["folder"] == str(tmp_path / "run")
    figures = found["overall"]["extract"]
    assert figures["refused"]["value"] == 1.0
    assert figures["contains"]["n"] == 3
    assert figures["number_match"]["why"] == "there are no answerable questions with a number"
    kept = read_run(tmp_path / "run")
    assert len(kept.results["extract"]) == 4
    assert kept.about.systems["extract"]["embedder"] == Assistant.open(library).models["embedder"]
    (tmp_path / "run/report.md").write_text("It is not finished.")
    assert command(*arguments).exit_code == 0
    assert "not finished" not in (tmp_path / "run/report.md").read_text(), "its report is of the whole run"
    shown = command(*arguments).stdout
    assert "risk_coverage_area" in shown
    assert shown.rstrip().endswith(str(tmp_path / "run" / "report.html"))
    assert "And the pump?" in (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert "there are no answerable questions with a number" in shown


def test_the_command_line_is_checked(file: Path, library: Path, tmp_path: Path) -> None:
    arguments = [str(file), "--library", str(library), "--out", str(tmp_path / "run")]
    assert command(*arguments, "--system", "oracle").exit_code == 2
    assert command(*arguments, "--split", "dev").exit_code == 2
    file.write_text("{")
    assert command(*arguments).exit_code == 2
    assert not (tmp_path / "run").exists()


def test_who_asks_sees_what_they_may_read(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/pump.md").write_text("# The pump\n\nThe pump of hall 4 moves 70 litres per second.\n")
    (tmp_path / "docs/valve.md").write_text("# The valve\n\nThe valve of hall 4 closes in 3 seconds.\n")
    library = tmp_path / "library"
    build_library([tmp_path / "docs"], library, access=Access.of("board"))
    asked = [str(file), "--library", str(library), "--system", "extract"]
    monkeypatch.setenv("REFDESK_EVAL__RUNS", str(tmp_path / "runs"))
    refused = command(*asked)
    assert refused.exit_code == 2
    assert "The library lacks 2 documents" in refused.output
    done = command(*asked, "--as", "board")
    assert done.exit_code == 0, done.output
    (record,) = map(read_run, (tmp_path / "runs").iterdir())
    assert record.about.groups == ("board", "everyone")
    assert record.about.library is not None
    assert record.about.library["documents"] == 2
    quoted = {one.id: [cited["key"] for cited in one.detail["citations"]] for one in record.results["extract"]}
    assert (quoted["p"], quoted["v"]) == (["pump.md"], ["valve.md"])
