"""A library: opened by many readers, written by one."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Collection, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from assistant.embed import Embedder
from assistant.errors import LibraryDamaged, LibraryError, LibraryMismatch, LibraryNotFound
from assistant.library import catalog, dense, lexical
from assistant.library.lock import lock
from assistant.library.view import View
from assistant.library.writer import Writer

_TRIES = 20


class Library:
    """The library in a folder. Safe to use from several threads and processes at once."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._opened_at = -1
        self._lexical: dict[int, tuple[Any, Any] | None] = {}
        self._segments: dict[str, Any] = {}

    @classmethod
    def open(cls, path: str | Path) -> Library:
        """The library in the folder `path`.

        Raises LibraryNotFound where there is none, LibraryMismatch where a newer Refdesk wrote it, LibraryDamaged where
        its catalog cannot be read.
        """
        folder = Path(path)
        if not (folder / catalog.FILE).exists():
            raise LibraryNotFound(
                f"There is no library at {folder.resolve()}. Make one with: refdesk index DOCUMENTS --library {folder}"
            )
        catalog.connect(folder).close()
        return cls(folder)

    @classmethod
    def open_or_create(cls, path: str | Path, embedder: Embedder) -> Library:
        """The library in the folder `path`, made now for this embedder if there is none.

        Raises as `open` does, LibraryLocked where another process is making it, and LibraryError where no folder can
        be made.
        """
        folder = Path(path)
        if not (folder / catalog.FILE).exists():
            try:
                folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise LibraryError(
                    f"No library can be made at {folder.resolve()} ({error.strerror}). Name a folder that can be "
                    "written to with --library."
                ) from error
            about = {"embedder": embedder.name, "fingerprint": embedder.fingerprint}
            with lock(folder):
                if not (folder / catalog.FILE).exists():  # else another process has just made it
                    catalog.create(folder, about | {"dimensions": str(embedder.dimensions)})
        return cls.open(folder)

    def require(self, embedder: Embedder) -> None:
        """Raises LibraryMismatch unless the library was made with this embedder."""
        with closing(catalog.connect(self.path)) as connection:
            made_with, fingerprint = catalog.meta(connection, "embedder"), catalog.meta(connection, "fingerprint")
        if fingerprint != embedder.fingerprint:
            raise LibraryMismatch(
                f"The library {self.path} was made with the embedder {made_with} ({fingerprint}), but the settings "
                f"name {embedder.name} ({embedder.fingerprint}). Set `embedder.model` back, or index into a new folder."
            )

    def generation(self) -> int:
        """The number of the published state, 0 for an empty library."""
        with closing(catalog.connect(self.path)) as connection:
            return int(catalog.meta(connection, "generation"))

    def writer(self, embedder: Embedder) -> Writer:
        """The one writer. Raises LibraryLocked where another is at work, LibraryMismatch for another embedder."""
        self.require(embedder)
        return Writer(self.path, embedder)

    @contextmanager
    def view(self, groups: Collection[str] = ()) -> Iterator[View]:
        """The newest generation as a caller in `groups` may see it, unchanged for as long as the context is open."""
        connection = catalog.connect(self.path)
        try:
            yield self._view(connection, groups)
        finally:
            connection.close()

    def _view(self, connection: sqlite3.Connection, groups: Collection[str]) -> View:
        for _ in range(_TRIES):
            connection.execute("BEGIN")
            generation = int(catalog.meta(connection, "generation"))
            visible = [shelf for shelf, access in catalog.shelves(connection).items() if access.allows(groups)]
            named = {str(name): int(shelf) for name, shelf in connection.execute("SELECT name, shelf_id FROM segment")}
            missing: Path | None = None
            with self._lock:
                try:
                    indexes = self._indexes(generation, visible, {n: s for n, s in named.items() if s in visible})
                except FileNotFoundError as error:
                    missing = Path(str(error))
            # Indexes may be ahead of the catalog, never behind: only a publish that came since removes from them.
            if self.generation() == generation:
                if missing:
                    raise LibraryDamaged(
                        f"{missing} is missing from the library. Restore it from a copy, or index again."
                    )
                return View(connection, generation, visible, *indexes)
            connection.execute("ROLLBACK")
        raise LibraryDamaged(f"The library {self.path} changed {_TRIES} times while it was being opened.")

    def _indexes(
        self, generation: int, shelves: Collection[int], segments: Mapping[str, int]
    ) -> tuple[list[tuple[Any, Any]], list[Any]]:
        if generation != self._opened_at:
            self._lexical.clear()
            self._segments = {}
            self._opened_at = generation
        for shelf in shelves:
            if shelf not in self._lexical:
                self._lexical[shelf] = self._open_lexical(shelf)
        for name, shelf in segments.items():
            if self._lexical[shelf] is None:
                lexical.require(self.path, shelf)
            if name not in self._segments:
                self._segments[name] = dense.open_segment(self.path, name)
        opened = [found for shelf in sorted(shelves) if (found := self._lexical[shelf]) is not None]
        return opened, [self._segments[name] for name in sorted(segments)]

    def _open_lexical(self, shelf: int) -> tuple[Any, Any] | None:
        try:
            index = lexical.open_index(self.path, shelf)
        except FileNotFoundError:
            return None  # a shelf that only ever held items without text
        return index, lexical.searcher(index)
