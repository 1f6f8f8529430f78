"""From sources to files, by the real command, on a library that the real embedder made."""

from __future__ import annotations

import hashlib
import json
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
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
    # Wide enough that nothing is broken into lines.
    command = ["finetune", "data", str(description), "--out", str(out), *options]
    return CliRunner().invoke(commands, command, env={"COLUMNS": "1000"})


def plain(said: Result) -> str:
    """What a refusal says, without its frame."""
    return " ".join(re.sub(r"[│╭╮╰╯─]", " ", said.stderr).split())


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
    parts: dict[str, list[Example]], squad: Path, embedder: Embedder, model_cache: Path
) -> None:
    made = hashlib.sha256(str(squad).encode()).hexdigest()[:16]
    with Library.open(model_cache / f"benchmarks/squad-{made}").view() as view:
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
    assert found.keys() == {"1-n", "1-b"}
    (noon,) = found["1-n"].relevant
    assert [noon.text[start:end] for start, end in noon.spans] == ["noon"]
    access = read_card(tmp_path / "out").access
    assert [access.allows({"wardens"}), access.allows(())] == [True, False]
    assert "Readable by everyone and wardens" in done.stdout
    assert "Left out of asked.jsonl: 1 that follow another, 1 that only measure." in done.stdout


def test_of_what_the_caller_may_not_read_nothing_is_told(library: Path, tmp_path: Path) -> None:
    both = {**BIRDS, "id": "both", "documents": ["birds.md", "ferry.md"]}
    typing_error = {**NOON, "id": "t", "documents": ["fery.md"]}
    done = from_questions(library, tmp_path, NOON, BIRDS, both, typing_error)
    assert done.exit_code == 0, done.output
    written = (tmp_path / "out/train.jsonl").read_text()
    assert "300" not in written
    assert "guillemots" not in written
    assert [one.id for one in read_examples(tmp_path / "out/train.jsonl")] == ["1-n"]
    assert "3 on documents that are not in the library, or not for these groups" in done.stdout
    assert read_card(tmp_path / "out").access.allows(())


def test_a_group_that_is_denied_by_the_groups_file_is(
    library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/mine.md").write_text("# Mine\n\nThe mine of Sollen closes in May.\n")
    build_library(
        [tmp_path / "mine"], tmp_path / "library", access=Access((frozenset({"everyone"}),), frozenset({"banned"}))
    )
    (tmp_path / "groups.toml").write_text('[groups]\nbanned = ["user:ada"]\n')
    monkeypatch.setenv("REFDESK_PEOPLE__GROUPS_FILE", str(tmp_path / "groups.toml"))
    closes = {**NOON, "question": "When does the mine close?", "answers": ["May"], "documents": ["mine.md"]}
    done = from_questions(tmp_path / "library", tmp_path, closes, groups='["user:ada"]')
    assert done.exit_code == 2
    assert "not for these groups" in plain(done)
    assert from_questions(tmp_path / "library", tmp_path, closes, groups='["user:bob"]').exit_code == 0


def test_an_id_comes_once(library: Path, tmp_path: Path) -> None:
    done = from_questions(library, tmp_path, NOON, NOON)
    assert done.exit_code == 2
    assert "'id' 'n' stands on an earlier line" in plain(done)


def test_an_unguessable_place_is_no_negative(library: Path, tmp_path: Path) -> None:
    """Where no accepted wording stands, no chunk of the document is held to be wrong."""
    done = from_questions(library, tmp_path, {**NOON, "answers": ["at midday"]})
    assert done.exit_code == 0, done.output
    (one,) = read_examples(tmp_path / "out/train.jsonl")
    assert [text.spans for text in one.relevant] == [()]
    assert one.others == ()


def test_questions_that_only_measure_are_refused(library: Path, tmp_path: Path) -> None:
    done = from_questions(library, tmp_path, {**NOON, "split": "test"})
    assert done.exit_code == 2
    assert 'holds no question of "split": "dev"' in plain(done)


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
    birds = assistant.ask("How many guillemots nest on Sollen?", mode="extract")
    assert birds.answered
    feedback.keep("3", birds, helpful=True)
    feedback.keep("4", replace(birds, question="How many terns?"), helpful=False)
    stale = replace(helped, question="Stale?", citations=tuple(replace(one, revision="0") for one in helped.citations))
    feedback.keep("5", stale, helpful=True)
    feedback.keep("6", replace(helped, question="Changed my mind?"), helpful=True)
    feedback.keep("7", replace(helped, question="Changed my mind?"), helpful=False)
    source = f'kind = "feedback"\npath = "{feedback.file}"\nlicence = "own"\nlibrary = "{library}"'
    done = make(describe(tmp_path, source, head="validation = 0\ntest = 0\n"), tmp_path / "out")
    assert done.exit_code == 0, done.output
    (one,) = read_examples(tmp_path / "out/train.jsonl")
    assert (one.id, one.question) == ("1-1", helped.question)
    quoted = [text.text[start:end] for text in one.relevant for start, end in text.spans]
    assert quoted == [citation.quote for citation in helped.citations]
    assert "Left out of feedback.sqlite: 5 refused, not helpful" in done.stdout
    assert "guillemots" not in (tmp_path / "out/train.jsonl").read_text()


def test_feedback_that_cannot_be_read_is_named(library: Path, feedback: FeedbackStore, tmp_path: Path) -> None:
    helped = Assistant.open(library).ask("When does the ferry to Sollen leave?", mode="extract")
    feedback.keep("1", helped, helpful=True)
    with closing(sqlite3.connect(feedback.file)) as connection, connection:
        connection.execute("UPDATE feedback SET citations = '[{}]'")
    source = f'kind = "feedback"\npath = "{feedback.file}"\nlicence = "own"\nlibrary = "{library}"'
    done = make(describe(tmp_path, source), tmp_path / "out")
    assert done.exit_code == 2
    assert "the judgement 1: citations that cannot be read" in plain(done)


def test_sources_are_dealt_together(squad: Path, tmp_path: Path, embedder: Embedder) -> None:
    """The same articles under other names, and the same questions on other articles, are in the same part."""
    articles = json.loads(squad.read_text())["data"]
    for number, one in enumerate(articles):
        one["title"] = f"Other {number}"
    other = tmp_path / "other.json"
    other.write_text(json.dumps({"data": articles}))
    sources = (f'kind = "squad"\npath = "{file}"\nlicence = "CC0"' for file in (squad, other))
    done = make(describe(tmp_path, *sources, head="validation = 0.25\ntest = 0.25\n"), tmp_path / "out")
    assert done.exit_code == 0, done.output
    part_of: dict[str, set[str]] = {}
    for part in PARTS:
        for one in read_examples(tmp_path / "out" / f"{part}.jsonl"):
            for name in (one.question, *(text.text for text in (*one.relevant, *one.others))):
                part_of.setdefault(name, set()).add(part)
    assert {len(parts) for parts in part_of.values()} == {1}
    assert set.union(*part_of.values()) == set(PARTS)


def test_data_take_the_place_of_earlier_ones_only_when_they_are_whole(squad: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    source = f'kind = "squad"\npath = "{squad}"\nlicence = "{{}}"'
    assert make(describe(tmp_path, source.format("CC0")), out).exit_code == 0
    assert (out.stat().st_mode & 0o777, [file.name for file in tmp_path.glob(".out*")]) == (0o700, [])
    first = read_card(out)
    failing = f'kind = "squad"\npath = "{tmp_path}/none.json"\nlicence = "CC0"'
    assert make(describe(tmp_path, source.format("CC0"), failing), out).exit_code == 2
    assert read_card(out) == first
    assert make(describe(tmp_path, source.format("MIT")), out).exit_code == 0
    assert (read_card(out).files, read_card(out).hash) != (first.files, first.hash)
    assert [one["licence"] for one in read_card(out).sources] == ["MIT"]


def test_a_folder_of_something_else_is_left_alone(squad: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/thesis.tex").write_text("x")
    done = make(describe(tmp_path, f'kind = "squad"\npath = "{squad}"\nlicence = "CC0"'), tmp_path / "out")
    assert done.exit_code == 2
    assert "holds something else than training data" in plain(done)
    assert (tmp_path / "out/thesis.tex").read_text() == "x"


@pytest.mark.parametrize(
    ("description", "said"),
    [
        ("", "questions is missing"),
        ("seed = \n", "is not TOML"),
        ('[[questions]]\nkind = "squda"\npath = "x"\nlicence = "y"\n', "questions.0.kind"),
        ('[[questions]]\nkind = "squad"\npath = "x"\n', "licence is missing"),
        (
            '[[questions]]\nkind = "squad"\npath = "x"\nlicence = "y"\nsplit = "dev"\n',
            "a split belongs to the kind beir",
        ),
        ('[[questions]]\nkind = "squad"\npath = "x"\nlicence = "y"\ngroups = ["a"]\n', "groups belong to"),
        ('[[questions]]\nkind = "feedback"\npath = "x"\nlicence = "y"\n', "a library belongs to"),
        ('test = 0.6\nvalidation = 0.5\n[[questions]]\nkind = "squad"\npath = "x"\nlicence = "y"\n', "below 1"),
        ('[[questions]]\nkind = "squad"\npath = "none.json"\nlicence = "y"\n', "none.json"),
    ],
)
def test_a_wrong_description_is_named(description: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "data.toml").write_text(description)
    done = make(tmp_path / "data.toml", tmp_path / "out")
    assert done.exit_code == 2
    assert said in plain(done)
    assert not (tmp_path / "out").exists()


def test_too_few_documents_leave_nothing_to_train_on(squad: Path, tmp_path: Path) -> None:
    one = tmp_path / "one.json"
    one.write_text(json.dumps({"data": [article("Ambrel")]}))
    source = f'kind = "squad"\npath = "{one}"\nlicence = "CC0"'
    done = make(describe(tmp_path, source, head="validation = 0\ntest = 0.999\n"), tmp_path / "out")
    assert done.exit_code == 2
    assert "No question is left to train on" in plain(done)


def test_a_document_without_text_is_left_out_and_counted(squad: Path, tmp_path: Path) -> None:
    empty = {"id": "e", "question": "What is here?", "answers": [], "is_impossible": True}
    articles = [*json.loads(squad.read_text())["data"], {"title": "E", "paragraphs": [{"context": "", "qas": [empty]}]}]
    (tmp_path / "e.json").write_text(json.dumps({"data": articles}))
    done = make(describe(tmp_path, 'kind = "squad"\npath = "e.json"\nlicence = "CC0"'), tmp_path / "out")
    assert done.exit_code == 0, done.output
    assert "Left out of e.json: 1 on documents without text." in done.stdout
