"""How far a run is: a bar on a terminal, elsewhere a line now and then, or JSON lines for programs."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ingest.report import Line, Report
    from ingest.sync import Progress

_LINE_SECONDS = 15.0
_TOLD = frozenset({"failed", "removed"})
"""Outcomes that are worth a JSON line each, at once; "moved" is known for certain at the end only."""


@contextmanager
def shown_progress() -> Iterator[Progress]:
    """On standard error: a bar where that is a terminal, elsewhere a line now and then."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    if not console.is_terminal:
        yield _now_and_then(lambda done, seen, line: console.print(f"{done} of {seen} items, {line.key}", markup=False))
        return
    columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("looking at the sources", total=None)

        def show(done: int, seen: int, line: Line) -> None:
            bar.update(task, completed=done, total=seen, description=f"{line.source}: {line.key[-50:]}")

        yield show


def json_progress(say: Callable[[str], None]) -> Progress:
    """JSON lines for a log: what failed, was removed or got other readers, and now and then how far the run is."""

    def show_progress(done: int, seen: int, line: Line) -> None:
        say(_event("progress", source=line.source, done=done, seen=seen))

    now_and_then = _now_and_then(show_progress)

    def show(done: int, seen: int, line: Line) -> None:
        if _is_told(line):
            say(_event("item", **asdict(line)))
        now_and_then(done, seen, line)

    return show


def json_summary(report: Report, exit_code: int, *, dry_run: bool) -> Iterator[str]:
    """A JSON line for each item that was not told at once (those that moved; in a dry run, all that would be touched),
    then for each source, then one for the run."""
    for line in report.lines:
        if (dry_run or line.outcome == "moved") and not _is_told(line):
            yield _event("item", **asdict(line))
    for source in report.sources:
        yield _event("source", **asdict(source))
    sums = {"generation": report.generation, "embedded": report.embedded, "seconds": round(report.seconds, 3)}
    yield _event("end", exit_code=exit_code, dry_run=dry_run, **sums)


def _is_told(line: Line) -> bool:
    return line.outcome in _TOLD or line.access_changed


def _event(kind: str, **values: Any) -> str:
    time_now = datetime.now(UTC).isoformat(timespec="seconds")
    return json.dumps({"time": time_now, "event": kind, **values}, ensure_ascii=False)


def _now_and_then(show: Progress) -> Progress:
    last = time.monotonic()

    def maybe(done: int, seen: int, line: Line) -> None:
        nonlocal last
        if time.monotonic() - last >= _LINE_SECONDS:
            last = time.monotonic()
            show(done, seen, line)

    return maybe
