"""The metrics of answers, the most telling first."""

from __future__ import annotations

from eval.metric import Metric
from eval.metrics import abstention, agreement, citations, numbers, overlap, perplexity, text

METRICS = (
    *abstention.METRICS,
    *text.METRICS,
    *numbers.METRICS,
    *citations.METRICS,
    *overlap.METRICS,
    *perplexity.METRICS,
    *agreement.METRICS,
    Metric("seconds", "until the whole answer is there", ("seconds",), better="lower", bounds=None),
    Metric(
        "tokens",
        "that the language model writes for an answer, before the check",
        ("tokens",),
        better="lower",
        over="questions that a language model was asked",
        bounds=None,
    ),
    Metric(
        "written",
        "share of answers that the language model wrote; the others are quoted, as nothing it wrote passed the check",
        ("written",),
        over="answers of the mode generate",
    ),
)
