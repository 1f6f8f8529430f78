"""INSPIRE: the records that a search finds, with abstract and references, and the full texts that INSPIRE keeps.

[sources.literature]
kind = "inspire"
query = "collaboration atlas and tc p"
readers = ["everyone"]

The record of a preprint names its arXiv number; its LaTeX is had by a source of kind `arxiv`.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar, Literal
from urllib.parse import urljoin

from pydantic import Field

from assistant.errors import FetchError, SourceError
from assistant.types import PUBLIC
from ingest.connectors.connector import Connector, Fetched, Gone, Listed
from ingest.connectors.inspire.record import FIELDS, described, markdown
from ingest.connectors.options import WebOptions
from ingest.connectors.results import Page, Period, every
from ingest.fetch import JSON, Client

_PAGE = 250
_MOST = 10_000
"""Results that can be had of one search, on all its pages together."""
_LISTED = "control_number,deleted,documents"
_FIRST_DAY = date(1960, 1, 1)
_OVERLAP = timedelta(days=1)
_TOGETHER = 40
_REMEMBERED = 200


class InspireOptions(WebOptions):
    kind: Literal["inspire"]
    url: str = "https://inspirehep.net"
    query: str = Field(min_length=1)
    """As in INSPIRE's search box: `collaboration atlas and tc p`."""
    full_texts: bool = True
    """Whether the files that INSPIRE keeps are read, besides the records."""


class Inspire(Connector):
    """Keys are record numbers; a full text of the record `1234` is `1234/fulltext/NAME`.

    Records that were deleted or merged into others are no longer found, so only a listing tells of them.
    """

    pace: ClassVar[tuple[float, int]] = (2.0, 5)  # at most 15 requests in any 5 seconds
    full_hours: ClassVar[float] = 0.0
    """Changes do not tell of records that were deleted or merged, and a listing names 250 to a request."""
    has_rules: ClassVar[bool] = False

    def __init__(self, options: InspireOptions, client: Client) -> None:
        self._url = options.url.rstrip("/")
        self._query = f"({options.query.strip()})"
        self._full_texts = options.full_texts
        self._client = client
        self._loaded: dict[str, Any] = {}
        self._lock = threading.Lock()
        self.root = f"inspire {self._url}"

    def cursor(self) -> str:
        return datetime.now(UTC).date().isoformat()

    def list(self) -> Iterator[Listed]:
        for hit in self._hits(self._query):
            yield from self._items(hit)

    def changes(self, since: str, again: Collection[str]) -> Iterator[Listed | Gone] | None:
        return self._changes(since, again)

    def _changes(self, since: str, again: Collection[str]) -> Iterator[Listed | Gone]:
        day = date.fromisoformat(since) - _OVERLAP
        seen = set()
        for hit in self._hits(f"{self._query} and du >= {day}"):
            seen.add(_number(hit))
            yield Gone(_number(hit), below=True)
            yield from self._items(hit)
        others = sorted({key.partition("/")[0] for key in again} - seen)
        for start in range(0, len(others), _TOGETHER):
            part = others[start : start + _TOGETHER]
            yield from (Gone(number, below=True) for number in part)
            for hit in self._hits(f"{self._query} and {_any(part)}"):
                yield from self._items(hit) if _number(hit) in part else ()

    def prepare(self, items: Sequence[Listed]) -> None:
        records = sorted({item.key.partition("/")[0] for item in items})
        for start in range(0, len(records), _TOGETHER):
            part = records[start : start + _TOGETHER]
            page = self._page({"q": _any(part), "fields": FIELDS, "size": 2 * _TOGETHER, "page": 1})
            with self._lock:
                self._loaded.update((number, hit) for number, hit in page.results.items() if number in part)
                for number in [*self._loaded][:-_REMEMBERED]:
                    del self._loaded[number]

    def fetch(self, item: Listed, folder: Path) -> Fetched:
        number, _, file = item.key.partition("/")
        record = self._record(number)
        said = described(record)
        url = f"{self._url}/literature/{number}"
        if not file:
            path = folder / f"{number}.md"
            path.write_text(markdown(record, url), encoding="utf-8")
            return said.fetched(path, url)
        path = folder / f"fulltext{PurePosixPath(file).suffix[:20] or '.pdf'}"
        answer = self._client.download(urljoin(f"{self._url}/", item.hint), path)
        if answer.type in ("text/html", "application/xhtml+xml"):
            raise FetchError("not_content", f"instead of the full text {item.key} came a web page")
        return said.fetched(path, url)

    def _record(self, number: str) -> Any:
        """The metadata of a record, loaded with others or by itself."""
        with self._lock:
            hit = self._loaded.get(number)
        if not hit:
            hit = self._client.get(f"{self._url}/api/literature/{number}", accept=JSON).json()
        if _number(_checked(hit)) != number or hit["metadata"].get("deleted"):
            raise FetchError("gone", f"the record {number} was deleted, or merged into another")
        return hit

    def _items(self, hit: Any) -> Iterator[Listed]:
        """A record, and its full texts."""
        number, metadata = _number(hit), hit["metadata"]
        if metadata.get("deleted"):
            return
        yield Listed(number, hit["updated"], PUBLIC)
        names: set[str] = set()
        for document in metadata.get("documents", []) if self._full_texts else []:
            if document.get("fulltext") and not document.get("hidden"):
                name = PurePosixPath(document.get("filename") or "").name or document["key"]
                name = f"{document['key']}-{name}" if name in names else name
                names.add(name)
                stamp = f"{document['key']} {hit['updated']}"
                yield Listed(f"{number}/fulltext/{name}", stamp, PUBLIC, hint=document["url"])

    def _hits(self, query: str) -> Iterator[Any]:
        """What a search finds, however much that is."""

        def ask(period: Period | None, start: int) -> Page[Any]:
            within = f" and da {period[0]}->{period[1]}" if period else ""
            number = start // _PAGE + 1
            return self._page(
                {"q": query + within, "fields": _LISTED, "size": _PAGE, "page": number, "sort": "mostrecent"}
            )

        today = datetime.now(UTC).date() + timedelta(1)
        for _, hit in every(ask, size=_PAGE, most=_MOST, period=(_FIRST_DAY, today)):
            yield hit

    def _page(self, params: Mapping[str, str | int]) -> Page[Any]:
        answer = self._client.get(f"{self._url}/api/literature", params, accept=JSON).json()
        hits = answer.get("hits") if isinstance(answer, dict) else None
        if (
            not isinstance(hits, dict)
            or not isinstance(hits.get("total"), int)
            or not isinstance(hits.get("hits"), list)
        ):
            raise SourceError("INSPIRE's answer does not say how many records there are. It will be tried again.")
        return Page(hits["total"], {_number(_checked(hit)): hit for hit in hits["hits"]})


def _checked(hit: Any) -> Any:
    """A record that has at least its number and when it was updated."""
    try:
        int(hit["metadata"]["control_number"])
        str(hit["updated"])
    except (KeyError, TypeError, ValueError) as error:
        raise SourceError(f"INSPIRE's answer holds a record without number or date: {str(hit)[:100]}") from error
    return hit


def _number(hit: Any) -> str:
    return str(hit["metadata"]["control_number"])


def _any(records: Sequence[str]) -> str:
    return "(" + " or ".join(f"recid {number}" for number in records) + ")"
