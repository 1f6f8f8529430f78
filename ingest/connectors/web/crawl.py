"""Follow the links of a web site, breadth first, so that every page is found by the shortest way to it.

A page that may come back ends the walk with an error, because what it leads to would look as if it were gone. One that
is forbidden is listed all the same, so that it becomes nobody's, and so is one that is no page just now.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from assistant.errors import FetchError, ParseError, SourceError
from assistant.types import PUBLIC
from ingest.connectors.connector import Listed
from ingest.connectors.patterns import Patterns
from ingest.connectors.web.address import Area
from ingest.connectors.web.item import DOCUMENTS, NOT_PAGES, Had, by_head, is_wanted, outside, suffix_of
from ingest.connectors.web.page import Page, is_login_path, read_page
from ingest.fetch import HTML, Client, Response, shown

_NO_PAGES = ("audio/", "font/", "image/", "video/", "application/gzip", "application/x-tar", "application/zip")
"""How the media types begin of files that are no pages, whatever they are called."""


@dataclass(frozen=True, slots=True)
class _Visit:
    """What came of a look at one address: an item or none, and the keys that it leads to."""

    item: Listed | None = None
    links: tuple[str, ...] = ()


class Crawl:
    """One walk over the pages of `area`.

    `wanted` are the pages that are listed, `entered` those that may be asked for, as far as `may` (robots.txt) allows.
    """

    def __init__(
        self, client: Client, area: Area, wanted: Patterns, entered: Patterns, may: Callable[[str], bool]
    ) -> None:
        self._client = client
        self._area = area
        self._wanted = wanted
        self._entered = entered
        self._may = may
        self._seen = {area.start}
        self._copies: dict[str, str] = {}
        """Key of a page -> key of the one whose copy it says it is."""

    def items(self, max_pages: int, max_depth: int) -> Iterator[Listed]:
        """Every wanted page within `max_depth` links from the first. Raises SourceError above `max_pages`."""
        start = self._area.start
        if not self._may(start):
            raise SourceError(f"The robots.txt of {self._area.url('/')} does not let us read {start}.")
        waiting = deque([(start, 0)])
        asked = 0
        while waiting:
            key, depth = waiting.popleft()
            asked += 1
            if asked > max_pages:
                raise SourceError(
                    f"{self._area.url(start)} leads to more than max_pages = {max_pages} pages. Does it lead round for "
                    "ever? Then exclude those pages, else raise max_pages. Nothing was removed."
                )
            visit = self._document(key) if suffix_of(key) in DOCUMENTS.values() else self._page(key)
            if visit.item and is_wanted(self._wanted, visit.item.key):
                yield visit.item
            for link in visit.links if depth < max_depth else ():
                if link not in self._seen and self._enters(link):
                    self._seen.add(link)
                    waiting.append((link, depth + 1))

    def _document(self, key: str) -> _Visit:
        return _Visit(by_head(self._client, self._area, key) if is_wanted(self._wanted, key) else None)

    def _page(self, key: str) -> _Visit:
        """Raises FetchError where the page may come back, SourceError where the first one is none."""
        is_first = key == self._area.start
        try:
            answer = self._client.get(self._area.url(key), accept=(*HTML, *DOCUMENTS))
        except FetchError as error:
            if is_first or error.reason in ("unreachable", "cut"):
                raise
            is_none = error.reason == "gone" or (error.reason == "not_content" and self._is_file(key))
            return _Visit(None if is_none else Listed(key, "", PUBLIC, hint=Had(error=error)))
        here = self._area.key(answer.url)
        if here is None and is_first:
            raise SourceError(f"{self._area.url(key)} leads to {shown(answer.url)}. Is that the right url?")
        if here is None:
            return _Visit(outside(key, answer))
        if here != key and (here in self._seen or not self._enters(here)):
            return _Visit()
        self._seen.add(here)
        return self._read(key, here, answer)

    def _is_file(self, key: str) -> bool:
        """Whether a second look finds what is surely no page, not a page whose type or encoding is wrong just now."""
        try:
            return self._client.send("HEAD", self._area.url(key)).type.startswith(_NO_PAGES)
        except FetchError:
            return False

    def _read(self, key: str, here: str, answer: Response) -> _Visit:
        """`key` was asked for and `here` is where it was found."""
        item = Listed(here, hashlib.sha256(answer.body).hexdigest()[:16], PUBLIC, hint=Had(answer))
        try:
            page = read_page(answer.body, answer.url, answer.headers) if answer.type in HTML else None
        except ParseError:
            page = None  # fetch says so
        if page is None:
            return _Visit(item)
        if page.is_login:
            return self._login(key)
        links = (link for link in map(self._area.key, page.links) if link and suffix_of(link) not in NOT_PAGES)
        followed = tuple(links) if page.is_followed else ()
        original = self._original(page, here)
        if original:
            self._copies[here] = original
            return _Visit(None, (original, *followed))
        return _Visit(item if page.is_indexed else None, followed)

    def _login(self, key: str) -> _Visit:
        url = self._area.url(key)
        if key == self._area.start:
            raise FetchError("not_content", f"{url} is a login page. Does the secret still work?")
        if is_login_path(url):
            return _Visit()
        return _Visit(Listed(key, "", PUBLIC, hint=Had(error=FetchError("forbidden", f"{url} asks to sign in"))))

    def _original(self, page: Page, here: str) -> str:
        """The key of the page whose copy this one says it is; "" if that one says in turn to be a copy of this one."""
        original = self._area.key(page.canonical) if page.canonical else None
        if original is None or original == here or not self._enters(original):
            return ""
        end = original
        while end in self._copies:
            end = self._copies[end]
        return "" if end == here else original

    def _enters(self, key: str) -> bool:
        return self._entered.match(key) and self._may(key)
