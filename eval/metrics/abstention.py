"""Whether the assistant answers what it can and refuses what it cannot, and whether it knows which is which.

An answer is right if it gives the right number, where the question asks for one, and else if it holds an accepted
answer. To a question that the library cannot answer, every answer is wrong.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from eval.metric import Metric
from eval.metrics.numbers import number_match
from eval.metrics.text import contains
from eval.questions import Question

if TYPE_CHECKING:
    from eval.metric import Floats

NEVER = -1.0
"""The confidence of a question that gets no answer at any threshold: below all others."""


def is_right(text: str, question: Question) -> bool:
    if not question.answerable:
        return False
    return bool(number_match(text, question.number) if question.number else contains(text, question.answers))


def risks(confidence: Floats, wrong: Floats) -> Floats:
    """Shape (samples, n) each: the risk if the first 1, 2, ... n questions, the surest first, are answered.

    Of equally sure ones each is as likely to come first, so the risk within them is the expected one. NaN stands last,
    and its risk is NaN.
    """
    import numpy as np

    samples, n = confidence.shape
    order = np.argsort(np.where(np.isnan(confidence), np.inf, -confidence), axis=1, kind="stable")
    sure = np.take_along_axis(confidence, order, axis=1)
    errors = np.take_along_axis(wrong, order, axis=1)
    block = np.zeros((samples, n), dtype=np.intp)  # which run of equally sure questions
    block[:, 1:] = np.cumsum(sure[:, 1:] != sure[:, :-1], axis=1)
    block += np.arange(samples)[:, None] * n
    known = np.where(np.isnan(sure), 0.0, errors)
    shared = np.bincount(block.ravel(), known.ravel()) / np.maximum(np.bincount(block.ravel()), 1)
    found: Floats = np.cumsum(shared[block], axis=1) / np.arange(1, n + 1)
    return np.where(np.isnan(sure), np.nan, found)


def risk_coverage_area(rows: Floats) -> Floats:
    """The mean risk over all coverages (AURC), 0 to 1, from rows of (confidence, 1 if right).

    Geifman and El-Yaniv, "Selective classification for deep neural networks", NeurIPS 2017; El-Yaniv and Wiener, "On
    the foundations of noise-free selective classification", JMLR 11, 2010.
    """
    import numpy as np

    found = risks(rows[..., 0], 1 - rows[..., 1])
    known = ~np.isnan(found)
    with np.errstate(invalid="ignore"):
        return np.where(known, found, 0).sum(-1) / known.sum(-1)  # type: ignore[no-any-return]


METRICS = (
    Metric("accuracy", "share answered rightly, or rightly refused", ("accurate",)),
    Metric("precision_answered", "share of the given answers that are right", ("right",), over="answered questions"),
    Metric("answered", "share that is answered", ("answered",), over="answerable questions"),
    Metric("refused", "share that is refused", ("refused",), over="unanswerable questions"),
    Metric(
        "risk_coverage_area",
        "mean share of wrong answers, over all thresholds of confidence (AURC)",
        ("confidence", "correct"),
        better="lower",
        statistic=risk_coverage_area,
        over="questions with a confidence",
    ),
)


def abstention_values(
    question: Question, answered: bool, text: str, confidence: float | None, drafted: str | None
) -> dict[str, float]:
    """What one answer adds to the metrics, by column.

    `text` is the answer without its markers, `drafted` what it would have been without a threshold: the same where it
    was answered, None where even then there is none. For the risk-coverage curve such a question counts as wrong, and
    as the last one to be answered. `confidence` is None where the system has none.
    """
    right = answered and is_right(text, question)
    values = {"accurate": float(right or not (answered or question.answerable))}
    if answered:
        values["right"] = float(right)
    if question.answerable:
        values["answered"] = float(answered)
    else:
        values["refused"] = float(not answered)
    if confidence is not None:
        values["confidence"] = NEVER if drafted is None else confidence
        values["correct"] = float(drafted is not None and is_right(drafted, question))
    return values
