from __future__ import annotations

from collections.abc import Callable

import pytest

from assistant.types import Document
from eval.drafting.draft import Draft, Evidence, Kind
from eval.drafting.unanswerable import exchanged, mentioned

PLACE = Evidence("wiki", "a.md", "A", "", (), 0, 1, "x")


def draft(kind: Kind, question: str, subject: str) -> Draft:
    return Draft(kind, question, ("x",), subject, ("x",), PLACE, ("a.md",), number=(1.0, ""))


@pytest.mark.parametrize(
    ("kind", "question", "subject"),
    [
        ("acronym", "What does NNSE stand for?", "NNSE"),
        ("figure", "How many GPUs did Halyard have in 2025?", "Halyard"),
        ("cell", "In “Budget”, what is the cost of almanac-answers-7?", "almanac-answers-7"),
        ("cell", "In “Budget”, what is the cost of Tidewater, release 3?", "Tidewater, release 3"),
    ],
)
def test_only_the_subject_is_exchanged(kind: Kind, question: str, subject: str) -> None:
    ways = exchanged(draft(kind, question, subject), seed=0)
    assert len({way.question for way in ways}) == len(ways) > 1
    before, after = question.split(subject)
    for way in ways:
        assert way.question == f"{before}{way.subject}{after}"
        assert way.subject != subject
        assert way.absent in way.subject
        assert way.absent not in question
        assert (way.answerable, way.answers, way.documents, way.number) == (False, (), (), None)
    assert ways == exchanged(draft(kind, question, subject), seed=0)


def test_a_number_is_exchanged_rather_than_a_name() -> None:
    ways = exchanged(draft("cell", "What is the cost of Tidewater, release 3?", "Tidewater, release 3"), seed=0)
    assert {way.absent for way in ways} == {f"release {number}" for number in range(5, 11)}


@pytest.mark.parametrize(
    ("kind", "subject"),
    [("cell", "metric log files"), ("cell", "Raw data"), ("cell", "Reprocessing of 2024"), ("cloze", "Halyard")],
)
def test_without_a_name_there_is_nothing_to_exchange(kind: Kind, subject: str) -> None:
    assert exchanged(draft(kind, f"What is the cost of {subject}?", subject), seed=0) == []


def test_a_name_of_several_words_is_exchanged_whole() -> None:
    ways = exchanged(draft("cell", "What is the port of Fetch CRL (old)?", "Fetch CRL (old)"), seed=0)
    assert [way.subject for way in ways] == [f"{way.absent} (old)" for way in ways]


def test_what_is_mentioned(a_document: Callable[..., Document]) -> None:
    documents = [a_document("Diagnostics of GPT 3.9 and Release-8.\n", title="The Vandrel"), a_document("about osmary")]
    words = ["NOS", "GPT-3.9", "release 8", "Vandrel", "Osmary", "release 9", "Keltrin", "GPT-3"]
    assert mentioned(words, documents) == {"GPT-3.9", "release 8", "Vandrel", "Osmary", "GPT-3"}
