"""Whether a change may go into use: it may not if the run after it is worse than chance explains.

The test is the paired randomisation test of `eval.statistics.compare`, one-sided, at 2.5 %: the level at which the
interval of 95 % lies on the worse side of none, and the usual one of one-sided tests (ICH E9, Statistical Principles
for Clinical Trials, 1998, 5.5). For several metrics it is that of Holm ("A simple sequentially rejective multiple test
procedure", Scandinavian Journal of Statistics 6, 1979), so an unchanged assistant is stopped in at most 2.5 % of cases,
however many metrics are asked for. A gate that cannot tell does not pass: it raises.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from assistant.errors import RunError
from eval.intervals import LEVEL
from eval.runs.compare import compare_runs
from eval.statistics import Comparison, Undefined

if TYPE_CHECKING:
    from eval.metric import Metric
    from eval.runs.compare import Change, MetricChange
    from eval.runs.run import Record

ALPHA = (1 - LEVEL) / 2
"""Probability that an unchanged assistant is found to be worse."""
POWER = 0.8


@dataclass(frozen=True, slots=True)
class Judged:
    """What became of one metric. `p` is the comparison's `p_worse`, adjusted for the number of metrics, and `worse`
    whether it is below `ALPHA`. A loss of `noticeable`, in the metric's unit, would have been noticed with a
    probability of 80 %, by how much the runs differ. `lost` are the questions that became worse, those first that lost
    most, and `other` those for which the metric is defined in one run only."""

    comparison: Comparison
    p: float
    worse: bool
    noticeable: float
    lost: tuple[Change, ...]
    other: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    """From run `before` to run `after`, in the systems of these names."""

    before: str
    after: str
    systems: tuple[str, str]
    metrics: tuple[Judged, ...]

    @property
    def worse(self) -> bool:
        return any(one.worse for one in self.metrics)


def gate(before: Record, after: Record, metrics: Sequence[Metric], systems: Sequence[str] = ()) -> Verdict:
    """Judges `after` against `before` in every metric.

    `systems` names the one to judge, or one of each run; it may be left out where the runs share but one. Raises
    ValueError for unknown systems or none of several, RunError where nothing can be told: other questions, a run that
    is not finished, a metric that is not defined, too few questions to find anything.
    """
    _require_whole(before, after)
    shared = [name for name in before.results if name in after.results]
    if not systems and len(shared) > 1:
        raise ValueError(f"The runs share several systems; name the one to judge: {', '.join(shared)}.")
    found = compare_runs(before, after, systems or shared, metrics)
    change = found.systems[0]
    _require_same_questions(before, after, (change.before, change.after))
    by_metric = [(metric, change.metrics[metric.name]) for metric in metrics]
    comparisons = [_comparison(metric, changed, len(metrics)) for metric, changed in by_metric]
    adjusted = holm([one.p_worse for one in comparisons])
    judged = [
        Judged(one, p, p < ALPHA, _noticeable(metric, one, len(metrics)), _worst(changed.lost), changed.other)
        for (metric, changed), one, p in zip(by_metric, comparisons, adjusted, strict=True)
    ]
    return Verdict(found.before, found.after, (change.before, change.after), tuple(judged))


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted p-values: each below a level where Holm's procedure at that level rejects."""
    adjusted = [0.0] * len(p_values)
    so_far = 0.0
    for rank, i in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        so_far = max(so_far, min(1.0, p_values[i] * (len(p_values) - rank)))
        adjusted[i] = so_far
    return adjusted


def _require_whole(*records: Record) -> None:
    for record in records:
        if not record.finished:
            done = ", ".join(f"{name} {len(results)}" for name, results in record.results.items())
            raise RunError(
                f"{record.folder} is not finished: of {record.about.data.questions} questions there are results for "
                f"{done}. Run the evaluation again: it goes on where it stopped."
            )
        for name, results in record.results.items():
            if len(results) != (asked := record.about.data.questions):
                raise RunError(
                    f"{record.folder} has {len(results)} results of {name}, but {asked} questions were asked. Run the "
                    "evaluation again, into a new folder."
                )


def _require_same_questions(before: Record, after: Record, systems: tuple[str, str]) -> None:
    asked, asked_after = (
        {one.id for one in run.results[name]} for run, name in zip((before, after), systems, strict=True)
    )
    for alone, record in ((asked - asked_after, before), (asked_after - asked, after)):
        if alone:
            raise RunError(
                f"{len(alone)} questions have results in {record.folder} only, {min(alone)!r} the first: the runs "
                "cannot be compared. Run both evaluations over the same questions."
            )


def _comparison(metric: Metric, changed: MetricChange, metrics: int) -> Comparison:
    found = changed.comparison
    if isinstance(found, Undefined):
        raise RunError(
            f"Nothing can be told of {metric.name}: {found.why}. Judge another metric, or ask other questions."
        )
    if found.n < (needed := _needed(metrics)):
        raise RunError(
            f"Nothing can be told of {metric.name} from {found.n} {metric.over}: were all of them lost, that might "
            f"still be chance. At least {needed} are needed."
        )
    return found


def _needed(metrics: int) -> int:
    """So many questions, all of them lost, are beyond chance: that is one of 2^n ways to exchange results."""
    return math.floor(math.log2(metrics / ALPHA)) + 1


def _noticeable(metric: Metric, found: Comparison, metrics: int) -> float:
    """The loss of which the normal test finds a part `POWER`, by the standard error that the interval's width tells."""
    from scipy.special import ndtri

    error = (found.high - found.low) / (2 * ndtri((1 + LEVEL) / 2))
    loss = float((ndtri(1 - ALPHA / metrics) + ndtri(POWER)) * error)
    if not metric.bounds:
        return loss
    return max(loss, _needed(metrics) / found.n * (metric.bounds[1] - metric.bounds[0]))


def _worst(lost: Sequence[Change]) -> tuple[Change, ...]:
    """Those first that lost most."""
    return tuple(sorted(lost, key=lambda one: -abs((one.after or 0) - (one.before or 0))))
