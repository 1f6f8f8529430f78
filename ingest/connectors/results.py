"""All results of a search that shows them page by page, and no more than so many of them.

A search with more results is asked for one period after the other. What the server announces is what must come: a page
that stays empty, or a count that does not match, is a fault of the source, never the absence of items.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Generic, Protocol, TypeVar

from assistant.errors import SourceError

T = TypeVar("T")
Period = tuple[date, date]
"""The first and the last day."""
_TRIES = 3


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some of `total` results, by key."""

    total: int
    results: Mapping[str, T]


class Ask(Protocol[T]):
    """Asks for the results from number `start` on (0 is the first), of one period or of all times."""

    def __call__(self, period: Period | None, start: int) -> Page[T]: ...


def every(ask: Ask[T], *, size: int, most: int, period: Period) -> Iterator[tuple[str, T]]:
    """Each result once, with its key; `size` are on a page, `most` can be had of one search, all lie in `period`.

    Raises SourceError where the server does not show what it announces.
    """
    first = _first(ask)
    if first.total <= most:
        yield from _whole(ask, None, first, size)
    else:
        yield from _halves(ask, period, first.total, size, most)


def _first(ask: Ask[T]) -> Page[T]:
    """The first page. That there are no results at all is believed only when it is said again and again."""
    for _ in range(_TRIES):
        page = ask(None, 0)
        if page.total:
            break
    return page


def _halves(ask: Ask[T], period: Period, total: int, size: int, most: int) -> Iterator[tuple[str, T]]:
    """The results of a period that has too many, by halves of it."""
    since, until = period
    if since >= until:
        raise SourceError(
            f"The search has {total} results of {since}, but at most {most} can be had. Narrow the query."
        )
    middle = since + (until - since) // 2
    halves = ((since, middle), (middle + timedelta(1), until))
    firsts = [ask(half, 0) for half in halves]
    if sum(page.total for page in firsts) < total:
        raise SourceError(
            f"The search announces {total} results from {since} to {until}, but has {firsts[0].total} up to {middle} "
            f"and {firsts[1].total} after. Nothing was removed; it will be tried again."
        )
    for half, first in zip(halves, firsts, strict=True):
        if first.total <= most:
            yield from _whole(ask, half, first, size)
        else:
            yield from _halves(ask, half, first.total, size, most)


def _whole(ask: Ask[T], period: Period | None, first: Page[T], size: int) -> Iterator[tuple[str, T]]:
    """All pages, read again from the first where the results changed meanwhile."""
    for attempt in range(_TRIES):
        found = dict(first.results) if attempt == 0 else {}
        # At least one page: that there is nothing any more is not believed because one answer said so.
        for start in range(size, first.total, size) if attempt == 0 else range(0, max(first.total, 1), size):
            page = full_page(ask, period, start, size)
            found.update(page.results)
            if page.total != first.total:
                first = page
                break
        else:
            if len(found) == first.total:
                yield from found.items()
                return
    raise SourceError(
        f"The search announces {first.total} results, but page by page it shows {len(found)} different ones. "
        "Nothing was removed; it will be tried again."
    )


def full_page(ask: Ask[T], period: Period | None, start: int, size: int, least: int = 1) -> Page[T]:
    """The page from `start` on, asked for again where it holds too little, or fewer than `least` are said to be there.
    Raises SourceError if it holds less than it announces again and again."""
    pages = []
    for _ in range(_TRIES):
        page = ask(period, start)
        if page.total >= least and _is_full(page, start, size):
            return page
        pages.append(page)
    page = max(pages, key=lambda page: (page.total, len(page.results)))
    if _is_full(page, start, size):
        return page
    raise SourceError(
        f"The search announces {page.total} results, but from number {start} on it shows {len(page.results)}. "
        "Nothing was removed; it will be tried again."
    )


def _is_full(page: Page[T], start: int, size: int) -> bool:
    return len(page.results) >= min(size, page.total - start)
