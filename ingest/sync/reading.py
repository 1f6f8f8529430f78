"""One source, read: what is listed is compared with what the library knows, and what may have changed is fetched.

This is the half of a run that waits for servers. It writes nothing into the library, so several sources are read at
once, each in a thread of its own.
"""

from __future__ import annotations

import re
import shutil
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Literal

from assistant.errors import FetchError, ParseError, SettingsError, SourceError
from assistant.types import Access, Item
from ingest.access import NOBODY
from ingest.connectors.connector import Connector, Fetched, Gone, Listed

READING = 1
"""Raise this when parsing, splitting or what connectors make of items changes, so that every item is read again."""

_PLAIN, _NOT_HAD_MARK, _DOUBT_MARK = ":", "!", "?"
"""What stands in a stamp between the number of the reading and the rest: see `Seen`."""
_AT_ONCE = 32
"""Items that are fetched before the listing goes on."""
_DOWN = 8
"""So many items in a row that cannot be reached mean that the source cannot."""

_NOT_HAD = frozenset({"unreadable", "forbidden", "gone", "unreachable", "not_content", "cut"})
"""Reasons of a listing that say nothing of what an item holds: what was read of it before is kept."""
_MALFORMED = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
"""What connectors raise on answers of another shape than is documented, when they do not notice it themselves."""

Known = Mapping[str, tuple[Item, Access]]
Verdict = Literal["same", "fetched", "refused", "failed", "wanted"]


@dataclass(frozen=True, slots=True)
class Seen:
    """An item that was listed, and what is to be done about it.

    `verdict` is "same" where it need not be fetched, "fetched" with its content, "refused" where it is not one that we
    read, "failed" where it could not be had, both with `reason` and `detail`; "wanted" is "fetched" in a dry run.
    `before` is what the library knows of it, `stamp` what it is to keep as the sign of change: with another mark for
    what could not be had, or parsed no longer, so that it is asked for again. `folder` goes when the content is not
    needed any more.
    """

    listed: Listed
    stamp: str
    verdict: Verdict
    before: tuple[Item, Access] | None
    fetched: Fetched | None = None
    folder: Path | None = None
    reason: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Finished:
    """The source was read to its end: `gone` are the items that it holds no longer. `cursor` is where to go on;
    `listed` says whether all was listed."""

    gone: tuple[Item, ...]
    cursor: str
    listed: bool


class Reading:
    """Reads one source; `steps` yields what it finds."""

    def __init__(self, connector: Connector, known: Known, folder: Path, *, retry: bool, dry_run: bool) -> None:
        """`folder` is an empty one for the files of items. With `retry`, items that failed are tried again although
        they did not change; with `dry_run`, nothing is fetched."""
        self._connector = connector
        self._known = known
        self._folder = folder
        self._retry = retry
        self._dry_run = dry_run
        self._number = self._instead = 0
        self._unreached = 0

    def steps(self, cursor: str) -> Iterator[Seen | Finished]:
        """Every item that the source lists, or those that changed since `cursor` if it can tell; then Finished.

        Raises SourceError if the source cannot be read to its end. What was yielded by then still holds.
        """
        try:
            yield from self._steps(cursor)
        except SettingsError as error:
            raise SourceError(str(error)) from error  # a wrong section stops its own source only
        except _MALFORMED as error:
            said = f"It answered with something that was not expected ({type(error).__name__}: {error})."
            raise SourceError(f"{said} Is {self._connector.root} the right address?") from error

    def _steps(self, cursor: str) -> Iterator[Seen | Finished]:
        now = self._connector.cursor()
        again = [key for key, (item, _) in self._known.items() if not _is_settled(item.stamp)]
        changes = self._connector.changes(cursor, again) if cursor else None
        seen: set[str] = set()
        gone: set[str] = set()
        yield from self._fetched(self._new(self._connector.list() if changes is None else changes, seen, gone))
        if changes is None:
            gone = self._known.keys() - seen
        items = tuple(self._known[key][0] for key in gone if key in self._known)
        yield Finished(items, now, changes is None)

    def _new(self, found: Iterator[Listed | Gone], seen: set[str], gone: set[str]) -> Iterator[Listed]:
        """Each item once: a listing in pages may name one again that moved between them."""
        for item in found:
            if isinstance(item, Gone):
                seen.discard(item.key)
                gone.add(item.key)
                if item.below:
                    gone.update(key for key in self._below(item.key) if key not in seen)
            elif item.key not in seen:
                seen.add(item.key)
                gone.discard(item.key)
                old = item.renamed_from
                if old and (item.key in self._known or old not in self._known):
                    item = replace(item, renamed_from="")  # a story that the source still tells
                elif old and old not in seen:
                    gone.add(old)
                yield item

    def _below(self, key: str) -> Iterator[str]:
        """The known keys that begin with `key/`."""
        start = f"{key}/"
        for number in range(bisect_left(self._sorted, start), len(self._sorted)):
            if not self._sorted[number].startswith(start):
                return
            yield self._sorted[number]

    @cached_property
    def _sorted(self) -> list[str]:
        return sorted(self._known)

    def _fetched(self, items: Iterator[Listed]) -> Iterator[Seen]:
        wanted: list[Listed] = []
        with ThreadPoolExecutor(self._connector.at_once) as threads:
            for item in items:
                seen = self._without_fetching(item)
                if seen:
                    yield seen
                    continue
                wanted.append(item)
                if len(wanted) == _AT_ONCE:
                    yield from self._fetch_all(wanted, threads)
                    wanted = []
            yield from self._fetch_all(wanted, threads)

    def _without_fetching(self, item: Listed) -> Seen | None:
        """What is known of an item without its content; None where it has to be fetched."""
        before = self._known.get(item.key)
        stamp = f"{READING}{_PLAIN}{item.stamp}"
        if item.refused and item.refused[0] in _NOT_HAD:
            return Seen(item, _NOT_HAD_STAMP, "failed", before, None, None, *item.refused)
        if item.refused:
            return Seen(item, stamp, "refused", before, None, None, *item.refused)
        retry = self._retry and before is not None and before[0].status != "indexed"
        if item.stamp and before and before[0].stamp == stamp and not retry:
            return Seen(item, stamp, "same", before)
        return Seen(item, stamp, "wanted", before) if self._dry_run else None

    def _fetch_all(self, items: Sequence[Listed], threads: ThreadPoolExecutor) -> Iterator[Seen]:
        if not items:
            return
        self._connector.prepare(items)
        numbers = range(self._number, self._number + len(items))
        self._number += len(items)
        fetched = map if self._connector.at_once == 1 else threads.map
        for seen in fetched(self._fetch, items, numbers):
            self._unreached = self._unreached + 1 if seen.reason == "unreachable" else 0
            if self._unreached == _DOWN:
                raise SourceError(f"It does not answer any more: {seen.detail}")
            yield seen

    def instead(self, seen: Seen) -> Seen | None:
        """An item whose content could not be parsed in another form, or why that cannot be had; None where the source
        has none."""
        self._instead += 1  # a number of its own: the others are counted in another thread
        other = self._fetch(seen.listed, -self._instead, instead=True)
        return None if other.verdict == "refused" else other

    def _fetch(self, item: Listed, number: int, *, instead: bool = False) -> Seen:
        before = self._known.get(item.key)
        stamp = f"{READING}{_PLAIN}{item.stamp}"
        folder = self._folder / str(number)
        folder.mkdir()
        fetch = self._connector.fetch_instead if instead else self._connector.fetch
        try:
            fetched = fetch(item, folder)
        except ParseError as error:
            shutil.rmtree(folder)
            return Seen(item, stamp, "refused", before, None, None, error.reason, error.detail)
        except FetchError as error:
            shutil.rmtree(folder)
            listed = replace(item, access=NOBODY) if error.reason == "forbidden" else item
            return Seen(listed, _NOT_HAD_STAMP, "failed", before, None, None, error.reason, error.detail)
        except _MALFORMED as error:
            shutil.rmtree(folder)
            said = f"{type(error).__name__}: {error}"
            return Seen(item, _NOT_HAD_STAMP, "failed", before, None, None, "not_content", said)
        if fetched and fetched.path.is_relative_to(folder):
            return Seen(item, stamp, "fetched", before, fetched, folder)
        folder.rmdir()
        return Seen(item, stamp, "fetched" if fetched else "refused", before, fetched)


_NOT_HAD_STAMP = f"{READING}{_NOT_HAD_MARK}"


def doubtful(what: str) -> str:
    """The stamp of an item that could be read once, but not the last time, because of `what`."""
    return f"{READING}{_DOUBT_MARK}{what}"


def of_this_reading(stamp: str) -> bool:
    """Whether what the library holds of an item was read as it would be read now."""
    return stamp.rstrip().startswith(tuple(f"{READING}{mark}" for mark in (_PLAIN, _NOT_HAD_MARK, _DOUBT_MARK)))


def _is_settled(stamp: str) -> bool:
    """Whether nothing but a change at the source makes it worth while to ask for an item again."""
    return bool(re.match(rf"\d+{_PLAIN}", stamp))
