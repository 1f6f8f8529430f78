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
        self._listings: dict[str, list[Listing]] = {}  # folder -> as synced last, and each state since
        for folder, _, files in os.walk(root):
            listing = self._list(Path(folder))
            self._listings[os.path.relpath(folder, root)] = [listing]
            self._synced |= {listing[name]: self._holds(listing[name]) for name in files}

    def before(self, event: Event, file: Path) -> None:
        """To be called ahead of each change; a sync counts as done."""
        if event.call == "sync":
            if file.is_dir():
                self._listings[event.path] = [self._list(file)]
            else:
                inode = self._keep(file)
                self._synced[inode] = self._holds(inode)
        for folder, listings in list(self._listings.items()):
            if (now := self._list(self._root / folder)) != listings[-1]:
                listings.append(now)

    def leave(self, target: Path, chance: Random | None = None) -> None:
        """Makes `target` what is left: nothing beyond what was synced, or with `chance` some of the rest as well."""
        self.before(Event("end", "."), self._root)
        self._leave(".", target, chance)

    def close(self) -> None:
        for descriptor in self._open.values():
            os.close(descriptor)

    def _leave(self, folder: str, target: Path, chance: Random | None) -> None:
        target.mkdir()
        listings = self._listings.get(folder, [{}])
        for name, inode in (chance.choice(listings) if chance else listings[0]).items():
            if stat.S_ISDIR(os.fstat(self._open[inode]).st_mode):
                self._leave(os.path.normpath(f"{folder}/{name}"), target / name, chance)
            elif not name.endswith("-shm"):  # SQLite makes it anew after a restart
                synced = self._synced.get(inode, b"")
                content = _mixed(synced, self._holds(inode), chance) if chance else synced
                (target / name).write_bytes(content)

    def _list(self, folder: Path) -> Listing:
        if not folder.is_dir():
            return {}
        listing = {name: self._keep(folder / name) for name in os.listdir(folder)}  # noqa: PTH208
        for name, inode in listing.items():
            path = os.path.relpath(folder / name, self._root)
            if stat.S_ISDIR(os.fstat(self._open[inode]).st_mode) and path not in self._listings:
                self._listings[path] = [{}]
        return listing

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
