"""What changed between two runs, or two systems of one run: settings, figures, and which questions.

Only runs that asked the same questions can be compared: the differences of anything else mean nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from assistant.errors import RunError
from eval.kinds import metrics_of
from eval.metric import Metric, Result
from eval.runs.about import About, differing
from eval.runs.details import details
from eval.runs.figures import by_question
from eval.statistics import Comparison, Undefined, compare

if TYPE_CHECKING:
    from eval.runs.run import Record

_HASH = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Change:
    """A question that a metric has another value for, over that question alone; None where it is not defined."""

    id: str
    group: str
    question: str
    before: float | None
    after: float | None
    answer_before: str
    answer_after: str


@dataclass(frozen=True, slots=True)
class MetricChange:
    """How one metric changed. `gained` and `lost` are the questions for which it became better and worse; `other` those
    for which it is defined in one of the two only."""

    comparison: Comparison | Undefined
    gained: tuple[Change, ...]
    lost: tuple[Change, ...]
    other: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class SystemChange:
    """From the system `before` to the system `after`. `about` says what their settings differ in, `metrics` is by name,
    and `answers` counts the questions of both whose answers differ."""

    before: str
    after: str
    questions: int
    answers: int
    about: tuple[str, ...]
    metrics: dict[str, MetricChange]


@dataclass(frozen=True, slots=True)
class RunChange:
    """From run `before` to run `after`. `about` says what differs in library, versions, code and groups. `notes` say
    what keeps this from being the whole truth."""

    before: str
    after: str
    about: tuple[str, ...]
    notes: tuple[str, ...]
    systems: tuple[SystemChange, ...]


def compare_runs(
    before: Record, after: Record, systems: Sequence[str] = (), metrics: Sequence[Metric] | None = None
) -> RunChange:
    """What changed, in the metrics of their kind (or `metrics`).

    `systems` may name one that both runs have, or one of each; without, it is all that both have, and the only ones
    where each has one. Raises RunError where the runs did not ask the same questions, ValueError for unknown systems.
    """
    _require_same_questions(before, after)
    metrics = metrics_of(after.about) if metrics is None else metrics
    pairs = _pairs(before, after, systems)
    return RunChange(
        str(before.folder),
        str(after.folder),
        settings_changes(_rest(before), _rest(after)),
        (*([] if systems else _alone(before, after)), *_unfinished(before, after, pairs)),
        tuple(_system_change(before, after, first, second, metrics) for first, second in pairs),
    )


def settings_changes(before: dict[str, Any], after: dict[str, Any]) -> tuple[str, ...]:
    """What differs, as `search.k: 6 → 7`."""
    return tuple(f"{key}: {_short(old)} → {_short(new)}" for key, old, new in differing(before, after))


def changes_of(metric: Metric, before: Sequence[Result], after: Sequence[Result]) -> list[Change]:
    """The questions of both runs that a metric has another value for, in the order of `after`."""
    earlier = {one.id: one for one in before}
    pairs = [(earlier[one.id], one) for one in after if one.id in earlier]
    first, second = (by_question(metric, [pair[side] for pair in pairs]) for side in (0, 1))
    return [
        _change(old, new, old_value, new_value)
        for (old, new), old_value, new_value in zip(pairs, first, second, strict=True)
        if old_value != new_value
    ]


def _change(old: Result, new: Result, old_value: float | None, new_value: float | None) -> Change:
    was, is_ = details(old), details(new)
    return Change(new.id, new.group, is_.question, old_value, new_value, was.answer, is_.answer)


def _system_change(before: Record, after: Record, first: str, second: str, metrics: Sequence[Metric]) -> SystemChange:
    old, new = before.results[first], after.results[second]
    answers = {one.id: details(one).answer for one in old}
    both = [one for one in new if one.id in answers]
    return SystemChange(
        first,
        second,
        len(both),
        sum(details(one).answer != answers[one.id] for one in both),
        settings_changes(before.about.systems[first], after.about.systems[second]),
        {metric.name: _metric_change(metric, old, new, after.about.seed) for metric in metrics},
    )


def _metric_change(metric: Metric, old: Sequence[Result], new: Sequence[Result], seed: int) -> MetricChange:
    gained, lost, other = [], [], []
    for change in changes_of(metric, old, new):
        if change.before is None or change.after is None:
            other.append(change)
        elif (change.after > change.before) == (metric.better == "higher"):
            gained.append(change)
        else:
            lost.append(change)
    return MetricChange(compare(metric, old, new, seed), tuple(gained), tuple(lost), tuple(other))


def _require_same_questions(before: Record, after: Record) -> None:
    mine, theirs = before.about, after.about
    if mine.kind != theirs.kind:
        raise RunError(
            f"{before.folder} is an evaluation of kind {mine.kind}, {after.folder} one of kind {theirs.kind}: they "
            "cannot be compared. Choose two runs of one kind."
        )
    if (mine.data.sha256, mine.data.questions) != (theirs.data.sha256, theirs.data.questions):
        raise RunError(
            f"{before.folder} asked {_data(mine)}, {after.folder} asked {_data(theirs)}: runs over different questions "
            "cannot be compared. Run the evaluation again with the same ones."
        )


def _data(about: About) -> str:
    return f"{about.data.name} ({about.data.questions} questions, SHA-256 {about.data.sha256[:12]})"


def _pairs(before: Record, after: Record, systems: Sequence[str]) -> list[tuple[str, str]]:
    old, new = list(before.results), list(after.results)
    if len(systems) > 2:
        raise ValueError(f"Two systems can be compared, not {len(systems)}.")
    if systems:
        pair = (systems[0], systems[-1])
        for name, record in zip(pair, (before, after), strict=True):
            if name not in record.results:
                raise ValueError(f"{record.folder} has no system {name!r}; it has {', '.join(record.results)}.")
        return [pair]
    if before.folder == after.folder:
        raise ValueError(f"Name another run, or two of the systems of {before.folder}: {', '.join(old)}.")
    if shared := [(name, name) for name in old if name in new]:
        return shared
    if len(old) == len(new) == 1:
        return [(old[0], new[0])]
    raise ValueError(
        f"The runs share no system: {before.folder} has {', '.join(old)}, {after.folder} has {', '.join(new)}. Name "
        "one of each."
    )


def _rest(record: Record) -> dict[str, Any]:
    """What a run depends on beside its systems."""
    return {name: value for name, value in asdict(record.about).items() if name != "systems"}


def _alone(before: Record, after: Record) -> Iterator[str]:
    for record, other in ((before, after), (after, before)):
        if missing := [name for name in record.results if name not in other.results]:
            yield f"Only {record.folder} has {', '.join(missing)}."


def _unfinished(before: Record, after: Record, pairs: Sequence[tuple[str, str]]) -> Iterator[str]:
    for side, record in enumerate((before, after)):
        for system in dict.fromkeys(pair[side] for pair in pairs):
            done, wanted = len(record.results[system]), record.about.data.questions
            if done < wanted:
                yield f"{record.folder} is not finished: {system} has {done} of {wanted} questions."


def _short(value: Any) -> str:
    """In one line; of a hash its beginning."""
    if isinstance(value, str):
        return f"{value[:12]}…" if _HASH.fullmatch(value) else value
    return ", ".join(map(str, value)) or "none" if isinstance(value, list | tuple) else str(value)
