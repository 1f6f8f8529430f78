"""Several iterators as one."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assistant.errors import SourceError
from ingest.sync.interleave import interleave


@settings(max_examples=30)
@given(st.dictionaries(st.sampled_from("abcdef"), st.lists(st.integers(), max_size=300)), st.integers(1, 4))
def test_every_value_comes_once_and_in_its_own_order(values: dict[str, list[int]], most: int) -> None:
    found: dict[str, list[object]] = {name: [] for name in values}
    for name, value in interleave(values, most):
        found[name].append(value)
    assert found == values


def test_one_that_waits_does_not_hold_up_the_others() -> None:
    go_on = threading.Event()

    def waits() -> Iterator[str]:
        assert go_on.wait(30), "the other one never came"
        yield "late"

    found = []
    for name, value in interleave({"a": waits(), "b": iter(["early"])}, 2):
        found.append((name, value))
        go_on.set()
    assert found == [("b", "early"), ("a", "late")]


def test_at_most_so_many_run_at_once() -> None:
    running, peak, lock = 0, 0, threading.Lock()
    three = threading.Barrier(3)

    def counted() -> Iterator[int]:
        nonlocal running, peak
        with lock:
            running += 1
            peak = max(peak, running)
        three.wait(30)  # breaks if fewer run at once
        yield from range(200)
        with lock:
            running -= 1

    assert len(list(interleave({str(n): counted() for n in range(9)}, 3))) == 1800
    assert peak == 3


def test_a_source_that_fails_ends_alone() -> None:
    def fails() -> Iterator[int]:
        yield 1
        raise SourceError("it is down")

    found = list(interleave({"a": fails(), "b": iter([2, 3])}, 2))
    assert [value for name, value in found if name == "b"] == [2, 3]
    first, last = [value for name, value in found if name == "a"]
    assert first == 1
    assert isinstance(last, SourceError)


def test_any_other_error_is_raised_here() -> None:
    def breaks() -> Iterator[int]:
        yield 1
        raise ZeroDivisionError("a defect")

    with pytest.raises(ZeroDivisionError, match="a defect"):
        list(interleave({"a": breaks()}, 1))


def test_closing_it_ends_the_threads() -> None:
    closed = threading.Event()

    def endless() -> Iterator[int]:
        try:
            while True:
                yield 1
        finally:
            closed.set()

    def never() -> Iterator[int]:
        begun.append(1)
        yield 2

    begun: list[int] = []
    values = interleave({"a": endless(), "b": never()}, 1)
    next(values)
    values.close()
    assert closed.is_set()
    assert not begun, "one that waited for its turn began after the end"
