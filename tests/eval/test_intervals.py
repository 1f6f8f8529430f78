"""Intervals against scipy, values by hand, and the truth in simulations."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from eval.intervals import _acceleration, bca, bonett_price, spread, wilson
from eval.metric import Metric, Result, mean, ratio
from eval.statistics import Figure, compare, figure

Floats = NDArray[np.float64]
SHARE = Metric("share", "", ("x",))
TIME = Metric("time", "", ("x",), better="lower", bounds=None)
CITED = Metric("cited", "", ("x", "of"), statistic=ratio)
MACRO = Metric("macro", "", ("x",), macro=True)


def exp_ratio(rows: Floats) -> Floats:
    return np.exp(ratio(rows))


PERPLEXITY = Metric("perplexity", "", ("x", "of"), better="lower", statistic=exp_ratio, bounds=None)


def one_stratum(n: int) -> NDArray[np.intp]:
    return np.zeros(n, dtype=np.intp)


@pytest.mark.parametrize(("right", "n"), [(0, 5), (1, 1), (7, 20), (97, 100), (500, 500)])
def test_wilson_equals_scipys(right: int, n: int) -> None:
    theirs = stats.binomtest(right, n).proportion_ci(method="wilson")
    assert wilson(right / n, n, (0, 1)) == pytest.approx((theirs.low, theirs.high), abs=1e-12)
    assert wilson(-1 + 2 * right / n, n, (-1, 1)) == pytest.approx((2 * theirs.low - 1, 2 * theirs.high - 1), abs=1e-12)


def test_bonett_price_by_hand() -> None:
    differences = np.array([1.0] * 5 + [-1.0] * 10 + [0.0] * 85)
    # 6/102 - 11/102 = -0.049020; 1.959964 * sqrt((17/102 - 0.049020^2) / 102) = 0.078654
    assert bonett_price(differences, 1) == pytest.approx((-0.127674, 0.029635), abs=2e-6)
    assert bonett_price(3 * differences, 3) == pytest.approx((-0.383022, 0.088905), abs=6e-6)
    assert bonett_price(np.zeros(100), 1) == pytest.approx((-0.027175, 0.027175), abs=2e-6)
    assert bonett_price(-np.ones(3), 1) == pytest.approx((-1, 0.101218), abs=2e-6)


def widened(n: int) -> float:
    """The level that Hesterberg's widening asks of an interval that knows nothing of it."""
    end = stats.t.ppf(0.975, n - 1) * np.sqrt(n / (n - 1))
    return float(2 * stats.norm.cdf(end) - 1)


def variance(rows: Floats) -> Floats:
    """Of all but NaN: a statistic whose draws are too small."""
    return np.nanvar(rows[..., 0], axis=-1)


@pytest.mark.parametrize("n", [8, 40, 300])
def test_bca_equals_scipys(n: int) -> None:
    random = np.random.default_rng(n)
    of = random.integers(1, 5, n).astype(float)
    cited = [random.binomial(of.astype(int), 0.8).astype(float), of]
    skewed = [random.lognormal(0, 0.6, n)]
    for ours, columns, theirs in (
        (mean, skewed, lambda x, axis: x.mean(axis)),
        (variance, skewed, lambda x, axis: x.var(axis)),
        (ratio, cited, lambda x, y, axis: x.sum(axis) / y.sum(axis)),
        (exp_ratio, cited, lambda x, y, axis: np.exp(x.sum(axis) / y.sum(axis))),
    ):
        expected = stats.bootstrap(
            columns, theirs, paired=True, vectorized=True, method="BCa", n_resamples=40_000, batch=2_000,
            confidence_level=widened(n), rng=1,
        )  # fmt: skip
        found = np.array([bca(np.column_stack(columns), one_stratum(n), ours, seed) for seed in range(10)])
        # Both are known up to their draws only: ours to a third of how it varies from seed to seed, theirs likewise.
        tolerance = 0.1 * expected.standard_error + found.std(axis=0)
        assert (np.abs(found.mean(axis=0) - expected.confidence_interval) < tolerance).all(), (n, ours)


def test_acceleration_by_hand() -> None:
    # Means without one: 3, 2.75, 2.5, 1.75 -> from their mean 2.5: -0.5, -0.25, 0, 0.75; with the sign of the influence
    # cubes sum to 0.125 + 0.015625 - 0.421875, squares to 0.25 + 0.0625 + 0.5625. The values are 1, 1.75, 2.5, 4.75.
    rows = np.array([[1.0], [1.75], [2.5], [4.75]])
    expected = (-0.125 - 0.015625 + 0.421875) / (6 * 0.875**1.5)
    assert _acceleration(rows, one_stratum(4), mean) == pytest.approx(expected, abs=1e-12)
    assert _acceleration(-rows, one_stratum(4), mean) == pytest.approx(-expected, abs=1e-12)
    assert _acceleration(np.ones((4, 1)), one_stratum(4), mean) == 0
    with_gap = np.vstack([rows, [[np.nan]]])
    assert _acceleration(with_gap, one_stratum(5), mean) == pytest.approx(expected, rel=0.05)


def test_draws_from_small_strata_spread_as_much_as_the_truth() -> None:
    values, strata = np.array([0.0, 1, 5, 6, 10, np.nan]), np.array([0, 0, 1, 1, 1, 1])
    apart = spread(values, strata)
    assert apart[:2] == pytest.approx([0.5 - 0.5 * 2**0.5, 0.5 + 0.5 * 2**0.5])
    assert apart[2:5] == pytest.approx(7 + np.array([-2, -1, 3]) * 1.5**0.5)
    assert np.isnan(apart[5])
    assert np.var(apart[:2]) == pytest.approx(np.var(values[:2], ddof=1))


Draw = Callable[[np.random.Generator, int], list[Result]]
DrawTwo = Callable[[np.random.Generator, int], tuple[list[Result], list[Result]]]


def results(x: Floats, of: Floats | None = None, group: Floats | None = None) -> list[Result]:
    return [
        Result(
            f"{i:05}",
            "" if group is None else str(group[i]),
            {"x": float(x[i])} | ({} if of is None else {"of": float(of[i])}),
            {},
        )
        for i in range(len(x))
        if not np.isnan(x[i])
    ]


def f1_like(random: np.random.Generator, n: int, zeros: float, ones: float) -> Floats:
    kind = random.random(n)
    return np.where(kind < zeros, 0, np.where(kind < zeros + ones, 1, random.beta(2, 2, n)))


def citations(random: np.random.Generator, n: int) -> list[Result]:
    of = random.integers(0, 5, n)
    return results(random.binomial(of, random.beta(4, 0.7, n)), of)


def tokens(random: np.random.Generator, n: int) -> list[Result]:
    of = random.integers(3, 30, n)
    return results(of * random.gamma(2, 1, n), of)


SUBJECTS = np.repeat(np.arange(57), np.random.default_rng(0).integers(2, 53, 57))
SKILL = np.random.default_rng(1).beta(3, 1.5, 57)


def subjects(random: np.random.Generator, _: int) -> list[Result]:
    return results((random.random(len(SUBJECTS)) < SKILL[SUBJECTS]).astype(float), group=SUBJECTS)


def share(p: float) -> Draw:
    return lambda random, n: results((random.random(n) < p).astype(float))


FIGURES: dict[str, tuple[Metric, Draw, float]] = {
    "share 0.5": (SHARE, share(0.5), 0.5),
    "share 0.9": (SHARE, share(0.9), 0.9),
    "share 0.97": (SHARE, share(0.97), 0.97),
    "F1, middling": (SHARE, lambda random, n: results(f1_like(random, n, 0.3, 0.2)), 0.45),
    "F1, high": (SHARE, lambda random, n: results(f1_like(random, n, 0.03, 0.9)), 0.935),
    "latency": (TIME, lambda random, n: results(random.lognormal(0, 0.5, n)), float(np.exp(0.125))),
    "citations": (CITED, citations, 4 / 4.7),
    "perplexity": (PERPLEXITY, tokens, float(np.exp(2))),
}


def noisy(random: np.random.Generator, n: int) -> tuple[list[Result], list[Result]]:
    p = random.beta(0.5, 0.3, n)
    return results((random.random(n) < p).astype(float)), results((random.random(n) < p).astype(float))


def changed(better: float, worse: float, shares: bool) -> DrawTwo:
    """Values of which a part rises and a part falls, by 1 or by anything up to it."""

    def draw(random: np.random.Generator, n: int) -> tuple[list[Result], list[Result]]:
        which = random.random(n)
        sign = np.where(which < better, 1.0, np.where(which < better + worse, -1.0, 0.0))
        change = sign if shares else sign * random.random(n)
        before = np.where(sign > 0, 0.0, np.where(sign < 0, 1.0, 0.5 if not shares else 1.0))
        return results(before), results(before + change)

    return draw


def slower(random: np.random.Generator, n: int) -> tuple[list[Result], list[Result]]:
    question = random.lognormal(0, 0.5, n)
    first, second = (results(question * random.lognormal(0, 0.3, n) * by) for by in (1.0, 1.1))
    return first, second


def sometimes_refused(random: np.random.Generator, n: int) -> tuple[list[Result], list[Result]]:
    p = random.beta(2, 1, n)
    values = [np.where(random.random(n) < 0.3, np.nan, random.random(n) < p) for _ in range(2)]
    return tuple(  # type: ignore[return-value]
        [Result(f"{i:05}", "", {} if np.isnan(x) else {"x": float(x)}, {}) for i, x in enumerate(side)]
        for side in values
    )


DIFFERENCES: dict[str, tuple[Metric, DrawTwo, float]] = {
    "share, only noise": (SHARE, noisy, 0.0),
    "share, little": (SHARE, changed(0.02, 0.07, shares=True), -0.05),
    "share, much": (SHARE, changed(0.1, 0.15, shares=True), -0.05),
    "F1, hardly any": (SHARE, changed(0.01, 0.01, shares=False), 0.0),
    "F1, little": (SHARE, changed(0.02, 0.07, shares=False), -0.025),
    "F1, much": (SHARE, changed(0.3, 0.4, shares=False), -0.05),
    "latency": (TIME, slower, 0.1 * float(np.exp(0.125 + 0.045))),
    "share, refused now and then": (SHARE, sometimes_refused, 0.0),
}


def coverage(metric: Metric, draw: Draw, true: float, n: int, runs: int, seed: int) -> float:
    random, held = np.random.default_rng(seed), 0
    for run in range(runs):
        found = figure(metric, draw(random, n), run)
        assert isinstance(found, Figure)
        held += found.low - 1e-9 <= true <= found.high + 1e-9
    return held / runs


def coverage_of_change(metric: Metric, draw: DrawTwo, true: float, n: int, runs: int, seed: int) -> float:
    random, held = np.random.default_rng(seed), 0
    for run in range(runs):
        found = compare(metric, *draw(random, n), run)
        assert not hasattr(found, "why")
        held += found.low - 1e-9 <= true <= found.high + 1e-9  # type: ignore[union-attr]
    return held / runs


def least(runs: int) -> float:
    """93 %, less what 2.5 standard deviations of so many runs allow."""
    return 0.93 - 2.5 * float(np.sqrt(0.93 * 0.07 / runs))


@pytest.mark.parametrize("name", ["share 0.9", "F1, high", "citations", "perplexity", "latency"])
def test_intervals_hold_the_truth(name: str) -> None:
    assert coverage(*FIGURES[name], n=50, runs=200, seed=5) > least(200)


@pytest.mark.parametrize("name", ["share, little", "F1, little", "share, refused now and then"])
def test_intervals_of_differences_hold_the_truth(name: str) -> None:
    assert coverage_of_change(*DIFFERENCES[name], n=50, runs=150, seed=6) > least(150)


def test_intervals_of_macro_averages_hold_the_truth() -> None:
    assert 0.999 > coverage(MACRO, subjects, SKILL.mean(), 0, runs=40, seed=7) > least(40)


@pytest.mark.long
@pytest.mark.parametrize("n", [50, 200, 500])
@pytest.mark.parametrize("name", FIGURES)
def test_intervals_hold_the_truth_long(name: str, n: int) -> None:
    assert 0.985 > coverage(*FIGURES[name], n=n, runs=1500, seed=n) > least(1500)


@pytest.mark.long
@pytest.mark.parametrize("n", [50, 200, 500])
@pytest.mark.parametrize("name", DIFFERENCES)
def test_intervals_of_differences_hold_the_truth_long(name: str, n: int) -> None:
    assert coverage_of_change(*DIFFERENCES[name], n=n, runs=1000, seed=n) > least(1000)


@pytest.mark.long
def test_intervals_of_macro_averages_hold_the_truth_long() -> None:
    assert 0.985 > coverage(MACRO, subjects, SKILL.mean(), 0, runs=1000, seed=8) > least(1000)
