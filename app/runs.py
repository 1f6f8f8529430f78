"""Runs of evaluations as the page shows them: read and reckoned once, for all who look, until a file changes."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from assistant.errors import RunError

if TYPE_CHECKING:
    from eval.metric import Metric
    from eval.runs.about import About
    from eval.runs.compare import RunChange
    from eval.runs.figures import Figures
    from eval.runs.run import Record

RUN, RESULTS = "run.json", "results/*.jsonl"
SYSTEMS, GROUPS, RISK = "systems", "groups", "risk-coverage"
"""The names of plots."""
Stamp = tuple[tuple[str, int, int], ...]


@dataclass(frozen=True, slots=True)
class Summary:
    """A run without its results. `stamp` tells one state of its files from another."""

    folder: Path
    stamp: Stamp
    about: About
    created: str
    finished: bool
    notes: tuple[str, ...]
    metrics: tuple[Metric, ...]
    figures: Figures

    @property
    def name(self) -> str:
        return self.folder.name

    def record(self) -> Record:
        """With its results."""
        return _record(str(self.folder), self.stamp)


@dataclass(frozen=True, slots=True)
class Picture:
    """A plot as the address of an image."""

    name: str
    caption: str
    alt: str
    address: str


def runs_below(folder: Path) -> tuple[list[Summary], list[str]]:
    """The runs in a folder, newest first, and what is wrong with those that cannot be read."""
    found, damaged = [], []
    for file in sorted(folder.glob(f"*/{RUN}")):
        try:
            found.append(_summary(str(file.parent), _stamp(file.parent)))
        except RunError as error:
            damaged.append(str(error))
    return sorted(found, key=lambda run: run.created, reverse=True), damaged


def can_draw() -> bool:
    """Whether matplotlib is there, which the app itself does not need."""
    return find_spec("matplotlib") is not None


@st.cache_resource(max_entries=20, show_spinner="Drawing …")
def pictures(folder: str, stamp: Stamp) -> list[Picture]:
    """The plots of a run."""
    from eval.runs.plots import plots

    summary = _summary(folder, stamp)
    return [
        Picture(one.name, one.caption, one.alt, f"data:image/svg+xml;base64,{b64encode(one.svg.encode()).decode()}")
        for one in plots(summary.record(), summary.figures, summary.metrics)
    ]


def compared(before: Summary, after: Summary, system_before: str, system_after: str) -> RunChange:
    """What changed from a system of one run to one of another over the same questions."""
    sides = (str(before.folder), before.stamp), (str(after.folder), after.stamp)
    return _compared(sides[0], sides[1], system_before, system_after)


@st.cache_resource(max_entries=50, show_spinner="Comparing …")
def _compared(before: tuple[str, Stamp], after: tuple[str, Stamp], first: str, second: str) -> RunChange:
    from eval.runs.compare import compare_runs

    return compare_runs(_record(*before), _record(*after), (first, second))


@st.cache_resource(max_entries=500, show_spinner="Reckoning figures …")
def _summary(folder: str, stamp: Stamp) -> Summary:
    from eval.kinds import metrics_of
    from eval.runs.figures import figures_of

    record = _record(folder, stamp)
    metrics = metrics_of(record.about)
    figures = figures_of(record, metrics)
    return Summary(record.folder, stamp, record.about, record.created, record.finished, record.notes, metrics, figures)


@st.cache_resource(max_entries=4, show_spinner="Reading …")
def _record(folder: str, stamp: Stamp) -> Record:
    from eval.runs.run import read_run

    return read_run(Path(folder))


def _stamp(folder: Path) -> Stamp:
    files = [folder / RUN, *sorted(folder.glob(RESULTS))]
    return tuple((file.name, file.stat().st_mtime_ns, file.stat().st_size) for file in files)
