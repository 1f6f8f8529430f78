"""From sources to files, by the real command, on a library that the real embedder made."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner, Result

from app.feedback import FeedbackStore
from assistant import Assistant
from assistant.library import Library
from assistant.search import search
from assistant.settings import SearchSettings
from assistant.types import Access
from finetune.cli import commands
from finetune.data.card import read_card
from finetune.data.deal import PARTS
from finetune.data.example import Example, read_examples
from ingest import build_library

if TYPE_CHECKING:
    from assistant.embed import Embedder

ISLES = ["Ambrel", "Sollen", "Tavik", "Uist", "Varnholm", "Wrex", "Yell", "Zarn", "Orm", "Pell", "Quoy", "Rusk"]
YEARS = {isle: 1801 + 7 * number for number, isle in enumerate(ISLES)}


def article(isle: str) -> dict[str, Any]:
    """Two paragraphs, too long for one chunk; the first answers one question, the second none."""
    weather = (
        f"The weather of {isle} is mild, with more wind than rain, and fog that comes and goes with the tide. " * 7
    )
    light = f"The lighthouse of {isle} was lit in {YEARS[isle]}. Its keeper rowed out every morning with oil. {weather}"
    birds = f"Terns and gulls breed on the cliffs of {isle}. One may watch them from the northern path. {weather}"
    lit = {
        "id": f"{isle}-lit",
        "question": f"When was the lighthouse of {isle} lit?",
        "answers": [{"text": str(YEARS[isle]), "answer_start": light.index(str(YEARS[isle]))}],
    }
    owner = {"id": f"{isle}-own", "question": f"Who owns the cliffs of {isle}?", "answers": [], "is_impossible": True}
    return {"title": isle, "paragraphs": [{"context": light, "qas": [lit]}, {"context": birds, "qas": [owner]}]}


@pytest.fixture(scope="module")
def squad(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("squad") / "isles.json"
    file.write_text(json.dumps({"data": [article(isle) for isle in ISLES]}))
    return file


def describe(folder: Path, *sources: str, head: str = "") -> Path:
    file = folder / "data.toml"
    file.write_text(head + "".join(f"[[questions]]\n{source}\n" for source in sources))
    return file


def make(description: Path, out: Path, *options: str) -> Result:
    return CliRunner().invoke(commands, ["finetune", "data", str(description), "--out", str(out), *options])


@pytest.fixture(scope="module")
def made(squad: Path, tmp_path_factory: pytest.TempPathFactory, embedder: Embedder) -> Path:
    folder = tmp_path_factory.mktemp("made")
    description = describe(
        folder,
        f'kind = "squad"\npath = "{squad}"\nlicence = "CC0"',
        head="validation = 0.25\ntest = 0.25\nothers = 3\n",
    )
    done = make(description, folder / "out", "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["hash"] == read_card(folder / "out").hash
    return folder / "out"


@pytest.fixture(scope="module")
def parts(made: Path) -> dict[str, list[Example]]:
    return {part: list(read_examples(made / f"{part}.jsonl")) for part in PARTS}


def test_each_document_is_in_one_part(parts: dict[str, list[Example]]) -> None:
    shown = {
        part: {text.document for one in found for text in (*one.relevant, *one.others)} for part, found in parts.items()
    }
    assert all(shown.values())
    assert not shown["train"] & shown["test"]
    assert not shown["train"] & shown["validation"]
    assert not shown["validation"] & shown["test"]
    assert sum(map(len, parts.values())) == 2 * len(ISLES)


def test_spans_are_the_answers(parts: dict[str, list[Example]]) -> None:
    for one in (one for found in parts.values() for one in found):
        cut = [text.text[start:end] for text in one.relevant for start, end in text.spans]
        assert cut == ([*one.answers] if one.answerable == "yes" else [])
        assert len(one.relevant) == 1


def test_hard_negatives_are_what_a_search_finds_first(
    parts: dict[str, list[Example]], made: Path, embedder: Embedder
) -> None:
    with Library.open(made / "library-1").view() as view:
        for found in parts.values():
            part = {text.document for one in found for text in one.relevant}
            for one in found:
                ranked = search(view, embedder, one.question, SearchSettings(), k=100)
                right = [text.text for text in one.relevant]
                own = {text.document for text in one.relevant} if not one.answers else set()
                wrong = [
                    passage.text
                    for passage in ranked
                    if f"{passage.source}/{passage.key}" in part - own
                    and passage.text not in right
                    and not any(re.search(rf"\b{answer}\b", passage.text) for answer in one.answers)
                ]
                assert [text.text for text in one.others] == wrong[:3]
            assert any(one.others for one in found)


def test_the_same_description_gives_the_same_data(made: Path, tmp_path: Path) -> None:
    again = make(made.parent / "data.toml", tmp_path / "out")
    assert again.exit_code == 0, again.output
    assert read_card(tmp_path / "out").files == read_card(made).files
    assert f"# Training data {read_card(made).hash}" in again.stdout
    assert "Readable by everyone" in again.stdout


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory, embedder: Embedder) -> Path:
    """A page for everyone and one for the wardens."""
    folder = tmp_path_factory.mktemp("library")
    for name, text in (
        ("ferry", "The ferry to Sollen leaves at noon."),
        ("birds", "Some 300 guillemots nest on Sollen."),
    ):
        (folder / name).mkdir()
        (folder / name / f"{name}.md").write_text(f"# {name.title()}\n\n{text} Nobody lives there.\n")
    build_library([folder / "ferry"], folder / "library")
    build_library([folder / "birds"], folder / "library", access=Access.of("wardens"))
    return folder / "library"


def rows(*questions: dict[str, Any]) -> str:
    return "".join(json.dumps(question) + "\n" for question in questions)


NOON = {
    "id": "n", "question": "When does the ferry leave?", "answers": ["noon", "12:00"], "documents": ["ferry.md"],
    "answerable": True, "split": "dev",
}  # fmt: skip
BIRDS = {
    "id": "b", "question": "How many guillemots nest?", "answers": ["300"], "documents": ["birds.md"],
    "answerable": True, "split": "dev",
}  # fmt: skip
BACK = {"id": "k", "question": "And back?", "answers": [], "answerable": False, "after": "n", "split": "dev"}


def from_questions(library: Path, folder: Path, *questions: dict[str, Any], groups: str = "[]") -> Result:
    (folder / "asked.jsonl").write_text(rows(*questions))
    source = f'kind = "questions"\npath = "asked.jsonl"\nlicence = "own"\nlibrary = "{library}"\ngroups = {groups}'
    return make(describe(folder, source, head="validation = 0\ntest = 0\n"), folder / "out")


def test_reviewed_questions_of_the_split_dev(library: Path, tmp_path: Path) -> None:
    measured = {**BIRDS, "id": "m", "question": "How many?", "split": "test"}
    done = from_questions(library, tmp_path, NOON, BACK, measured, BIRDS, groups='["wardens"]')
    assert done.exit_code == 0, done.output
    found = {one.id: one for one in read_examples(tmp_path / "out/train.jsonl")}
    assert found.keys() == {"asked-n", "asked-k", "asked-b"}
    (noon,) = found["asked-n"].relevant
    assert [noon.text[start:end] for start, end in noon.spans] == ["noon"]
    assert found["asked-k"].question == "When does the ferry leave? And back?"
    assert (found["asked-k"].answerable, found["asked-k"].relevant) == ("no", ())
    access = read_card(tmp_path / "out").access
    assert [access.allows({"wardens"}), access.allows(())] == [True, False]
    assert "Readable by everyone and wardens" in done.stdout


def test_what_the_caller_may_not_read_is_nowhere(library: Path, tmp_path: Path) -> None:
    done = from_questions(library, tmp_path, NOON, {**BIRDS, "documents": ["birds.md", "ferry.md"]})
    assert done.exit_code == 0, done.output
    assert "guillemots nest on" not in (tmp_path / "out/train.jsonl").read_text()
    assert read_card(tmp_path / "out").access.allows(())


def test_questions_that_only_measure_are_refused(library: Path, tmp_path: Path) -> None:
    done = from_questions(library, tmp_path, {**NOON, "split": "test"})
    assert isinstance(done.exception, ValueError)
    assert 'holds no question with "split": "dev"' in str(done.exception)


@pytest.fixture
def feedback(library: Path) -> Iterator[FeedbackStore]:
    store = FeedbackStore(library / "feedback.sqlite")
    yield store
    store.file.unlink(missing_ok=True)


def test_feedback(library: Path, feedback: FeedbackStore, tmp_path: Path) -> None:
    assistant = Assistant.open(library).as_user({"wardens"})
    helped = assistant.ask("When does the ferry to Sollen leave?", mode="extract")
    assert helped.answered
    feedback.keep("1", helped, helpful=True)
    refused = assistant.ask("Who discovered the Higgs boson?", mode="extract")
    assert not refused.answered
    feedback.keep("2", refused, helpful=True)
    wrong = assistant.ask("How many guillemots nest on Sollen?", mode="extract")
    feedback.keep("3", wrong, helpful=False)
    stale = replace(helped, question="Stale?", citations=tuple(replace(one, revision="0") for one in helped.citations))
    feedback.keep("4", stale, helpful=True)
    source = f'kind = "feedback"\npath = "{feedback.file}"\nlicence = "own"\nlibrary = "{library}"'
    done = make(describe(tmp_path, source, head="validation = 0\ntest = 0\n"), tmp_path / "out")
    assert done.exit_code == 0, done.output
    found = {one.id: one for one in read_examples(tmp_path / "out/train.jsonl")}
    assert found.keys() == {"feedback-1", "feedback-2"}
    quoted = [text.text[start:end] for text in found["feedback-1"].relevant for start, end in text.spans]
    assert quoted == [citation.quote for citation in helped.citations]
    assert found["feedback-2"].answerable == "no"


@pytest.mark.parametrize(
    ("description", "said"),
    [
        ("", "questions is missing"),
        ("seed = \n", "is not TOML"),
        ('[[questions]]\nkind = "squda"\npath = "x"\nlicence = "y"\n', "questions.0.kind"),
        ('[[questions]]\nkind = "squad"\npath = "x"\n', "licence is missing"),
        ('[[questions]]\nkind = "feedback"\npath = "x"\nlicence = "y"\n', "a library belongs to"),
        ('test = 0.6\nvalidation = 0.5\n[[questions]]\nkind = "squad"\npath = "x"\nlicence = "y"\n', "below 1"),
        ('[[questions]]\nkind = "squad"\npath = "none.json"\nlicence = "y"\n', "none.json"),
    ],
)
def test_a_wrong_description_is_named(description: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "data.toml").write_text(description)
    done = make(tmp_path / "data.toml", tmp_path / "out")
    assert isinstance(done.exception, (ValueError, FileNotFoundError))
    assert said in str(done.exception)


def test_too_few_documents_leave_nothing_to_train_on(squad: Path, tmp_path: Path) -> None:
    one = tmp_path / "one.json"
    one.write_text(json.dumps({"data": [article("Ambrel")]}))
    source = f'kind = "squad"\npath = "{one}"\nlicence = "CC0"'
    done = make(describe(tmp_path, source, head="validation = 0\ntest = 0.999\n"), tmp_path / "out")
    assert isinstance(done.exception, ValueError)
    assert "No question is left to train on" in str(done.exception)
