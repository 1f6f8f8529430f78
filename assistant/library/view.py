"""What one caller may see of one generation: searches, passages, documents, items.

A view holds a read transaction of the catalog, so everything that it returns belongs to one generation, whatever a
writer does meanwhile. It knows only the shelves that the caller may read; the others are never looked at.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from assistant.library import bm25, catalog, dense
from assistant.library.words import word_hash, words
from assistant.types import Chunk, ChunkKind, Document, Item, Passage, Stage

if TYPE_CHECKING:
    import apsw

    from assistant.library.indexes import Indexes
    from assistant.types import FloatArray


class Hit(NamedTuple):
    """A chunk that a search found: the chunk `number` of the document with this id in the catalog.

    `order` decides between equal scores and is the same for the same chunk in every library.
    """

    score: float
    document: int
    number: int
    order: int


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
    """See the module. `shelves` are the numbers of those that the caller may read; `generation` is the last in which
    one of these changed."""

    def __init__(self, connection: apsw.Connection, generation: int, shelves: frozenset[int], indexes: Indexes) -> None:
        self.generation = generation
        self._connection = connection
        self._visible = shelves
        self._indexes = indexes

    @cached_property
    def _shelves(self) -> str:
        """As SQL wants them."""
        return json.dumps(sorted(self._visible))

    def search_lexical(self, question: str, limit: int, wanted: Filter = ANY) -> list[Hit]:
        """At most `limit` hits with their BM25 score > 0, best first."""
        hashes = {word_hash(word) for word in words(question)}
        return self._wanted(lambda n: self._hits(bm25.search(self._indexes, hashes, n)), limit, wanted)

    def search_dense(self, query: FloatArray, limit: int, wanted: Filter = ANY) -> list[Hit]:
        """At most `limit` hits with their cosine, best first. query: unit vector (dimensions,)."""
        return self._wanted(lambda n: self._hits(dense.search(self._indexes, query, n)), limit, wanted)

    def idf(self, word: str) -> float:
        """How rare an already stemmed word is among the caller's shelves: 0 in every chunk, about log(2N) in none."""
        return bm25.idf(self._indexes.chunks, bm25.holding(self._indexes, word_hash(word)))

    def _hits(self, found: tuple[Any, Any]) -> list[Hit]:
        """The rows that a search found, best first, equal scores by `order`."""
        import numpy as np

        scores, rows = found
        if not len(rows):
            return []
        document, number, order = self._indexes.gather(rows, "document", "number", "order")
        best_first = np.lexsort((order, -scores))
        columns = [column[best_first].tolist() for column in (scores, document, number, order)]
        return [Hit(*values) for values in zip(*columns, strict=True)]

    def _wanted(self, search: Callable[[int], list[Hit]], limit: int, wanted: Filter) -> list[Hit]:
        """Asks for more until `limit` hits pass, or there are no more."""
        if limit < 1 or not self._indexes.chunks:
            return []
        ask = min(limit, self._indexes.chunks)
        while True:
            hits = search(ask)
            passed = hits if wanted == ANY else self._passing(hits, wanted)
            if len(passed) >= limit or len(hits) < ask or ask == self._indexes.chunks:
                return passed[:limit]
            ask = min(4 * ask, self._indexes.chunks)

    def _passing(self, hits: Sequence[Hit], wanted: Filter) -> list[Hit]:
        rows = self._connection.execute(
            "SELECT chunk.document, chunk.number FROM json_each(?1) AS hit"
            " JOIN chunk ON chunk.document = hit.value ->> 0 AND chunk.number = hit.value ->> 1"
            " JOIN document ON document.id = chunk.document"
            " WHERE (?2 = '[]' OR source IN (SELECT value FROM json_each(?2)))"
            " AND (?3 = '[]' OR document.kind IN (SELECT value FROM json_each(?3)))"
            " AND (?4 = '[]' OR chunk.kind IN (SELECT value FROM json_each(?4)))",
            (
                json.dumps([[hit.document, hit.number] for hit in hits]),
                json.dumps(list(wanted.sources)),
                json.dumps(list(wanted.kinds)),
                json.dumps(list(wanted.chunk_kinds)),
            ),
        )
        passing = set(rows)
        return [hit for hit in hits if (hit.document, hit.number) in passing]

    def passages(self, hits: Sequence[Hit], stage: Stage) -> list[Passage]:
        """The hits with their text, in the order given, ranked from 1."""
        return [self._passage(rank, hit, stage) for rank, hit in enumerate(hits, start=1)]

    def _passage(self, rank: int, hit: Hit, stage: Stage) -> Passage:
        (row,) = self._connection.execute(
            'SELECT shelf, title, source, key, revision, url, document.kind, pages, start, "end", page, section,'
            ' document.status, substr(text, start + 1, "end" - start) FROM document'
            " JOIN chunk ON chunk.document = document.id"
            " WHERE document.id = ? AND number = ?",
            (hit.document, hit.number),
        )
        shelf, title, source, key, revision, url, kind, pages, start, end, page, section, status, text = row
        assert shelf in self._visible  # the indexes hold nothing else
        return Passage(
            rank=rank,
            score=hit.score,
            stage=stage,
            chunk_id=hit.order,
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
            status=status,
        )

    def document(self, source: str, key: str) -> Document | None:
        """The document whole, or None where there is none that the caller may read."""
        found = self.with_chunks(source, key)
        return found[0] if found else None

    def with_chunks(self, source: str, key: str) -> tuple[Document, list[Chunk]] | None:
        """As `document`, with what it was cut into, in order."""
        where = "source = ? AND key = ? AND shelf IN (SELECT value FROM json_each(?))"
        return catalog.document(self._connection, where, (source, key, self._shelves))

    def summaries(self) -> list[DocumentSummary]:
        """Every document that the caller may read, by source and key."""
        rows = self._connection.execute(
            "SELECT source, key, revision, title, url, kind, length, count FROM document"
            " WHERE died IS NULL AND shelf IN (SELECT value FROM json_each(?)) ORDER BY source, key",
            (self._shelves,),
        )
        return [DocumentSummary(*row) for row in rows]

    def items(self) -> list[Item]:
        """What became of every item that the caller may read, by source and key."""
        rows = self._connection.execute(
            "SELECT source, key, status, reason, revision, stamp FROM item"
            " WHERE died IS NULL AND shelf IN (SELECT value FROM json_each(?)) ORDER BY source, key",
            (self._shelves,),
        )
        return [Item(*row) for row in rows]

    def counts(self) -> tuple[int, int]:
        """How many documents and chunks the caller may read."""
        ((documents, chunks),) = self._connection.execute(
            "SELECT count(*), coalesce(sum(count), 0) FROM document"
            " WHERE died IS NULL AND shelf IN (SELECT value FROM json_each(?))",
            (self._shelves,),
        )
        return int(documents), int(chunks)
