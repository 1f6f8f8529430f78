"""Risk against coverage, as a curve: how often answers are wrong if only the surest are given.

El-Yaniv and Wiener, "On the foundations of noise-free selective classification", JMLR 11, 2010.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from eval.intervals import batches
from eval.metric import Result
from eval.metrics.abstention import risks

if TYPE_CHECKING:
    from eval.metric import Floats

CONFIDENCE, CORRECT = "confidence", "correct"
"""The values of a result that a curve is made of."""
_RESAMPLES = 1_000
_POINTS = 100


@dataclass(frozen=True, slots=True)
class RiskCoverage:
    """`risk` (0..1) is the expected share of wrong answers among the share `coverage` (0..1, rising to 1) of the `n`
    questions that are the surest; `low` and `high` are its 95 % interval at each point, by the percentile bootstrap."""

    coverage: Floats
    risk: Floats
    low: Floats
    high: Floats
    n: int

    def risk_at(self, coverage: float) -> float:
        """At the nearest point of the curve."""
        return float(self.risk[np.abs(self.coverage - coverage).argmin()])


def risk_coverage(results: Sequence[Result], seed: int = 0) -> RiskCoverage | None:
    """The curve over the results that have a confidence and are right or wrong; None where there are none."""
    both = [one.values for one in results if {CONFIDENCE, CORRECT} <= one.values.keys()]
    if not both:
        return None
    confidence = np.array([values[CONFIDENCE] for values in both])
    wrong = 1 - np.array([values[CORRECT] for values in both])
    n = len(both)
    points = np.unique(np.linspace(1, n, min(_POINTS, n)).round().astype(np.intp))
    random = np.random.default_rng(seed)
    drawn: list[Floats] = []
    for samples in batches(_RESAMPLES, n):
        chosen = random.integers(n, size=(samples, n))
        drawn.append(risks(confidence[chosen], wrong[chosen])[:, points - 1])
    low, high = np.quantile(np.concatenate(drawn), [0.025, 0.975], axis=0)
    return RiskCoverage(points / n, risks(confidence[None], wrong[None])[0, points - 1], low, high, n)
