"""The pace at which a source is asked, on a clock that tests turn: no window of time lets through more than it may."""

from __future__ import annotations

import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.fetch import pace as module
from ingest.fetch.pace import Pace


class Clock:
    """Time that passes only when somebody sleeps, or a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.now += seconds


@given(
    per_second=st.floats(0.1, 100),
    burst=st.integers(1, 20),
    steps=st.lists(
        st.one_of(
            st.tuples(st.just("ask"), st.just(0.0)),
            st.tuples(st.just("idle"), st.floats(0, 30)),
            st.tuples(st.just("hold"), st.floats(0, 30)),
        ),
        max_size=60,
    ),
)
def test_no_window_has_more_than_it_may(per_second: float, burst: int, steps: list[tuple[str, float]]) -> None:
    clock, held_until, passed = Clock(), 0.0, []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "time", clock)
        pace = Pace(per_second, burst)
        for step, seconds in steps:
            if step == "ask":
                before = clock.now
                pace.wait()
                passed.append(clock.now)
                assert clock.now >= held_until - 1e-6
                # Nobody waits longer than for all that were let through before, one by one.
                assert clock.now <= max(before, held_until) + len(passed) / per_second + 1e-6
            elif step == "idle":
                clock.now += seconds
            else:
                pace.hold(seconds)
                held_until = max(held_until, clock.now + seconds)
    for i, first in enumerate(passed):
        for j in range(i, len(passed)):
            assert j - i + 1 <= burst + (passed[j] - first) * per_second + 1e-6


@given(st.integers(1, 10))
def test_a_burst_passes_at_once(burst: int) -> None:
    clock = Clock()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "time", clock)
        pace = Pace(0.5, burst)
        for _ in range(burst):
            pace.wait()
        assert clock.now == pytest.approx(1000)
        pace.wait()
        assert clock.now == pytest.approx(1002)


def test_many_threads_share_one_pace() -> None:
    pace, passed = Pace(200, 5), []

    def ask() -> None:
        for _ in range(10):
            pace.wait()
            passed.append(time.monotonic())

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    passed.sort()
    assert len(passed) == 60
    assert passed[-1] - passed[0] >= 54 / 200  # 60 less a burst of 5, at 200 per second


def test_who_sleeps_when_a_pause_is_asked_for_waits_for_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server said "come back in 10 s" to one thread while another slept until its turn."""
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    pace = Pace(1, 1)
    pace.wait()
    holds = [10.0]
    sleep = clock.sleep

    def interrupted(seconds: float) -> None:
        if holds:
            clock.now += 0.5
            pace.hold(holds.pop())  # by the thread that was told
            seconds -= 0.5
        sleep(seconds)

    monkeypatch.setattr(clock, "sleep", interrupted)
    pace.wait()
    assert clock.now == pytest.approx(1010.5)
    pace.wait()
    assert clock.now == pytest.approx(1011.5)


@pytest.mark.parametrize(("per_second", "burst"), [(0, 1), (-1, 1), (1, 0)])
def test_a_pace_that_is_none(per_second: float, burst: int) -> None:
    with pytest.raises(ValueError, match="per_second > 0 and burst >= 1"):
        Pace(per_second, burst)


def test_a_source_may_ask_for_a_slower_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    pace = Pace(100, 10)
    pace.wait()
    pace.slow_to(2)
    pace.slow_to(1)  # never faster again
    passed = []
    for _ in range(3):
        pace.wait()
        passed.append(clock.now)
    assert passed == pytest.approx([1002, 1004, 1006])
