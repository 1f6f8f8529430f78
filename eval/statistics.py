"""How sure a figure is, and whether two runs differ: intervals by bootstrap, tests by randomisation, all seeded.

A question is what is drawn: its values stay together. Nothing is assumed of how values are distributed, but that shares
(means of zeros and ones) have intervals made for them: the bootstrap covers too little near the ends, and says
"certain" of what was found to be all or nothing. Nothing depends on the order of the results.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from eval.intervals import batches, bca, bonett_price, spread, wilson
from eval.metric import Metric, Result, mean

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from eval.intervals import Indices
    from eval.metric import Floats, Statistic

PERMUTATIONS = 10_000
_FEW = 30
"""Changed questions below which draws of them vary too little: simulated, 86 % instead of 95 %."""
_ALIKE = 1e-9
"""Width, as a part of what is possible, of an interval that is only rounding: all draws were alike."""


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
    """A metric that has no value or no interval, and why."""

    metric: str
    why: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """How a metric changed between two runs.

    `before` and `after` are the figures of the two runs over the questions that both asked; `n` of these count in at
    least one of them. `difference` is after minus before, with its 95 % interval. `p_worse` is the probability (0..1)
    of a change at least as much for the worse if nothing but chance told the runs apart; `p_differs` that of one as
    large either way.
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


@dataclass(frozen=True, slots=True)
class _Drawn:
    """What is drawn from: values of shape (questions, columns), the stratum of each question, and how a figure is made
    of them."""

    rows: Floats
    strata: Indices
    statistic: Statistic


def figure(metric: Metric, results: Sequence[Result], seed: int = 0) -> Figure | Undefined:
    """The value of a metric over some results. Raises ValueError if two of them are of one question."""
    counted = [one for one in _by_id(results).values() if metric.defined_for(one)]
    if not counted:
        return Undefined(metric.name, f"there are no {metric.over}")
    drawn = _drawn(metric, counted)
    n, value = len(counted), float(drawn.statistic(drawn.rows[None])[0])
    if np.isnan(value):
        return Undefined(metric.name, f"it has no value over these {n} {metric.over}")
    if why := _impossible(metric, drawn.rows, [value]) or _no_interval(metric, counted):
        return Undefined(metric.name, why)
    low, high = _interval(metric, drawn, value, seed)
    return Figure(metric.name, value, low, high, n, metric.over)


def compare(metric: Metric, before: Sequence[Result], after: Sequence[Result], seed: int = 0) -> Comparison | Undefined:
    """How a metric changed over the questions that both runs have, by their ids.

    A question counts in the run that the metric is defined for, so a wrong answer where the other run had none is not
    lost. The test is the paired randomisation test (Noreen, Computer-Intensive Methods for Testing Hypotheses, 1989;
    Yeh, "More accurate tests for the statistical significance of result differences", COLING 2000): the two results of
    each question are exchanged at random, and the change is compared with those that chance then makes.
    Raises ValueError if a run has two results of one question.
    """
    pairs = _pairs(metric, before, after)
    if not pairs:
        return Undefined(metric.name, f"there are no {metric.over} in both runs")
    first, second = (_drawn(metric, [_grouped(pair[0], pair[i]) for pair in pairs]) for i in (0, 1))
    values = [float(one.statistic(one.rows[None])[0]) for one in (first, second)]
    if np.isnan(values).any():
        return Undefined(metric.name, f"it has no value over these {len(pairs)} {metric.over} in one of the runs")
    sides = np.concatenate([first.rows, second.rows])
    if why := _impossible(metric, sides, values) or _no_interval(metric, [pair[0] for pair in pairs]):
        return Undefined(metric.name, why)
    columns, difference = len(metric.columns), values[1] - values[0]

    def change(rows: Floats) -> Floats:
        return first.statistic(rows[..., columns:]) - first.statistic(rows[..., :columns])

    both = _Drawn(np.concatenate([first.rows, second.rows], axis=1), first.strata, change)
    low, high = _interval_of_change(metric, both, difference, seed)
    by_chance = np.concatenate([change(rows) for rows in _exchanged(both.rows, seed)])
    by_chance = by_chance[~np.isnan(by_chance)]
    worse = -1 if metric.better == "higher" else 1
    slack = 1e-12 * max(1.0, abs(difference))  # sums in another order
    p_worse = _share(by_chance * worse >= difference * worse - slack)
    p_differs = _share(np.abs(by_chance) >= abs(difference) - slack)
    return Comparison(metric.name, values[0], values[1], difference, low, high, p_worse, p_differs, len(pairs))


def _by_id(results: Sequence[Result]) -> dict[str, Result]:
    """In the order of their ids."""
    found = {one.id: one for one in sorted(results, key=lambda one: one.id)}
    if len(found) < len(results):
        ids = [one.id for one in results]
        twice = next(id_ for id_ in found if ids.count(id_) > 1)
        raise ValueError(f"there are two results of question {twice!r}; a question has one in a run")
    return found


def _pairs(metric: Metric, before: Sequence[Result], after: Sequence[Result]) -> list[tuple[Result, Result]]:
    """The results of a question in both runs, where the metric is defined for one of them at least."""
    earlier, later = _by_id(before), _by_id(after)
    pairs = [(earlier[id_], later[id_]) for id_ in earlier if id_ in later]
    return [pair for pair in pairs if any(map(metric.defined_for, pair))]


def _grouped(first: Result, one: Result) -> Result:
    """In the group of the question's first result, so that both are drawn together."""
    return one if one.group == first.group else Result(one.id, first.group, one.values, one.detail)


def _drawn(metric: Metric, results: Sequence[Result]) -> _Drawn:
    """NaN where a result lacks a value. All are of one stratum, but for macro averages, where each group is one."""
    strata = np.zeros(len(results), dtype=np.intp)
    if metric.macro:
        results = sorted(results, key=lambda one: one.group)
        strata = np.unique([one.group for one in results], return_inverse=True)[1]
    rows = np.array([[one.values.get(column, np.nan) for column in metric.columns] for one in results], dtype=float)
    rows[np.isnan(rows).any(axis=1)] = np.nan
    return _Drawn(rows, strata, _mean_of_means(strata) if metric.macro else metric.statistic)


def _mean_of_means(strata: Indices) -> Statistic:
    """The mean over strata, side by side, of each stratum's mean."""
    starts = np.flatnonzero(np.diff(strata, prepend=-1))

    def statistic(rows: Floats) -> Floats:
        defined = ~np.isnan(rows[..., 0])
        sums = np.add.reduceat(np.where(defined, rows[..., 0], 0), starts, axis=-1)
        means = sums / np.maximum(counts := np.add.reduceat(defined, starts, axis=-1, dtype=float), 1)
        with np.errstate(invalid="ignore"):
            return means.sum(-1) / (counts > 0).sum(-1)  # type: ignore[no-any-return]

    return statistic


def _impossible(metric: Metric, rows: Floats, values: Sequence[float]) -> str:
    """Which value lies where the metric cannot be, such as a share in per cent; empty where none does."""
    least, most = metric.bounds or (-np.inf, np.inf)
    seen = np.append(rows.ravel() if metric.statistic is mean else [], values)
    wrong = seen[(seen < least - _ALIKE) | (seen > most + _ALIKE) | np.isinf(seen)]
    return f"{wrong[0]:g} cannot be: it lies between {least:g} and {most:g}" if wrong.size else ""


def _no_interval(metric: Metric, results: Sequence[Result]) -> str:
    """Why nothing says how sure the figure is; empty where something does."""
    if metric.macro:
        names, sizes = np.unique([one.group for one in results], return_counts=True)
        if (alone := names[sizes == 1]).size:
            return f"{alone[0]} has one of these {metric.over} alone, which says nothing of its spread: ask more of it"
    elif len(results) == 1 and not metric.bounds:
        return f"one alone of {metric.over} says nothing of their spread: ask more"
    return ""


def _interval(metric: Metric, drawn: _Drawn, value: float, seed: int) -> tuple[float, float]:
    if not metric.bounds:
        return _bootstrap(metric, drawn, seed)
    least, most = metric.bounds
    if _is_share(metric, drawn.rows):
        return wilson(value, len(drawn.rows), metric.bounds)
    low, high = _bootstrap(metric, drawn, seed)
    if high - low < _ALIKE * (most - least):
        return wilson(value, _telling(drawn.rows, metric.statistic), metric.bounds)
    return max(low, least), min(high, most)


def _interval_of_change(metric: Metric, both: _Drawn, difference: float, seed: int) -> tuple[float, float]:
    if not metric.bounds:
        return _bootstrap(metric, both, seed)
    columns, width = len(metric.columns), metric.bounds[1] - metric.bounds[0]
    first, second = both.rows[:, :columns], both.rows[:, columns:]
    differences = second[:, 0] - first[:, 0]
    few = metric.statistic is mean and not metric.macro and np.count_nonzero(differences) < _FEW
    if _is_share(metric, both.rows) or (few and not np.isnan(differences).any()):
        return bonett_price(differences, width)
    low, high = _bootstrap(metric, both, seed)
    if high - low < _ALIKE * width:
        n = min(_telling(first, metric.statistic), _telling(second, metric.statistic))
        return bonett_price(np.full(n, difference), width)
    return max(low, -width), min(high, width)


def _is_share(metric: Metric, rows: Floats) -> bool:
    bounds = np.array(metric.bounds or ())
    return metric.statistic is mean and not metric.macro and bool(np.isin(rows, bounds).all())


def _telling(rows: Floats, statistic: Statistic) -> int:
    """How many questions have a value of their own; an answer without citations says nothing of citations."""
    counted = rows[~np.isnan(rows).any(axis=1)]
    return int((~np.isnan(statistic(counted[:, None]))).sum()) or len(rows)


def _bootstrap(metric: Metric, drawn: _Drawn, seed: int) -> tuple[float, float]:
    rows = drawn.rows
    if len(rows) == 1:  # of a bounded metric, whose interval is widened then
        value = float(drawn.statistic(rows[None])[0])
        return value, value
    if metric.macro:
        rows = np.column_stack([spread(column, drawn.strata) for column in rows.T])
    return bca(rows, drawn.strata, drawn.statistic, seed)


def _exchanged(both: Floats, seed: int) -> Iterator[Floats]:
    """Both runs' rows side by side, (samples, questions, 2 * columns), those of a question exchanged or not."""
    random = np.random.default_rng(seed)
    n, columns = len(both), both.shape[1] // 2
    either = np.concatenate([both, np.roll(both, columns, axis=1)])
    for samples in batches(PERMUTATIONS, both.size):
        yield either.take(np.arange(n) + n * random.integers(0, 2, (samples, n), dtype=np.bool_), axis=0)


def _share(found: NDArray[np.bool_]) -> float:
    """With what was found counted in, so that none is 0 (Davison and Hinkley, Bootstrap Methods, 1997, 4.3)."""
    return float((found.sum() + 1) / (len(found) + 1))
