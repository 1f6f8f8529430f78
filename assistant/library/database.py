"""SQLite with a checksum on every page, and its errors in Refdesk's words.

The checksum VFS of SQLite (https://sqlite.org/cksumvfs.html) keeps 8 bytes in each page and compares them whenever it
reads one, so a flipped byte becomes an error instead of an answer.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import apsw

from assistant.errors import LibraryDamaged
from assistant.library.disk import disk_full, read_only, refusal

_RESERVED = 8
BUSY_MILLISECONDS = 30_000
_CACHE_KB = 65_536
_FROM_THE_SYSTEM = (apsw.IOError, apsw.CantOpenError)
_CANNOT_READ = {
    apsw.SQLITE_IOERR_DATA,  # a wrong checksum
    apsw.SQLITE_IOERR_READ,
    apsw.SQLITE_IOERR_SHORT_READ,
    apsw.SQLITE_IOERR_CORRUPTFS,
}


@cache
def _checksums() -> str:
    """The name of the VFS; loads it."""
    import apsw.sqlite_extra

    apsw.sqlite_extra.load(apsw.Connection(":memory:"), "cksumvfs")
    return "cksmvfs"


class _Connection(apsw.Connection):
    """Says with an error of input or output what the operating system said: it is the error's cause."""

    def execute(self, *arguments: Any, **options: Any) -> apsw.Cursor:
        try:
            return super().execute(*arguments, **options)
        except _FROM_THE_SYSTEM as error:
            raise error from self._reason(error)

    def executemany(self, *arguments: Any, **options: Any) -> apsw.Cursor:
        try:
            return super().executemany(*arguments, **options)
        except _FROM_THE_SYSTEM as error:
            raise error from self._reason(error)

    def _reason(self, error: apsw.Error) -> OSError:
        number = self.system_errno
        return OSError(number, f"{os.strerror(number)}; SQLite says: {error}")


def create(file: Path) -> apsw.Connection:
    """A new database whose pages have checksums."""
    connection = _Connection(str(file), vfs=_checksums())
    connection.reserve_bytes(reserve=_RESERVED)
    return connection


def connect(file: Path, *, write: bool = False) -> apsw.Connection:
    """A connection to a database that `create` made; transactions are begun and ended by hand.

    To read one in a folder that cannot be written, where SQLite can make no file of its own, nobody may be writing to
    it; that is so where the rights or the disk forbid it to everybody.
    """
    name, flags = str(file), apsw.SQLITE_OPEN_READWRITE if write else apsw.SQLITE_OPEN_READONLY
    try:
        connection = _Connection(name, flags, vfs=_checksums())
        connection.set_busy_timeout(BUSY_MILLISECONDS)
        connection.execute("SELECT 1 FROM sqlite_schema").fetchall()
    except (apsw.CantOpenError, apsw.ReadOnlyError):
        wal = file.with_name(file.name + "-wal")
        if write or not file.exists() or (wal.exists() and wal.stat().st_size):
            raise
        uri = f"{file.absolute().as_uri()}?immutable=1"
        connection = _Connection(uri, apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI, vfs=_checksums())
    if write:
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA secure_delete = ON")  # what was removed should not stay in free pages
        connection.execute(f"PRAGMA cache_size = -{_CACHE_KB}")  # else a long run writes the same pages again and again
    return connection


@contextmanager
def refused(file: Path) -> Iterator[None]:
    """Turns SQLite's errors about this database into LibraryDamaged, and what the operating system refused into
    LibraryDiskFull, LibraryReadOnly or LibraryError."""
    try:
        yield
    except apsw.FullError as error:
        raise disk_full(file.parent, error) from error
    except (apsw.ReadOnlyError, apsw.PermissionsError) as error:
        raise read_only(file.parent, error) from error
    except _FROM_THE_SYSTEM as error:
        if getattr(error, "extendedresult", 0) in _CANNOT_READ:
            raise _damaged(file, error) from error
        cause = error.__cause__
        raise refusal(file.parent, cause if isinstance(cause, OSError) else OSError(str(error))) from error
    except (apsw.CorruptError, apsw.NotADBError, apsw.FormatError) as error:
        raise _damaged(file, error) from error


def _damaged(file: Path, error: apsw.Error) -> LibraryDamaged:
    return LibraryDamaged(
        f"The database {file} is damaged ({error}). Restore it from a copy, or index again into a new folder."
    )


def damaged_pages(file: Path) -> int:
    """How many pages of the file itself, used or not, do not have the checksum that they should."""
    connection = apsw.Connection(":memory:", vfs=_checksums())
    damaged = 0
    with file.open("rb") as stream:
        header = stream.read(100)
        size = int.from_bytes(header[16:18], "big")
        size = 65_536 if size == 1 else size
        if size < 512 or header[20] != _RESERVED:
            return 1
        stream.seek(0)
        while page := stream.read(size):
            ((right,),) = connection.execute("SELECT verify_checksum(?)", (page,))
            damaged += right != 1 or len(page) != size
    return damaged
