"""A library or repository that hands its records out over OAI-PMH 2.0, as CDS, Invenio and Zenodo do.

An item per record, its metadata as Markdown, and one for each full text that it links to.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path, PurePosixPath
from typing import ClassVar, Literal
from urllib.parse import quote, unquote, urlsplit

from lxml import etree
from pydantic import Field

from assistant.errors import FetchError, SourceError
from assistant.types import PUBLIC, Access
from ingest.access import NOBODY, both, group
from ingest.connectors.connector import Connector, Fetched, Gone, Listed
from ingest.connectors.oai.dublin_core import read_dublin_core
from ingest.connectors.oai.marc import read_marc
from ingest.connectors.oai.protocol import MARC, Harvested, Harvester, Identity
from ingest.connectors.oai.record import Record
from ingest.connectors.options import WebOptions
from ingest.fetch import HTML, Client, shown

_MOST_TEXTS = 20
"""Full texts of a record; a record with more is a collection of something else."""
_OVERLAP = timedelta(days=1)
"""How long a change may take until a server hands it out."""
_TEXTS = (".pdf", ".docx", ".pptx", ".odt", ".nxml", ".tex", ".md", ".txt")
_FULL_TEXT = "/fulltext/"


class OAIOptions(WebOptions):
    """`url` is the address that answers `?verb=Identify`."""

    kind: Literal["oai"] = "oai"
    set: str = ""
    """Only the records of this set."""
    metadata_prefix: str = ""
    """The format of the records, in MARCXML or Dublin Core; else MARCXML where the server has it."""
    full_text: bool = True
    """Read the files, too, that records link to."""
    restricted: Mapping[str, tuple[str, ...]] = Field(default_factory=dict)
    """A collection (MARC 980, or a set), or what a note on access says (MARC 506, dc:rights) -> groups of which a
    reader must be in one. Records with a note on access that is not here are nobody's."""
    page_url: str = ""
    """The address of a record in a browser, with {id}, the last part of its identifier; else as Invenio has it, or what
    the record says."""


@dataclass(frozen=True, slots=True)
class _Known:
    """A record, and what concerns all its items: who may read, where it is seen, and a name for its content."""

    record: Record
    access: Access
    url: str
    digest: str


class OAI(Connector):
    """The records of one set of a server, or of all.

    Where a server remembers deletions for good, a run harvests what has changed; else all, each time. A record that
    left the set, and is not deleted, is noticed when all is listed.
    """

    pace: ClassVar[tuple[float, int]] = (2.0, 2)
    full_hours: ClassVar[float] = 24.0

    def __init__(self, options: OAIOptions, client: Client) -> None:
        self._options = options
        self._client = client
        self._server = Harvester(client, options.url)
        self._identity: Identity | None = None
        self._format = ("", "")
        self.root = f"oai {shown(options.url)} {options.set}".strip()

    def cursor(self) -> str:
        """The server's time, a day back: changes are handed out late, and those that are known cost nothing."""
        self._identity = self._server.identify()
        return (datetime.fromisoformat(self._identity.now) - _OVERLAP).strftime("%Y-%m-%dT%H:%M:%SZ")

    def list(self) -> Iterator[Listed]:
        for harvested in self._server.records(self._prefix(), self._options.set):
            yield from self._items(harvested)

    def changes(self, since: str, again: Collection[str]) -> Iterator[Listed | Gone] | None:
        server = self._server_says()
        return self._changed(server.date(since), again) if server.deletions == "persistent" else None

    def _changed(self, since: str, again: Collection[str]) -> Iterator[Listed | Gone]:
        asked = {key.partition(_FULL_TEXT)[0] for key in again}
        for harvested in self._server.records(self._prefix(), self._options.set, since):
            asked.discard(harvested.identifier)
            yield from self._all_of(harvested.identifier, harvested)
        for identifier in sorted(asked):
            yield from self._all_of(identifier, self._server.record(identifier, self._prefix()))

    def _all_of(self, identifier: str, harvested: Harvested | None) -> Iterator[Listed | Gone]:
        """The items of a record, and those gone that it may have had: full texts have numbers, so they can be named."""
        items = {item.key: item for item in self._items(harvested)} if harvested else {}
        yield from items.values()
        may_be = [identifier, *(f"{identifier}{_FULL_TEXT}{number}" for number in range(1, _MOST_TEXTS + 1))]
        yield from (Gone(key) for key in may_be if key not in items)

    def _items(self, harvested: Harvested) -> Iterator[Listed]:
        if harvested.deleted:
            return
        read = read_marc if self._is_marc() else read_dublin_core
        record = read(harvested.metadata)
        if record.deleted:
            return
        digest = hashlib.sha256(etree.tostring(harvested.metadata, method="c14n")).hexdigest()[:16]
        known = _Known(record, self._access(record, harvested.sets), self._page(record, harvested), digest)
        yield Listed(harvested.identifier, digest, known.access, hint=(known, ""))
        for number, link in enumerate(self._texts(record), 1):
            key = f"{harvested.identifier}{_FULL_TEXT}{number}"
            stamp = hashlib.sha256(f"{digest} {harvested.datestamp} {link}".encode()).hexdigest()[:16]
            yield Listed(key, stamp, known.access, hint=(known, link))

    def fetch(self, item: Listed, folder: Path) -> Fetched:
        known, link = item.hint
        record: Record = known.record
        facts = (record.title, record.authors, record.created, record.modified, record.language, record.status)
        if not link:
            path = folder / "record.md"
            path.write_text(record.markdown(), encoding="utf-8")
            return Fetched(path, known.digest, known.url, *facts)
        path = folder / f"fulltext{_suffix(link)}"
        answer = self._client.download(link, path)
        if answer.type in HTML:
            raise FetchError("not_content", f"{shown(link)} answered with a page (a login page?), not with a file")
        with path.open("rb") as stream:
            revision = hashlib.file_digest(stream, "sha256").hexdigest()[:16]
        return Fetched(path, revision, link, *facts)

    def _server_says(self) -> Identity:
        if self._identity is None:
            self._identity = self._server.identify()
        return self._identity

    def _prefix(self) -> str:
        if not self._format[0]:
            there, named = self._server.formats(), self._options.metadata_prefix
            marc = [prefix for prefix, namespace in there.items() if namespace.rstrip("/") == MARC]
            best = named or next(iter(sorted(marc, key=lambda p: (p != "marcxml", p))), "oai_dc")
            if best not in there or not (best in marc or best == "oai_dc" or "dc" in there[best]):
                raise SourceError(
                    f"{shown(self._options.url)} does not hand out {best!r}, or not in a format that is read (MARCXML, "
                    f"Dublin Core). It has: {', '.join(sorted(there)) or 'none'}"
                )
            self._format = (best, there[best])
        return self._format[0]

    def _is_marc(self) -> bool:
        return self._format[1].rstrip("/") == MARC

    def _access(self, record: Record, sets: tuple[str, ...]) -> Access:
        """What is handed out to anybody is for everyone; who may see what a secret opens must be said by `readers`.

        A reader must be in a group of each restricted collection, and of those that each note on access names.
        """
        rules = [PUBLIC if not self._client.secret or self._options.readers else NOBODY]
        groups = {name.lower(): [group(one) for one in names] for name, names in self._options.restricted.items()}
        for name in (*record.collections, *sets):
            if name.lower() in groups:
                rules.append(Access.of(*groups[name.lower()]))
        for note in record.restrictions:
            rules.append(Access.of(*(one for text in note for one in groups.get(text.lower(), ()))))
        return both(*rules)

    def _texts(self, record: Record) -> Sequence[str]:
        """The links that lead to files with text: documents anywhere, but no other formats of the same one."""
        if not self._options.full_text:
            return []
        found = [link for link in record.links if link.startswith(("http://", "https://")) and _suffix(link) in _TEXTS]
        return list(dict.fromkeys(link for link in found if "subformat=" not in urlsplit(link).query))[:_MOST_TEXTS]

    def _page(self, record: Record, harvested: Harvested) -> str:
        parts = urlsplit(self._options.url)
        if self._options.page_url:
            return self._options.page_url.replace("{id}", quote(re.split(r"[:/]", harvested.identifier)[-1]))
        if record.page:
            return record.page
        if record.number.isdecimal() and parts.path.rstrip("/").endswith("oai2d"):
            return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}/record/{record.number}"
        return f"https://doi.org/{quote(record.doi, safe='/()')}" if record.doi else ""


def _suffix(link: str) -> str:
    return PurePosixPath(unquote(urlsplit(link).path)).suffix.lower()
