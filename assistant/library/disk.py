"""Files that are written once: whole and on disk under their name, or not there at all."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from assistant.errors import LibraryDiskFull, LibraryError, LibraryReadOnly

WORK_SUFFIX = ".new"
"""How the name of a file ends that is not whole yet."""


@contextmanager
def refused(folder: Path) -> Iterator[None]:
    """Says in Refdesk's words why the operating system did not let us write below `folder`."""
    try:
        yield
    except OSError as error:
        raise refusal(folder, error) from error


def refusal(folder: Path, error: OSError) -> LibraryError:
    """What to raise for an error of the operating system; its text is in the message."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return disk_full(folder, error)
    if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        return read_only(folder, error)
    return LibraryError(f"The library {folder} cannot be written: {error}.")


def disk_full(folder: Path, error: Exception) -> LibraryDiskFull:
    return LibraryDiskFull(
        f"The disk of the library {folder} takes no more: it is full or over a limit ({error}). Nothing was changed. "
        "Make room there, then run the same again."
    )


def read_only(folder: Path, error: Exception) -> LibraryReadOnly:
    return LibraryReadOnly(
        f"The library {folder} cannot be written: its folder, a file in it or the disk is read-only ({error}). "
        "Use an account that may write there, or index into another folder."
    )


@contextmanager
def whole_file(library: Path, target: Path) -> Iterator[BinaryIO]:
    """A stream whose bytes stand under `target`, durably, once the context ends; an error in it leaves nothing.

    Raises LibraryDiskFull, LibraryReadOnly.
    """
    work = target.with_name(target.name + WORK_SUFFIX)
    with refused(library):
        try:
            with work.open("wb") as stream:
                yield stream
                stream.flush()
                os.fsync(stream.fileno())
            work.replace(target)
            sync_folder(target.parent)
        finally:
            work.unlink(missing_ok=True)


def make_folder(folder: Path) -> None:
    """Makes a folder, and those above it, durably."""
    missing = [place for place in folder.absolute().parents if not place.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for place in (folder.absolute(), *missing):
        sync_folder(place.parent)


def sync_folder(folder: Path) -> None:
    """Makes the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
