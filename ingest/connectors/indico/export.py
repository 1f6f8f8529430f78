"""Indico's HTTP export interface: which events a category has, and what it says of each.

An answer lists what the account may see and leaves out the rest without a word, so it cannot be asked for part by part:
nobody could tell where the last part ends. Events are asked for by time instead, and an answer that is too large by
halves of its time.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import date, timedelta
from typing import Any

from assistant.errors import FetchError
from ingest.fetch import JSON, Client, shown

_AT_ONCE = 100
_FIRST, _LAST = date(1990, 1, 1), date(2100, 1, 1)
_LONG = timedelta(days=3650)

Window = tuple[date | None, date | None]
"""From the first day to the last one; None is open."""


class Export:
    """One Indico. Raises FetchError for what is not as documented."""

    def __init__(self, client: Client, root: str) -> None:
        self._client = client
        self.root = root.rstrip("/")

    def events(self, categories: Collection[int], since: date | None, today: date) -> list[str]:
        """The ids of the events of categories and all below them."""
        wanted = "-".join(str(category) for category in sorted(categories))
        found: dict[str, None] = {}
        for window in windows(since, today):
            found |= {str(one["id"]): None for one in self._within(wanted, window)}
        return list(found)

    def details(self, ids: Sequence[str]) -> Iterator[dict[str, Any]]:
        """What is said of each event, with sessions, contributions and attachments. One that is no longer there is
        left out."""
        for start in range(0, len(ids), _AT_ONCE):
            asked = ids[start : start + _AT_ONCE]
            found = {str(one["id"]): one for one in self._event(asked)}
            for key in asked:
                if key not in found:  # gone since it was listed: is it?
                    found |= {str(one["id"]): one for one in self._event([key])}
            yield from (found[key] for key in asked if key in found)

    def timetables(self, ids: Sequence[str]) -> dict[str, frozenset[int]]:
        """The contributions in the timetables of events, by the events' ids: only those that the account may see."""
        found: dict[str, frozenset[int]] = {}
        for start in range(0, len(ids), _AT_ONCE):
            path = f"/export/timetable/{'-'.join(ids[start : start + _AT_ONCE])}.json"
            answer = self._client.get(self.root + path, {"nc": "yes"}, accept=JSON).json()
            try:
                found |= {key: frozenset(_contributions(days)) for key, days in answer["results"].items()}
            except (AttributeError, KeyError, TypeError) as error:
                raise FetchError(
                    "not_content", f"{shown(self.root + path)} answered with JSON of another form ({error!r})"
                ) from error
        return found

    def _event(self, ids: Sequence[str]) -> list[dict[str, Any]]:
        try:
            return self._results(f"/export/event/{'-'.join(ids)}.json", {"detail": "sessions"})
        except FetchError as error:
            if error.reason != "too_large" or len(ids) < 2:
                raise
        middle = len(ids) // 2
        return [*self._event(ids[:middle]), *self._event(ids[middle:])]

    def _within(self, wanted: str, window: Window) -> Iterator[dict[str, Any]]:
        params = {name: day.isoformat() for name, day in zip(("from", "to"), window, strict=True) if day}
        try:
            yield from self._results(f"/export/categ/{wanted}.json", {"detail": "events", **params})
            return
        except FetchError as error:
            halves = split(window)
            if error.reason != "too_large" or not halves:
                raise
        for half in halves:
            yield from self._within(wanted, half)

    def _results(self, path: str, params: dict[str, str]) -> list[dict[str, Any]]:
        asked = {**params, "tz": "UTC", "nc": "yes"}
        found = self._client.get(self.root + path, asked, accept=JSON).json()
        try:
            results, count = found["results"], found["count"]
            keys = {str(one["id"]) for one in results}
            whole = count == len(results) == len(keys) and found.get("complete", True)
        except (KeyError, TypeError) as error:
            raise FetchError(
                "not_content", f"{shown(self.root + path)} answered with JSON of another form ({error!r})"
            ) from error
        if not whole:
            raise FetchError("not_content", f"{shown(self.root + path)}: {len(keys)} of {count} results came")
        return list(results)


def _contributions(entries: Any) -> Iterator[int]:
    """The numbers of contributions, in whatever depth of days and sessions."""
    if isinstance(entries, dict):
        if entries.get("entryType") == "Contribution":
            yield entries["contributionId"]
        else:
            for entry in entries.values():
                yield from _contributions(entry)


def windows(since: date | None, today: date) -> Iterator[Window]:
    """Times that together hold every event that ends on `since` or later: the last years one by one."""
    start = since
    for year in range(max(today.year - 4, since.year + 1 if since else 0), today.year + 2):
        yield start, date(year - 1, 12, 31)
        start = date(year, 1, 1)
    yield start, None


def split(window: Window) -> list[Window]:
    """Two times that together are this one; none, if it is a single day or there can be nothing in it."""
    start, end = window
    if start is None:
        middle = (end or _LAST) - _LONG
        return [(None, middle), (middle + timedelta(1), end)] if middle > _FIRST else []
    if end is None:
        middle = start + _LONG
        return [(start, middle), (middle + timedelta(1), None)] if middle < _LAST else []
    if start >= end:
        return []
    middle = start + (end - start) // 2
    return [(start, middle), (middle + timedelta(1), end)]
