"""What one caller may see of one generation: searches, passages, documents, items.

A view holds a read transaction of the catalog, so everything that it returns belongs to one generation, whatever a
writer does meanwhile. It knows only the shelves that the caller may read; the others are never opened.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from assistant.library import catalog, dense, lexical
from assistant.types import ChunkKind, Document, Item, Passage, Stage

if TYPE_CHECKING:
    from assistant.types import FloatArray

Hit = tuple[int, float]


@dataclass(frozen=True, slots=True)
class Filter:
    """Which chunks a search may return; an empty collection means any."""

    sources: Collection[str] = ()
    kinds: Collection[str] = ()
    chunk_kinds: Collection[ChunkKind] = ()


ANY = Filter()


@dataclass(frozen=True, slots=True)
class DocumentSummary:
    """A document without its text. `characters` is the length of its text, `chunks` how many it was cut into."""

    source: str
    key: str
    revision: str
    title: str
    url: str
    kind: str
    characters: int
    chunks: int


class View:
    """See the module. `shelves` are the numbers of those that the caller may read."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        generation: int,
        shelves: Sequence[int],
        lexical_shelves: Sequence[tuple[Any, Any]],
        segments: Sequence[Any],
    ) -> None:
        self.generation = generation
        self._connection = connection
        self._shelves = json.dumps(list(shelves))
        self._lexical = lexical_shelves
        self._segments = segments

    def search_lexical(self, question: str, limit: int, wanted: Filter = ANY) -> list[Hit]:
        """At most `limit` (chunk id, BM25 score > 0), best first."""
        words = lexical.words(question)
        return self._wanted(lambda n: lexical.search(self._lexical, words, n), limit, wanted)

    def search_dense(self, query: FloatArray, limit: int, wanted: Filter = ANY) -> list[Hit]:
        """At most `limit` (chunk id, cosine), best first. query: unit vector (dimensions,)."""
        return self._wanted(lambda n: dense.search_segments(self._segments, query, n), limit, wanted)

    def idf(self, word: str) -> float:
        """How rare an already stemmed word is among the caller's shelves: 0 in every chunk, about log(2N) in none."""
        searchers = [view for _, view in self._lexical]
        return lexical.idf(word, searchers) if searchers else 0.0

    def _wanted(self, search: Callable[[int], list[Hit]], limit: int, wanted: Filter) -> list[Hit]:
        """Asks for more until `limit` hits pass, or the index has no more.

        What the indexes hold beyond this generation falls away here too, since the catalog does not know it.
        """
        ask = limit
        while True:
            hits = search(ask)
            known = self._passing([chunk_id for chunk_id, _ in hits], wanted)
            passed = [hit for hit in hits if hit[0] in known]
            if len(passed) >= limit or len(hits) < ask:
                return passed[:limit]
            ask *= 4

    def _passing(self, chunk_ids: Sequence[int], wanted: Filter) -> set[int]:
        rows = self._connection.execute(
            "SELECT chunk.id FROM chunk JOIN document ON document.id = document_id"
            " WHERE chunk.id IN (SELECT value FROM json_each(?1)) AND shelf_id IN (SELECT value FROM json_each(?2))"
            " AND (?3 = '[]' OR source IN (SELECT value FROM json_each(?3)))"
            " AND (?4 = '[]' OR document.kind IN (SELECT value FROM json_each(?4)))"
            " AND (?5 = '[]' OR chunk.kind IN (SELECT value FROM json_each(?5)))",
            (
                json.dumps(list(chunk_ids)),
                self._shelves,
                json.dumps(list(wanted.sources)),
                json.dumps(list(wanted.kinds)),
                json.dumps(list(wanted.chunk_kinds)),
            ),
        )
        return {int(row[0]) for row in rows}

    def passages(self, hits: Sequence[Hit], stage: Stage) -> list[Passage]:
        """The hits with their text, in the order given, ranked from 1."""
        rows = self._connection.execute(
            'SELECT chunk.id, title, source, key, revision, url, document.kind, page, section, start, "end",'
            ' substr(text, start + 1, "end" - start), pages'
            " FROM chunk JOIN document ON document.id = document_id"
            " WHERE chunk.id IN (SELECT value FROM json_each(?)) AND shelf_id IN (SELECT value FROM json_each(?))",
            (json.dumps([chunk_id for chunk_id, _ in hits]), self._shelves),
        )
        found = {int(row[0]): row for row in rows}
        passages: list[Passage] = []
        for chunk_id, score in hits:
            _, title, source, key, revision, url, kind, page, section, start, end, text, pages = found[chunk_id]
            passages.append(
                Passage(
                    rank=len(passages) + 1,
                    score=score,
                    stage=stage,
                    chunk_id=chunk_id,
                    title=title,
                    source=source,
                    key=key,
                    revision=revision,
                    url=url,
                    kind=kind,
                    page=page,
                    section=tuple(json.loads(section)),
                    start=start,
                    end=end,
                    text=text,
                    page_breaks=tuple(offset for offset in json.loads(pages) if start < offset < end),
                )
            )
        return passages

    def document(self, source: str, key: str) -> Document | None:
        """The document whole, or None where there is none that the caller may read."""
        where = "source = ? AND key = ? AND shelf_id IN (SELECT value FROM json_each(?))"
        return catalog.document(self._connection, where, (source, key, self._shelves))

    def summaries(self) -> list[DocumentSummary]:
        """Every document that the caller may read, by source and key."""
        rows = self._connection.execute(
            "SELECT source, key, revision, title, url, kind, length(text),"
            " (SELECT count(*) FROM chunk WHERE document_id = document.id)"
            " FROM document WHERE shelf_id IN (SELECT value FROM json_each(?)) ORDER BY source, key",
            (self._shelves,),
        )
        return [DocumentSummary(*row) for row in rows]

    def items(self) -> list[Item]:
        """What became of every item that the caller may read, by source and key."""
        rows = self._connection.execute(
            "SELECT source, key, status, reason, revision, stamp FROM item"
            " WHERE shelf_id IN (SELECT value FROM json_each(?)) ORDER BY source, key",
            (self._shelves,),
        )
        return [Item(*row) for row in rows]

    def counts(self) -> tuple[int, int]:
        """How many documents and chunks the caller may read."""
        row = self._connection.execute(
            "SELECT count(DISTINCT document.id), count(chunk.id) FROM document"
            " LEFT JOIN chunk ON document_id = document.id"
            " WHERE shelf_id IN (SELECT value FROM json_each(?))",
            (self._shelves,),
        ).fetchone()
        return int(row[0]), int(row[1])
