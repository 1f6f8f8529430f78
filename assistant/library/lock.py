"""One writer at a time: a lock that dies with its process."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from assistant.errors import LibraryLocked
from assistant.library.disk import refused

FILE = "writer.lock"


@contextmanager
def lock(folder: Path, name: str = FILE) -> Iterator[None]:
    """Holds the writer's lock of the library in `folder`, or another one, of this `name`.

    Raises LibraryLocked where another process holds it, LibraryReadOnly where the folder cannot be written.
    """
    with refused(folder):
        descriptor = os.open(folder / name, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise LibraryLocked(
                f"Another process is writing to the library {folder}. Wait until it has finished, then try again."
            ) from error
        yield
    finally:
        os.close(descriptor)
