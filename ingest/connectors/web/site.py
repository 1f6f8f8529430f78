"""A web site as a source: the pages that its sitemap lists, or that can be reached from its first one by links.

A sitemap with dates costs one request for up to 50,000 pages. Without dates each page is asked for its head; without a
sitemap each page is read in every run, since only it says where it leads.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field

from assistant.errors import FetchError, ParseError, SourceError
from assistant.types import PUBLIC
from ingest.connectors.connector import Connector, Fetched, Listed
from ingest.connectors.options import WebOptions
from ingest.connectors.patterns import Patterns
from ingest.connectors.web.address import Area
from ingest.connectors.web.crawl import Crawl
from ingest.connectors.web.item import NOT_PAGES, Had, by_head, is_settled, is_wanted, iso, suffix_of, suffix_of_answer
from ingest.connectors.web.page import is_login_elsewhere, read_page
from ingest.connectors.web.sitemap import pages_of
from ingest.fetch import Client, shown

_NAME = "refdesk"
"""What `robots.txt` may call us."""
_LONGEST_DELAY = 60.0


class SiteOptions(WebOptions):
    kind: Literal["web"] = "web"
    sitemap: str = ""
    """The address of its sitemap; without one, links are followed from `url`."""
    include: tuple[str, ...] = ()
    """Patterns, as in a `.gitignore`, of the paths that are wanted; empty means all below `url`."""
    exclude: tuple[str, ...] = ()
    """Patterns of the paths that are not; links on such pages are not followed."""
    max_pages: int = Field(10_000, gt=0)
    """A site with more, reached by links, is not read at all: it may lead round for ever, as calendars do."""
    max_depth: int = Field(50, ge=0)
    """Pages that are more links away from `url` do not belong to the source."""


class Site(Connector):
    """Pages and linked documents (PDF, office) at and below the URL of the options, an item per canonical address.

    Respects `robots.txt`, its delay, and what pages say to robots. An item is keyed by its path with its query.
    """

    pace: ClassVar[tuple[float, int]] = (5.0, 5)
    has_rules: ClassVar[bool] = False

    def __init__(self, options: SiteOptions, client: Client) -> None:
        self._options = options
        self._client = client
        self._area = Area(options.url)
        self._keys: set[str] = set()
        """What the sitemap lists."""
        self.root = f"web {self._area.url(self._area.prefix)}"

    def list(self) -> Iterator[Listed]:
        """Every page. Raises SourceError where the sitemap or a page that leads to others cannot be had."""
        robots = self._read_robots()

        def may(key: str) -> bool:
            return bool(robots.can_fetch(self._area.url(key), _NAME))

        wanted = Patterns(self._options.include, self._options.exclude)
        if self._options.sitemap:
            return self._from_sitemap(wanted, may)
        entered = Patterns((), self._options.exclude)
        crawl = Crawl(self._client, self._area, wanted, entered, may)
        return crawl.items(self._options.max_pages, self._options.max_depth)

    def fetch(self, item: Listed, folder: Path) -> Fetched:
        """The page. Raises ParseError for one that is another's copy, or wants not to be indexed."""
        had: Had = item.hint or Had()
        if had.error:
            raise had.error
        url, path = self._area.url(item.key), folder / "content"
        answer = had.answer or self._client.download(url, path)
        if had.answer:
            path.write_bytes(had.answer.body)
        here, suffix = self._area.key(answer.url), suffix_of_answer(answer, item.key)
        if here is None and is_login_elsewhere(answer.url):
            raise FetchError("forbidden", f"{shown(url)} leads to {shown(answer.url)}, to sign in")
        if here is None:
            raise ParseError("outside_root", f"it leads to {shown(answer.url)}")
        path = path.rename(path.with_suffix(suffix))
        body = path.read_bytes()
        revision = hashlib.sha256(body).hexdigest()[:16]
        modified = iso(answer.headers.get("last-modified", ""))
        if suffix != ".html":
            return Fetched(path, revision, url, modified=modified)
        page = read_page(body, answer.url, answer.headers)
        if page.is_login:
            raise FetchError("forbidden", f"{shown(url)} asks to sign in")
        if not page.is_indexed:
            raise ParseError("unsupported", "it asks robots not to index it")
        canonical = self._area.key(page.canonical) if page.canonical else here
        if canonical != item.key and canonical in self._keys:
            raise ParseError("unsupported", f"it is a copy of {canonical}")
        return Fetched(
            path,
            revision,
            self._area.url(canonical or here),
            authors=page.authors,
            created=page.created,
            modified=page.modified or modified,
            language=page.language,
        )

    def _from_sitemap(self, wanted: Patterns, may: Any) -> Iterator[Listed]:
        dates: dict[str, str] = {}
        for location, changed in pages_of(self._client, self._options.sitemap):
            if (key := self._area.key(location)) and is_wanted(wanted, key):
                dates[key] = max(dates.get(key, ""), changed)
        if not dates:
            raise SourceError(f"The sitemap lists no page that is wanted below {self._area.url(self._area.prefix)}.")
        self._keys = set(dates)
        for key, changed in dates.items():
            if not may(key):
                continue
            if suffix_of(key) in NOT_PAGES:
                yield Listed(key, changed, PUBLIC, ("unsupported", f"no parser for {suffix_of(key)}"))
            elif is_settled(changed):
                yield Listed(key, changed, PUBLIC)
            elif listed := by_head(self._client, self._area, key):
                yield listed

    def _read_robots(self) -> Any:
        from protego import Protego

        try:
            text = self._client.get(self._area.url("/robots.txt")).text
        except FetchError as error:
            if error.reason not in ("gone", "forbidden", "refused"):
                raise  # RFC 9309: as long as it cannot be had, nothing may be read
            text = ""
        robots = Protego.parse(text)
        delay = robots.crawl_delay(_NAME)
        if delay:
            self._client.slow_to(min(delay, _LONGEST_DELAY))
        return robots
