"""What the report of a run says, section by section, whatever it is written in."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from assistant.types import EVERYONE
from eval.metric import Metric, Result
from eval.runs.about import About, flat
from eval.runs.coverage import CONFIDENCE
from eval.runs.details import details
from eval.runs.figures import ENOUGH, FILE, Figures, by_question
from eval.runs.wording import HOW_SURE, counted_text, difference_text, figure_text, p_text, sides_text
from eval.statistics import Comparison, Figure, Undefined

if TYPE_CHECKING:
    from eval.runs.compare import SystemChange
    from eval.runs.plots import Plot
    from eval.runs.run import Record

MOST_METRICS = 4
"""Metrics that a report gives group by group; all are in figures.json."""
_TITLES = {"mmlu": "MMLU", "pubmedqa": "PubMedQA"}
_MOST_WORST = 10
_MOST_CHARACTERS = 300
_FEW = f"A group has a figure where it has {ENOUGH} results or more. All metrics are in {FILE}."
_WORST = "The worst in {}, the surest of them first: what is wrong and sure of itself is most worth a look."


@dataclass(frozen=True, slots=True)
class Table:
    """Texts as they are: whoever writes them escapes them. The first column names its row."""

    caption: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Section:
    title: str
    says: tuple[str, ...] = ()
    tables: tuple[Table, ...] = ()
    plots: tuple[Plot, ...] = ()


def title_of(about: About) -> str:
    return f"{_TITLES.get(about.kind, about.kind.capitalize())}: {about.data.name}"


def lead_of(about: About, created: str, finished: bool) -> str:
    """What the run is, in one line."""
    state = "" if finished else " It is not finished."
    systems = len(about.systems)
    return (
        f"{about.data.questions:,} questions, {systems} {'system' if systems == 1 else 'systems'}, "
        f"begun {created[:16].replace('T', ' ')} UTC.{state}"
    )


def sections(record: Record, figures: Figures, metrics: Sequence[Metric], plots: Sequence[Plot]) -> list[Section]:
    """The whole report; sections that would be empty are left out."""
    left_out = Section("What was left out", tuple(record.notes))
    found = [
        Section("Figures", (HOW_SURE,), (figures_table(figures, metrics),)),
        Section("Plots", plots=tuple(plots)),
        Section(
            "Differences between systems",
            (f"Each system, question by question, with {figures.against}.",),
            tuple(differences_tables(figures, metrics)),
        ),
        Section("By group", (_FEW,), tuple(group_tables(figures, metrics)[:MOST_METRICS])),
        left_out,
        Section("Not defined", ("There is no figure here, and none is made up.",), tuple(undefined_tables(figures))),
        Section("Questions to look at", (_WORST.format(metrics[0].name),), tuple(_worst(record, metrics[0]))),
        Section("What the metrics say", (), (meanings_table(metrics),)),
        Section("What was measured", _measured(record), tuple(measured_tables(record.about))),
    ]
    return [one for one in found if one.tables or one.plots or (one is left_out and one.says)]


def figures_table(figures: Figures, metrics: Sequence[Metric]) -> Table:
    """Metric by system, without those that no system has a value for: `undefined_tables` says why."""
    rows = [
        (
            metric.name,
            *(figure_text(found[metric.name]) for found in figures.overall.values()),
            counted_text(found[metric.name] for found in figures.overall.values()),
        )
        for metric in metrics
        if any(isinstance(found[metric.name], Figure) for found in figures.overall.values())
    ]
    return Table("Figures with 95 % intervals", ("Metric", *figures.overall, "Over"), tuple(rows))


def group_tables(figures: Figures, metrics: Sequence[Metric]) -> list[Table]:
    """For each metric a table of group by system; none where all questions are of one group."""
    groups = sorted({group for found in figures.groups.values() for group in found})
    tables = []
    for metric in metrics if groups else ():
        if metric.macro:
            continue
        rows = []
        for group in groups:
            found = [by_group[group][metric.name] for by_group in figures.groups.values() if group in by_group]
            if len(found) == len(figures.groups):
                rows.append(
                    (
                        group,
                        *(one.why if isinstance(one, Undefined) else figure_text(one) for one in found),
                        counted_text(found),
                    )
                )
        header = ("Group", *figures.groups, "Over")
        tables.append(Table(f"{metric.name} by group", header, tuple(rows)))
    return tables


def comparison_rows(found: Iterable[Comparison | Undefined]) -> list[tuple[str, ...]]:
    """A row for each metric that is defined: before, after, difference, p, and over how many."""
    return [
        (one.metric, *sides_text(one), difference_text(one), p_text(one.p_differs), f"{one.n:,}")
        for one in found
        if isinstance(one, Comparison)
    ]


def change_table(change: SystemChange) -> Table:
    """Every metric that is defined on both sides, and for how many questions it became better and worse."""
    defined = [one for one in change.metrics.values() if isinstance(one.comparison, Comparison)]
    rows = comparison_rows(one.comparison for one in defined)
    counts = [(f"{len(one.gained):,}", f"{len(one.lost):,}") for one in defined]
    header = ("Metric", "Before", "After", "Difference", "p", "Questions", "Better", "Worse")
    return Table("What changed", header, tuple((*row, *n) for row, n in zip(rows, counts, strict=True)))


def reasons(found: Iterable[Figure | Comparison | Undefined]) -> list[str]:
    """Which metrics have no value, and why."""
    return [f"{one.metric}: {one.why}" for one in found if isinstance(one, Undefined)]


def undefined_tables(figures: Figures) -> list[Table]:
    """Which metrics have no value over all questions, for which systems, and why."""
    systems: dict[tuple[str, str], list[str]] = {}
    for system, found in figures.overall.items():
        for one in found.values():
            if isinstance(one, Undefined):
                systems.setdefault((one.metric, one.why), []).append(system)
    rows = [(metric, ", ".join(named), why) for (metric, why), named in systems.items()]
    return [Table("Metrics without a value", ("Not defined", "For", "Why"), tuple(rows))] if rows else []


def measured_tables(about: About) -> list[Table]:
    """Settings of the systems side by side, and everything else that the run depends on."""
    each = {system: flat(settings) for system, settings in about.systems.items()}
    keys = sorted({key for settings in each.values() for key in settings if key})
    settings = [(key, *(_said(found[key]) if key in found else "" for found in each.values())) for key in keys]
    rest = {name: value for name, value in asdict(about).items() if name not in ("systems", "library")}
    rows = [(key, _said(value)) for key, value in flat({**rest, "library": about.library}).items()]
    tables = [Table("What a run depends on", ("What", "Value"), tuple(rows))]
    if settings:
        tables.insert(0, Table("Settings of the systems", ("Setting", *each), tuple(settings)))
    return tables


def differences_tables(figures: Figures, metrics: Sequence[Metric]) -> list[Table]:
    """How each other system differs from the first."""
    return [
        Table(
            f"{system}, compared with {figures.against}",
            ("Metric", figures.against, system, "Difference", "p", "Questions"),
            tuple(comparison_rows(found[metric.name] for metric in metrics)),
        )
        for system, found in figures.differences.items()
    ]


def question_table(results: Mapping[str, Result], metrics: Sequence[Metric]) -> Table:
    """Every metric that is defined for one question, from the results of each system for it."""
    rows = []
    for metric in metrics:
        values = [by_question(metric, [result])[0] for result in results.values()]
        if not metric.macro and any(value is not None for value in values):
            rows.append((metric.name, *("" if value is None else f"{value:.4g}" for value in values)))
    return Table("This question alone", ("Metric", *results), tuple(rows))


def _worst(record: Record, metric: Metric) -> Iterable[Table]:
    for system, results in record.results.items():
        ranked = sorted(_bad(metric, results), key=lambda one: (one[0], -one[1].values.get(CONFIDENCE, 0.0)))
        rows = [_question_row(result, value * _sign(metric)) for value, result in ranked[:_MOST_WORST]]
        if rows:
            header = ("Question", "Group", metric.name, "Confidence", "What was asked", "Right", "Answer")
            yield Table(f"{system}: {len(rows)} of {len(ranked)} that are not right", header, tuple(rows))


def _bad(metric: Metric, results: Sequence[Result]) -> list[tuple[float, Result]]:
    """Those that are not as good as can be, with a value that is less for the worse."""
    best = None if metric.bounds is None else max(bound * _sign(metric) for bound in metric.bounds)
    values = [(value, one) for value, one in zip(by_question(metric, results), results, strict=True)]
    return [
        (value * _sign(metric), one) for value, one in values if value is not None and value * _sign(metric) != best
    ]


def _sign(metric: Metric) -> int:
    return 1 if metric.better == "higher" else -1


def _question_row(result: Result, value: float) -> tuple[str, ...]:
    shown = details(result)
    confidence = result.values.get(CONFIDENCE, -1.0)
    sure = f"{confidence:.2f}" if confidence >= 0 else ""
    texts = (shown.question, " / ".join(shown.accepted), shown.answer or "(none)")
    return (result.id, result.group, f"{value:.3g}", sure, *map(cut, texts))


def cut(text: str) -> str:
    """A text in one line, whole where it is not long."""
    text = " ".join(text.split())
    return text if len(text) <= _MOST_CHARACTERS else text[:_MOST_CHARACTERS] + " …"


def meanings_table(metrics: Sequence[Metric]) -> Table:
    """What each metric tells."""
    rows = [(metric.name, metric.says, metric.better, metric.over) for metric in metrics]
    return Table("Metrics", ("Metric", "What it says", "Better", "Over"), tuple(rows))


def _measured(record: Record) -> tuple[str, ...]:
    groups = [group for group in record.about.groups if group != EVERYONE]
    if not groups:
        return ()
    return (f"Asked in the groups {', '.join(groups)}: this report may quote what only they may read.",)


def _said(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
