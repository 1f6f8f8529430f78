"""Free questions, with a server at the socket that says what it likes, and with the real small model."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from assistant.errors import LLMUnavailable
from assistant.settings import LLMSettings, SearchSettings
from assistant.types import Document
from eval.drafting.checks import unsupported
from eval.drafting.draft import Draft
from eval.drafting.free import Malformed, Writer, passages
from eval.drafting.make import Drafting

if TYPE_CHECKING:
    from assistant.embed import Embedder
    from assistant.library import Library

Saying = Callable[..., AbstractContextManager[LLMSettings]]


@pytest.fixture
def saying(serve_llm: Any) -> Saying:
    """`saying(says)`: the settings of a server that says so."""

    @contextmanager
    def started(says: Callable[[str], str | None]) -> Iterator[LLMSettings]:
        with serve_llm(says) as server:
            yield LLMSettings(url=server.url, connect_seconds=5, token_seconds=5, answer_seconds=10, max_tokens=100)

    return started


TEXT = (
    "The lighthouse of Port Ambrel was built in 1887 by the fishermen of the island, who paid for it with a tenth of "
    "what they caught in seven years. Its lamp burnt oil until 1931. Since then it is electric, and nobody lives in "
    "the tower any more.\n"
)
QUESTION_FOLLOWS = "\n\nQuestion: "
"""Is in what the model is told where it is to answer, and not where it is to ask."""
QUESTION = "When was the lighthouse of Port Ambrel built?"


def written(a_document: Callable[..., Document], saying: Saying, reply: str) -> Draft | Malformed:
    (passage,) = passages(a_document(TEXT))
    with saying(lambda text: reply) as settings:
        return Writer(settings).draft(passage)


def test_a_question_and_its_answer_are_read(a_document: Callable[..., Document], saying: Saying) -> None:
    draft = written(a_document, saying, f"Question: {QUESTION}\nAnswer: 1887.\n")
    assert isinstance(draft, Draft)
    assert (draft.kind, draft.question, draft.answers, draft.documents) == ("free", QUESTION, ("1887",), ("a.md",))
    assert draft.evidence.text == TEXT.strip()


@pytest.mark.parametrize(
    "reply",
    [
        "I am a helpful assistant.",
        f"Question: {QUESTION}",
        f"Answer: 1887\nQuestion: {QUESTION}",
        f"Sure! Question: {QUESTION}\nAnswer: 1887",
        f"Question: {QUESTION}\nAnswer: 1887\nQuestion: {QUESTION}\nAnswer: 1887",
        "Question: Built in 1887.\nAnswer: 1887",
        f"Question: {QUESTION}\nAnswer: ...",
        f"Question: {QUESTION}\nAnswer: " + "1887 " * 40,
        "Question: " + "When " * 80 + "?\nAnswer: 1887",
        f"Question: {QUESTION}\nAnswer: \x1b]0;gotcha\x071887",
        "Question: Why? And when was the tower of Port Ambrel built?\nAnswer: 1887",
        '{"question": "When?", "answer": "1887"}',
        "Question: \x00\x01\x02\x03\x04\x05\x06\x07\x08\x0e?\nAnswer: 1887",
    ],
)
def test_what_is_no_question_with_its_answer_is_malformed(
    a_document: Callable[..., Document], reply: str, saying: Saying
) -> None:
    found = written(a_document, saying, reply)
    assert isinstance(found, Malformed)
    assert found.document == "a.md"
    assert len(found.reply) <= 200
    assert not [c for c in found.reply if ord(c) < 32 or ord(c) == 127]


def test_a_server_that_sends_no_text_is_malformed(a_document: Callable[..., Document], saying: Saying) -> None:
    found = written(a_document, saying, "")
    assert isinstance(found, Malformed)
    assert "ended its answer before it had said a word" in found.reason


@pytest.mark.parametrize(
    ("again", "agrees"),
    [
        ("1887", True),
        ("Answer: 1887", True),
        ("It was built in 1887.", True),  # the same number
        ("1931", False),
        ("in 1887 or in 1931", False),
        ("seven years", False),
        ("\x1b[31m1887", False),  # not what was asked for: "[31m" is left of it
        ("", False),
    ],
)
def test_the_second_answer_must_agree(
    a_document: Callable[..., Document], again: str, agrees: bool, saying: Saying
) -> None:
    (passage,) = passages(a_document(TEXT))
    draft = Draft("free", QUESTION, ("1887",), "", (), passage, ("a.md",))
    with saying(lambda text: again) as settings:
        assert (Writer(settings).disagrees(draft) == "") == agrees


@pytest.mark.parametrize(
    ("question", "answer", "supported"),
    [
        (QUESTION, "1887", True),
        ("Until when did the lamp of the lighthouse burn oil?", "1931", True),
        ("What is the largest weight of a model?", "seven years", False),
        ("Who wrote the constitution of Varnholm?", "the fishermen of the island", False),
    ],
)
def test_the_answer_must_stand_where_the_question_points(
    a_document: Callable[..., Document], question: str, answer: str, supported: bool
) -> None:
    (passage,) = passages(a_document(TEXT, title="Port Ambrel"))
    assert (unsupported(Draft("free", question, (answer,), "", (), passage, ("a.md",))) == "") == supported


def obliging(text: str) -> str:
    """A model that asks for the first number of a passage in the words around it, and can answer that."""
    title, _, rest = text.partition("\n\n")
    passage, asks_again, _ = rest.partition(QUESTION_FOLLOWS)
    words = passage.split()
    at = next((at for at, word in enumerate(words) if re.fullmatch(r"[\d,]+", word)), None)
    if at is None:
        return "There is no number."
    around = " ".join(re.findall(r"[A-Za-z]+", " ".join(words[max(0, at - 4) : at + 4])))
    return words[at] if asks_again else f"Question: What number of {title} is in {around}?\nAnswer: {words[at]}"


def with_llm(library: Library, embedder: Embedder, settings: LLMSettings, wanted: int) -> Drafting:
    with library.view() as view:
        drafting = Drafting(view, embedder, SearchSettings(), 0, lambda done, total, what: None)
        drafting.with_llm(wanted, Writer(settings))
        return drafting


def test_free_questions_pass_the_filters_and_all_are_counted(demo: Library, embedder: Embedder, saying: Saying) -> None:
    with saying(obliging) as settings:
        made = with_llm(demo, embedder, settings, 4).made
    assert len(made.kept) == 4
    assert made.drafted["free"] == len(made.kept) + len(made.dropped)
    for draft in made.kept:
        assert draft.answers[0] in draft.evidence.text


def test_a_model_that_only_talks_gives_no_questions(demo: Library, embedder: Embedder, saying: Saying) -> None:
    with saying(lambda text: "As a language model, I love this text.") as settings:
        made = with_llm(demo, embedder, settings, 2).made
    assert not made.kept
    assert {one.filter for one in made.dropped} == {"form"}
    assert made.drafted["free"] == len(made.dropped) == 8


def test_an_answer_that_the_passage_does_not_hold_is_dropped(demo: Library, embedder: Embedder, saying: Saying) -> None:
    lie = "Question: How many moons has the planet Zorblax?\nAnswer: seventy-seven thousand"
    with saying(lambda text: "seventy-seven thousand" if QUESTION_FOLLOWS in text else lie) as settings:
        made = with_llm(demo, embedder, settings, 1).made
    assert not made.kept
    assert {one.filter for one in made.dropped} == {"answerability"}


def test_a_model_that_dies_is_an_error_and_loses_nothing(demo: Library, embedder: Embedder, saying: Saying) -> None:
    calls = 0

    def dying(text: str) -> str | None:
        nonlocal calls
        calls += 1
        return obliging(text) if calls < 20 else None

    with saying(dying) as settings, demo.view() as view:
        drafting = Drafting(view, embedder, SearchSettings(), 0, lambda done, total, what: None)
        with pytest.raises(LLMUnavailable):
            drafting.with_llm(30, Writer(settings))
    assert drafting.made.kept


def test_passages_are_whole_blocks_of_their_section(demo_documents: list[Document]) -> None:
    found = [(document, passage) for document in demo_documents for passage in passages(document)]
    assert len(found) > 60
    for document, passage in found:
        assert document.text[passage.start : passage.end] == passage.text
        assert 200 <= len(passage.text) <= 1200
        section = next(one for one in document.sections if one.start <= passage.start < one.end)
        assert passage.end <= section.end


def test_the_small_model_writes_and_everything_is_counted(
    demo: Library, embedder: Embedder, llm_settings: LLMSettings
) -> None:
    made = with_llm(demo, embedder, llm_settings, 1).made
    assert 1 <= made.drafted["free"] <= 4
    assert made.drafted["free"] == len(made.kept) + len(made.dropped)
