"""How good answers are: each is compared with accepted answers, its citations with the documents that hold them.

Exact match and token F1 are those of SQuAD, with the same normalisation (Rajpurkar et al., "SQuAD: 100,000+ questions
for machine comprehension of text", EMNLP 2016, and its official script evaluate-v1.1). They favour short answers: an
extractive answer quotes a sentence, so `contains` says more about it.
"""

from __future__ import annotations

import re
import string
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from assistant.types import Answer, Mode
from eval.questions import Question

if TYPE_CHECKING:
    from assistant import Assistant

_MARKERS = re.compile(r"\s*\[\d+(?:\s*[,–-]\s*\d+)*\]")
_PUNCTUATION = str.maketrans("", "", string.punctuation)


@dataclass(frozen=True, slots=True)
class Scored:
    """One answer's scores, each from 0 to 1; None where a score is not defined for this question.

    `verbatim` counts the citations whose quote stands at its span of its document, out of `citations`.
    """

    question: Question
    text: str
    answered: bool
    mode: Mode
    confidence: float
    exact_match: float | None
    f1: float | None
    contains: float | None
    citation_hit: float | None
    citations: int
    verbatim: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Mean:
    """The mean of one metric over the `n` cases that it is defined for; `value` is None if there are none."""

    metric: str
    value: float | None
    n: int
    over: str


def normalized(text: str) -> str:
    """SQuAD's form of an answer: lower case, without punctuation, English articles and needless white space."""
    bare = text.lower().translate(_PUNCTUATION)
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", bare).split())


def exact_match(text: str, answers: Iterable[str]) -> float:
    return float(any(normalized(text) == normalized(answer) for answer in answers))


def token_f1(text: str, answers: Iterable[str]) -> float:
    """The best harmonic mean of precision and recall over the words that `text` shares with an answer."""
    return max(_f1(normalized(text).split(), normalized(answer).split()) for answer in answers)


def _f1(given: list[str], expected: list[str]) -> float:
    same = sum((Counter(given) & Counter(expected)).values())
    return 2 * same / (len(given) + len(expected)) if same else 0.0


def contains(text: str, answers: Iterable[str]) -> float:
    """1 if the words of an answer stand side by side in `text`."""
    within = f" {normalized(text)} "
    return float(any(normalized(answer) and f" {normalized(answer)} " in within for answer in answers))


def score(question: Question, answer: Answer, seconds: float, assistant: Assistant) -> Scored:
    """The scores of one answer. A refusal of an answerable question scores 0 on what compares texts."""
    text = _MARKERS.sub("", answer.text) if answer.answered else ""
    verbatim = 0
    for citation in answer.citations:
        document = assistant.document(citation.source, citation.key)
        verbatim += bool(
            document
            and document.revision == citation.revision
            and document.text[citation.start : citation.end] == citation.quote
        )
    gold = question.documents if question.answerable and answer.answered else ()
    compare = question.answers if question.answerable else None
    return Scored(
        question=question,
        text=answer.text,
        answered=answer.answered,
        mode=answer.mode,
        confidence=answer.confidence,
        exact_match=exact_match(text, compare) if compare else None,
        f1=token_f1(text, compare) if compare else None,
        contains=contains(text, compare) if compare else None,
        citation_hit=float(any(c.key in gold for c in answer.citations)) if gold else None,
        citations=len(answer.citations),
        verbatim=verbatim,
        seconds=seconds,
    )


def evaluate(
    questions: Sequence[Question],
    assistant: Assistant,
    mode: Mode | None = None,
    progress: Callable[[int, str], None] = lambda done, what: None,
) -> list[Scored]:
    """Asks every question. Raises ValueError if a document that a question names is not in the library."""
    keys = {document.key for document in assistant.documents()}
    lacking = [(one.id, key) for one in questions for key in one.documents if key not in keys]
    if lacking:
        raise ValueError(
            f"The library lacks {len(lacking)} documents that questions name, first {lacking[0][1]!r} of question "
            f"{lacking[0][0]!r}. Its keys look like {min(keys, default='(it is empty)')!r}; index the folder that the "
            "names in the questions start from."
        )
    scored = []
    for done, question in enumerate(questions, start=1):
        started = time.perf_counter()
        answer = assistant.ask(question.question, mode=mode)
        scored.append(score(question, answer, time.perf_counter() - started, assistant))
        progress(done, "questions")
    return scored


def means(scored: Sequence[Scored]) -> list[Mean]:
    """Every metric with the number of cases behind it."""
    answerable = [one for one in scored if one.question.answerable]
    unanswerable = [one for one in scored if not one.question.answerable]
    hits = [one.citation_hit for one in scored if one.citation_hit is not None]
    quotes = [float(n < one.verbatim) for one in scored for n in range(one.citations)]
    return [
        _mean("exact_match", [one.exact_match or 0.0 for one in answerable], "answerable questions"),
        _mean("f1", [one.f1 or 0.0 for one in answerable], "answerable questions"),
        _mean("contains", [one.contains or 0.0 for one in answerable], "answerable questions"),
        _mean("answered_or_refused_rightly", [float(o.answered == o.question.answerable) for o in scored], "questions"),
        _mean("answered", [float(one.answered) for one in answerable], "answerable questions"),
        _mean("refused", [float(not one.answered) for one in unanswerable], "unanswerable questions"),
        _mean("citation_hit", hits, "answered questions whose documents are known"),
        _mean("quote_verbatim", quotes, "citations"),
        _mean("seconds", [one.seconds for one in scored], "questions"),
    ]


def _mean(metric: str, values: Sequence[float], over: str) -> Mean:
    return Mean(metric, sum(values) / len(values) if values else None, len(values), over)
