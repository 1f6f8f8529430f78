"""An XML dump of a MediaWiki as a source: an item per page, keyed by its number.

The dump is read as a stream. What is kept of a page until it is fetched is where it stands in the file, so that a dump
of any size needs little memory; one that is compressed is written out to a temporary file first.
https://www.mediawiki.org/wiki/Help:Export
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import re
import shutil
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, TYPE_CHECKING, Any, ClassVar, Literal
from urllib.parse import quote

from assistant.errors import FetchError, SourceError
from ingest.access import PUBLIC
from ingest.connectors.connector import Connector, Fetched, Gone, Listed
from ingest.connectors.options import SourceOptions

if TYPE_CHECKING:
    from lxml.etree import _Element

_OPEN = {b"BZh": bz2.open, b"\x1f\x8b": gzip.open, b"\xfd7zXZ": lzma.open}
_PIECE = 1 << 20
_LARGEST_PAGE = 100 << 20
"""Bytes of one page with the history that a dump may have of it."""
_START, _END = b"<page>", b"</page>"  # in text these would be written &lt;page&gt;


class MediaWikiDumpOptions(SourceOptions):
    """A dump says nothing about who may read, so `readers` do."""

    kind: Literal["mediawiki_dump"]
    path: str
    """The file, as it is or compressed with bzip2, gzip or xz."""
    namespaces: tuple[int, ...] = (0,)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a page stands in the file: from which byte to which."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class _Page:
    key: str
    title: str
    space: int
    is_redirect: bool
    revision: str
    modified: str
    author: str
    model: str
    text: str


class MediaWikiDump(Connector):
    """A dump, read from its file, which may be replaced by a newer one."""

    remote: ClassVar[bool] = False
    at_once: ClassVar[int] = 1
    has_rules: ClassVar[bool] = False

    def __init__(self, options: MediaWikiDumpOptions, client: None = None) -> None:
        self._options = options
        self._work: TemporaryDirectory[str] | None = None
        self._file = Path(options.path).expanduser().resolve()
        self._plain: Path | None = None
        self._address = ""
        self.root = f"mediawiki dump {self._file}"

    def cursor(self) -> str:
        """What changes when the file does."""
        try:
            status = self._file.stat()
        except OSError as error:
            raise SourceError(
                f"The dump {self._file} cannot be read ({error.strerror}). Nothing was removed."
            ) from error
        return f"{status.st_size}:{status.st_mtime_ns}:{status.st_ino}"

    def changes(self, since: str, again: Collection[str]) -> Iterator[Listed | Gone] | None:
        """Nothing where the file is the same, else None."""
        return iter(()) if since and not again and since == self.cursor() else None

    def list(self) -> Iterator[Listed]:
        self._plain = None
        path = self._whole()
        keys: set[str] = set()
        for place, data in self._blocks(path):
            page = self._page(data)
            if page.space not in self._options.namespaces or page.is_redirect:
                continue
            if page.key in keys:
                raise SourceError(f"{self.root} has page {page.key} twice. Nothing was removed.")
            keys.add(page.key)
            refused = (
                None if page.model == "wikitext" else ("unsupported", f"its content is {page.model}, not wikitext")
            )
            yield Listed(page.key, f"{page.revision} {self._url(page.title)}", PUBLIC, refused, hint=place)

    def fetch(self, item: Listed, folder: Path) -> Fetched:
        place: _Place = item.hint
        with self._whole().open("rb") as stream:
            stream.seek(place.start)
            data = stream.read(place.end - place.start)
        page = self._page(data) if data.startswith(_START) and data.endswith(_END) else None
        if page is None or page.key != item.key:
            raise FetchError("gone", f"{self.root} was replaced while it was read")
        path = folder / "page.mediawiki"
        path.write_text(page.text, encoding="utf-8")
        return Fetched(
            path,
            revision=page.revision,
            url=self._url(page.title),
            title=page.title,
            authors=(page.author,) if page.author else (),
            modified=page.modified,
        )

    def _whole(self) -> Path:
        """The dump as a plain file."""
        if self._plain:
            return self._plain
        path = self._file
        try:
            with path.open("rb") as stream:
                start = stream.read(6)
            opened: Any = next((opened for mark, opened in _OPEN.items() if start.startswith(mark)), None)
            if opened:
                plain = self._scratch() / "dump.xml"
                with opened(path, "rb") as packed, plain.open("wb") as out:
                    shutil.copyfileobj(packed, out, _PIECE)
                path = plain
        except (OSError, EOFError, lzma.LZMAError) as error:
            raise SourceError(f"{self.root} cannot be read: {error}. Nothing was removed.") from error
        self._plain = path
        return path

    def _scratch(self) -> Path:
        """A folder that goes when this connector does."""
        self._work = self._work or TemporaryDirectory(prefix="refdesk-dump-")
        return Path(self._work.name)

    def _blocks(self, path: Path) -> Iterator[tuple[_Place, bytes]]:
        """Each page as it stands in the file. Raises SourceError where the file is no dump, or ends too early."""
        try:
            with path.open("rb") as stream:
                yield from self._cut(stream)
        except OSError as error:
            raise SourceError(f"{self.root} cannot be read ({error.strerror}). Nothing was removed.") from error

    def _cut(self, stream: IO[bytes]) -> Iterator[tuple[_Place, bytes]]:
        offset, rest, header = 0, b"", b""
        while piece := stream.read(_PIECE):
            rest += piece
            done = 0
            while (start := rest.find(_START, done)) >= 0:
                if not header:
                    header = self._header(rest[:start])
                end = rest.find(_END, start)
                if end < 0:
                    break
                done = end + len(_END)
                yield _Place(offset + start, offset + done), rest[start:done]
            offset, rest = offset + done, rest[done:]
            if len(rest) > _LARGEST_PAGE:
                raise SourceError(f"{self.root} is no dump, or has a page above {_LARGEST_PAGE >> 20} MB.")
        if not header:
            self._header(rest)
        if not rest.rstrip().endswith(b"</mediawiki>") or _START in rest:
            raise SourceError(f"{self.root} ends before its end tag: it is cut. Nothing was removed.")

    def _header(self, data: bytes) -> bytes:
        """Takes from what stands before the first page where pages are to be read in a browser."""
        if b"http://www.mediawiki.org/xml/export-" not in data:
            raise SourceError(f"{self.root} is no XML dump of a MediaWiki. Nothing was removed.")
        found = re.search(rb"<base>([^<]+)</base>", data)
        base = found[1].decode("utf-8", "replace") if found else ""
        # The address of the main page, which ends with its title.
        self._address = base[: base.index("title=") + 6] if "title=" in base else base[: base.rfind("/") + 1]
        return data

    def _page(self, data: bytes) -> _Page:
        from lxml import etree

        parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=True)
        try:
            page = etree.fromstring(data, parser)
        except etree.XMLSyntaxError as error:
            raise SourceError(f"{self.root} has a page that is no XML: {error}. Nothing was removed.") from error
        newest = max(page.findall("revision"), key=lambda found: int(found.findtext("id", "0")), default=None)
        if newest is None or not page.findtext("id"):
            raise SourceError(f"{self.root} has a page without a number or text: {page.findtext('title')!r}.")
        return _Page(
            key=page.findtext("id", ""),
            title=page.findtext("title", ""),
            space=int(page.findtext("ns", "0")),
            is_redirect=page.find("redirect") is not None,
            revision=newest.findtext("id", ""),
            modified=newest.findtext("timestamp", ""),
            author=_author(newest),
            model=newest.findtext("model", "wikitext"),
            text=newest.findtext("text", "") or "",
        )

    def _url(self, title: str) -> str:
        return self._address + quote(title.replace(" ", "_"), safe="/:@!$*,;~()'") if self._address else ""


def _author(revision: _Element) -> str:
    return revision.findtext("contributor/username", "") or ""
