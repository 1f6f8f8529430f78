"""A property that is computed once."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from assistant.library.once import once


class Room:
    def __init__(self) -> None:
        self.entered, self.open = threading.Event(), threading.Event()
        self.computed = 0

    @once
    def view(self) -> int:
        self.computed += 1
        self.entered.set()
        assert self.open.wait(60)
        return self.computed


class Failing:
    def __init__(self) -> None:
        self.tries = 0

    @once
    def inner(self) -> int:
        self.tries += 1
        if self.tries == 1:
            raise OSError("not yet")
        return self.tries

    @once
    def outer(self) -> int:
        return 10 * self.inner


def test_what_failed_is_tried_again_and_one_may_use_another() -> None:
    room = Failing()
    with pytest.raises(OSError, match="not yet"):
        assert room.outer
    assert (room.outer, room.outer, room.inner) == (20, 20, 2)


def test_threads_wait_for_the_same_object_only() -> None:
    slow, quick = Room(), Room()
    quick.open.set()
    with ThreadPoolExecutor() as threads:
        waiting = [threads.submit(lambda: slow.view) for _ in range(3)]
        assert slow.entered.wait(60)
        assert quick.view == 1
        assert not any(thread.done() for thread in waiting)
        slow.open.set()
        assert [thread.result(60) for thread in waiting] == [1, 1, 1]
    assert slow.computed == 1
