"""A source that does what a test says, faults included: pages with rules, a log of what changed, requests counted."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from assistant.errors import FetchError, SourceError
from assistant.types import PUBLIC, Access, DocumentStatus
from ingest.connectors.connector import Connector, Fetched, Gone, Listed
from ingest.connectors.options import SourceOptions


@dataclass
class Page:
    text: str
    rule: Access = PUBLIC
    url: str = ""
    status: DocumentStatus = ""


@dataclass
class Site:
    """`fail` is asked before every step, with its name and the key of the item or "", and may raise."""

    pages: dict[str, Page] = field(default_factory=dict)
    log: list[str] = field(default_factory=list)
    fetched: Counter[str] = field(default_factory=Counter)
    fail: Callable[[str, str], None] = lambda step, key: None
    tells_changes: bool = True

    def edit(self, key: str, text: str, rule: Access | None = None, url: str = "") -> None:
        before = self.pages.get(key, Page(""))
        self.pages[key] = Page(text or before.text, rule or before.rule, url or before.url or f"https://site/{key}")
        self.log.append(key)

    def delete(self, key: str) -> None:
        del self.pages[key]
        self.log.append(key)


SITES: dict[str, Site] = {}


class ScriptedOptions(SourceOptions):
    kind: str = "scripted"
    site: str


class Scripted(Connector):
    """Reads `SITES[options.site]`."""

    at_once: ClassVar[int] = 1  # so that faults come in the same order each time

    def __init__(self, options: ScriptedOptions, client: None) -> None:
        self.site = SITES[options.site]
        self.root = f"scripted {options.site}"

    def cursor(self) -> str:
        self.site.fail("cursor", "")
        return str(len(self.site.log)) if self.site.tells_changes else ""

    def list(self) -> Iterator[Listed]:
        self.site.fail("list", "")
        for key in sorted(self.site.pages):
            self.site.fail("listing", key)
            yield self._listed(key)

    def changes(self, since: str, again: Collection[str]) -> Iterator[Listed | Gone] | None:
        self.site.fail("changes", "")
        return self._changes(sorted({*self.site.log[int(since) :], *again}))

    def fetch(self, item: Listed, folder: Path) -> Fetched:
        self.site.fail("fetch", item.key)
        self.site.fetched[item.key] += 1
        page = self.site.pages.get(item.key)
        if page is None:
            raise FetchError("gone", f"{item.key} is not there")
        path = folder / "page.md"
        path.write_text(page.text)
        return Fetched(
            path, _hash(page.text), page.url, authors=("A. Reader",), modified="2026-11-20", status=page.status
        )

    def _changes(self, keys: Collection[str]) -> Iterator[Listed | Gone]:
        for key in keys:
            self.site.fail("listing", key)
            yield self._listed(key) if key in self.site.pages else Gone(key)

    def _listed(self, key: str) -> Listed:
        page = self.site.pages[key]
        return Listed(key, _hash(page.text + page.url + page.status), page.rule)


def down(step: str, key: str) -> None:
    """A `fail` of a site that does not answer."""
    if step == "fetch":
        raise FetchError("unreachable", f"{key} gave no answer")
    raise SourceError("the site gave no answer")


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
