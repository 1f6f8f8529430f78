"""A property that is computed at its first use, once per object."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Generic, TypeVar, cast

T = TypeVar("T")


class once(Generic[T]):  # noqa: N801  # it is used like `property`
    """Threads that use it on one object wait for the first; on different objects none waits for another. One
    property may use another of the same object.

    functools.cached_property has one lock for all objects in Python 3.11, and no lock in later ones.
    """

    def __init__(self, compute: Callable[[Any], T]) -> None:
        self.__doc__ = compute.__doc__
        self._compute = compute
        self._name = compute.__name__

    def __get__(self, owner: Any, kind: type) -> T:
        if owner is None:
            return cast("T", self)  # as `property` does
        held: dict[str, Any] = owner.__dict__  # once it is in there, Python does not come here any more
        with held.setdefault("_computing", threading.RLock()):
            if self._name not in held:
                held[self._name] = self._compute(owner)
            value: T = held[self._name]
            return value
