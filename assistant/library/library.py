"""A library: opened by many readers, written by one."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from assistant.embed import Embedder
from assistant.errors import LibraryDamaged, LibraryMismatch, LibraryNotFound
from assistant.library import catalog, database, recovery
from assistant.library.disk import make_folder, refused
from assistant.library.indexes import Indexes
from assistant.library.lock import lock
from assistant.library.once import once
from assistant.library.segment import FOLDER, Segment, SegmentMissing
from assistant.library.view import View
from assistant.library.writer import Writer
from assistant.types import Access

if TYPE_CHECKING:
    import apsw

_TRIES = 20
_KEPT_INDEXES = 8
_KEPT_CONNECTIONS = 8


class _Visible:
    """What callers who may read the same shelves see; only they wait for it."""

    def __init__(
        self, segments: list[Segment], dead: dict[str, Any], shelves: frozenset[int], device: Literal["cpu", "gpu"]
    ) -> None:
        self._read = segments, dead, shelves, device

    @once
    def indexes(self) -> Indexes:
        return Indexes(*self._read)


@dataclass(frozen=True, slots=True)
class _State:
    """What the catalog says after one publish.

    `visible` keeps which shelves callers may read, and when these changed last; `indexes` those of the last few sets.
    """

    published: int
    shelves: dict[int, Access]
    changes: dict[int, int]
    segments: list[Segment]
    dead: dict[str, Any]
    visible: dict[frozenset[str], tuple[frozenset[int], int]] = field(default_factory=dict)
    indexes: OrderedDict[frozenset[int], _Visible] = field(default_factory=OrderedDict)


class Library:
    """The library in a folder. Safe to use from several threads and processes at once."""

    def __init__(self, path: Path, device: Literal["cpu", "gpu"] = "cpu") -> None:
        self.path = path
        self._device: Literal["cpu", "gpu"] = device
        self._lock = threading.Lock()
        self._state: _State | None = None
        self._idle: list[tuple[int, apsw.Connection]] = []

    @classmethod
    def open(cls, path: str | Path, device: Literal["cpu", "gpu"] = "cpu") -> Library:
        """The library in the folder `path`; `device` compares its vectors.

        Raises LibraryNotFound where there is none, LibraryTooNew and LibraryTooOld for another format, LibraryDamaged
        where its catalog cannot be read.
        """
        folder = Path(path)
        if not (folder / catalog.FILE).exists():
            raise LibraryNotFound(
                f"There is no library at {folder.resolve()}. Make one with: refdesk index DOCUMENTS --library {folder}"
            )
        library = cls(folder, device)
        with library._connection():
            return library

    @classmethod
    def open_or_create(cls, path: str | Path, embedder: Embedder) -> Library:
        """The library in the folder `path`, made now for this embedder if there is none.

        Raises as `open` does, LibraryLocked where another process is making it, LibraryReadOnly, LibraryDiskFull and
        LibraryError where no folder can be made.
        """
        folder = Path(path)
        if not (folder / catalog.FILE).exists():
            with refused(folder):
                make_folder(folder)
            about = {"embedder": embedder.name, "fingerprint": embedder.fingerprint}
            with lock(folder), refused(folder):
                (folder / FOLDER).mkdir(exist_ok=True)
                if not (folder / catalog.FILE).exists():  # else another process has just made it
                    catalog.create(folder, about | {"dimensions": str(embedder.dimensions)})
        return cls.open(folder)

    @staticmethod
    def fingerprint_at(path: str | Path) -> str | None:
        """The fingerprint of the embedder that the library in a folder was made with; None where there is no library.

        Raises as `open` does.
        """
        return Library.open(path).made_with[1] if (Path(path) / catalog.FILE).exists() else None

    @property
    def made_with(self) -> tuple[str, str]:
        """Name and fingerprint of the embedder."""
        with self._connection() as connection:
            return catalog.meta(connection, "embedder"), catalog.meta(connection, "fingerprint")

    def require(self, embedder: Embedder) -> None:
        """Raises LibraryMismatch unless the library was made with this embedder."""
        made_with, fingerprint = self.made_with
        if fingerprint != embedder.fingerprint:
            raise LibraryMismatch(
                f"The library {self.path} was made with the embedder {made_with} ({fingerprint}), but the settings "
                f"name {embedder.name} ({embedder.fingerprint}). Set `embedder.model` and "
                "`embedder.precision` back, or index into a new folder."
            )

    def generation(self) -> int:
        """The number of the published state, 0 for an empty library."""
        with self._connection() as connection:
            return int(catalog.meta(connection, "generation"))

    def writer(self, embedder: Embedder) -> Writer:
        """The one writer. Raises LibraryLocked where another is at work, LibraryMismatch for another embedder."""
        self.require(embedder)
        return Writer(self.path, embedder)

    def rollback(self) -> int:
        """Shows the generation before the present one again and returns its number; see `recovery.rollback`."""
        return recovery.rollback(self.path)

    def verify(self) -> list[recovery.Problem]:
        """What is damaged, [] if nothing is; see `recovery.verify`."""
        return recovery.verify(self.path)

    @contextmanager
    def view(self, groups: Collection[str] = ()) -> Iterator[View]:
        """The newest generation as a caller in `groups` may see it, unchanged for as long as the context is open."""
        with self._connection() as connection:
            try:
                yield self._view(connection, frozenset(groups))
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")

    @contextmanager
    def _connection(self) -> Iterator[apsw.Connection]:
        """A connection that nobody else uses meanwhile; kept for the next caller."""
        file = self.path / catalog.FILE
        with database.refused(file):
            try:
                inode = file.stat().st_ino
            except FileNotFoundError as error:
                raise LibraryNotFound(f"The library {self.path.resolve()} is gone.") from error
            connection = self._idle_connection(inode) or catalog.connect(self.path)
            kept = False
            try:
                yield connection
                with self._lock:
                    if kept := len(self._idle) < _KEPT_CONNECTIONS:
                        self._idle.append((inode, connection))
            finally:
                if not kept:
                    connection.close()

    def _idle_connection(self, inode: int) -> apsw.Connection | None:
        """A connection to this file; those to one that stood here before are closed."""
        while True:
            with self._lock:
                if not self._idle:
                    return None
                file, connection = self._idle.pop()
            if file == inode:
                return connection
            connection.close()

    def _view(self, connection: apsw.Connection, groups: frozenset[str]) -> View:
        for _ in range(_TRIES):
            connection.execute("BEGIN")
            published = int(catalog.meta(connection, "published"))
            try:
                return self._seen(connection, published, groups)
            except SegmentMissing as error:
                missing = error
            connection.execute("ROLLBACK")
            if int(catalog.meta(connection, "published")) == published:
                raise missing
        raise LibraryDamaged(f"The library {self.path} changed {_TRIES} times while it was being opened.")

    def _seen(self, connection: apsw.Connection, published: int, groups: frozenset[str]) -> View:
        with self._lock:
            if self._state is None or self._state.published != published:
                known = {held.name: held for held in self._state.segments} if self._state else {}
                self._state = _read_state(self.path, connection, published, known)
            state = self._state
            if groups not in state.visible:
                if len(state.visible) > 10_000:
                    state.visible.clear()
                shelves = frozenset(shelf for shelf, access in state.shelves.items() if access.allows(groups))
                state.visible[groups] = shelves, max((state.changes.get(shelf, 0) for shelf in shelves), default=0)
            visible, generation = state.visible[groups]
            seen = state.indexes.setdefault(visible, _Visible(state.segments, state.dead, visible, self._device))
            state.indexes.move_to_end(visible)
            if len(state.indexes) > _KEPT_INDEXES:
                state.indexes.popitem(last=False)
        return View(connection, generation, visible, seen.indexes)


def _read_state(folder: Path, connection: apsw.Connection, published: int, known: dict[str, Segment]) -> _State:
    """`known` are segments that are open already: they never change."""
    named = catalog.segments(connection)
    segments = [known.get(name) or Segment(folder, name, digest) for name, digest, _ in named]
    return _State(
        published=published,
        shelves=catalog.shelves(connection),
        changes=catalog.changes(connection),
        segments=segments,
        dead=catalog.dead_rows(connection),
    )
