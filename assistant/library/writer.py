"""One run of the one writer: put and remove documents, publish them together.

    with library.writer(embedder) as writer:
        writer.put(document, chunks)
        writer.publish()

Whatever is not published is forgotten when the context ends; the files that it left are removed by the next run.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

import xxhash

from assistant.embed import Embedder
from assistant.errors import SourceError
from assistant.library import catalog, database, recovery
from assistant.library.arrangement import Arrangement
from assistant.library.build import NewRow
from assistant.library.lock import lock
from assistant.library.vectors import KnownVectors, text_hashes
from assistant.library.words import counted
from assistant.text.passage_text import passage_text
from assistant.types import Access, Chunk, Document, Item

if TYPE_CHECKING:
    from assistant.library.segment import Segment
    from assistant.library.vectors import Halves

_EMBED_AT_ONCE = 512
_SEGMENT_ROWS = 16_384


class Writer:
    """See the module. Made by `Library.writer`."""

    def __init__(self, folder: Path, embedder: Embedder) -> None:
        self._folder = folder
        self._pending: list[tuple[int, int, int, int, str]] = []
        self._new: list[NewRow] = []
        self._gone: set[int] = set()
        self._touched: set[int] = set()
        self._shelves: dict[Access, int] = {}
        with ExitStack() as opened:
            opened.enter_context(lock(folder))
            opened.enter_context(database.refused(folder / catalog.FILE))
            self._connection = opened.enter_context(closing(catalog.connect(folder, write=True)))
            left = recovery.left_segments(folder, self._connection)
            recovery.finish_last_run(folder, self._connection)
            self._begin(embedder, left)
            self._opened = opened.pop_all()

    def go_on(self, embedder: Embedder) -> None:
        """Begins another run, after `publish`, without letting another writer in between."""
        self._pending.clear()
        self._gone.clear()
        with database.refused(self._folder / catalog.FILE):
            self._begin(embedder, [])

    def _begin(self, embedder: Embedder, left: list[Segment]) -> None:
        """`left` are segments whose vectors may be used again."""
        self._connection.execute("BEGIN IMMEDIATE")
        self._shelves.clear()  # a run that was not published has made none
        self._generation = int(catalog.meta(self._connection, "generation"))
        self._next = int(catalog.meta(self._connection, "published")) + 1
        self._arrangement = Arrangement(self._folder, self._connection, self._next)
        self._known = KnownVectors(embedder, self._arrangement.not_opened, left)

    def __enter__(self) -> Writer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")
        self._opened.__exit__(kind, error, trace)

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
        self._connection.execute("INSERT INTO source (name, root) VALUES (?, ?)", (name, root))
        return name

    def claim_source(self, name: str, root: str) -> None:
        """Gives what is read from `root` this name; several names may read from one place. Raises SourceError where the
        name is that of what was read from elsewhere."""
        row = self._connection.execute("SELECT root FROM source WHERE name = ?", (name,)).fetchone()
        shared = f"{root} ({name})"
        if row is None:
            taken = self._connection.execute("SELECT 1 FROM source WHERE root = ?", (root,)).fetchone()
            stored = shared if taken else root
            self._connection.execute("INSERT INTO source (name, root) VALUES (?, ?)", (name, stored))
        elif row[0] not in (root, shared):
            raise SourceError(
                f"The source {name} reads {root}, but the library {self._folder} knows {name} as what it read from "
                f"{row[0]}. Give it another name, or remove what was read before: refdesk forget {name}"
            )

    def forget_source(self, source: str) -> int:
        """Removes all items of a source, and its name; returns how many there were. Raises SourceError where it is
        not known."""
        row = self._connection.execute("SELECT 1 FROM source WHERE name = ?", (source,)).fetchone()
        if row is None:
            names = [str(name) for (name,) in self._connection.execute("SELECT name FROM source ORDER BY name")]
            there = ", ".join(names) or "none"
            raise SourceError(f"The library {self._folder} knows no source {source}. It knows: {there}.")
        known = self.known(source)
        for key in known:
            self.remove(source, key)
        self._connection.execute("DELETE FROM source WHERE name = ?", (source,))
        return len(known)

    def state(self, source: str) -> str:
        """What `set_state` noted of a source, "" if nothing."""
        return catalog.source_state(self._connection, source)

    def set_state(self, source: str, state: str) -> None:
        """Notes how far a source was read, in whatever words; this alone makes no new generation, and a rollback
        forgets it."""
        self._connection.execute("UPDATE source SET state = ? WHERE name = ?", (state, source))

    def known(self, source: str) -> dict[str, tuple[Item, Access]]:
        """What the last run knew of a source's items, and who may know of them, by key."""
        return catalog.known_items(self._connection, source)

    def count(self, source: str, access: Access) -> int:
        """How many documents of a source stand on the shelf of this rule."""
        ((found,),) = self._connection.execute(
            "SELECT count(*) FROM document WHERE died IS NULL AND source = ? AND shelf = ?",
            (source, self._shelf(access)),
        )
        return int(found)

    def document(self, source: str, key: str) -> tuple[Document, list[Chunk]] | None:
        """The document of this item as it stands in this run, and its chunks."""
        return catalog.document(self._connection, "source = ? AND key = ?", (source, key))

    def access_of(self, source: str) -> Access | None:
        """The rule of a source's items, or None where it has none yet."""
        row = self._connection.execute(
            "SELECT access FROM item JOIN shelf ON shelf.id = shelf WHERE died IS NULL AND source = ? LIMIT 1",
            (source,),
        ).fetchone()
        return catalog.access_from_json(row[0]) if row else None

    def record(self, item: Item, access: Access) -> None:
        """Notes what became of an item and who may know of it. A new `stamp` alone makes no new generation."""
        shelf = self._shelf(access)
        place = (item.source, item.key)
        shown = "FROM item WHERE died IS NULL AND source = ? AND key = ?"
        row = self._connection.execute(f"SELECT status, reason, revision, shelf, stamp {shown}", place).fetchone()
        if row and row[:4] == (item.status, item.reason, item.revision, shelf):
            if row[4] != item.stamp:
                self._connection.execute(
                    "UPDATE item SET stamp = ? WHERE died IS NULL AND source = ? AND key = ?", (item.stamp, *place)
                )
            return
        self._end_item(*place)
        self._connection.execute(
            "INSERT INTO item (source, key, status, reason, revision, stamp, shelf, born)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (*place, item.status, item.reason, item.revision, item.stamp, shelf, self._next),
        )
        self._touched.add(shelf)

    def put(self, document: Document, chunks: Sequence[Chunk]) -> None:
        """Adds a document with its chunks in place of what (source, key) had before."""
        for chunk in chunks:
            if document.text[chunk.start : chunk.end] != chunk.text:
                raise ValueError(f"a chunk of {document.key} is not cut from its text: {chunk!r}")
        self.drop_document(document.source, document.key)
        shelf = self._shelf(document.access)
        number = catalog.add_document(self._connection, document, chunks, shelf, self._next)
        self._touched.add(shelf)
        place = f"{document.source}\0{document.key}\0"
        for i, chunk in enumerate(chunks):
            text = passage_text(document.title, chunk.section, chunk.text)
            order = xxhash.xxh3_64_intdigest((place + str(i)).encode())
            self._pending.append((shelf, number, i, order, text))
        while len(self._pending) >= _EMBED_AT_ONCE:
            self._embed()

    def remove(self, source: str, key: str) -> None:
        """Removes an item, with its document if it had one."""
        self.drop_document(source, key)
        self._end_item(source, key)

    def drop_document(self, source: str, key: str) -> None:
        """Removes the document of an item, which may still be there although it can no longer be read."""
        row = self._connection.execute(
            "SELECT id, shelf, born FROM document WHERE died IS NULL AND source = ? AND key = ?", (source, key)
        ).fetchone()
        if row is None:
            return
        number, shelf, born = row
        self._pending = [pending for pending in self._pending if pending[1] != number]
        self._gone.add(number)
        self._touched.add(shelf)
        if born == self._next:
            self._connection.execute("DELETE FROM document WHERE id = ?", (number,))
        else:
            self._connection.execute("UPDATE document SET died = ? WHERE id = ?", (self._next, number))

    def publish(self) -> int:
        """Makes everything since the start visible at once and returns the generation.

        A run that changed nothing keeps the generation. Raises LibraryDiskFull, LibraryReadOnly; nothing is visible
        then.
        """
        with database.refused(self._folder / catalog.FILE):
            if self._touched:
                while self._pending:
                    self._embed()
                self._write_pack()
                self._arrangement.settle(self._touched, self._gone)
                self._number_generation()
            self._connection.execute("COMMIT")
            if self._touched:
                recovery.note_publish(self._folder, self._connection, self._next)
                catalog.fold(self._connection)
                self._generation = self._next
                self._touched.clear()
        return self._generation

    def _shelf(self, access: Access) -> int:
        if access not in self._shelves:
            self._shelves[access] = catalog.shelf_id(self._connection, access)
        return self._shelves[access]

    def _end_item(self, source: str, key: str) -> None:
        where = "WHERE died IS NULL AND source = ? AND key = ?"
        row = self._connection.execute(f"SELECT born, shelf FROM item {where}", (source, key)).fetchone()
        if row is None:
            return
        self._touched.add(int(row[1]))
        if row[0] == self._next:
            self._connection.execute(f"DELETE FROM item {where}", (source, key))
        else:
            self._connection.execute(f"UPDATE item SET died = ? {where}", (self._next, source, key))

    def _embed(self) -> None:
        """Embeds what is pending, of a very long document only the first part."""
        now = self._pending if len(self._pending) < 2 * _EMBED_AT_ONCE else self._pending[:_EMBED_AT_ONCE]
        texts = [text for *_, text in now]
        hashes = text_hashes(texts)
        vectors: Halves = self._known.embed(texts, hashes)
        for (*place, text), digest, vector in zip(now, hashes, vectors, strict=True):
            shelf, document, number, order = place
            self._new.append(NewRow(shelf, document, number, order, digest, *counted(text), vector))
        self._pending = self._pending[len(now) :]
        if len(self._new) >= _SEGMENT_ROWS:
            self._write_pack()

    def _write_pack(self) -> None:
        if self._new:
            self._known.add(self._arrangement.add(self._new))
            self._new.clear()

    def _number_generation(self) -> None:
        """Gives the run its number, and forgets what only generations before the last one showed."""
        for shelf in self._touched:
            self._connection.execute("INSERT INTO change VALUES (?, ?)", (shelf, self._next))
        catalog.set_meta(self._connection, "previous", self._generation)
        catalog.set_meta(self._connection, "generation", self._next)
        catalog.set_meta(self._connection, "published", self._next)
        catalog.forget(self._connection, self._generation)
