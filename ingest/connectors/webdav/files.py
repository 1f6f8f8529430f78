"""WebDAV (CERNBox, Nextcloud, any folder of a web server) as a source: an item per file, keyed by its path.

All is asked for at once where the server allows it, else folder by folder. Many servers answer a question for all with
one level only and do not say so, so each folder that seems empty is asked for once more.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Sequence
from email.utils import parsedate_to_datetime
from pathlib import Path, PurePosixPath
from typing import ClassVar, Literal
from urllib.parse import urlsplit

from assistant.errors import FetchError, SourceError
from assistant.types import PUBLIC
from ingest.connectors.connector import Connector, Fetched, Gone, Listed
from ingest.connectors.options import WebOptions
from ingest.connectors.patterns import Patterns
from ingest.connectors.webdav.answer import QUESTION, Entry, entries_of, plain, quoted
from ingest.fetch import HTML, XML, Client, shown
from ingest.parse.choose import SUFFIXES

_DEEPEST = 100
"""Folders in folders; deeper ones are a ring of links."""


class WebDavOptions(WebOptions):
    kind: Literal["webdav"] = "webdav"
    include: tuple[str, ...] = ()
    """Patterns, as in a `.gitignore`, of the files that are wanted; empty means all."""
    exclude: tuple[str, ...] = ()
    """Patterns of the files that are not; a folder that one of them names is not looked into."""
    public_link: bool = False
    """The secret is the token of a public link: the last part of its address, after `/s/`."""

    def basic(self, secret: str) -> tuple[str, str] | None:
        """A public link signs in as a user of its own, without a password."""
        return (secret, "") if self.public_link else super().basic(secret)


class WebDav(Connector):
    """All files below the URL of the options.

    The stamp of an item is its etag, modification time and size, once the last change was some seconds ago. On servers
    that number their files (ownCloud, Nextcloud, CERNBox) a change to a file changes the etag of every folder above it,
    so the cursor is the etag of the uppermost one: while it stays, nothing below was changed, and nothing is listed.
    """

    pace: ClassVar[tuple[float, int]] = (10.0, 10)
    has_rules: ClassVar[bool] = False
    full_hours: ClassVar[float] = 24.0

    def __init__(self, options: WebDavOptions, client: Client) -> None:
        address = urlsplit(options.url)
        self._client = client
        self._origin = f"{address.scheme}://{address.netloc}"
        self._top = address.path.rstrip("/") + "/"
        self.root = f"webdav {self._origin}{self._top}"
        self._wanted = Patterns(options.include, options.exclude)
        self._entered = Patterns((), options.exclude)
        self._stand: str | None = None
        """The last answer of `cursor`."""

    def cursor(self) -> str:
        (top,) = self._ask(self._top, "0")
        self._stand = top.etag if top.number else ""
        return self._stand

    def list(self) -> Iterator[Listed]:
        """Every file. Raises SourceError where a folder cannot be listed, also one that we must not look into."""
        try:
            found = self._ask(self._top, "infinity")
        except FetchError as error:
            if error.reason in ("blocked", "not_content"):
                raise
            found = self._ask(self._top, "1")  # whatever else is wrong, this will say so too
        for entry in self._files(found, 0):
            if self._wanted.match(self._key(entry)):
                yield self._listed(entry)

    def changes(self, since: str, again: Collection[str]) -> Iterator[Listed | Gone] | None:
        stand = self.cursor() if self._stand is None else self._stand
        return self._unchanged(again) if since == stand else None

    def fetch(self, item: Listed, folder: Path) -> Fetched:
        """The file. Raises FetchError also where it is not the one that was listed: it changed, or is a login page."""
        entry: Entry = item.hint
        url, suffix = self._origin + entry.href, _suffix(item.key)
        path = folder / f"content{suffix}"
        answer = self._client.download(url, path)
        if answer.type in HTML and SUFFIXES[suffix] != "html":
            raise FetchError("not_content", f"{shown(url)} is HTML, not what its name says. Is it a login page?")
        size = path.stat().st_size
        if entry.size not in (None, size):
            raise FetchError("not_content", f"{shown(url)} has {size} bytes, but was listed with {entry.size}")
        with path.open("rb") as stream:
            revision = hashlib.file_digest(stream, "sha256").hexdigest()[:16]
        return Fetched(path, revision, self._url(entry), modified=_iso(entry.modified))

    def _unchanged(self, again: Collection[str]) -> Iterator[Listed | Gone]:
        """How single files stand; all others are as they were."""
        for key in again:
            try:
                (entry,) = self._ask(self._top + quoted(key), "0")
            except FetchError as error:
                if error.reason != "gone":
                    raise
                yield Gone(key)
            else:
                yield Gone(key) if entry.is_folder else self._listed(entry)

    def _files(self, found: Sequence[Entry], depth: int) -> Iterator[Entry]:
        """The files in a folder and its folders; `found` is what the server says of it, to whatever depth."""
        if depth > _DEEPEST:
            raise SourceError(f"{self._origin}{found[0].href} lies {depth} folders deep. Is there a ring of links?")
        itself, left_out = found[0].path, ""
        parents = {entry.path.rstrip("/").rpartition("/")[0] + "/" for entry in found}
        for entry in found:
            if entry.path == itself or (left_out and entry.path.startswith(left_out)):
                continue
            if not entry.is_folder:
                yield entry
            elif not self._entered.match(self._key(entry)):
                left_out = entry.path
            elif entry.path not in parents:  # empty, or not looked into
                yield from self._files(self._ask(entry.href, "1"), depth + 1)

    def _ask(self, href: str, depth: str) -> Sequence[Entry]:
        """What the server says of a file or folder, which comes first, and of what lies in it."""
        headers = {"Depth": depth, "Content-Type": "application/xml"}
        answer = self._client.send("PROPFIND", self._origin + href, content=QUESTION, headers=headers, accept=XML)
        if answer.status != 207:
            raise SourceError(
                f"{self._origin}{href} answered {answer.status} to PROPFIND. Is it the address of a WebDAV server?"
            )
        if plain(urlsplit(answer.url).path).rstrip("/") != plain(href).rstrip("/"):
            raise SourceError(
                f"{self._origin}{href} leads to {shown(answer.url)}. Give that as the url, if it is right."
            )
        found = entries_of(answer.body, href, answer.headers.get("date", ""))
        if depth == "0" and len(found) > 1:
            raise SourceError(f"{self._origin}{href} was asked for itself, but told {len(found)} things.")
        return found

    def _key(self, entry: Entry) -> str:
        return entry.path.removeprefix(plain(self._top))

    def _listed(self, entry: Entry) -> Listed:
        key = self._key(entry)
        suffix, size = _suffix(key), entry.size or 0
        refused = None
        if suffix not in SUFFIXES:
            refused = ("unsupported", f"no parser for {suffix or 'files without a suffix'}")
        elif entry.size == 0:
            refused = ("empty", "0 bytes")
        elif size > self._client.most_bytes:
            refused = ("too_large", f"{size / 1e6:.1f} MB, allowed are {self._client.most_bytes / 1e6:g}")
        is_sure = entry.is_settled or (entry.number and entry.etag)
        stamp = f"{entry.etag} {entry.modified} {entry.size}" if is_sure else ""
        return Listed(key, stamp, PUBLIC, refused, hint=entry)

    def _url(self, entry: Entry) -> str:
        """Where a browser shows the file: Nextcloud and ownCloud have a page for each, others the file itself."""
        base, found, _ = (self._origin + entry.href).partition("/remote.php/")
        return f"{base}/index.php/f/{entry.number}" if found and entry.number.isdecimal() else self._origin + entry.href


def _suffix(key: str) -> str:
    return PurePosixPath(key).suffix.lower()


def _iso(date: str) -> str:
    """The date of HTTP as ISO 8601; "" for what is none."""
    try:
        return parsedate_to_datetime(date).strftime("%Y-%m-%dT%H:%M:%SZ")
    except ValueError:
        return ""
