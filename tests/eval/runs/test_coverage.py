from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eval.metric import Result
from eval.runs.coverage import risk_coverage


def result(id_: int, confidence: float, right: float) -> Result:
    return Result(str(id_), "", {"confidence": confidence, "correct": right}, {})


@settings(max_examples=30)
@given(st.lists(st.tuples(st.sampled_from([0.2, 0.5, 0.9]), st.sampled_from([0.0, 1.0])), min_size=1, max_size=6))
def test_the_curve_is_the_mean_over_all_orders_of_the_equally_sure(pairs: list[tuple[float, float]]) -> None:
    curve = risk_coverage([result(n, *pair) for n, pair in enumerate(pairs)])
    assert curve
    ordered = [order for order in permutations(pairs) if list(order) == sorted(order, key=lambda pair: -pair[0])]
    expected = [
        np.mean([np.mean([1 - right for _, right in order[:taken]]) for order in ordered])
        for taken in range(1, len(pairs) + 1)
    ]
    assert curve.risk == pytest.approx(expected)
    assert curve.coverage == pytest.approx([n / len(pairs) for n in range(1, len(pairs) + 1)])
    assert curve.n == len(pairs)


def test_a_large_run_has_a_curve_of_a_hundred_points_within_its_band() -> None:
    random = np.random.default_rng(0)
    sure = random.random(4_000)
    curve = risk_coverage([result(n, c, float(random.random() < c)) for n, c in enumerate(sure)], seed=1)
    assert curve
    assert len(curve.coverage) == 100
    assert ((curve.low <= curve.risk) & (curve.risk <= curve.high)).all()
    # The mean of 1 - c over c from 1 - coverage to 1 is coverage / 2.
    assert curve.risk[20:] == pytest.approx(curve.coverage[20:] / 2, abs=0.03)
    assert (curve.high - curve.low)[-1] == pytest.approx(2 * 1.96 * (0.25 / 4_000) ** 0.5, rel=0.1)


def test_without_confidence_there_is_no_curve() -> None:
    assert risk_coverage([Result("1", "", {"correct": 1.0}, {}), Result("2", "", {"confidence": 0.5}, {})]) is None
    assert risk_coverage([]) is None
