"""Drafts from whole libraries: what each filter drops, that nothing depends on what the caller may not read."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from assistant.settings import SearchSettings
from assistant.types import PUBLIC, Access, Chunk, Document
from eval.drafting.make import Drafting, Made

if TYPE_CHECKING:
    from assistant.embed import Embedder
    from assistant.library import Library

Publish = Callable[..., "Library"]


@pytest.fixture
def publish(tmp_path: Path, embedder: Embedder, a_document: Callable[..., Document]) -> Publish:
    """Makes a library of texts by their keys; `secret` ones are for the group `board` alone."""
    from dataclasses import replace

    from assistant.library import Library

    def make(texts: dict[str, str], secret: Collection[str] = (), name: str = "library") -> Library:
        library = Library.open_or_create(tmp_path / name, embedder)
        with library.writer(embedder) as writer:
            for key, text in texts.items():
                document = a_document(text, key, title=key.removesuffix(".md").replace("-", " ").capitalize())
                document = replace(document, access=Access.of("board") if key in secret else PUBLIC)
                pieces = [match.span() for match in re.finditer(r"\S(?:[^\n]|\n(?!\n))*", text)]
                writer.put(document, [Chunk(a, b, text[a:b], (), None) for a, b in pieces])
            writer.publish()
        return Library.open(tmp_path / name)

    return make


def drafted(library: Library, embedder: Embedder, wanted: int, seed: int = 0, groups: Collection[str] = ()) -> Made:
    with library.view(groups) as view:
        drafting = Drafting(view, embedder, SearchSettings(), seed, lambda done, total, what: None)
        drafting.without_llm(wanted)
        return drafting.made


def questions(made: Made) -> list[str]:
    return [draft.question for draft in made.kept]


def reasons(made: Made, filter: str) -> dict[str, str]:
    return {one.question: one.reason for one in made.dropped if one.filter == filter}


def test_drafts_of_the_demonstration_documents(
    demo: Library, embedder: Embedder, demo_documents: list[Document]
) -> None:
    made = drafted(demo, embedder, 40)
    texts = {document.key: document for document in demo_documents}
    assert len(made.kept) == len(set(questions(made))) == 40
    assert Counter(draft.answerable for draft in made.kept) == {True: 30, False: 10}
    assert {draft.kind for draft in made.kept} == {"cell", "superlative", "acronym", "figure", "cloze"}
    assert sum(made.drafted.values()) == len(made.kept) + len(made.dropped)
    assert all(one.reason for one in made.dropped)
    whole = "\n".join(f"{one.title}\n{one.text}" for one in demo_documents).lower()
    for draft in made.kept:
        place = draft.evidence
        assert texts[place.key].text[place.start : place.end] == place.text
        if draft.answerable:
            assert place.key in draft.documents
            assert draft.rank is None or 1 <= draft.rank <= 20
        else:
            assert (draft.answers, draft.documents, draft.rank, draft.number) == ((), (), None, None)
            assert draft.absent in draft.question
            assert not re.search(rf"\b{re.escape(draft.absent.lower())}\b", whole)
    most = Counter(draft.evidence.key for draft in made.kept if draft.answerable).most_common(1)[0][1]
    assert most <= 3


def test_the_seed_decides_and_nothing_else(demo: Library, embedder: Embedder) -> None:
    first, again, other = (drafted(demo, embedder, 16, seed) for seed in (0, 0, 1))
    assert first == again
    assert set(questions(first)) != set(questions(other))


PUMPS = {
    "pumps.md": "The pump of Varnholm was built in 1987.\n\n"
    "| Pump | Maker |\n|---|---|\n| Ost | Halden |\n| West | Brisk |",
    "valves.md": "The Network of Old Pumps (NOP) has 12 members.\n\nThe valve of Varnholm closes after 30 seconds.",
}
SECRET = "The reactor of Varnholm was built in 1999.\n\nThe Bureau of Quiet Affairs (BQA) has 44 offices."


def test_what_the_caller_may_not_read_changes_nothing(publish: Publish, embedder: Embedder) -> None:
    open_only = publish(PUMPS, name="open")
    both = publish({**PUMPS, "secret.md": SECRET}, secret=["secret.md"], name="both")
    outsider = drafted(both, embedder, 20)
    assert outsider == drafted(open_only, embedder, 20)
    assert "What does NOP stand for?" in questions(outsider)
    insider = drafted(both, embedder, 20, groups=["board"])
    assert "What does BQA stand for?" in questions(insider)
    assert any(draft.evidence.key == "secret.md" for draft in insider.kept)


def test_a_question_with_two_answers_is_dropped(publish: Publish, embedder: Embedder) -> None:
    library = publish(
        {
            "a.md": "The Network of Old Pumps (NOP) meets on Mondays.",
            "b.md": "The National Office of Physics (NOP) is in Varnholm.",
            "c.md": "The flow of Halden is measured at the mill every 20 minutes.",
            "d.md": "The flow of Halden is measured at the mill every 35 minutes.",
            "e.md": "The Board of Clean Water (BCW) meets on Fridays.",
            "f.md": "Anna leads the board of clean water (BCW) today.",
        }
    )
    made = drafted(library, embedder, 40)
    wrong = reasons(made, "correctness")
    assert wrong["What does NOP stand for?"] in (
        "b.md answers “National Office of Physics”",
        "a.md answers “Network of Old Pumps”",
    )
    assert "The flow of Halden is measured at the mill every ____." in wrong
    assert [q for q in questions(made) if "NOP stand" in q or "mill" in q] == []
    (kept,) = [draft for draft in made.kept if draft.question == "What does BCW stand for?"]
    assert set(kept.documents) == {"e.md", "f.md"}  # both say it


def test_two_tables_of_one_document_that_disagree(publish: Publish, embedder: Embedder) -> None:
    text = (
        "| Pump | Maker |\n|---|---|\n| Ost | Halden |\n\nAnd before:\n\n| Pump | Maker |\n|---|---|\n| Ost | Brisk |"
    )
    made = drafted(publish({"pumps.md": text}), embedder, 8)
    assert reasons(made, "correctness") == {
        "In “Pumps”, what is the maker of Ost?": "pumps.md answers “Brisk”",
    } or list(reasons(made, "correctness")) == ["In “Pumps”, what is the maker of Ost?"]
    assert not questions(made)


def test_an_answer_in_its_question_is_dropped(publish: Publish, embedder: Embedder) -> None:
    text = "| Pump | Maker |\n|---|---|\n| Halden Ost | Halden |\n| West | Brisk |"
    made = drafted(publish({"pumps.md": text}), embedder, 8)
    assert list(reasons(made, "answerability")) == ["In “Pumps”, what is the maker of Halden Ost?"]
    assert [q for q in questions(made) if "maker" in q] == ["In “Pumps”, what is the maker of West?"]


def test_nearly_the_same_question_is_kept_once(publish: Publish, embedder: Embedder) -> None:
    same = "The lighthouse of Port Ambrel was built in 1887 by the fishermen."
    made = drafted(publish({"a.md": same, "b.md": same}), embedder, 8)
    assert [q for q in questions(made) if "____" in q] == [
        "The lighthouse of Port Ambrel was built in ____ by the fishermen."
    ]
    assert len(reasons(made, "duplicates")) == 1
    (kept,) = made.kept
    assert set(kept.documents) == {"a.md", "b.md"}


def test_a_sentence_is_asked_about_once(publish: Publish, embedder: Embedder) -> None:
    made = drafted(publish({"a.md": "The Halyard farm has 96 graphics cards."}), embedder, 8)
    assert questions(made) == ["How many graphics cards does the Halyard farm have?"]
    assert "its sentence is asked about" in reasons(made, "duplicates")["The Halyard farm has ____ graphics cards."]


def test_a_library_without_anything_to_ask_gives_nothing(publish: Publish, embedder: Embedder) -> None:
    made = drafted(publish({"a.md": "Nothing of note."}), embedder, 8)
    assert (made.kept, made.documents) == ([], 1)
