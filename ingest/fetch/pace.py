"""How often a source may be asked."""

from __future__ import annotations

import threading
import time


class Pace:
    """A token bucket: at most `burst` requests at once, in the long run `per_second`. Safe to use from several threads.

    At no time have more than `burst + t * per_second` requests been let through within `t` seconds.
    """

    def __init__(self, per_second: float, burst: int = 1) -> None:
        if per_second <= 0 or burst < 1:
            raise ValueError(f"a pace needs per_second > 0 and burst >= 1, got {per_second} and {burst}")
        self._interval = 1 / per_second
        self._allowance = (burst - 1) * self._interval
        self._due = self._held_until = float("-inf")
        self._lock = threading.Lock()
        self.passed = 0
        """How many were let through."""

    def wait(self) -> None:
        """Returns when the next request may be made."""
        while True:
            with self._lock:
                now = time.monotonic()
                due = max(self._due, now - self._allowance)
                self._due = due + self._interval
            if due > now:
                time.sleep(due - now)
            with self._lock:
                if due >= self._held_until:  # else the source asked for a pause while this one slept
                    self.passed += 1
                    return

    def hold(self, seconds: float) -> None:
        """Lets nothing through for so long: the source asked for it."""
        with self._lock:
            self._held_until = max(self._held_until, time.monotonic() + seconds)
            self._due = max(self._due, self._held_until)

    def slow_to(self, seconds: float) -> None:
        """From now on, at least so much time between requests, and never several at once."""
        with self._lock:
            self._interval = max(self._interval, seconds)
            self._allowance = 0.0
            self._due = max(self._due, time.monotonic() + self._interval)
