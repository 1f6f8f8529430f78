"""Unpack what a source has packed: tar, gzip and zip, whose makers may mean harm.

Only regular files are written, each below the folder, and never more than was allowed, whatever the archive announces.
"""

from __future__ import annotations

import gzip
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path, PureWindowsPath
from typing import IO, Any, cast

from assistant.errors import ParseError

_PIECE = 1 << 16
_BLOCK = tarfile.BLOCKSIZE
_HIGHEST_RATIO = 200
_UNSUSPICIOUS = 10_000_000
"""Bytes; so much may come of any archive, however small it is."""
_ENTRY = 400
"""Bytes that an entry of a zip's directory has at most, on average."""
_BROKEN = (
    EOFError,
    OSError,
    OverflowError,
    ValueError,
    struct.error,
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
)


def unpack(archive: Path, folder: Path, *, most_mb: float, most_files: int) -> list[Path]:
    """Write the files of a tar, tar.gz, zip or gz into the empty `folder`; what it is, its bytes say.

    A gz that holds no tar is one file, named like the archive without `.gz`. Links and devices are left out. A name
    that occurs twice is the later one. Returns the paths of the files, sorted.

    Raises ParseError: "unsupported" (no such archive), "encrypted", "empty" (0 bytes), "corrupt" (also where a name
    leads out of the folder), "too_large" (more than `most_mb` or `most_files`, or packed more densely than content
    is). What was written until then remains.
    """
    room = _Room(folder, min(most_mb * 1e6, max(_UNSUSPICIOUS, _HIGHEST_RATIO * archive.stat().st_size)), most_files)
    try:
        with archive.open("rb") as stream:
            start = stream.read(_BLOCK)
            stream.seek(0)
            if not start:
                raise ParseError("empty", "0 bytes")
            if start.startswith(b"\x1f\x8b"):
                with gzip.GzipFile(fileobj=stream) as unzipped:
                    _unpack_stream(cast("BufferedReader", unzipped), archive.name.removesuffix(".gz"), room)
            elif start.startswith((b"PK\3\4", b"PK\5\6")):
                _unpack_zip(stream, room)
            elif _is_tar(start):
                _unpack_tar(stream, room)
            else:
                raise ParseError("unsupported", "neither tar, gzip nor zip")
    except NotImplementedError as error:  # zipfile's word for a newer form
        raise ParseError("unsupported", f"a zip of a newer form: {error}"[:300]) from error
    except _BROKEN as error:
        raise ParseError("corrupt", f"{type(error).__name__}: {error}"[:300]) from error
    return sorted(room.written)


class _Room:
    """The folder that is written to, and how much may still come into it."""

    def __init__(self, folder: Path, most_bytes: float, most_files: int) -> None:
        self.written: set[Path] = set()
        self._folder = folder
        self._most_bytes = most_bytes
        self._bytes_left = most_bytes
        self._most_files = most_files
        self._members = 0

    def enter(self) -> None:
        """One member more, of whatever sort."""
        self._members += 1
        if self._members > self._most_files:
            raise ParseError("too_large", f"more than {self._most_files} files")

    def take(self, size: int) -> None:
        """So many bytes more were unpacked."""
        self._bytes_left -= size
        if self._bytes_left < 0:
            raise ParseError("too_large", f"unpacked it is larger than {self._most_bytes / 1e6:g} MB")

    def write(self, name: str, content: Iterator[bytes]) -> None:
        """A file, at its name below the folder."""
        path = self._folder / _inside(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as stream:
            for piece in content:
                stream.write(piece)
        self.written.add(path)

    def directory_is_small(self, size: int) -> None:
        """A zip's directory is read whole, so it is refused before that."""
        if size > self._most_files * _ENTRY + _PIECE:
            raise ParseError("too_large", f"a directory of {size} bytes, more than {self._most_files} files have")


def _inside(name: str) -> Path:
    """A member's name as a relative path that stays inside, on any system."""
    path = PureWindowsPath(name)  # knows both slashes, drives and network paths
    if path.drive or path.root or ".." in path.parts or not path.parts or "\0" in name:
        raise ParseError("corrupt", f"a file in it is called {name[:200]!r}, which leads out of its folder")
    return Path(*path.parts)


class _Counted:
    """A stream whose bytes count, so that nothing is read into memory beyond the limit either."""

    def __init__(self, stream: IO[bytes] | BufferedReader, room: _Room) -> None:
        self._stream = stream
        self._room = room
        self.last = b""

    def read(self, size: int) -> bytes:
        self.last = self._stream.read(size)
        self._room.take(len(self.last))
        return self.last


def _pieces(stream: Any) -> Iterator[bytes]:
    while piece := stream.read(_PIECE):
        yield piece


def _is_tar(start: bytes) -> bool:
    try:
        tarfile.TarInfo.frombuf(start[:_BLOCK], "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        return False
    return True


def _unpack_stream(stream: BufferedReader, name: str, room: _Room) -> None:
    """What a gz holds: a tar, or one file."""
    if _is_tar(stream.peek(_BLOCK)[:_BLOCK]):
        _unpack_tar(stream, room)
    else:
        room.enter()
        room.write(Path(name).name or "content", _pieces(_Counted(stream, room)))
    for _ in _pieces(_Counted(stream, room)):
        pass  # only at its end does gzip see whether all was there


def _unpack_tar(stream: IO[bytes] | BufferedReader, room: _Room) -> None:
    counted = _Counted(stream, room)
    with tarfile.open(fileobj=cast("IO[bytes]", counted), mode="r|", bufsize=_BLOCK) as tar:
        for member in tar:
            room.enter()
            if member.issparse():  # its holes are no bytes that could be counted
                raise ParseError("unsupported", "a tar with files that have holes")
            if member.isreg() and (content := tar.extractfile(member)):
                room.write(member.name, _all(content, member.size))
    if len(counted.last) < _BLOCK or counted.last.strip(b"\0"):
        # tarfile ends without a word where a header is damaged or missing; at the true end is a block of zeros.
        raise ParseError("corrupt", "the tar is cut or damaged")


def _all(content: IO[bytes], size: int) -> Iterator[bytes]:
    for piece in _pieces(content):
        size -= len(piece)
        yield piece
    if size:
        raise ParseError("corrupt", f"{size} bytes of a file are missing")


def _unpack_zip(stream: IO[bytes], room: _Room) -> None:
    room.directory_is_small(_directory_size(stream))
    with zipfile.ZipFile(stream) as packed:
        for member in packed.infolist():
            room.enter()
            kind = stat.S_IFMT(member.external_attr >> 16)
            if member.is_dir() or kind not in (0, stat.S_IFREG):
                continue
            if member.flag_bits & 1:
                raise ParseError("encrypted", f"{member.filename[:200]!r} in it has a password")
            if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):  # others take any memory
                raise ParseError("unsupported", f"a zip with compression of type {member.compress_type}")
            with packed.open(member) as content:
                room.write(member.filename, _pieces(_Counted(content, room)))


def _directory_size(stream: IO[bytes]) -> int:
    """The largest size in bytes that a zip's end records give for its directory, in either of their two forms."""
    stream.seek(0, 2)
    stream.seek(max(0, stream.tell() - (1 << 16) - 200))
    end = stream.read()
    sizes = [0]
    for mark, offset, form in ((b"PK\5\6", 12, "<L"), (b"PK\6\6", 40, "<Q")):
        at = end.find(mark)
        while at >= 0:
            if len(field := end[at + offset : at + offset + struct.calcsize(form)]) == struct.calcsize(form):
                sizes.append(struct.unpack(form, field)[0])
            at = end.find(mark, at + 1)
    return max(sizes)
