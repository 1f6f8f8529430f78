"""The answer without an LLM: the sentences, list items and table rows of the passages that best answer a question."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from assistant.check.cite import Checked, Embed, check_claims
from assistant.check.drafts import Claim
from assistant.text import quantities, terms
from assistant.text.statements import Statement, StatementKind, readable, statements
from assistant.text.terms import Idf
from assistant.types import Passage

# Weights of the score beside the cosine. On 610 questions on 20 articles of SQuAD 1.1 the sentence with the answer came
# first for 66% by cosine alone, 74% with the words of sentence and title, 77% with those of the sentence before it too.
_OWN_WEIGHT = 0.2
_COVERAGE_WEIGHT = 0.4
_TYPE_BONUS = 0.1
_NUMBER_BONUS = 0.1
_RANK_COST = 0.01
_PENALTY: dict[StatementKind, float] = {
    "heading": 0.6, "question": 0.6, "reference": 0.5, "header": 0.3, "code": 0.1, "equation": 0.05,
}  # fmt: skip
_FRAGMENT_PENALTY = 0.2
_ECHO_PENALTY = 1.0  # what only repeats the question answers nothing
_CLOSE = 0.85  # a further sentence is shown if it scores at least this share of the best
_BIBLIOGRAPHY = re.compile(r"\W*\d*\W*(?:references|bibliography|literature|works cited|further reading)\W*", re.I)

_QUANTITY_ASKED = re.compile(
    r"\bhow (?:many|much|large|big|long|far|old|tall|high|fast|often|heavy)\b"
    r"|\bwhat (?:percent|percentage|number|fraction|share)\b|\bnumber of\b",
    re.IGNORECASE,
)
_TIME_ASKED = re.compile(r"\bwhen\b|\b(?:what|which) (?:year|date|day|month|decade|century)\b", re.IGNORECASE)
_NAME_ASKED = re.compile(
    r"\b(?:who|whom|whose|where)\b|\b(?:what|which) (?:country|city|person|company)\b", re.IGNORECASE
)
_TIME = re.compile(
    r"\b(?:1\d|20)\d\d\b|\b(?:january|february|march|april|may|june|july|august|september|october|november|december)\b"
    r"|\b\d+(?:st|nd|rd|th)? century\b|\b\d{3,4} (?:bc|ad|bce|ce)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Evidence:
    """A statement that may answer the question: `passages[passage].text[start:end]`.

    `score` orders evidence of one question. `cosine` (-1..1) is of question and statement, `coverage` (0..1) the share
    of the question's content in the statement, the lines that lead in to it, the statement before it and the headings.
    `shown` is the statement as one readable line, a table row with its header cells.
    """

    passage: int
    start: int
    end: int
    score: float
    cosine: float
    coverage: float
    shown: str


def extract(
    question: str, passages: Sequence[Passage], embed: Embed, max_sentences: int, idf: Idf | None = None
) -> list[Evidence]:
    """At most `max_sentences` statements of the passages that best answer the question, best first, none twice.

    Everything is embedded in one call. `idf` weighs the words of the question; without it all count the same.
    """
    return choose(rank(question, passages, embed, idf), max_sentences)


def choose(ranked: Sequence[Evidence], max_sentences: int) -> list[Evidence]:
    """Of all statements, best first, those that an answer quotes: close to the best, none twice."""
    chosen: list[Evidence] = []
    for one in ranked:
        if len(chosen) == max_sentences or one.score < _CLOSE * ranked[0].score:
            break
        if not any(_same(one, other) for other in chosen):
            chosen.append(one)
    return chosen


def rank(question: str, passages: Sequence[Passage], embed: Embed, idf: Idf | None = None) -> list[Evidence]:
    """All statements of the passages, best first."""
    found = [(i, before, one) for i, passage in enumerate(passages) for before, one in _citable(passage)]
    if not found:
        return []
    rows = embed([question, *(_in_context(passages[i], statement) for i, _, statement in found)])
    asked = _Asked(question, terms.question_stems(question), idf)
    scored = [
        _evidence(asked, i, passages[i], before, statement, float(row @ rows[0]))
        for (i, before, statement), row in zip(found, rows[1:], strict=True)
    ]
    return sorted(scored, key=lambda one: one.score, reverse=True)


def answer(
    evidence: Sequence[Evidence], passages: Sequence[Passage], min_support: float, question: str = ""
) -> Checked:
    """The extractive answer: each statement as it stands, with the marker of its passage, through the check."""
    claims = [Claim(one.shown, (passages[one.passage].rank,), (one.start, one.end)) for one in evidence]
    return check_claims(claims, passages, min_support, None, question)


@dataclass(frozen=True, slots=True)
class _Asked:
    question: str
    wanted: list[str]
    idf: Idf | None


def _citable(passage: Passage) -> list[tuple[Statement | None, Statement]]:
    """The statements of a passage that may be evidence, each with the one before it."""
    if any(_BIBLIOGRAPHY.fullmatch(heading) for heading in passage.section[-2:]):
        return []
    found = statements(passage.text)
    pairs = zip((None, *found), found, strict=False)
    return [(before, one) for before, one in pairs if one.kind not in ("heading", "header")]


def _in_context(passage: Passage, statement: Statement) -> str:
    """What is embedded for a statement: an item with the line that leads in to it, a row with the heading above it;
    alone they may say little."""
    shown = readable(passage.text, statement)
    if statement.kind == "item" and statement.lead:
        return f"{' '.join(passage.text[slice(*statement.lead[-1])].strip('*_ ').split())} {shown}"
    if statement.kind == "row":
        return f"{passage.section[-1] if passage.section else passage.title}: {shown}"
    return shown


def _evidence(
    asked: _Asked, index: int, passage: Passage, before: Statement | None, statement: Statement, cosine: float
) -> Evidence:
    shown = readable(passage.text, statement)
    above = "\n".join([passage.title, *passage.section, *(passage.text[a:b] for a, b in statement.lead)])
    prior = passage.text[before.start : before.end] if before and statement.kind != "row" else ""
    own = set(terms.stems(shown))
    covered = terms.coverage(asked.wanted, own | set(terms.stems(f"{above}\n{prior}")), asked.idf)
    score = cosine + _COVERAGE_WEIGHT * covered + _OWN_WEIGHT * terms.coverage(asked.wanted, own, asked.idf)
    score += _bonus(_fits(asked.question, shown), _TYPE_BONUS)
    score += _bonus(_holds_numbers(asked.question, f"{above}\n{shown}"), _NUMBER_BONUS)
    score -= _PENALTY.get(statement.kind, 0.0) + _RANK_COST * (passage.rank - 1)
    if own <= set(terms.stems(asked.question)) and not quantities.missing(shown, asked.question):
        score -= _ECHO_PENALTY
    elif len(own) < 2:
        score -= _FRAGMENT_PENALTY
    return Evidence(index, statement.start, statement.end, score, cosine, covered, shown)


def _bonus(holds: bool | None, weight: float) -> float:
    return 0.0 if holds is None else weight if holds else -weight


def _holds_numbers(question: str, text: str) -> bool | None:
    """Whether a text holds the question's numbers; None if it has none."""
    if not quantities.quantities(question):
        return None
    return not quantities.missing(question, text)


def _fits(question: str, shown: str) -> bool | None:
    """Whether a statement has the kind of thing that the question asks for; None if it asks for none that is known."""
    if _QUANTITY_ASKED.search(question):
        return bool(quantities.missing(shown, question))
    if _TIME_ASKED.search(question):
        return bool(_TIME.search(shown))
    if _NAME_ASKED.search(question):
        return any(not terms.holds_name(question, name) for name in terms.names(f"the {shown}"))
    return None


def _same(one: Evidence, other: Evidence) -> bool:
    """Whether two statements say the same in nearly the same words, as near-duplicate documents do."""
    first, second = _stem_set(one.shown), _stem_set(other.shown)
    return len(first & second) >= 0.8 * max(len(first), len(second)) and not (
        quantities.missing(one.shown, other.shown) or quantities.missing(other.shown, one.shown)
    )


@lru_cache(maxsize=256)
def _stem_set(text: str) -> frozenset[str]:
    """The stems without the numbers, however these are written."""
    for quantity in reversed(quantities.quantities(text)):
        text = f"{text[: quantity.start]} {text[quantity.end :]}"
    return frozenset(terms.stems(text))
