"""One run of the one writer: put and remove documents, publish them together, sweep what is gone.

    with library.writer(embedder) as writer:
        writer.put(document, chunks)
        writer.publish()

Whatever is not published is forgotten when the context ends; what it left in the indexes is invisible, and the next
run removes it.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from assistant.embed import Embedder
from assistant.library import catalog, dense, lexical
from assistant.library.lock import lock
from assistant.library.vectors import KnownVectors
from assistant.text.passage_text import passage_text
from assistant.types import Access, Chunk, Document, Item

if TYPE_CHECKING:
    from assistant.types import FloatArray

_EMBED_AT_ONCE = 512
_SEGMENT_VECTORS = 50_000
_MOST_SEGMENTS = 8


class Writer:
    """See the module. Made by `Library.writer`."""

    def __init__(self, folder: Path, embedder: Embedder) -> None:
        self._folder = folder
        self._lexical: dict[int, lexical.LexicalWriter] = {}
        self._pending: list[tuple[int, int, str]] = []
        self._new: dict[int, list[tuple[int, FloatArray]]] = defaultdict(list)
        self._changed = False
        with ExitStack() as opened:
            opened.enter_context(lock(folder))
            self._connection = opened.enter_context(closing(catalog.connect(folder)))
            self._known = opened.enter_context(closing(KnownVectors(folder, embedder)))
            opened.callback(self._close_lexical)
            self._recover()
            self._connection.execute("BEGIN IMMEDIATE")
            self._opened = opened.pop_all()

    def __enter__(self) -> Writer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")
        self._opened.close()

    def _close_lexical(self) -> None:
        for writer in self._lexical.values():
            writer.close()

    @property
    def embedded(self) -> int:
        """Chunks that had to be embedded in this run; the others' vectors were known."""
        return self._known.embedded

    def source_name(self, root: str, wish: str) -> str:
        """The short name of the source at `root`: `wish` where it is free, else with a number behind it."""
        row = self._connection.execute("SELECT name FROM source WHERE root = ?", (root,)).fetchone()
        if row:
            return str(row[0])
        taken = {str(name) for (name,) in self._connection.execute("SELECT name FROM source")}
        names = [wish, *(f"{wish}-{number}" for number in range(2, len(taken) + 3))]
        name = next(name for name in names if name not in taken)
        self._connection.execute("INSERT INTO source VALUES (?, ?)", (name, root))
        return name

    def items(self, source: str) -> dict[str, Item]:
        """What the last run knew of a source, by key."""
        rows = self._connection.execute(
            "SELECT source, key, status, reason, revision, stamp FROM item WHERE source = ?", (source,)
        )
        return {item.key: item for item in (Item(*row) for row in rows)}

    def document(self, source: str, key: str) -> Document | None:
        """The document of this item as it stands in this run."""
        return catalog.document(self._connection, "source = ? AND key = ?", (source, key))

    def access_of(self, source: str) -> Access | None:
        """The rule of a source's items, or None where it has none yet."""
        row = self._connection.execute(
            "SELECT access FROM item JOIN shelf ON shelf.id = shelf_id WHERE source = ? LIMIT 1", (source,)
        ).fetchone()
        return catalog.access_from_json(row[0]) if row else None

    def moved(self, source: str, access: Access) -> set[str]:
        """The keys of a source's items that stand on another shelf than that of `access`."""
        shelf = catalog.shelf_id(self._connection, access)
        rows = self._connection.execute("SELECT key FROM item WHERE source = ? AND shelf_id <> ?", (source, shelf))
        return {str(key) for (key,) in rows}

    def record(self, item: Item, access: Access) -> None:
        """Notes what became of an item and who may know of it."""
        self._connection.execute(
            "INSERT OR REPLACE INTO item (source, key, status, reason, revision, stamp, shelf_id)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                item.source,
                item.key,
                item.status,
                item.reason,
                item.revision,
                item.stamp,
                catalog.shelf_id(self._connection, access),
            ),
        )

    def put(self, document: Document, chunks: Sequence[Chunk]) -> None:
        """Adds a document with its chunks in place of what (source, key) had before."""
        for chunk in chunks:
            if document.text[chunk.start : chunk.end] != chunk.text:
                raise ValueError(f"a chunk of {document.key} is not cut from its text: {chunk!r}")
        self.drop_document(document.source, document.key)
        shelf = catalog.shelf_id(self._connection, document.access)
        document_id = catalog.add_document(self._connection, document, shelf)
        self._changed = True
        for chunk in chunks:
            cursor = self._connection.execute(
                'INSERT INTO chunk (document_id, start, "end", section, page, kind) VALUES (?, ?, ?, ?, ?, ?)',
                (document_id, chunk.start, chunk.end, json.dumps(chunk.section), chunk.page, chunk.kind),
            )
            text = passage_text(document.title, chunk.section, chunk.text)
            self._pending.append((shelf, int(cursor.lastrowid or 0), text))
            if len(self._pending) >= _EMBED_AT_ONCE:
                self._flush()

    def remove(self, source: str, key: str) -> None:
        """Removes an item, with its document if it had one."""
        self.drop_document(source, key)
        self._connection.execute("DELETE FROM item WHERE source = ? AND key = ?", (source, key))

    def drop_document(self, source: str, key: str) -> None:
        """Removes the document of an item, which may still be there although it can no longer be read."""
        row = self._connection.execute(
            "SELECT id, shelf_id FROM document WHERE source = ? AND key = ?", (source, key)
        ).fetchone()
        if row is None:
            return
        document_id, shelf = row
        gone = {
            int(i) for (i,) in self._connection.execute("SELECT id FROM chunk WHERE document_id = ?", (document_id,))
        }
        self._pending = [pending for pending in self._pending if pending[1] not in gone]
        self._connection.executemany("INSERT INTO swept VALUES (?, ?)", ((chunk_id, shelf) for chunk_id in gone))
        self._connection.execute("DELETE FROM document WHERE id = ?", (document_id,))
        self._changed = True

    def publish(self) -> int:
        """Makes everything since the start visible at once and returns the generation.

        A run that changed no document keeps the generation.
        """
        self._flush()
        for writer in self._lexical.values():
            writer.commit()
        for shelf in self._touched_shelves():
            self._write_segments(shelf)
        if self._changed:
            self._connection.execute("UPDATE meta SET value = value + 1 WHERE key = 'generation'")
        generation = int(catalog.meta(self._connection, "generation"))
        self._connection.execute("COMMIT")
        self._sweep()
        return generation

    def _flush(self) -> None:
        if not self._pending:
            return
        vectors = self._known.embed([text for _, _, text in self._pending])
        for (shelf, chunk_id, text), vector in zip(self._pending, vectors, strict=True):
            self._lexical_writer(shelf).add(chunk_id, text)
            self._new[shelf].append((chunk_id, vector))
        self._pending.clear()
        for shelf, rows in self._new.items():
            if len(rows) >= _SEGMENT_VECTORS:
                self._write(shelf, rows)
                self._new[shelf] = []

    def _lexical_writer(self, shelf: int) -> lexical.LexicalWriter:
        if shelf not in self._lexical:
            self._lexical[shelf] = lexical.LexicalWriter(self._folder, shelf)
        return self._lexical[shelf]

    def _touched_shelves(self) -> set[int]:
        gone = {int(shelf) for (shelf,) in self._connection.execute("SELECT DISTINCT shelf_id FROM swept")}
        return gone | {shelf for shelf, rows in self._new.items() if rows}

    def _write_segments(self, shelf: int) -> None:
        """One new segment for the run's new vectors and for what is left of segments that lost some."""
        import numpy as np

        gone = {row[0] for row in self._connection.execute("SELECT chunk_id FROM swept WHERE shelf_id = ?", (shelf,))}
        named = [row[0] for row in self._connection.execute("SELECT name FROM segment WHERE shelf_id = ?", (shelf,))]
        rows = [row for row in self._new.pop(shelf, []) if row[0] not in gone]
        for name in named:
            ids, vectors = dense.read_segment(self._folder, name)
            kept = ~np.isin(ids, list(gone))
            if kept.all() and len(named) < _MOST_SEGMENTS:
                continue
            self._connection.execute("DELETE FROM segment WHERE name = ?", (name,))
            rows += [(int(i), v) for i, v in zip(ids[kept], vectors[kept], strict=True)]
        if rows:
            self._write(shelf, rows)

    def _write(self, shelf: int, rows: list[tuple[int, FloatArray]]) -> None:
        import numpy as np

        ids = np.array([chunk_id for chunk_id, _ in rows], dtype=np.int64)
        name = dense.write_segment(self._folder, ids, np.stack([vector for _, vector in rows]))
        self._connection.execute("INSERT INTO segment VALUES (?, ?, ?)", (name, shelf, len(rows)))

    def _recover(self) -> None:
        """Finishes the sweep of the last run and removes what an unpublished one left."""
        row = self._connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'chunk'").fetchone()
        last_published = int(row[0]) if row else 0
        for (shelf,) in self._connection.execute("SELECT DISTINCT shelf_id FROM segment"):
            lexical.require(self._folder, int(shelf))
        # An unpublished run may have left an index for a shelf that the catalog does not know.
        for shelf in lexical.shelves(self._folder):
            if lexical.holds_above(self._folder, shelf, last_published):
                writer = self._lexical_writer(shelf)
                writer.remove_above(last_published)
                writer.commit()
        self._sweep()

    def _sweep(self) -> None:
        """Removes from the indexes what the published generation does not show."""
        gone: dict[int, list[int]] = defaultdict(list)
        for chunk_id, shelf in self._connection.execute("SELECT chunk_id, shelf_id FROM swept"):
            gone[shelf].append(chunk_id)
        for shelf, chunk_ids in gone.items():
            writer = self._lexical_writer(shelf)
            writer.remove(chunk_ids)
            writer.commit()
        self._connection.execute("DELETE FROM swept")
        dense.remove_unnamed(self._folder, [str(n) for (n,) in self._connection.execute("SELECT name FROM segment")])
