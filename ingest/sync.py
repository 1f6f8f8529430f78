"""What changed at the sources, and so what to do: parse, split and put what is new, remove what is gone."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from assistant.embed import Embedder, open_embedder
from assistant.errors import ParseError
from assistant.library import Library
from assistant.library.writer import Writer
from assistant.settings import Settings, load
from assistant.types import PUBLIC, Access, Document, Item
from ingest.connectors.folder import Folder, ListedFile, as_text, revision
from ingest.parse import Parsed, parse_files
from ingest.split import split
from ingest.structure import sections_of

READING = 1
"""Raise this when parsing or splitting changes, so that every file is read again."""

SKIPPED_REASONS = frozenset({"unsupported", "outside_root"})
"""Reasons that say nothing is wrong with an item: it is just not one that Refdesk reads. All others are failures."""

Outcome = Literal["indexed", "unchanged", "skipped", "failed", "removed"]
Progress = Callable[[int, int, str], None]


@dataclass(frozen=True, slots=True)
class Line:
    """What a run did with one item. `detail` is a sentence for people where `reason` is a word for programs."""

    source: str
    key: str
    outcome: Outcome
    reason: str = ""
    detail: str = ""
    chunks: int = 0


@dataclass(frozen=True, slots=True)
class Report:
    """What a run did. `embedded` counts chunks that had never been embedded before; `seconds` is wall time."""

    generation: int
    lines: tuple[Line, ...]
    embedded: int
    seconds: float

    def count(self, outcome: Outcome) -> int:
        return sum(line.outcome == outcome for line in self.lines)


def build_library(
    paths: Iterable[str | Path],
    library: str | Path,
    *,
    access: Access | None = None,
    retry: bool = False,
    settings: Settings | None = None,
    embedder: Embedder | None = None,
    progress: Progress | None = None,
) -> Report:
    """Makes the library hold what is in the files and folders `paths`, touching only what changed.

    Each path is a source of its own: what vanished from it is removed, other sources stay. `access` says who may read
    all of it; None keeps the rule that each source has, and lets everyone read a new one. With `retry`, files that
    could not be read before are tried again although they did not change. `embedder` stands in for the one that the
    settings name.
    `progress` is called with files done, files to do, and the key of the one just done.

    Raises SourceError if a path is not there or cannot be listed (nothing is changed then), LibraryLocked,
    LibraryMismatch and LibraryDamaged as `Library` does.
    """
    started = time.monotonic()
    settings = settings or load()
    folders = [Folder(Path(path)) for path in paths]
    listings = [list(folder.list()) for folder in folders]
    embedder = embedder or open_embedder(settings.embedder, Library.fingerprint_at(library))
    lines: list[Line] = []
    total = sum(len(listing) for listing in listings)
    with Library.open_or_create(library, embedder).writer(embedder) as writer:
        for folder, listing in zip(folders, listings, strict=True):
            source = writer.source_name(as_text(str(folder.root)), folder.name)
            rule = access or writer.access_of(source) or PUBLIC
            run = _SourceRun(writer, embedder, settings, source, rule, retry)
            for line in run.lines(listing):
                lines.append(line)
                if progress:
                    progress(len(lines), max(total, len(lines)), line.key)
        generation = writer.publish()
        embedded = writer.embedded
    return Report(generation, tuple(lines), embedded, time.monotonic() - started)


@dataclass(frozen=True, slots=True)
class _SourceRun:
    writer: Writer
    embedder: Embedder
    settings: Settings
    source: str
    access: Access
    retry: bool

    def lines(self, listing: Sequence[ListedFile]) -> Iterator[Line]:
        known = self.writer.items(self.source)
        elsewhere = self.writer.moved(self.source, self.access)
        for key in sorted(known.keys() - {file.key for file in listing}):
            self.writer.remove(self.source, key)
            yield Line(self.source, key, "removed")
        to_read: list[tuple[ListedFile, str]] = []
        for file in listing:
            line, found = self._without_reading(file, known.get(file.key), moved=file.key in elsewhere)
            if line:
                yield line
            else:
                to_read.append((file, found))
        parsed = parse_files((file.path for file, _ in to_read), self.settings.ingest)
        for (file, found), (_, result) in zip(to_read, parsed, strict=True):
            yield self._take(file, found, result)

    def _without_reading(self, file: ListedFile, item: Item | None, *, moved: bool) -> tuple[Line | None, str]:
        """The line for a file that need not be parsed, or None and the revision that was found."""
        stamp = f"{READING}:{file.stamp}"
        if not file.inside:
            return self._refused(file, stamp, "", "outside_root", "a link that leads to no file in the folder"), ""
        if not file.regular:
            return self._refused(file, stamp, "", "unsupported", "a pipe, socket or device"), ""
        same_rules = item is not None and item.stamp.startswith(f"{READING}:")
        if item and item.stamp == stamp and not (self.retry and item.status != "indexed"):
            return self._unchanged(item, item, moved=moved), ""
        try:
            found = revision(file.path)
        except OSError as error:
            return self._refused(file, stamp, "", "unreadable", str(error.strerror)), ""
        if item and same_rules and item.status == "indexed" and item.revision == found:
            return self._unchanged(item, replace(item, stamp=stamp), moved=moved), ""
        return None, found

    def _unchanged(self, before: Item, now: Item, *, moved: bool) -> Line:
        if moved:
            found = self.writer.document(before.source, before.key)
            if found:
                document, chunks = found
                self.writer.put(replace(document, access=self.access), chunks)
        if moved or now != before:
            self.writer.record(now, self.access)
        if before.status == "indexed":
            return Line(before.source, before.key, "unchanged")
        return Line(before.source, before.key, before.status, before.reason, "as before; not tried again")

    def _take(self, file: ListedFile, found: str, result: Parsed | ParseError) -> Line:
        stamp = f"{READING}:{file.stamp}"
        if isinstance(result, ParseError):
            return self._refused(file, stamp, found, result.reason, result.detail)
        document = Document(
            source=self.source,
            key=file.key,
            revision=found,
            title=result.title,
            url=file.path.as_uri(),
            kind=result.kind,
            text=result.text,
            sections=sections_of(result.text, result.title),
            pages=result.pages,
            access=self.access,
        )
        chunks = self._put(document)
        if not chunks:
            return self._refused(file, stamp, found, "empty", "no text in it")
        self.writer.record(Item(self.source, file.key, "indexed", "", found, stamp), self.access)
        return Line(self.source, file.key, "indexed", chunks=chunks)

    def _put(self, document: Document) -> int:
        chunks = split(document, self.embedder.token_starts, self.embedder.max_tokens)
        if chunks:
            self.writer.put(document, chunks)
        return len(chunks)

    def _refused(self, file: ListedFile, stamp: str, found: str, reason: str, detail: str) -> Line:
        self.writer.drop_document(self.source, file.key)
        status: Literal["skipped", "failed"] = "skipped" if reason in SKIPPED_REASONS else "failed"
        if reason == "unreadable":
            stamp = ""  # new rights on a file change nothing that a stamp holds, so it is tried again each time
        self.writer.record(Item(self.source, file.key, status, reason, found, stamp), self.access)
        return Line(self.source, file.key, status, reason, detail)
