"""The questions that come with the project are what their card says, and the documents hold their answers.

Whether a question has one right answer and only that one, no program can tell; these tests keep the documents and the
questions from drifting apart.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from decimal import Decimal
from statistics import mean

import pytest
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

from assistant.settings import IngestSettings
from assistant.text.quantities import quantities
from eval.domain import meridian
from eval.questions import Question, read_questions
from ingest.demo import documents
from ingest.parse import parse

ALL = read_questions(meridian())
ANSWERABLE = [one for one in ALL if one.answerable]
UNANSWERABLE = [one for one in ALL if not one.answerable]
# What must stay absent from the documents, because a question asks for it.
ABSENT = ("Claude", "Informer", "ResNet-50", "Spyglass", "H100", "SharePoint", "K1", "Higgs", "Mongolia")
LEAST = {"numeric": 35, "table": 20, "superlative": 15, "multi-document": 20, "follow-up": 15}


@pytest.fixture(scope="module")
def texts() -> dict[str, str]:
    """The text of every document as a library has it, by key."""
    root = documents()
    paths = sorted(path for path in root.rglob("*") if path.is_file())
    return {path.relative_to(root).as_posix(): parse(path, IngestSettings()).text for path in paths}


def test_the_counts_are_those_of_the_card() -> None:
    card = (meridian().parent / "README.md").read_text("utf-8")
    claimed = {name: int(n) for name, n in re.findall(r"^\| ([a-z-]+) \| (\d+) \|", card, flags=re.MULTILINE)}
    assert claimed == Counter(one.group for one in ALL)
    assert f"{len(ALL)} questions" in card
    assert f"{len(UNANSWERABLE)} of them" in card


def test_the_balance() -> None:
    groups = Counter(one.group for one in ALL)
    assert 200 <= len(ALL) <= 220
    assert 0.24 <= len(UNANSWERABLE) / len(ALL) <= 0.27
    assert groups["near-miss"] + groups["false-premise"] > len(UNANSWERABLE) / 2
    assert all(groups[group] >= least for group, least in LEAST.items())
    assert groups["conflict"] + groups["superseded"] >= 12
    assert 0.45 <= mean(one.wording == "exact" for one in ANSWERABLE) <= 0.55
    assert all(one.wording for one in ANSWERABLE)
    assert {one.split for one in ALL} == {"test"}
    assert all(one.id.startswith(f"{one.group}-") for one in ALL)


def test_what_is_unanswerable_says_so() -> None:
    kinds = {"near-miss", "false-premise", "other-entity", "unknown", "outside"}
    for one in ALL:
        assert (one.group in kinds) == ("unanswerable" in one.tags) == (not one.answerable), one.id
        assert bool(one.documents) == one.answerable, one.id


def test_every_document_is_asked_about_twice_and_every_key_exists(texts: dict[str, str]) -> None:
    asked = Counter(key for one in ALL for key in one.documents)
    assert asked.keys() == texts.keys()
    assert [key for key, n in asked.items() if n < 2] == []


def test_the_documents_hold_the_answers(texts: dict[str, str]) -> None:
    for one in ANSWERABLE:
        holding = [key for key in one.documents if _holds(texts[key], one)]
        if "computation" in one.tags:
            assert one.needs == "all", one.id
            assert not any(_says(texts[key], [one.answers[0]]) for key in one.documents), one.id
        elif one.needs == "all":
            assert len(holding) == 1, (one.id, holding)
        else:
            assert holding == list(one.documents), (one.id, holding)


def test_the_documents_hold_the_numbers_with_their_units(texts: dict[str, str]) -> None:
    asked = [one for one in ANSWERABLE if one.number and "computation" not in one.tags]
    assert len(asked) > 60
    for one in asked:
        assert any(_has_number(texts[key], one) for key in one.documents), one.id
    assert [one.id for one in ANSWERABLE if one.number and not _has_number(one.answers[0], one)] == []
    with_units = [one for one in ANSWERABLE if one.number and one.number.unit]
    assert len(with_units) >= 35


def test_an_accepted_answer_is_no_accident() -> None:
    """It has two letters or digits at least, and does not stand in the question already."""
    for one in ANSWERABLE:
        for answer in one.answers:
            assert len(re.sub(r"\W", "", answer)) >= (1 if answer.endswith("%") else 2), (one.id, answer)
            assert not _says(one.asked, [answer]), (one.id, answer)


def test_a_question_is_asked_once_and_none_is_a_dev_question() -> None:
    dev = read_questions(documents().parent / "questions.jsonl")
    seen = [_words(one.asked) for one in [*dev, *ALL]]
    assert len({tuple(words) for words in seen}) == len(seen)
    for one in ALL:
        for other in dev:
            mine, theirs = set(_words(one.asked)), set(_words(other.asked))
            assert len(mine & theirs) / len(mine | theirs) < 0.8, (one.id, other.id)


def test_follow_ups_follow_a_question_that_can_be_answered() -> None:
    by_id = {one.id: one for one in ALL}
    for one in ALL:
        assert bool(one.after) == (one.group == "follow-up"), one.id
        if one.after:
            assert by_id[one.after].answerable, one.id
            assert len(one.question.split()) <= 12, one.id


def test_a_paraphrase_has_few_words_of_what_answers_it(texts: dict[str, str]) -> None:
    shared: dict[str, list[float]] = {"exact": [], "paraphrase": []}
    for one in ANSWERABLE:
        if not one.after:
            passages = [passage for key in one.documents for passage in _passages(texts[key])]
            shared[one.wording].append(max(_shared(one.question, passage) for passage in passages))
    assert mean(shared["exact"]) > mean(shared["paraphrase"]) + 0.2


def test_what_is_unanswerable_stays_so(texts: dict[str, str]) -> None:
    """No sentence or row of a table speaks of all that a question speaks of, unless it is a question itself."""
    assert [(term, key) for term in ABSENT for key, text in texts.items() if re.search(rf"\b{term}\b", text)] == []
    passages = [passage for text in texts.values() for passage in _passages(text) if "?" not in passage]
    for one in UNANSWERABLE:
        assert max(_shared(one.question, passage) for passage in passages) < 1, one.id


def test_only_the_outside_ones_are_about_another_subject(texts: dict[str, str]) -> None:
    for one in UNANSWERABLE:
        best = max(_shared(one.question, text) for text in texts.values())
        assert (best < 0.35) == (one.group == "outside"), (one.id, best)


def _words(text: str) -> list[str]:
    """Words and numbers in lower case: "3.6 TB/day" is "3.6", "tb", "day"."""
    return re.findall(r"[^\W_]+(?:[.,]\d+)*", text.casefold().replace("\\", ""))


def _says(text: str, answers: Iterable[str]) -> bool:
    within = f" {' '.join(_words(text))} "
    return any(f" {' '.join(_words(answer))} " in within for answer in answers)


def _holds(text: str, question: Question) -> bool:
    return _says(text, question.answers) or _has_number(text, question)


def _has_number(text: str, question: Question) -> bool:
    if question.number is None:
        return False
    (wanted,) = quantities(f"{question.number.value:f} {question.number.unit}".strip())
    same = [one for one in quantities(text) if one.unit == wanted.unit]
    return any(abs(one.value - wanted.value) <= Decimal(question.number.tolerance) * wanted.value for one in same)


def _passages(text: str) -> list[str]:
    """Sentences, and rows of tables with the head of their table."""
    found, head = [], ""
    for line in text.splitlines():
        if line.startswith("|"):
            head = head or line
            found.append(f"{head} {line}")
        else:
            head = ""
            found += re.split(r"(?<=[.!?])\s+", line)
    return found


def _shared(question: str, text: str) -> float:
    """The share of the question's words, cut to five letters, that `text` has."""
    asked = {word[:5] for word in _words(question) if word not in ENGLISH_STOP_WORDS}
    return len(asked & {word[:5] for word in _words(text)}) / len(asked)
