"""Risk against coverage: how often answers are wrong if only the surest are given.

El-Yaniv and Wiener, "On the foundations of noise-free selective classification", JMLR 11, 2010.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from eval.metric import Result

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

CONFIDENCE, CORRECT = "confidence", "correct"
"""The values of a result that a curve is made of."""
_RESAMPLES = 1_000
_POINTS = 100


@dataclass(frozen=True, slots=True)
class RiskCoverage:
    """`risk` (0..1) is the share of wrong answers among the share `coverage` (0..1, rising to 1) of the `n` questions
    that are the surest; `low` and `high` are its 95 % interval at each point."""

    coverage: Floats
    risk: Floats
    low: Floats
    high: Floats
    n: int

    def risk_at(self, coverage: float) -> float:
        """At the nearest point of the curve."""
        return float(self.risk[np.abs(self.coverage - coverage).argmin()])


def risk_coverage(results: Sequence[Result], seed: int = 0) -> RiskCoverage | None:
    """The curve over the results that have a confidence and are right or wrong; None where there are none.

    The answers of equal confidence are right in the share that they are right on the whole, since a threshold cannot
    part them.
    """
    rows = np.array(
        [[one.values[CONFIDENCE], one.values[CORRECT]] for one in results if {CONFIDENCE, CORRECT} <= one.values.keys()]
    )
    if not len(rows):
        return None
    points = min(_POINTS, len(rows))
    coverage = np.arange(1, points + 1) / points
    random = np.random.default_rng(seed)
    drawn = np.stack([_risks(rows[random.integers(len(rows), size=len(rows))], coverage) for _ in range(_RESAMPLES)])
    low, high = np.quantile(drawn, [0.025, 0.975], axis=0)
    return RiskCoverage(coverage, _risks(rows, coverage), low, high, len(rows))


def _risks(rows: Floats, coverage: Floats) -> Floats:
    """At each coverage, of which a part of an answer counts as such."""
    order = np.argsort(-rows[:, 0], kind="stable")
    confidence, wrong = rows[order, 0], 1 - rows[order, 1]
    _, group, sizes = np.unique(-confidence, return_inverse=True, return_counts=True)
    shared = (np.bincount(group, wrong) / sizes)[group]
    sums = np.concatenate([[0.0], np.cumsum(shared)])
    taken = coverage * len(rows)
    risks: Floats = np.interp(taken, np.arange(len(rows) + 1), sums) / taken
    return risks
