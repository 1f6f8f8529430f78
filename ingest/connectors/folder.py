"""A folder, or a single file, as a source: an item per file, keyed by its path below the root."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from assistant.errors import SourceError
from assistant.library import catalog

_VERSION_CONTROL = {".git", ".hg", ".svn"}


@dataclass(frozen=True, slots=True)
class ListedFile:
    """A file at the source.

    `stamp` changes whenever the content may have: size, modification time and inode. `inside` is False for a link that
    leads to no file below the root, `regular` for a pipe, socket or device: these are listed but never read.
    """

    key: str
    path: Path
    stamp: str
    inside: bool
    regular: bool


class Folder:
    """All files below `root`, or `root` itself where it is a file.

    Raises SourceError where there is nothing at `root`.
    """

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        if not self.root.exists():
            raise SourceError(f"There is nothing at {root} ({self.root}). Nothing was read and nothing removed.")

    @property
    def name(self) -> str:
        return as_text(self.root.name) or "root"

    def list(self) -> Iterator[ListedFile]:
        """Every file, by key. Folders of version control and libraries of ours are left out; links to folders are not
        followed.

        Raises SourceError where a folder cannot be listed, because its files must not look as if they were gone.
        """
        if self.root.is_file():
            yield from self._listed(self.root, self.root.name)
            return
        for folder, folders, files in os.walk(self.root, onerror=_refuse):
            folders[:] = sorted(name for name in folders if not _left_out(Path(folder) / name))
            linked = [name for name in folders if (Path(folder) / name).is_symlink()]
            for name in sorted([*files, *linked]):
                path = Path(folder) / name
                yield from self._listed(path, path.relative_to(self.root).as_posix())

    def _listed(self, path: Path, name: str) -> Iterator[ListedFile]:
        try:
            status = path.lstat()
            inside = True
            if path.is_symlink():
                target = Path(os.path.realpath(path))  # Path.resolve raises where links lead round in a ring
                inside = target.is_file() and target.is_relative_to(self.root)
                status = target.stat() if inside else status
        except FileNotFoundError:
            return  # gone since the folder was listed
        except OSError as error:
            _refuse(error)
        regular = stat.S_ISREG(status.st_mode)
        stamp = f"{status.st_size}:{status.st_mtime_ns}:{status.st_ino}"
        yield ListedFile(as_text(name), path, stamp, inside, regular)


def as_text(name: str) -> str:
    """A file's name as text: its bytes as UTF-8, and those that are none as \\xNN."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def _left_out(folder: Path) -> bool:
    return folder.name in _VERSION_CONTROL or (folder / catalog.FILE).exists()


def revision(path: Path) -> str:
    """The SHA-256 of a file's bytes, 16 hexadecimal digits; raises OSError."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()[:16]


def _refuse(error: OSError) -> NoReturn:
    raise SourceError(
        f"{error.filename} cannot be listed ({error.strerror}). Nothing was removed. Mend its rights and try again."
    ) from error
