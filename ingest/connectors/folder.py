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
    location: str
    stamp: str
    inside: bool
    regular: bool

    @property
    def path(self) -> Path:
        return Path(self.location)  # made when it is needed: most files are unchanged


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
        try:
            if self.root.is_file():
                yield self._listed(str(self.root), self.root.name, self.root.lstat(), linked=False)
                return
            yield from self._below(str(self.root), "")
        except OSError as error:
            _refuse(error)

    def _below(self, folder: str, prefix: str) -> Iterator[ListedFile]:
        """The files of one folder, by name, then those of its folders. One look at the disk a file."""
        with os.scandir(folder) as found:
            entries = sorted(found, key=lambda entry: entry.name)
        if prefix and any(entry.name == catalog.FILE for entry in entries):
            return
        folders = []
        for entry in entries:
            linked = entry.is_symlink()
            is_folder = Path(entry.path).is_dir() if linked else entry.is_dir()  # a ring of links is none
            if is_folder and _left_out(entry, linked=linked):
                continue
            if is_folder and not linked:
                folders.append(entry)
                continue
            try:
                yield self._listed(entry.path, prefix + entry.name, entry.stat(follow_symlinks=False), linked=linked)
            except FileNotFoundError:
                continue  # gone since the folder was listed
        for entry in folders:
            yield from self._below(entry.path, f"{prefix}{entry.name}/")

    def _listed(self, path: str, key: str, status: os.stat_result, *, linked: bool) -> ListedFile:
        inside = True
        if linked:
            target = Path(os.path.realpath(path))  # Path.resolve raises where links lead round in a ring
            inside = target.is_file() and target.is_relative_to(self.root)
            status = target.stat() if inside else status
        stamp = f"{status.st_size}:{status.st_mtime_ns}:{status.st_ino}"
        return ListedFile(as_text(key), path, stamp, inside, stat.S_ISREG(status.st_mode))


def as_text(name: str) -> str:
    """A file's name as text: its bytes as UTF-8, and those that are none as \\xNN."""
    return name if name.isascii() else os.fsencode(name).decode("utf-8", "backslashreplace")


def _left_out(folder: os.DirEntry[str], *, linked: bool) -> bool:
    """Whether a folder is version control's, or a link to a library; a library itself is known when it is listed."""
    return folder.name in _VERSION_CONTROL or (linked and Path(folder.path, catalog.FILE).exists())


def revision(path: Path) -> str:
    """The SHA-256 of a file's bytes, 16 hexadecimal digits; raises OSError."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()[:16]


def _refuse(error: OSError) -> NoReturn:
    raise SourceError(
        f"{error.filename} cannot be listed ({error.strerror}). Nothing was removed. Mend its rights and try again."
    ) from error
