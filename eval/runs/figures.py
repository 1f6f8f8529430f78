"""Every figure of a run: each metric for each system, over all questions and group by group, and how systems differ.

They take seconds to make, since each has an interval, so they are kept in the run's folder by the content of what they
are made of.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING, Any

import numpy as np

from eval.metric import Metric, Result
from eval.runs.about import code, content_hash
from eval.statistics import Comparison, Figure, Undefined, compare, figure

if TYPE_CHECKING:
    from eval.runs.run import Record

FILE = "figures.json"
ENOUGH = 10
"""Results of a group that a figure takes: with fewer, one question moves a share by more than 10 points, and resamples
are too much alike for an interval to mean anything."""

Found = dict[str, Figure | Undefined]
"""By metric."""


@dataclass(frozen=True, slots=True)
class Figures:
    """The figures of a run.

    `overall` are those of each system over all questions, `groups` those over the questions of each group, where there
    is more than one, and of each wider group of some of them: system -> group -> metric. `differences` say, for every
    other system, how it differs from the system `against`, the run's first.
    """

    overall: dict[str, Found]
    groups: dict[str, dict[str, Found]]
    against: str
    differences: dict[str, dict[str, Comparison | Undefined]]


def figures_of(record: Record, metrics: Sequence[Metric]) -> Figures:
    """The figures of a run in these metrics; those kept in its folder if nothing has changed."""
    key = _key(record, metrics)
    if kept := _kept(record, key):
        return kept
    found = _computed(record, metrics)
    if os.access(record.folder, os.W_OK):
        with suppress(OSError):  # a full disk: they can be reckoned again
            _keep(record, {"of": key, **asdict(found)})
    return found


def by_question(metric: Metric, results: Sequence[Result]) -> list[float | None]:
    """The metric over each question alone; None where it is not defined."""
    defined = [one for one in results if metric.defined_for(one)]
    if not defined:
        return [None] * len(results)
    rows = np.array([[[one.values[column] for column in metric.columns]] for one in defined])
    values = {one.id: float(value) for one, value in zip(defined, metric.statistic(rows), strict=True)}
    return [None if np.isnan(value := values.get(one.id, np.nan)) else value for one in results]


def _computed(record: Record, metrics: Sequence[Metric]) -> Figures:
    seed = record.about.seed
    overall = {
        system: {metric.name: figure(metric, results, seed) for metric in metrics}
        for system, results in record.results.items()
    }
    groups = {system: _by_group(results, metrics, seed) for system, results in record.results.items()}
    against, *others = record.results
    differences = {
        system: {
            metric.name: compare(metric, record.results[against], record.results[system], seed) for metric in metrics
        }
        for system in others
    }
    return Figures(overall, groups, against, differences)


def _by_group(results: Sequence[Result], metrics: Sequence[Metric], seed: int) -> dict[str, Found]:
    """Without macro averages, which are over groups, and empty where all questions are of one group."""
    grouped: dict[str, list[Result]] = {}
    wider: dict[str, list[Result]] = {}
    for result in results:
        grouped.setdefault(result.group, []).append(result)
        for name in result.wider:
            wider.setdefault(name, []).append(result)
    if len(grouped) < 2:
        return {}
    grouped |= {name: of for name, of in wider.items() if 1 < len({one.group for one in of}) < len(grouped)}
    return {
        group: {metric.name: _of_group(metric, grouped[group], seed) for metric in metrics if not metric.macro}
        for group in sorted(grouped)
    }


def _of_group(metric: Metric, results: Sequence[Result], seed: int) -> Figure | Undefined:
    counted = sum(map(metric.defined_for, results))
    if 0 < counted < ENOUGH:
        return Undefined(metric.name, f"only {counted} of the {ENOUGH} that it takes")
    return figure(metric, results, seed)


def _key(record: Record, metrics: Sequence[Metric]) -> str:
    results = {system: [asdict(one) for one in found] for system, found in record.results.items()}
    return content_hash([code(), record.about.seed, results, [_said(metric) for metric in metrics]])


def _said(metric: Metric) -> list[Any]:
    statistic = f"{metric.statistic.__module__}.{metric.statistic.__qualname__}"
    return [metric.name, metric.columns, metric.better, statistic, metric.over, metric.bounds, metric.macro]


def _kept(record: Record, key: str) -> Figures | None:
    """None where there are none, or what is there is of something else or damaged."""
    try:
        found = json.loads((record.folder / FILE).read_text(encoding="utf-8"))
        return _figures(found) if found["of"] == key else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def _keep(record: Record, content: Mapping[str, Any]) -> None:
    """Whole or not at all, also where several processes do it."""
    with NamedTemporaryFile("w", encoding="utf-8", dir=record.folder, prefix=f".{FILE}.", delete=False) as new:
        try:
            json.dump(content, new, ensure_ascii=False, indent=2, allow_nan=False)
            new.write("\n")
            new.flush()
            Path(new.name).replace(record.folder / FILE)
        except OSError:
            Path(new.name).unlink(missing_ok=True)
            raise


def _figures(kept: Mapping[str, Any]) -> Figures:
    return Figures(
        overall={system: _found(found) for system, found in kept["overall"].items()},
        groups={
            system: {group: _found(found) for group, found in groups.items()}
            for system, groups in kept["groups"].items()
        },
        against=kept["against"],
        differences={
            system: {name: Undefined(**row) if "why" in row else Comparison(**row) for name, row in differences.items()}
            for system, differences in kept["differences"].items()
        },
    )


def _found(rows: Mapping[str, Any]) -> Found:
    return {name: Undefined(**row) if "why" in row else Figure(**row) for name, row in rows.items()}
