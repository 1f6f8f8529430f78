"""A folder, or a single file, as a source: an item per file, keyed by its path below the root."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, Literal, NoReturn

from assistant.errors import FetchError, SourceError
from assistant.library import catalog
from assistant.types import PUBLIC
from ingest.connectors.connector import Connector, Fetched, Listed
from ingest.connectors.options import SourceOptions
from ingest.connectors.patterns import Patterns

_VERSION_CONTROL = {".git", ".hg", ".svn"}


class FolderOptions(SourceOptions):
    kind: Literal["folder"] = "folder"
    path: str
    """The folder, or a single file."""
    include: tuple[str, ...] = ()
    """Patterns, as in a `.gitignore`, of the files that are wanted; empty means all."""
    exclude: tuple[str, ...] = ()
    """Patterns of the files that are not."""


class Folder(Connector):
    """All files below the path of the options, or the file itself.

    The stamp of an item is its size, modification time and inode. A link that leads out of the folder, and a pipe,
    socket or device are listed, but refused. Raises SourceError where there is nothing at the path.
    """

    at_once: ClassVar[int] = 1
    remote: ClassVar[bool] = False
    has_rules: ClassVar[bool] = False

    def __init__(self, options: FolderOptions, client: None = None) -> None:
        self.path = Path(options.path).expanduser().resolve()
        self.root = as_text(str(self.path))
        self._wanted = Patterns(options.include, options.exclude) if options.include or options.exclude else None
        if not self.path.exists():
            raise SourceError(
                f"There is nothing at {options.path} ({self.path}). Nothing was read and nothing removed."
            )

    @property
    def name(self) -> str:
        return as_text(self.path.name) or "root"

    def list(self) -> Iterator[Listed]:
        """Every file, by key. Folders of version control and libraries of ours are left out; links to folders are not
        followed.

        Raises SourceError where a folder cannot be listed, because its files must not look as if they were gone.
        """
        try:
            if self.path.is_file():
                yield self._listed(str(self.path), self.path.name, self.path.lstat(), linked=False)
                return
            yield from self._below(str(self.path), "")
        except OSError as error:
            _refuse(error)

    def fetch(self, item: Listed, folder: Path) -> Fetched:
        """The file itself; its revision is the SHA-256 of its bytes, 16 hexadecimal digits."""
        path = Path(item.hint)
        try:
            with path.open("rb") as stream:
                revision = hashlib.file_digest(stream, "sha256").hexdigest()[:16]
        except OSError as error:
            # New rights on a file change nothing that a stamp holds; as FetchError, it is tried again each time.
            raise FetchError("unreadable", f"{path} cannot be read: {error.strerror}") from error
        return Fetched(path, revision, path.as_uri())

    def _below(self, folder: str, prefix: str) -> Iterator[Listed]:
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
            if self._wanted and not self._wanted.match(as_text(prefix + entry.name)):
                continue
            try:
                yield self._listed(entry.path, prefix + entry.name, entry.stat(follow_symlinks=False), linked=linked)
            except FileNotFoundError:
                continue  # gone since the folder was listed
        for entry in folders:
            yield from self._below(entry.path, f"{prefix}{entry.name}/")

    def _listed(self, path: str, key: str, status: os.stat_result, *, linked: bool) -> Listed:
        refused = None
        if linked:
            target = Path(os.path.realpath(path))  # Path.resolve raises where links lead round in a ring
            if target.is_file() and target.is_relative_to(self.path):
                status = target.stat()
            else:
                refused = "outside_root", "a link that leads to no file in the folder"
        if not refused and not stat.S_ISREG(status.st_mode):
            refused = "unsupported", "a pipe, socket or device"
        stamp = f"{status.st_size}:{status.st_mtime_ns}:{status.st_ino}"
        return Listed(as_text(key), stamp, PUBLIC, refused, hint=path)


def as_text(name: str) -> str:
    """A file's name as text: its bytes as UTF-8, and those that are none as \\xNN."""
    return name if name.isascii() else os.fsencode(name).decode("utf-8", "backslashreplace")


def _left_out(folder: os.DirEntry[str], *, linked: bool) -> bool:
    """Whether a folder is version control's, or a link to a library; a library itself is known when it is listed."""
    return folder.name in _VERSION_CONTROL or (linked and Path(folder.path, catalog.FILE).exists())


def _refuse(error: OSError) -> NoReturn:
    raise SourceError(
        f"{error.filename} cannot be listed ({error.strerror}). Nothing was removed. Mend its rights and try again."
    ) from error
