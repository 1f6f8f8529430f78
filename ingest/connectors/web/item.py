"""An item of a web site: what it is by its name and type, and what its headers tell of changes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import PurePosixPath

from assistant.errors import FetchError, ParseError
from assistant.types import PUBLIC
from ingest.access import NOBODY
from ingest.connectors.connector import Listed
from ingest.connectors.patterns import Patterns
from ingest.connectors.web.address import Area
from ingest.connectors.web.page import is_login_elsewhere
from ingest.fetch import HTML, Client, Response, shown

_OFFICE = "application/vnd.openxmlformats-officedocument."
DOCUMENTS = {
    "application/pdf": ".pdf",
    f"{_OFFICE}wordprocessingml.document": ".docx",
    f"{_OFFICE}presentationml.presentation": ".pptx",
    f"{_OFFICE}spreadsheetml.sheet": ".xlsx",
    "application/vnd.oasis.opendocument.text": ".odt",
}
"""Media types of what is read besides pages -> suffix."""
_OTHERS = (
    ".avi .bib .bmp .bz2 .css .csv .dmg .doc .eps .exe .gif .gz .ico .ics .iso .jar .jpeg .jpg .js .json .m4a .m4v .mov"
    " .mp3 .mp4 .mpeg .msi .ogg .png .ppt .ps .rar .root .rss .sh .svg .tar .tex .tgz .tif .tiff .wav .webm .webp .woff"
    " .woff2 .xls .xml .xz .zip"
)
NOT_PAGES = frozenset(_OTHERS.split())
"""Suffixes of what is not even asked for."""


@dataclass(frozen=True, slots=True)
class Had:
    """What listing has already got of an item: its content, or why it cannot be had."""

    answer: Response | None = None
    error: FetchError | None = None


def suffix_of(key: str) -> str:
    return PurePosixPath(key.partition("?")[0]).suffix.lower()


def suffix_of_answer(answer: Response, key: str) -> str:
    """What the content is, by its type, or by its name where the type says nothing.

    Raises FetchError for HTML in the place of a document, ParseError for what nothing of ours reads.
    """
    named = suffix_of(key)
    if answer.type in HTML:
        if named in DOCUMENTS.values():
            raise FetchError("not_content", f"{shown(answer.url)} is HTML, not what its name says. Is it a login page?")
        return ".html"
    if answer.type in DOCUMENTS:
        return DOCUMENTS[answer.type]
    if named in DOCUMENTS.values():
        return named
    raise ParseError("unsupported", f"no parser for {answer.type or 'content without a type'}")


def is_wanted(wanted: Patterns, key: str) -> bool:
    return wanted.match("/index.html" if key == "/" else key)


def by_head(client: Client, area: Area, key: str) -> Listed | None:
    """An item whose stamp its headers tell; None where there is nothing. Raises FetchError where it may come back."""
    try:
        answer = client.send("HEAD", area.url(key))
    except FetchError as error:
        if error.reason == "gone":
            return None
        if error.reason == "refused":  # a server that does not know HEAD
            return Listed(key, "", PUBLIC)
        if error.reason in ("forbidden", "blocked"):
            return Listed(key, "", PUBLIC, hint=Had(error=error))
        raise
    if area.key(answer.url) is None:
        return outside(key, answer)
    return Listed(key, _stamp(answer), PUBLIC)


def outside(key: str, answer: Response) -> Listed:
    """An item that leads out of the site: nobody's. Where it leads to a page for signing in, as all pages may when the
    secret has expired, it cannot be had; else it is not of this site."""
    if is_login_elsewhere(answer.url):
        return Listed(key, "", NOBODY, refused=("forbidden", f"it leads to {shown(answer.url)}, to sign in"))
    return Listed(key, "outside", NOBODY, refused=("outside_root", f"it leads to {shown(answer.url)}"))


def is_settled(date: str) -> bool:
    """Whether a change after this date (ISO 8601) has another one: it is no day that may still last somewhere, and no
    second just now."""
    try:
        when = datetime.fromisoformat(date)
    except ValueError:
        return False
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    return datetime.now(UTC) - when > (timedelta(seconds=3) if "T" in date else timedelta(days=2))


def iso(date: str) -> str:
    """The date of HTTP as ISO 8601; "" for what is none."""
    try:
        return parsedate_to_datetime(date).strftime("%Y-%m-%dT%H:%M:%SZ")
    except ValueError:
        return ""


def _stamp(answer: Response) -> str:
    """By what the headers tell a change; "" where they do not."""
    etag, modified = answer.headers.get("etag", ""), answer.headers.get("last-modified", "")
    return f"{etag} {modified}".strip() if etag or is_settled(iso(modified)) else ""
