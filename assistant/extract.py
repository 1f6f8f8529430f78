"""The answer without an LLM: the sentences, list items and table rows of the passages that best answer a question."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from assistant import quantities, terms
from assistant.cite import Checked, Embed, check_claims
from assistant.drafts import Claim
from assistant.statements import Statement, StatementKind, readable, statements
from assistant.terms import Idf
from assistant.types import Passage

# Weights of the score; see `finetune.confidence` for how they were chosen.
_COVERAGE_WEIGHT = 0.4
_TYPE_BONUS = 0.1
_RANK_COST = 0.01
_PENALTY: dict[StatementKind, float] = {
    "heading": 0.6, "question": 0.6, "reference": 0.5, "header": 0.3, "code": 0.1, "equation": 0.05,
}  # fmt: skip
_FRAGMENT_PENALTY = 0.2
_ECHO_PENALTY = 0.6  # what only repeats the question answers nothing
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
    of the question's content in the statement and its headings, and `fits` whether it has the kind of answer that was
    asked for (a quantity, a time, a name); None where the question asks for none of these. `shown` is the statement as
    one readable line, a table row with its header cells.
    """

    passage: int
    start: int
    end: int
    score: float
    cosine: float
    coverage: float
    fits: bool | None
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
    found = [(i, statement) for i, passage in enumerate(passages) for statement in _citable(passage)]
    if not found:
        return []
    rows = embed([question, *(_in_context(passages[i], statement) for i, statement in found)])
    cosines = rows[1:] @ rows[0]
    wanted = terms.question_stems(question)
    scored = [
        _evidence(question, wanted, i, passages[i], statement, float(cosine), idf)
        for (i, statement), cosine in zip(found, cosines, strict=True)
    ]
    return sorted(scored, key=lambda one: one.score, reverse=True)


def answer(
    evidence: Sequence[Evidence], passages: Sequence[Passage], min_support: float, question: str = ""
) -> Checked:
    """The extractive answer: each statement as it stands, with the marker of its passage, through the check."""
    claims = [Claim(one.shown, (passages[one.passage].rank,)) for one in evidence]
    return check_claims(claims, passages, min_support, None, question)


def _citable(passage: Passage) -> list[Statement]:
    if any(_BIBLIOGRAPHY.fullmatch(heading) for heading in passage.section[-2:]):
        return []
    return [one for one in statements(passage.text) if one.kind not in ("heading", "header")]


def _in_context(passage: Passage, statement: Statement) -> str:
    """What is embedded for a statement: with the line that leads in to it, without which an item may say little."""
    shown = readable(passage.text, statement)
    if statement.kind == "item" and statement.lead:
        return f"{' '.join(passage.text[slice(*statement.lead[-1])].strip('*_ ').split())} {shown}"
    return shown


def _evidence(
    question: str,
    wanted: list[str],
    index: int,
    passage: Passage,
    statement: Statement,
    cosine: float,
    idf: Idf | None,
) -> Evidence:
    shown = readable(passage.text, statement)
    leads = " ".join(passage.text[a:b] for a, b in statement.lead)
    own = set(terms.stems(shown))
    around = set(terms.stems(" ".join([passage.title, *passage.section, leads])))
    covered = terms.coverage(wanted, own | around, idf)
    fits = _fits(question, shown)
    score = cosine + _COVERAGE_WEIGHT * (covered + terms.coverage(wanted, own, idf)) / 2
    score += 0.0 if fits is None else _TYPE_BONUS if fits else -_TYPE_BONUS
    score -= _PENALTY.get(statement.kind, 0.0) + _RANK_COST * (passage.rank - 1)
    if own <= set(terms.stems(question)) and not quantities.missing(shown, question):
        score -= _ECHO_PENALTY
    elif len(own) < 2:
        score -= _FRAGMENT_PENALTY
    return Evidence(index, statement.start, statement.end, score, cosine, covered, fits, shown)


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
