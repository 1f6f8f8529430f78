"""The plots of a run, as SVG that needs nothing else: dots with intervals, bars by group, risk against coverage.

Text stays text, axes take the colour of the page around them, so they can be read on white and on black; systems have
the colours of Okabe and Ito (https://jfly.uni-koeln.de/color/), which the colour-blind tell apart, and other markers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from io import StringIO
from threading import Lock
from typing import TYPE_CHECKING, Any

from eval.metric import Metric
from eval.runs.coverage import risk_coverage
from eval.runs.figures import Figures
from eval.runs.wording import figure_text
from eval.statistics import Figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

    from eval.runs.run import Record

_INK = "#010203"
"""Stands for the colour of the text around the plot."""
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#808080", "#56B4E9", "#E69F00")
_MARKERS = ("o", "s", "D", "^", "v", "P", "X")
_LINES = ("-", "--", "-.", ":")
_WIDTH = 9.0  # inches
_MOST_PANELS = 6
_MOST_TICKS = 4
_TALL = 20  # bars' groups from which the axis is told at the top, too
_PANELS_BESIDE = 3
_drawing = Lock()
"""matplotlib's settings are the process's, and the app draws in several threads."""


@dataclass(frozen=True, slots=True)
class Plot:
    """`svg` is an element for an HTML page, `alt` says what is in it for those who cannot see it."""

    name: str
    caption: str
    alt: str
    svg: str


def plots(record: Record, figures: Figures, metrics: Sequence[Metric]) -> list[Plot]:
    """Those that the run has the figures for."""
    found = [_systems(figures, metrics), *_groups(figures, metrics), _risk(record)]
    return [plot for plot in found if plot]


def _systems(figures: Figures, metrics: Sequence[Metric]) -> Plot | None:
    """A panel for each of the first metrics, in it a dot for each system."""
    shown = [m for m in metrics if any(isinstance(found[m.name], Figure) for found in figures.overall.values())]
    shown = shown[:_MOST_PANELS]
    if not shown:
        return None
    systems = list(figures.overall)
    columns = min(_PANELS_BESIDE, len(shown))
    rows = -(-len(shown) // columns)
    with _canvas(0.6 + rows * (0.75 + 0.27 * len(systems))) as (canvas, svg):
        panels = canvas.subplots(rows, columns, sharey=True, squeeze=False).flatten()
        for axes in panels[len(shown) :]:
            axes.set_visible(False)
        for axes, metric in zip(panels, shown, strict=False):
            for place, system in enumerate(systems):
                _dot(axes, figures.overall[system][metric.name], place)
            axes.set_title(_titled(metric), loc="left")
            axes.grid(axis="x")
            axes.tick_params(axis="y", length=0)
            axes.margins(x=0.08)
            axes.locator_params(axis="x", nbins=_MOST_TICKS)
        panels[0].set_yticks(range(len(systems)), systems)
        panels[0].set_ylim(len(systems) - 0.5, -0.5)
    said = "; ".join(
        f"{metric.name}: " + ", ".join(f"{s} {figure_text(figures.overall[s][metric.name])}" for s in systems)
        for metric in shown
    )
    caption = "Systems beside each other: each figure with its 95 % interval."
    return Plot("systems", caption, f"Dots with intervals. {said}.", svg[0])


def _groups(figures: Figures, metrics: Sequence[Metric]) -> Iterator[Plot]:
    """Bars for the first metric that groups have figures for."""
    for metric in metrics:
        values = {
            group: {system: found.get(group, {}).get(metric.name) for system, found in figures.groups.items()}
            for group in sorted({group for found in figures.groups.values() for group in found})
        }
        drawn = {g: by for g, by in values.items() if any(isinstance(one, Figure) for one in by.values())}
        if drawn:
            yield _bars(metric, drawn, list(figures.groups), len(values) - len(drawn))
            return


def _bars(metric: Metric, values: dict[str, dict[str, Any]], systems: list[str], too_few: int) -> Plot:
    def first(group: str) -> float:
        return next(one.value for one in values[group].values() if isinstance(one, Figure))

    groups = sorted(values, key=first, reverse=metric.better == "higher")
    thick = 0.8 / len(systems)
    with _canvas(0.9 + len(groups) * (0.16 + 0.13 * len(systems))) as (canvas, svg):
        axes = canvas.subplots()
        for number, system in enumerate(systems):
            colour = _COLOURS[number % len(_COLOURS)]
            for place, group in enumerate(groups):
                if isinstance(one := values[group][system], Figure):
                    at = place + (number - (len(systems) - 1) / 2) * thick
                    label = system if group == next(g for g in groups if isinstance(values[g][system], Figure)) else ""
                    axes.barh(at, one.value, thick * 0.86, color=colour, alpha=0.75, label=label or None)
                    axes.plot([one.low, one.high], [at, at], color=_INK, linewidth=1)
        labels = [f"{group}  (n = {_most(values[group])})" for group in groups]
        axes.set_yticks(range(len(groups)), labels)
        axes.set_ylim(len(groups) - 0.4, -0.6)
        axes.tick_params(axis="y", length=0)
        axes.set_xlim(left=min(0.0, axes.get_xlim()[0]) if metric.bounds is None else metric.bounds[0])
        axes.set_xlabel(_titled(metric))
        axes.tick_params(axis="x", labeltop=len(groups) > _TALL)
        axes.grid(axis="x")
        if len(systems) > 1:
            _legend(canvas, axes, len(systems))
    said = "; ".join(
        f"{group}: " + ", ".join(f"{s} {figure_text(one)}" for s, one in values[group].items() if one)
        for group in groups
    )
    few = f" {too_few} groups have too few questions and are left out." if too_few else ""
    return Plot("groups", f"{metric.name} by group, with 95 % intervals.{few}", f"Bars. {said}.", svg[0])


def _risk(record: Record) -> Plot | None:
    curves = {system: risk_coverage(results, record.about.seed) for system, results in record.results.items()}
    drawn = {system: curve for system, curve in curves.items() if curve}
    if not drawn:
        return None
    with _canvas(4.2) as (canvas, svg):
        axes = canvas.subplots()
        for number, system in enumerate(record.results):
            if curve := curves[system]:
                look = _COLOURS[number % len(_COLOURS)]
                axes.fill_between(curve.coverage, curve.low, curve.high, color=look, alpha=0.1, linewidth=0)
                line = _LINES[number % len(_LINES)]
                label = f"{system}  (n = {curve.n})"
                axes.plot(curve.coverage, curve.risk, line, color=look, linewidth=2, label=label)
        axes.set_xlabel("Coverage: share of questions that are answered, the surest first")
        axes.set_ylabel("Risk: share of those that are wrong")
        axes.set_xlim(0, 1)
        axes.set_ylim(bottom=0)
        axes.grid()
        _legend(canvas, axes, len(drawn))
    said = "; ".join(
        f"{system}: risk {curve.risk_at(0.25):.3f} at coverage 0.25, {curve.risk_at(0.5):.3f} at 0.5, "
        f"{curve.risk_at(1.0):.3f} at 1"
        for system, curve in drawn.items()
    )
    caption = "Risk against coverage, with a pointwise 95 % band: what a threshold on the confidence would bring."
    return Plot("risk-coverage", caption, f"Curves. {said}.", svg[0])


def _dot(axes: Axes, one: Any, place: int) -> None:
    if not isinstance(one, Figure):
        return
    colour, marker = _COLOURS[place % len(_COLOURS)], _MARKERS[place % len(_MARKERS)]
    axes.plot([one.low, one.high], [place, place], color=colour, linewidth=2, solid_capstyle="butt")
    axes.plot([one.value], [place], marker, color=colour, markersize=7)


def _titled(metric: Metric) -> str:
    return metric.name if metric.better == "higher" else f"{metric.name} (lower is better)"


def _most(values: dict[str, Any]) -> int:
    return max(one.n for one in values.values() if isinstance(one, Figure))


def _legend(canvas: Canvas, axes: Axes, entries: int) -> None:
    handles, labels = axes.get_legend_handles_labels()
    canvas.legend(handles, labels, loc="outside upper left", ncols=min(4, entries), frameon=False)


@contextmanager
def _canvas(height: float) -> Iterator[tuple[Canvas, list[str]]]:
    """An empty figure, `height` in inches, and where its SVG is once it is drawn."""
    import matplotlib
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure as Canvas

    look: Any = {
        "svg.fonttype": "none",
        "svg.hashsalt": "refdesk",
        "text.parse_math": False,
        "font.size": 10,
        "axes.titlesize": 10,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.axisbelow": True,
        "grid.alpha": 0.18,
        **dict.fromkeys(("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color"), _INK),
        "grid.color": _INK,
    }
    svg: list[str] = []
    with _drawing, matplotlib.rc_context(look):
        canvas = Canvas(figsize=(_WIDTH, height), layout="constrained")
        FigureCanvasSVG(canvas)
        yield canvas, svg
        written = StringIO()
        bare = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        canvas.savefig(written, format="svg", transparent=True, metadata=bare)
    svg.append(_inline(written.getvalue()))


def _inline(svg: str) -> str:
    """For a page that holds several: without what belongs to a file, its ids its own."""
    element = svg[svg.index("<svg") :].strip().replace(_INK, "currentColor")
    own = f"{_name(element)}-"
    element = re.sub(r'\bid="', f'id="{own}', element)
    element = re.sub(r'(href="|url\()#', rf"\g<1>#{own}", element)
    return element.replace("<svg ", '<svg aria-hidden="true" ', 1)


def _name(text: str) -> str:
    """A name that begins with a letter."""
    return f"p{sha256(text.encode()).hexdigest()[:8]}"
