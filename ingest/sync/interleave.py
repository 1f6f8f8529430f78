"""Several iterators at once, each in a thread of its own, as one: what comes first is yielded first."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Generator, Iterable, Mapping
from typing import TypeVar

from assistant.errors import SourceError

T = TypeVar("T")

_TOGETHER = 64
"""Values handed over at once: to hand over each alone would take longer than to look at it."""
_SECONDS = 0.05
"""A value waits no longer than this for others, if more come."""
_PATIENCE = 5.0
"""How long to wait, at the end, for a thread that waits for a server itself."""
_WAITING = 8
"""Hand-overs that wait before the iterators do."""


def interleave(iterators: Mapping[str, Iterable[T]], most: int) -> Generator[tuple[str, T | SourceError]]:
    """The values of all iterators with their names, those of each in order; at most `most` run at the same time.

    A SourceError ends its own iterator and is its last value. Any other exception is raised here. When this
    generator is closed, threads end with their next value, and those that have not begun do not begin.
    """
    handed: queue.Queue[tuple[str, list[T | SourceError], BaseException | None]] = queue.Queue(_WAITING)
    stopped = threading.Event()
    turns = threading.Semaphore(most)
    threads = [
        threading.Thread(target=_run, args=(name, values, handed, stopped, turns), name=f"reading {name}", daemon=True)
        for name, values in iterators.items()
    ]
    running = len(threads)
    try:
        for thread in threads:
            thread.start()
        while running:
            name, values, ended = handed.get()
            for value in values:
                yield name, value
            if isinstance(ended, StopIteration):
                running -= 1
            elif ended:
                raise ended
    finally:
        stopped.set()
        for thread in threads:
            if thread.ident is not None:
                thread.join(_PATIENCE)


def _run(
    name: str,
    values: Iterable[T],
    handed: queue.Queue[tuple[str, list[T | SourceError], BaseException | None]],
    stopped: threading.Event,
    turns: threading.Semaphore,
) -> None:
    def hand_over(together: list[T | SourceError], ended: BaseException | None = None) -> None:
        while not stopped.is_set():
            try:
                handed.put((name, together, ended), timeout=0.2)
            except queue.Full:
                continue
            return

    together: list[T | SourceError] = []
    last = time.monotonic()
    with turns:
        if stopped.is_set():
            return
        try:
            for value in values:
                together.append(value)
                if len(together) == _TOGETHER or time.monotonic() - last > _SECONDS:
                    hand_over(together)
                    together, last = [], time.monotonic()
                if stopped.is_set():
                    return
        except SourceError as error:
            together.append(error)
        except BaseException as error:  # noqa: BLE001  (raised again by the one who waits)
            hand_over(together, error)
            return
        hand_over(together, StopIteration())
