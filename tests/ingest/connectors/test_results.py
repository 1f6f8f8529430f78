"""A search that says now and then that there is nothing, as arXiv does when it is busy."""

from __future__ import annotations

from datetime import date

import pytest

from ingest.connectors.results import Page, Period, every, full_page

PERIOD = (date(2026, 1, 1), date(2026, 12, 31))
KEYS = [f"{number:02}" for number in range(25)]


class Search:
    """Shows ten results a page; the answers whose numbers are in `nothing` say that there are none."""

    def __init__(self, *nothing: int) -> None:
        self._nothing = nothing
        self.asked = 0

    def __call__(self, period: Period | None, start: int) -> Page[str]:
        self.asked += 1
        if self.asked in self._nothing:
            return Page(0, {})
        return Page(len(KEYS), {key: key for key in KEYS[start : start + 10]})


@pytest.mark.parametrize("nothing", [(), (1,), (1, 2), (2,), (3,), (2, 3, 4), (3, 4, 5)])
def test_nothing_is_not_believed_at_once(nothing: tuple[int, ...]) -> None:
    assert [key for key, _ in every(Search(*nothing), size=10, most=100, period=PERIOD)] == KEYS


def test_nothing_is_believed_in_the_end() -> None:
    assert list(every(Search(*range(100)), size=10, most=100, period=PERIOD)) == []


def test_a_single_page_that_is_said_to_be_nothing_is_asked_for_again() -> None:
    assert list(full_page(Search(1, 2), None, 0, 10).results) == KEYS[:10]
