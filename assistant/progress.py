"""How far work is: a bar on a terminal, elsewhere a line now and then, both on standard error."""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

Progress = Callable[[int, int, str], None]
"""Called with how many are done, of how many, and of what: (3, 200, "questions, extract")."""
_LINE_SECONDS = 15.0


@contextmanager
def shown_progress() -> Iterator[Progress]:
    """Whoever ends it by Ctrl-C is told there, too, what the KeyboardInterrupt says is kept."""
    try:
        with _shown() as progress, _at_the_next_step(progress) as show:
            yield show
    except KeyboardInterrupt as stopped:
        sys.stderr.write(f"refdesk: stopped. {stopped}".rstrip() + "\n")
        raise


@contextmanager
def _at_the_next_step(progress: Progress) -> Iterator[Progress]:
    """Raises KeyboardInterrupt again at the next step after a signal: Python drops one that comes in a `__del__`."""
    came = False

    def note(number: int, frame: FrameType | None) -> None:
        nonlocal came
        came = True
        signal.default_int_handler(number, frame)

    def show(done: int, total: int, what: str) -> None:
        if came:
            raise KeyboardInterrupt
        progress(done, total, what)

    kinds = [kind for kind in (signal.SIGINT, signal.SIGTERM) if signal.getsignal(kind) is signal.default_int_handler]
    if threading.current_thread() is not threading.main_thread():
        kinds = []  # no other can set what happens
    for kind in kinds:
        signal.signal(kind, note)
    try:
        yield show
    finally:
        for kind in kinds:
            signal.signal(kind, signal.default_int_handler)


@contextmanager
def _shown() -> Iterator[Progress]:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    console = Console(stderr=True)
    if not console.is_terminal:
        yield _now_and_then(console.print)
        return
    columns = (
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.description}"),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=None)

        def show(done: int, total: int, what: str) -> None:
            bar.update(task, completed=done, total=total, description=what)

        yield show


def _now_and_then(say: Callable[[str], None]) -> Progress:
    last = time.monotonic()

    def show(done: int, total: int, what: str) -> None:
        nonlocal last
        if (now := time.monotonic()) - last >= _LINE_SECONDS:
            last = now
            say(f"{done} of {total} {what}")

    return show
