"""What a WebDAV server says of files and folders (PROPFIND, RFC 4918), and that it can be all."""

from __future__ import annotations

import re
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from assistant.errors import SourceError

_D = "{DAV:}"
_FILE_ID = "{http://owncloud.org/ns}fileid"
QUESTION = (
    b'<?xml version="1.0" encoding="utf-8"?><d:propfind xmlns:d="DAV:" xmlns:o="http://owncloud.org/ns"><d:prop>'
    b"<d:resourcetype/><d:getetag/><d:getlastmodified/><d:getcontentlength/><o:fileid/>"
    b"</d:prop></d:propfind>"
)


@dataclass(frozen=True, slots=True)
class Entry:
    """A file or folder. `href` is its path as the server writes it, `path` the same without percent signs; those of
    folders end in "/". What the server does not say is "" or None. `number` is that of ownCloud and its kin."""

    href: str
    path: str
    is_folder: bool
    etag: str
    modified: str
    size: int | None
    number: str
    is_settled: bool
    """False for what was changed just now: another change within the same second might not show."""


def entries_of(body: bytes, href: str, now: str) -> list[Entry]:
    """What an answer says of the file or folder at `href`, which comes first, and of what lies in it, by path; `now` is
    the server's date.

    Raises SourceError where the answer is cut, or says that something could not be read, or cannot be right.
    """
    from lxml import etree

    parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=True)
    try:
        root = etree.fromstring(body, parser)
    except etree.XMLSyntaxError as error:
        raise SourceError(f"The listing of {href} is cut or broken ({error}). Nothing was removed.") from error
    if root.tag != f"{_D}multistatus":
        raise SourceError(f"{href} answered PROPFIND with <{root.tag}>. Is it the address of a WebDAV server?")
    found = [_entry(response, href, now) for response in root.iterfind(f"{_D}response")]
    itself = plain(href).rstrip("/")
    own = [entry for entry in found if entry.path.rstrip("/") == itself]
    if len(own) != 1:
        raise SourceError(f"The listing of {href} names itself {len(own)} times, not once. Nothing was removed.")
    strange = [entry.path for entry in found if not _lies_in(itself, entry.path)]
    if strange:
        raise SourceError(f"The listing of {href} names {strange[0]!r}, which does not lie in it. Nothing was removed.")
    if len({entry.path for entry in found}) < len(found):
        raise SourceError(f"The listing of {href} names a file twice. Nothing was removed.")
    return sorted(found, key=lambda entry: (entry is not own[0], entry.path))


def plain(href: str) -> str:
    """A path without percent signs; bytes that are no UTF-8 become \\xNN."""
    return unquote(href, errors="backslashreplace")


def quoted(path: str) -> str:
    """The path that `plain` makes this of, in percent signs; \\xNN is a byte."""
    return quote(re.sub(rb"\\x([89a-f][0-9a-f])", lambda found: bytes.fromhex(found[1].decode()), path.encode()))


def _lies_in(folder: str, path: str) -> bool:
    inside = path.rstrip("/") == folder or path.startswith(folder + "/")
    return inside and not {".", ".."} & set(path.split("/")) and "//" not in path


def _entry(response: Any, asked: str, now: str) -> Entry:
    href = urlsplit((response.findtext(f"{_D}href") or "").strip()).path
    status = (response.findtext(f"{_D}status") or "").strip()
    blocks = [b for b in response.iterfind(f"{_D}propstat") if " 200" in (b.findtext(f"{_D}status") or "")]
    if not href or not blocks:
        raise SourceError(
            f"The listing of {asked} does not say what {plain(href) or 'something in it'} is "
            f"({status or 'no properties'}). Nothing was removed. If we may not read it, name it in `exclude`."
        )
    found = {prop.tag: prop for block in blocks for prop in block.iterfind(f"{_D}prop/*")}
    kind = found.get(f"{_D}resourcetype")
    if kind is None and href.endswith("/"):  # what lies in it would look as if it were gone
        raise SourceError(
            f"The listing of {asked} does not say whether {plain(href)} is a folder. Nothing was removed."
        )
    is_folder = kind is not None and kind.find(f"{_D}collection") is not None
    text = {tag: "".join(prop.itertext()).strip() for tag, prop in found.items()}
    size = text.get(f"{_D}getcontentlength", "")
    href = href.rstrip("/") + "/" if is_folder else href
    return Entry(
        href=href,
        path=plain(href),
        is_folder=is_folder,
        etag=text.get(f"{_D}getetag", ""),
        modified=(modified := text.get(f"{_D}getlastmodified", "")),
        size=int(size) if size.isdecimal() and not is_folder else None,
        number=text.get(_FILE_ID, ""),
        is_settled=_seconds_between(modified, now) > 2,
    )


def _seconds_between(earlier: str, later: str) -> float:
    """Between two dates of HTTP; 0 where one is none."""
    try:
        return (parsedate_to_datetime(later) - parsedate_to_datetime(earlier)).total_seconds()
    except (ValueError, TypeError):  # the latter where only one has a time zone
        return 0
