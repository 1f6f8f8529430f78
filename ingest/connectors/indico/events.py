"""Indico: the events of categories with their contributions, minutes and attachments.

The account should be a plain member of the groups that `readers` names, and see no more than they do: then what it sees
is theirs, and what a visitor is shown is everyone's. An account that manages events is told who may read them, but not
who may read a protected attachment, which is then nobody's, nor whether contributions of a protected event are
published: leave those out with `contributions = false`.

There is no list of changes, so each run lists everything, 100 events an answer. The token needs the scopes "Classic API
(read only)" and, for attachments that are not public, "Everything (only GET)".
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from pathlib import Path, PurePosixPath
from typing import ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import Field

from assistant.errors import FetchError
from assistant.types import Access
from ingest.access import NOBODY
from ingest.connectors.connector import Connector, Fetched, Listed
from ingest.connectors.indico.export import Export
from ingest.connectors.indico.pages import Attachment, Item, Page, Told, items_of
from ingest.connectors.options import WebOptions
from ingest.fetch import Client
from ingest.parse.choose import SUFFIXES

_log = logging.getLogger(__name__)
_AT_ONCE = 100


class IndicoOptions(WebOptions):
    """`url` is the address of the site: "https://indico.example.org"."""

    kind: Literal["indico"]
    categories: tuple[int, ...] = Field(min_length=1)
    """Numbers of the categories to read, with all below them."""
    since: date | None = None
    """Leave out events that ended before this day."""
    contributions: bool = True
    attachments: bool = True


class Indico(Connector):
    """One Indico over its export interface."""

    pace: ClassVar[tuple[float, int]] = (2.0, 4)
    full_hours: ClassVar[float] = 0.0

    def __init__(self, options: IndicoOptions, client: Client) -> None:
        self.root = f"indico {options.url.rstrip('/')}"
        self._options = options
        self._client = client
        self._export = Export(client, options.url)

    def list(self) -> Iterator[Listed]:
        given, today = self._options, datetime.now(UTC).date()
        with self._client.anonymous() as client:
            visitor = Export(client, given.url)
            ids = self._export.events(given.categories, given.since, today)
            public = self._public(visitor, today) if self._client.secret else frozenset(ids)
            nobodys = 0
            for start in range(0, len(ids), _AT_ONCE):
                some = ids[start : start + _AT_ONCE]
                shown = self._told(visitor, [key for key in some if key in public])
                # Without a secret the account is a visitor, and need not be asked the same again.
                known = self._told(self._export, some) if self._client.secret else shown
                for key, told in known.items():
                    for item in self._items(told, shown.get(key)):
                        nobodys += item.access == NOBODY
                        yield _listed(item)
        if nobodys:
            _log.warning(
                "%s: %d items are nobody's, because Indico does not tell this account who may read them. %s",
                self.root,
                nobodys,
                "Let it be a plain member, not a manager." if given.readers else "Say in `readers` for whom it stands.",
            )

    def _public(self, visitor: Export, today: date) -> frozenset[str]:
        """The events that visitors see who do not sign in, if they may ask at all."""
        try:
            return frozenset(visitor.events(self._options.categories, self._options.since, today))
        except FetchError as error:
            if error.reason in ("forbidden", "gone", "refused", "not_content"):
                return frozenset()
            raise

    def _told(self, export: Export, ids: Sequence[str]) -> dict[str, Told]:
        """What an account is told of events; the timetable only where it says what nothing else does."""
        events = {str(event["id"]): event for event in export.details(ids)}
        asked = [
            key
            for key, event in events.items()
            if "allowed" not in event and (event.get("contributions") or event.get("sessions"))
        ]
        tables = export.timetables(asked) if self._options.contributions else {}
        return {key: Told(event, tables.get(key, frozenset())) for key, event in events.items()}

    def _items(self, told: Told, visitor: Told | None) -> Iterator[Item]:
        given = self._options
        readers = Access.of(*given.readers) if given.readers else None
        try:
            for item in items_of(told, visitor, readers, contributions=given.contributions):
                if isinstance(item, Page) or given.attachments:
                    yield item
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise FetchError(
                "not_content", f"{self.root}: event {told.event.get('id')} is not as documented ({error!r})"
            ) from error

    def fetch(self, item: Listed, folder: Path) -> Fetched:
        if isinstance(item.hint, Page):
            page = item.hint
            path = folder / "page.fragment"
            path.write_text(page.html, encoding="utf-8")
            return Fetched(
                path,
                revision=hashlib.sha256(page.html.encode()).hexdigest()[:16],
                url=page.url,
                title=page.title,
                authors=page.authors,
                created=page.created,
                modified=page.modified,
                language=page.language,
            )
        found: Attachment = item.hint
        path = folder / f"attachment{_suffix(found)}"
        _, event, rest = urlsplit(found.url).path.partition("/event/")
        self._client.download(f"{self._export.root}{event}{rest}", path)
        with path.open("rb") as stream:
            checksum = hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
        if checksum != found.checksum:
            path.unlink()
            raise FetchError(
                "not_content",
                f"{found.title}: what came has not the announced checksum. It was replaced meanwhile, or this is a "
                'login page: then the token lacks the scope "Everything (only GET)".',
            )
        return Fetched(path, revision=checksum, url=found.url, title=found.title, modified=found.modified)


def _listed(item: Item) -> Listed:
    if isinstance(item, Page):
        said = (item.html, item.url, item.title, item.authors, item.created, item.modified, item.language)
        return Listed(item.key, hashlib.sha256(repr(said).encode()).hexdigest()[:16], item.access, hint=item)
    suffix = _suffix(item)
    refused = None if suffix in SUFFIXES else ("unsupported", f"no parser for {suffix or item.name}")
    stamp = hashlib.sha256(repr((item.checksum, item.title, item.url, item.modified)).encode()).hexdigest()[:16]
    return Listed(item.key, stamp, item.access, refused, hint=item)


def _suffix(found: Attachment) -> str:
    return PurePosixPath(found.name).suffix.lower()
