"""What is left of a folder when the power goes: only what was synced is sure to be there.

The strict reading of POSIX: a file holds what it held at its last fsync, and stands in its folder under the names that
it had at the folder's last fsync. What came later may be there, in whole or in part, or not.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from random import Random

from syscalls import Event

_BLOCK = 4096
Listing = dict[str, int]
"""Name -> inode."""


class PowerCut:
    """Follows the changes below `root`, where all that is there at the start is synced. Meant for small folders."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._open: dict[int, int] = {}  # inode -> descriptor, held so that no inode is given out twice
        self._synced: dict[int, bytes] = {}
        self._listings: dict[int, list[Listing]] = {}  # folder -> as synced last, and each state since
        for folder, _, files in os.walk(root):
            listing = self._list(Path(folder))
            self._listings[self._keep(Path(folder))] = [listing]
            self._synced |= {listing[name]: self._holds(listing[name]) for name in files}

    def before(self, event: Event, file: Path) -> None:
        """To be called ahead of each change; a sync counts as done."""
        if event.call == "sync":
            inode = self._keep(file)
            if file.is_dir():
                self._listings[inode] = [self._list(file)]
            else:
                self._synced[inode] = self._holds(inode)
        self._note_folders()

    def leave(self, target: Path, chance: Random | None = None) -> None:
        """Makes `target` what is left: nothing beyond what was synced, or with `chance` some of the rest as well."""
        self._note_folders()
        self._leave(self._keep(self._root), target, chance)

    def close(self) -> None:
        for descriptor in self._open.values():
            os.close(descriptor)

    def _note_folders(self) -> None:
        for folder, _, _ in os.walk(self._root):
            listings = self._listings.setdefault(self._keep(Path(folder)), [{}])
            if (now := self._list(Path(folder))) != listings[-1]:
                listings.append(now)

    def _leave(self, folder: int, target: Path, chance: Random | None) -> None:
        target.mkdir()
        listings = self._listings[folder]
        for name, inode in (chance.choice(listings) if chance else listings[0]).items():
            if stat.S_ISDIR(os.fstat(self._open[inode]).st_mode):
                self._leave(inode, target / name, chance)
            elif not name.endswith("-shm"):  # SQLite makes it anew after a restart
                synced = self._synced.get(inode, b"")
                content = _mixed(synced, self._holds(inode), chance) if chance else synced
                (target / name).write_bytes(content)

    def _list(self, folder: Path) -> Listing:
        return {name: self._keep(folder / name) for name in os.listdir(folder)}  # noqa: PTH208

    def _keep(self, file: Path) -> int:
        descriptor = os.open(file, os.O_RDONLY)
        inode = os.fstat(descriptor).st_ino
        if inode in self._open:
            os.close(descriptor)
        else:
            self._open[inode] = descriptor
        return inode

    def _holds(self, inode: int) -> bytes:
        return os.pread(self._open[inode], os.fstat(self._open[inode]).st_size, 0)


def _mixed(old: bytes, new: bytes, chance: Random) -> bytes:
    """Each block from one of the two."""
    size = len(chance.choice((old, new)))
    blocks = (chance.choice((old, new))[at : at + _BLOCK].ljust(_BLOCK, b"\0") for at in range(0, size, _BLOCK))
    return b"".join(blocks)[:size]
