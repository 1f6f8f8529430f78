"""Functions that numba compiles: the few loops over postings that numpy could only do with copies.

They are compiled at the first search on a machine, which takes some seconds, and kept beside the source, or in the
user's cache where that folder cannot be written. Arithmetic is that of the source: no reordering, no fused operations.
"""

from __future__ import annotations

import logging
import pickle
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from numba import from_dtype, njit, types
from numba.core import event

P = ParamSpec("P")
R = TypeVar("R")

_NOT_KEPT = RuntimeError, OSError, EOFError, LookupError, ValueError, TypeError, AttributeError, pickle.UnpicklingError
"""What numba raises where it cannot write a file, and what a damaged one makes Python raise."""

_log = logging.getLogger(__name__)


def array(dtype: Any, dimensions: int = 1, *, written: bool = False, strided: bool = False) -> types.Array:
    """The type of an array argument. Without `written` it takes read-only arrays too, with `strided` any layout."""
    return types.Array(from_dtype(dtype), dimensions, "A" if strided else "C", readonly=not written)


def compiled(returns: Any, *arguments: Any) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """The function as machine code for these types of numba; Python calls it, and other threads go on meanwhile.

    There is one version for all layouts that occur: numba keeps each version in a file, and processes that made
    different ones at the same time would mix these files up.
    """

    def compile_(function: Callable[P, R]) -> Callable[P, R]:
        try:
            kept: Callable[P, R] = njit(returns(*arguments), cache=True, nogil=True, error_model="numpy")(function)
        except _NOT_KEPT as error:
            _log.warning(
                "The compiled search cannot be kept or read back, so each process compiles it anew: %r. If that stays, "
                "delete the files *.nbi and *.nbc beside %s, or in numba's folder in the user's cache.",
                error,
                __file__,
            )
            kept = njit(returns(*arguments), nogil=True, error_model="numpy")(function)
        return kept

    return compile_


def part_of_compiled(function: Callable[P, R]) -> Callable[P, R]:
    """A function that only compiled ones of the same module call."""
    made: Callable[P, R] = njit(error_model="numpy")(function)
    return made


class _FirstCompiled(event.Listener):  # type: ignore[misc]  # numba has no types
    """Says, once, why the first search on a machine takes longer."""

    said = False

    def on_start(self, compiling: event.Event) -> None:
        function = compiling.data["dispatcher"].py_func
        if not self.said and str(function.__module__).startswith("assistant."):
            self.said = True
            _log.warning("Compiling the search for this machine; that takes some seconds, at its first search only.")

    def on_end(self, compiled_: event.Event) -> None:
        pass


event.register("numba:compile", _FirstCompiled())
