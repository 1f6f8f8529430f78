"""What a reading found of one source, taken into the library: text, rules, removals.

This is the half of a run that writes. A rule that changed moves a document to another shelf as it is; a removal waits
until the source was read to its end.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Literal

from assistant.embed import Embedder
from assistant.errors import ParseError
from assistant.library.writer import Writer
from assistant.types import Access, Document, Item
from ingest.access import NOBODY, both
from ingest.connectors.connector import Fetched
from ingest.parse import Parsed
from ingest.report import OUTCOMES, Line, Outcome, SourceReport
from ingest.split import split
from ingest.structure import sections_of
from ingest.sync.reading import Finished, Seen, doubtful, of_this_reading

SKIPPED_REASONS = frozenset({"unsupported", "outside_root"})
"""Reasons that say nothing is wrong with an item: it is just not one that Refdesk reads. All others are failures."""


@dataclass(slots=True)
class Taking:
    """One source in one run. `readers` narrows the source's own rules; `known` is how many items it had.

    `max_removed` is the largest share of them that may vanish; above it, and where all have vanished, what vanished is
    kept, unless `allow_deletions`. What a `remote` source has in place of a document, but cannot be read, must be the
    same twice, and counts as vanished then.
    """

    source: str
    embedder: Embedder
    readers: Access | None
    known: int
    max_removed: float
    allow_deletions: bool = False
    remote: bool = False
    lines: list[Line] = field(default_factory=list)
    unchanged: int = 0
    access_changed: int = 0
    waiting: int = 0
    """Items that are being parsed."""
    finished: Finished | None = None
    held_back: int = 0
    error: str = ""
    started: float = field(default_factory=time.monotonic)
    _renamed: set[str] = field(default_factory=set)
    """Keys that items had before, where the source says so."""
    _unreadable: list[tuple[Seen, str, str]] = field(default_factory=list)
    """What could be read once, but not twice in a row now, with revision and reason."""
    _arrived: dict[str, int] = field(default_factory=dict)
    """Revision of each new document -> its line: where it vanished from another key, it was moved."""

    def settle(self, writer: Writer, seen: Seen) -> Line | None:
        """What becomes of an item without parsing it; None where its content is to be parsed first."""
        match seen.verdict:
            case "same":
                return self._unchanged(writer, seen)
            case "wanted":
                return self._line(seen, "changed" if _document_before(seen) else "new")
            case "refused":
                return self._refused(writer, seen, "", seen.reason, seen.detail)
            case "failed":
                return self._not_had(writer, seen)
        assert seen.fetched
        item = _document_before(seen)
        if item and item.revision == seen.fetched.revision and of_this_reading(item.stamp):
            found = writer.document(self.source, item.key)
            if found and found[0] == _described(found[0], seen.fetched):
                return self._unchanged(writer, seen)
        return None

    def take(self, writer: Writer, seen: Seen, result: Parsed | ParseError) -> Line:
        """Puts the text of an item in place of what was there before."""
        assert seen.fetched
        if isinstance(result, ParseError):
            return self._refused(writer, seen, seen.fetched.revision, result.reason, result.detail)
        fetched, key = seen.fetched, seen.listed.key
        title = fetched.title or result.title
        document = Document(
            source=self.source,
            key=key,
            revision=fetched.revision,
            title=title,
            url=fetched.url,
            kind=result.kind,
            text=result.text,
            sections=sections_of(result.text, title),
            pages=result.pages,
            access=self._rule(seen),
        )
        document = _described(document, fetched)
        chunks = split(document, self.embedder.token_starts, self.embedder.max_tokens)
        if not chunks:
            return self._refused(writer, seen, fetched.revision, "empty", "no text in it")
        outcome = self._outcome(writer, seen, document.text)
        writer.put(document, chunks)
        writer.record(Item(self.source, key, "indexed", "", fetched.revision, seen.stamp), document.access)
        if outcome == "new":
            self._arrived[fetched.revision] = len(self.lines)
        return self._line(seen, outcome, chunks=len(chunks))

    def finish(self, writer: Writer, finished: Finished) -> Iterator[Line]:
        """Removes what is gone, or holds it back if it is too much: then it is nobody's, because the source no longer
        says who may read it, unless all has vanished, which looks more like a fault than like a source."""
        gone = {item.key: item for item in finished.gone}
        for key in [key for key, item in gone.items() if self._was_moved(writer, item)]:
            writer.remove(self.source, key)
            del gone[key]
        lost = len(gone) + len(self._unreadable)
        too_much = lost > self.max_removed * self.known or lost == self.known
        if lost and too_much and not self.allow_deletions:
            self.held_back = lost
            for item in gone.values() if len(gone) < self.known else ():
                self._move(writer, item.key, NOBODY)
                writer.record(item, NOBODY)
            return
        for seen, revision, reason in self._unreadable:
            self._drop(writer, seen, revision, reason)
        for key in sorted(gone):
            writer.remove(self.source, key)
            line = Line(self.source, key, "removed")
            self.lines.append(line)
            yield line

    def report(self, requests: int, nobodys: int, last_success: str) -> SourceReport:
        counted = Counter(line.outcome for line in self.lines)
        counts = {outcome: counted[outcome] for outcome in OUTCOMES} | {"unchanged": self.unchanged}
        return SourceReport(
            source=self.source,
            counts=counts,
            access_changed=self.access_changed,
            held_back=self.held_back,
            nobodys=nobodys,
            requests=requests,
            seconds=round(time.monotonic() - self.started, 3),
            error=self.error,
            last_success=last_success,
        )

    def _rule(self, seen: Seen) -> Access:
        return both(seen.listed.access, self.readers) if self.readers else both(seen.listed.access)

    def _unchanged(self, writer: Writer, seen: Seen) -> Line:
        assert seen.before
        item, _ = seen.before
        self._reshelve(writer, seen)
        self._record(writer, seen, replace(item, stamp=seen.stamp))
        if item.status != "indexed":
            return self._line(seen, item.status, item.reason, "as before; not tried again")
        return self._line(seen, "unchanged")

    def _not_had(self, writer: Writer, seen: Seen) -> Line:
        """An item that the source lists, but does not give: what is there stays, and it is asked for again."""
        item = _document_before(seen)
        if item is None:
            self._record(writer, seen, Item(self.source, seen.listed.key, "failed", seen.reason, "", seen.stamp))
            return self._line(seen, "failed", seen.reason, seen.detail)
        self._reshelve(writer, seen)
        self._record(writer, seen, replace(item, stamp=seen.stamp))
        return self._line(seen, "failed", seen.reason, f"{seen.detail}; what was read of it before is kept")

    def _refused(self, writer: Writer, seen: Seen, revision: str, reason: str, detail: str) -> Line:
        item = _document_before(seen)
        if not item or not self.remote:
            self._drop(writer, seen, revision, reason)
            return self._line(seen, _status(reason), reason, detail)
        doubt = doubtful(revision or reason)
        self._reshelve(writer, seen)
        self._record(writer, seen, replace(item, stamp=doubt))
        if item.stamp == doubt:
            self._unreadable.append((seen, revision, reason))
            return self._line(seen, _status(reason), reason, detail)
        return self._line(seen, "failed", reason, f"{detail}; what was read before is kept, if that was for a moment")

    def _drop(self, writer: Writer, seen: Seen, revision: str, reason: str) -> None:
        writer.drop_document(self.source, seen.listed.key)
        writer.record(
            Item(self.source, seen.listed.key, _status(reason), reason, revision, seen.stamp), self._rule(seen)
        )

    def _record(self, writer: Writer, seen: Seen, item: Item) -> None:
        rule = self._rule(seen)
        if seen.before != (item, rule):
            writer.record(item, rule)

    def _reshelve(self, writer: Writer, seen: Seen) -> None:
        rule = self._rule(seen)
        if seen.before and seen.before[1] != rule:
            self._move(writer, seen.listed.key, rule)

    def _move(self, writer: Writer, key: str, rule: Access) -> None:
        """Puts a document, if there is one, on the shelf of another rule."""
        found = writer.document(self.source, key)
        if found and found[0].access != rule:
            document, chunks = found
            writer.put(replace(document, access=rule), chunks)

    def _outcome(self, writer: Writer, seen: Seen, text: str) -> Outcome:
        if seen.listed.renamed_from:
            self._renamed.add(seen.listed.renamed_from)
            return "moved"
        if not _document_before(seen):
            return "new"
        found = writer.document(self.source, seen.listed.key)
        elsewhere = found and seen.fetched and found[0].url != seen.fetched.url
        return "moved" if found and elsewhere and found[0].text == text else "changed"

    def _was_moved(self, writer: Writer, item: Item) -> bool:
        """Whether a document of the same content has come under another key; its line then says so."""
        if item.key in self._renamed:
            return True
        number = self._arrived.get(item.revision) if item.status == "indexed" else None
        if number is None:
            return False
        line = self.lines[number]
        texts = [found[0].text for key in (item.key, line.key) if (found := writer.document(self.source, key))]
        if line.outcome == "moved" or len(texts) < 2 or texts[0] != texts[1]:
            return False
        self.lines[number] = replace(line, outcome="moved", detail=f"from {item.key}")
        return True

    def _line(self, seen: Seen, outcome: Outcome, reason: str = "", detail: str = "", chunks: int = 0) -> Line:
        changed = seen.before is not None and seen.before[1] != self._rule(seen)
        self.access_changed += changed
        line = Line(self.source, seen.listed.key, outcome, reason, detail, chunks, changed)
        if outcome == "unchanged":
            self.unchanged += 1
        else:
            self.lines.append(line)
        return line


def _status(reason: str) -> Literal["skipped", "failed"]:
    return "skipped" if reason in SKIPPED_REASONS else "failed"


def _document_before(seen: Seen) -> Item | None:
    """What is known of the item, if it has a document."""
    return seen.before[0] if seen.before and seen.before[0].status == "indexed" else None


def _described(document: Document, fetched: Fetched) -> Document:
    """The document with what the source says of it."""
    return replace(
        document,
        title=fetched.title or document.title,
        url=fetched.url,
        authors=fetched.authors,
        created=fetched.created,
        modified=fetched.modified,
        language=fetched.language,
        status=fetched.status,
    )
