"""How sure it is that the passages hold the answer: a calibrated probability, by logistic regression on some features.

The coefficients are in `confidence.json` beside this module, with what they were fitted on; it is written by
`python -m finetune.confidence`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from functools import cache
from pathlib import Path

from assistant.check.extract import Evidence
from assistant.text import quantities, terms
from assistant.types import Passage

FILE = Path(__file__).with_suffix(".json")


@dataclass(frozen=True, slots=True)
class Features:
    """What is known of a question and its best evidence."""

    cosine: float
    """Of the question and the best statement, -1..1."""
    coverage: float
    """Share of the question's content in the best statement, what is just before it and the headings above it, 0..1."""
    names_missing: float
    """Share of the question's names that this passage lacks; 0..1; 0 if it has no names."""
    names_nowhere: float
    """1 if some name of the question stands in no passage, else 0."""
    numbers_missing: float
    """1 if some number of the question is not in this passage, else 0."""


def features(question: str, passages: Sequence[Passage], ranked: Sequence[Evidence]) -> Features:
    """The features of a question whose evidence is `ranked`, best first and not empty."""
    best = ranked[0]
    passage = passages[best.passage]
    whole = _whole(passage)
    names = terms.names(question)
    return Features(
        cosine=best.cosine,
        coverage=best.coverage,
        names_missing=sum(not terms.holds_name(whole, name) for name in names) / len(names) if names else 0.0,
        names_nowhere=float(any(not any(terms.holds_name(_whole(p), name) for p in passages) for name in names)),
        numbers_missing=float(bool(quantities.missing(question, whole))),
    )


def confidence(question: str, passages: Sequence[Passage], ranked: Sequence[Evidence]) -> float:
    """The probability (0..1) that the passages hold the answer; 0.0 without evidence.

    `ranked` is what `extract.rank` gave for the same question and passages.
    """
    if not ranked:
        return 0.0
    weights, intercept = _coefficients()
    values = astuple(features(question, passages, ranked))
    logit = intercept + sum(weight * value for weight, value in zip(weights, values, strict=True))
    return 1 / (1 + math.exp(-logit))


def _whole(passage: Passage) -> str:
    return "\n".join([passage.title, *passage.section, passage.text])


@cache
def _coefficients() -> tuple[tuple[float, ...], float]:
    fitted = json.loads(FILE.read_text(encoding="utf-8"))
    names = tuple(Features.__dataclass_fields__)
    if tuple(fitted["coefficients"]) != names:
        raise ValueError(
            f"{FILE.name} has coefficients for {', '.join(fitted['coefficients'])}, but the features are "
            f"{', '.join(names)}; fit them again with `python -m finetune.confidence`."
        )
    return tuple(fitted["coefficients"].values()), fitted["intercept"]
