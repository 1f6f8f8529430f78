"""A folder, or a single file, as a source: an item per file, keyed by its path below the root."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from assistant.errors import SourceError

_VERSION_CONTROL = {".git", ".hg", ".svn"}


@dataclass(frozen=True, slots=True)
class ListedFile:
    """A file at the source.

    `stamp` changes whenever the content may have: size, modification time and inode. `inside` is False for a link that
    leads out of the root, which is listed but never read.
    """

    key: str
    path: Path
    stamp: str
    inside: bool


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
        return self.root.name or "root"

    def list(self) -> Iterator[ListedFile]:
        """Every file, by key. Folders of version control are left out; links to folders are not followed.

        Raises SourceError where a folder cannot be listed, because its files must not look as if they were gone.
        """
        if self.root.is_file():
            yield self._listed(self.root, self.root.name)
            return
        for folder, folders, files in os.walk(self.root, onerror=_refuse):
            folders[:] = sorted(name for name in folders if name not in _VERSION_CONTROL)
            linked = [name for name in folders if (Path(folder) / name).is_symlink()]
            for name in sorted([*files, *linked]):
                path = Path(folder) / name
                yield self._listed(path, path.relative_to(self.root).as_posix())

    def _listed(self, path: Path, key: str) -> ListedFile:
        stat = path.lstat()
        inside = True
        if path.is_symlink():
            target = path.resolve()
            inside = target.is_file() and target.is_relative_to(self.root)
            stat = target.stat() if inside else stat
        return ListedFile(key, path, f"{stat.st_size}:{stat.st_mtime_ns}:{stat.st_ino}", inside)


def revision(path: Path) -> str:
    """The SHA-256 of a file's bytes, 16 hexadecimal digits; raises OSError."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()[:16]


def _refuse(error: OSError) -> None:
    raise SourceError(
        f"The folder {error.filename} cannot be listed ({error.strerror}). Nothing was removed. "
        "Mend its rights and try again."
    ) from error
