"""Who stops a run stops it, whenever the signal comes."""

from __future__ import annotations

import os
import signal

import pytest

from assistant.progress import shown_progress


class Dying:
    """In its `__del__` a signal comes, whose exception Python drops."""

    def __init__(self, kind: signal.Signals) -> None:
        self.kind = kind

    def __del__(self) -> None:
        os.kill(os.getpid(), self.kind)
        for _ in range(10_000):
            pass


def work(kind: signal.Signals, reached: list[str]) -> None:
    with shown_progress() as progress:
        progress(1, 3, "things")
        Dying(kind)
        reached.append("after the destructor")
        progress(2, 3, "things")
        reached.append("after the next step")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_that_comes_in_a_destructor_is_not_lost(kind: signal.Signals) -> None:
    before = signal.signal(kind, signal.default_int_handler)
    reached: list[str] = []
    try:
        with pytest.raises(KeyboardInterrupt):
            work(kind, reached)
        assert reached == ["after the destructor"]
        assert signal.getsignal(kind) is signal.default_int_handler
    finally:
        signal.signal(kind, before)
