"""Functions that numba compiles: the few loops over postings that numpy could only do with copies.

They are compiled at their first call on a machine, which takes some seconds, and kept beside the source, or in the
user's cache where that folder cannot be written. Arithmetic is that of the source: no reordering, no fused operations.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from numba import njit
from numba.core import event

P = ParamSpec("P")
R = TypeVar("R")

_log = logging.getLogger(__name__)


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """The function as machine code; it runs without Python's lock, so that other threads go on meanwhile."""
    compile_: Callable[..., Callable[[Callable[P, R]], Callable[P, R]]] = njit
    try:
        return compile_(cache=True, nogil=True, error_model="numpy")(function)
    except RuntimeError:  # there is no folder to keep it in: each process compiles it anew
        return compile_(nogil=True, error_model="numpy")(function)


class _FirstCompiled(event.Listener):  # type: ignore[misc]  # numba has no types
    """Says, once, why the first search on a machine takes longer."""

    said = False

    def on_start(self, event: event.Event) -> None:
        function = event.data["dispatcher"].py_func
        if not self.said and str(function.__module__).startswith("assistant."):
            self.said = True
            _log.warning("Compiling the search for this machine; that takes some seconds, at its first search only.")

    def on_end(self, event: event.Event) -> None:
        pass


event.register("numba:compile", _FirstCompiled())
