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
_TOLD = frozenset({"failed", "removed", "moved"})
"""Outcomes that are worth a JSON line each; the others are only counted."""


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
    """JSON lines for a log: what failed, was moved or removed, and now and then how far the run is."""

    def event(kind: str, **values: Any) -> None:
        time_now = datetime.now(UTC).isoformat(timespec="seconds")
        say(json.dumps({"time": time_now, "event": kind, **values}, ensure_ascii=False))

    now_and_then = _now_and_then(lambda done, seen, line: event("progress", source=line.source, done=done, seen=seen))

    def show(done: int, seen: int, line: Line) -> None:
        if line.outcome in _TOLD or line.access_changed:
            event("item", **asdict(line))
        now_and_then(done, seen, line)

    return show


def json_summary(report: Report, exit_code: int) -> Iterator[str]:
    """A JSON line for each source, then one for the run."""
    time_now = datetime.now(UTC).isoformat(timespec="seconds")
    for source in report.sources:
        yield json.dumps({"time": time_now, "event": "source", **asdict(source)}, ensure_ascii=False)
    end = {"generation": report.generation, "embedded": report.embedded, "seconds": round(report.seconds, 3)}
    yield json.dumps({"time": time_now, "event": "end", "exit_code": exit_code, **end})


def _now_and_then(show: Progress) -> Progress:
    last = time.monotonic()

    def maybe(done: int, seen: int, line: Line) -> None:
        nonlocal last
        if time.monotonic() - last >= _LINE_SECONDS:
            last = time.monotonic()
            show(done, seen, line)

    return maybe
