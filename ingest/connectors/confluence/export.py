"""An XML export of Confluence: the same pages, attachments and rules as the site tells, from a file.

Such an export names users and groups but not who belongs to a group, nor whether the site lets visitors in who do not
sign in.
"""

from __future__ import annotations

import hashlib
import lzma
import shutil
import tempfile
import threading
import weakref
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import ClassVar, Literal
from urllib.parse import quote

from pydantic import Field

from assistant.errors import FetchError, SourceError
from assistant.types import PUBLIC, Access, DocumentStatus
from ingest.access import NOBODY, both
from ingest.connectors.confluence.entities import Export, File, Page, opened, read_export, texts
from ingest.connectors.connector import Connector, Fetched, Listed
from ingest.connectors.options import SourceOptions
from ingest.parse.choose import SUFFIXES

_LARGEST = 500_000_000
"""Bytes of an attachment that is unpacked at all."""


class ConfluenceExportOptions(SourceOptions):
    kind: Literal["confluence_export"]
    path: str
    """The zip that Confluence made ("XML export" of a space or of the site)."""
    url: str = ""
    """The address of the site, for links: "https://wiki.example.org/confluence"."""
    blog_posts: bool = True
    attachments: bool = True
    visitors: bool = False
    """Whether the site lets visitors in who do not sign in; only then what a space lets everyone see is public."""
    status_labels: dict[str, DocumentStatus] = Field(default_factory=dict)
    """What labels say of a page: {deprecated = "superseded"}. Archived pages and spaces are superseded anyway."""


class ConfluenceExport(Connector):
    """One export."""

    remote: ClassVar[bool] = False
    at_once: ClassVar[int] = 1

    def __init__(self, options: ConfluenceExportOptions, client: None = None) -> None:
        self._options = options
        self._path = Path(options.path).expanduser().resolve()
        self.root = f"confluence_export {self._path}"
        self._texts: _Texts | None = None
        self._lock = threading.Lock()

    def list(self) -> Iterator[Listed]:
        export = read_export(self._path, blog_posts=self._options.blog_posts)
        with opened(self._path) as archive:
            sizes = {entry.filename: entry.file_size for entry in archive.infolist()}
        with self._lock:
            self._texts = _Texts(self._path, frozenset(export.pages))
        spaces = {key: self._readers(key, export) for key in export.spaces}
        rules: dict[str, Access] = {}
        for key, page in export.pages.items():
            rules[key] = both(spaces.get(page.space, NOBODY), *_restrictions(key, export))
            said = self._status(key, page, export), _authors(page, export)
            digest = hashlib.sha256(repr((page, said)).encode()).hexdigest()[:12]
            yield Listed(key, f"{page.version}:{digest}", rules[key], hint=(page, None, *said, ""))
        for key, file in export.files.items() if self._options.attachments else ():
            if file.page in rules:
                status = self._status(file.page, export.pages[file.page], export)
                yield _listed_file(key, file, rules[file.page], status, sizes)

    def fetch(self, item: Listed, folder: Path) -> Fetched:
        page, file, status, authors, member = item.hint
        if file is not None:
            return self._file(file, member, status, folder)
        with self._lock:
            if self._texts is None:
                raise FetchError("gone", f"{self._path} was not listed.")
            text, is_markup = self._texts.get(item.key)
        path = folder / ("page.jira" if is_markup else "page.confluence")
        path.write_text(text, encoding="utf-8")
        return Fetched(
            path,
            revision=f"{item.key} v{page.version}",
            url=self._url(f"/pages/viewpage.action?pageId={item.key}"),
            title=page.title,
            authors=authors,
            created=page.created,
            modified=page.modified,
            status=status,
        )

    def _file(self, file: File, member: str, status: DocumentStatus, folder: Path) -> Fetched:
        path = folder / f"attachment{_suffix(file)}"
        try:
            with opened(self._path) as archive, archive.open(member) as stream, path.open("wb") as target:
                shutil.copyfileobj(stream, target)
            with path.open("rb") as written:
                revision = hashlib.file_digest(written, "sha256").hexdigest()[:16]
        except (SourceError, KeyError, EOFError, zlib.error, lzma.LZMAError) as error:
            path.unlink(missing_ok=True)
            raise FetchError("not_content", f"{file.title} cannot be unpacked from {self._path}: {error}") from error
        url = self._url(f"/download/attachments/{file.page}/{quote(file.title)}")
        return Fetched(path, revision, url, title=file.title, modified=file.modified, status=status)

    def _url(self, path: str) -> str:
        return f"{self._options.url.rstrip('/')}{path}" if self._options.url else ""

    def _readers(self, space: str, export: Export) -> Access:
        subjects = export.subjects.get(space, [])
        if None in subjects and self._options.visitors:
            return PUBLIC
        allowed = export.names(subjects)
        if not export.tells_permissions and self._options.readers:
            return Access.of(*self._options.readers)  # the settings say who may
        return Access((allowed,)) if allowed else NOBODY

    def _status(self, key: str, page: Page, export: Export) -> DocumentStatus:
        for label in sorted(export.labels.get(one, "") for one in export.labelled.get(key, ())):
            if label in self._options.status_labels:
                return self._options.status_labels[label]
        archived = page.status == "archived" or export.spaces.get(page.space, ("", False))[1]
        return "superseded" if archived else ""


class _Texts:
    """The texts of the pages that are there now, in a file of their own: `entities.xml` has them in no order."""

    def __init__(self, path: Path, pages: frozenset[str]) -> None:
        self._path = path
        self._pages = pages
        self._places: dict[str, tuple[int, int, bool]] | None = None
        self._file = tempfile.TemporaryFile(prefix="refdesk-")  # noqa: SIM115  it lives as long as this does
        weakref.finalize(self, self._file.close)

    def get(self, key: str) -> tuple[str, bool]:
        """A page's text, and whether it is in the old wiki markup; raises FetchError where it has none."""
        if self._places is None:
            self._places = dict(self._written())
        if key not in self._places:
            raise FetchError("gone", f"{self._path} has no text for the page {key}.")
        start, size, is_markup = self._places[key]
        self._file.seek(start)
        return self._file.read(size).decode(), is_markup

    def _written(self) -> Iterator[tuple[str, tuple[int, int, bool]]]:
        start = 0
        for key, text, is_markup in texts(self._path):
            if key in self._pages:
                data = text.encode()
                self._file.write(data)
                yield key, (start, len(data), is_markup)
                start += len(data)


def _restrictions(key: str, export: Export) -> Iterator[Access]:
    """The rules of a page and of all above it; one above that the export does not have is nobody's."""
    seen = set()
    while key:
        if key in seen or key not in export.pages:
            yield NOBODY
            return
        seen.add(key)
        for restricted in export.restricted.get(key, ()):
            yield Access((export.names(export.permitted.get(restricted, [])),))
        key = export.pages[key].parent


def _authors(page: Page, export: Export) -> tuple[str, ...]:
    shown = [export.people.get(key, "") for key in (page.creator, page.modifier)]
    return tuple(dict.fromkeys(name for name in shown if name))


def _listed_file(key: str, file: File, access: Access, status: DocumentStatus, sizes: dict[str, int]) -> Listed:
    """An attachment, whose file is named by the ids of the page and its own, and by its version."""
    member = f"attachments/{file.page}/{key}/{file.version}"
    suffix = _suffix(file)
    refused = None
    if suffix not in SUFFIXES:
        refused = "unsupported", f"no parser for {suffix or file.title}"
    elif member not in sizes:
        refused = "unreadable", f"the export does not hold {member}"
    elif sizes[member] > _LARGEST:
        refused = "too_large", f"{sizes[member] / 1e6:.0f} MB"
    stamp = f"{file.version}:{sizes.get(member, '')}:{status}:{file.title}"
    return Listed(f"{file.page}/{key}", stamp, access, refused, hint=(None, file, status, (), member))


def _suffix(file: File) -> str:
    return PurePosixPath(file.title).suffix.lower()
