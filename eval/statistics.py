"""How sure a figure is, and whether two runs differ: intervals by bootstrap, tests by randomisation, all seeded.

A question is what is drawn: its values stay together. Nothing is assumed of how values are distributed. A share that
was found to be all or nothing has no spread that could be drawn from, and the bootstrap says "certain" of it; there,
and for means of zeros and ones, where it covers too little near the ends, the interval is Wilson's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from eval.metric import Metric, Result, mean

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from eval.metric import Floats

    Indices = NDArray[np.intp]

LEVEL = 0.95
RESAMPLES = 4_000
PERMUTATIONS = 10_000
_AT_ONCE = 4_000_000
"""Drawn rows that are held at a time."""
_MOST_LEFT_OUT = 2_000
"""Questions up to which each is left out once for the acceleration; it falls with their root, so beyond it is 0."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A metric's value over `n` results, with its 95 % interval."""

    metric: str
    value: float
    low: float
    high: float
    n: int
    over: str


@dataclass(frozen=True, slots=True)
class Undefined:
    """A metric that has no value, and why."""

    metric: str
    why: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """How a metric changed between two runs over the `n` questions that it is defined for in both.

    `difference` is after minus before, with its 95 % interval. `p_worse` is the probability (0..1) of a change at least
    as much for the worse if nothing but chance told the runs apart; `p_differs` that of one as large either way.
    """

    metric: str
    before: float
    after: float
    difference: float
    low: float
    high: float
    p_worse: float
    p_differs: float
    n: int


def figure(metric: Metric, results: Sequence[Result], seed: int = 0) -> Figure | Undefined:
    """The value of a metric over some results."""
    counted = [one for one in results if all(column in one.values for column in metric.columns)]
    if not counted:
        return Undefined(metric.name, f"there are no {metric.over}")
    rows, strata = _rows(metric, counted)
    value = float(_statistic(metric)(rows[None])[0])
    if np.isnan(value):
        return Undefined(metric.name, f"it has no value over these {len(counted)} {metric.over}")
    low, high = _interval(metric, rows, strata, value, seed)
    return Figure(metric.name, value, low, high, len(counted), metric.over)


def compare(metric: Metric, before: Sequence[Result], after: Sequence[Result], seed: int = 0) -> Comparison | Undefined:
    """How a metric changed, question by question (by their ids).

    The test is the paired randomisation test (Noreen, Computer-Intensive Methods for Testing Hypotheses, 1989; Yeh,
    "More accurate tests for the statistical significance of result differences", COLING 2000): the two results of each
    question are exchanged at random, and the change is compared with those that chance then makes.
    """
    pairs = _pairs(metric, before, after)
    if not pairs:
        return Undefined(metric.name, f"there are no {metric.over} in both runs")
    columns, statistic = len(metric.columns) + metric.macro, _statistic(metric)
    first, strata = _rows(metric, [pair[0] for pair in pairs])
    second, _ = _rows(metric, [pair[1] for pair in pairs])
    both = np.concatenate([first, second], axis=1)
    values = statistic(first[None])[0], statistic(second[None])[0]
    if np.isnan(values).any():
        return Undefined(metric.name, f"it has no value over these {len(pairs)} {metric.over} in one of the runs")

    def change(rows: Floats) -> Floats:
        return statistic(rows[..., columns:]) - statistic(rows[..., :columns])

    found = float(values[1] - values[0])
    if (first == second).all():
        spread = _wilson(0.0, len(pairs))[1] * (metric.bounds[1] - metric.bounds[0]) if metric.bounds else 0.0
        low, high = -spread, spread
    else:
        low, high = _bootstrap(both, strata, change, found, seed)
    by_chance = np.concatenate([change(rows) for rows in _exchanged(both, columns, seed)])
    by_chance = by_chance[~np.isnan(by_chance)]
    worse = -1.0 if metric.better == "higher" else 1.0
    slack = 1e-12 * max(1.0, abs(found))  # sums in another order
    p_worse = _share(by_chance * worse >= found * worse - slack)
    p_differs = _share(np.abs(by_chance) >= abs(found) - slack)
    return Comparison(metric.name, float(values[0]), float(values[1]), found, low, high, p_worse, p_differs, len(pairs))


def _pairs(metric: Metric, before: Sequence[Result], after: Sequence[Result]) -> list[tuple[Result, Result]]:
    """The results of a question in both runs, where the metric is defined for one of them at least; for a mean, which
    compares question with question, for both."""
    earlier = {one.id: one for one in before}
    enough = all if metric.statistic is mean else any
    return [
        (earlier[one.id], one)
        for one in after
        if one.id in earlier
        and enough(all(column in side.values for column in metric.columns) for side in (earlier[one.id], one))
    ]


def _rows(metric: Metric, results: Sequence[Result]) -> tuple[Floats, Indices]:
    """Values of shape (questions, columns), NaN where a result lacks one, and for each question the number of the group
    that it is drawn within: one for all, but for macro averages."""
    rows = np.array([[one.values.get(column, np.nan) for column in metric.columns] for one in results])
    rows[np.isnan(rows).any(axis=1)] = np.nan
    if not metric.macro:
        return rows, np.zeros(len(rows), dtype=np.intp)
    _, strata, sizes = np.unique([one.group for one in results], return_inverse=True, return_counts=True)
    weights = 1 / (len(sizes) * sizes[strata])
    return np.column_stack([rows, weights]), strata


def _statistic(metric: Metric) -> Callable[[Floats], Floats]:
    """Macro averages have their weights in a second column."""
    return (lambda rows: (rows[..., 0] * rows[..., 1]).sum(-1)) if metric.macro else metric.statistic


def _interval(metric: Metric, rows: Floats, strata: Indices, value: float, seed: int) -> tuple[float, float]:
    if metric.bounds and not metric.macro and metric.statistic is mean and np.isin(rows, metric.bounds).all():
        return _scaled_wilson(metric.bounds, value, len(rows))
    drawn = _spread(rows, strata) if metric.macro else rows
    low, high = _bootstrap(drawn, strata, _statistic(metric), value, seed)
    if not metric.bounds:
        return low, high
    if low == high:
        return _scaled_wilson(metric.bounds, value, len(rows))
    return max(low, metric.bounds[0]), min(high, metric.bounds[1])


def _spread(rows: Floats, strata: Indices) -> Floats:
    """Values moved away from their group's mean, so that draws from small groups vary as much as the groups do.

    By the factor of Rao and Wu, "Resampling inference with complex survey data", JASA 83, 1988, for draws as large as
    the group: sqrt(n / (n - 1)).
    """
    sizes = np.bincount(strata)
    means = np.bincount(strata, rows[:, 0]) / sizes
    factor = np.sqrt(sizes / np.maximum(sizes - 1, 1))
    spread = means[strata] + (rows[:, 0] - means[strata]) * factor[strata]
    return np.column_stack([spread, rows[:, 1:]])


def _bootstrap(
    rows: Floats, strata: Indices, statistic: Callable[[Floats], Floats], value: float, seed: int
) -> tuple[float, float]:
    """The BCa interval (Efron, "Better bootstrap confidence intervals", JASA 82, 1987) of a statistic."""
    drawn = np.concatenate([statistic(rows[chosen]) for chosen in _draws(strata, seed)])
    drawn = np.sort(drawn[~np.isnan(drawn)])
    from scipy.special import ndtr, ndtri

    below = ((drawn < value).sum() + (drawn <= value).sum()) / 2
    bias = ndtri(np.clip(below, 1, len(drawn) - 1) / len(drawn))
    acceleration = _acceleration(rows, statistic) if strata.max(initial=0) == 0 else 0.0
    ends = ndtri([(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    shares = ndtr(bias + (bias + ends) / (1 - acceleration * (bias + ends)))
    low, high = np.quantile(drawn, shares)
    return float(low), float(high)


def _draws(strata: Indices, seed: int) -> Iterator[Indices]:
    """Questions drawn with replacement within their groups, `RESAMPLES` times: of shape (samples, questions)."""
    random = np.random.default_rng(seed)
    order = np.argsort(strata, kind="stable")
    sizes = np.bincount(strata)
    starts = np.repeat(np.cumsum(sizes) - sizes, sizes)
    lengths = np.repeat(sizes, sizes)
    for samples in _batches(RESAMPLES, len(strata)):
        yield order[starts + (random.random((samples, len(strata))) * lengths).astype(np.intp)]


def _acceleration(rows: Floats, statistic: Callable[[Floats], Floats]) -> float:
    """How fast the standard error changes with the value, by leaving each question out once."""
    n = len(rows)
    if not 2 < n <= _MOST_LEFT_OUT:
        return 0.0
    left_out: list[Floats] = []
    done = 0
    for samples in _batches(n, n):
        kept = np.arange(n - 1)[None] + (np.arange(n - 1)[None] >= np.arange(done, done + samples)[:, None])
        left_out.append(statistic(rows[kept]))
        done += samples
    without = np.concatenate(left_out)
    away = np.nanmean(without) - without[~np.isnan(without)]
    scale = (away**2).sum() ** 1.5
    return float((away**3).sum() / (6 * scale)) if scale > 0 else 0.0


def _exchanged(both: Floats, columns: int, seed: int) -> Iterator[Floats]:
    """Both runs' rows side by side, (samples, questions, 2 * columns), those of a question exchanged or not."""
    random = np.random.default_rng(seed)
    turned = np.concatenate([both[:, columns:], both[:, :columns]], axis=1)
    for samples in _batches(PERMUTATIONS, both.size):
        yield np.where(random.random((samples, len(both), 1)) < 0.5, turned, both)


def _share(found: NDArray[np.bool_]) -> float:
    """With what was found counted in, so that none is 0 (Davison and Hinkley, Bootstrap Methods, 1997, 4.3)."""
    return float((found.sum() + 1) / (len(found) + 1))


def _scaled_wilson(bounds: tuple[float, float], value: float, n: int) -> tuple[float, float]:
    least, most = bounds
    low, high = _wilson((value - least) / (most - least), n)
    return least + low * (most - least), least + high * (most - least)


def _wilson(share: float, n: int) -> tuple[float, float]:
    """Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22, 1927."""
    from scipy.special import ndtri

    z2 = float(ndtri((1 + LEVEL) / 2)) ** 2
    middle, half = share + z2 / (2 * n), (z2 * (share * (1 - share) / n + z2 / (4 * n * n))) ** 0.5
    return max(0.0, (middle - half) / (1 + z2 / n)), min(1.0, (middle + half) / (1 + z2 / n))


def _batches(count: int, size: int) -> Iterator[int]:
    """`count` in parts, each small enough that a part of rows of `size` fits."""
    part = max(1, _AT_ONCE // max(1, size))
    for start in range(0, count, part):
        yield min(part, count - start)
