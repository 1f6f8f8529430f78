"""A segment: rows of chunks in one immutable file, `segments/<name>.segment`, with a checksum for each array.

The rows are sorted by shelf; the rows of one shelf are a *block*, so what belongs to one shelf lies together and can
be read without touching the rest. With S shelves, n rows, W entries of words and P postings, the arrays are:

    shelf          int64   (S,)     shelf of each block, ascending
    row_start      int64   (S+1,)   where the rows of each block start
    document       int64   (n,)     document of each row
    number         uint32  (n,)     which of the document's chunks it is, from 0
    order          uint64  (n,)     breaks ties between scores, the same in every library (hash of source, key, number)
    text           uint64  (n, 2)   hash of the text that was embedded
    length         uint16  (n,)     words in the chunk
    vector         float16 (n, d)   unit vectors
    word_start     int64   (S+1,)   where the words of each block start
    word           uint64  (W,)     hashes of the block's words, ascending within the block
    most           uint8   (W,)     the largest count among the word's postings
    shortest       float32 (W,)     the smallest length/count among them
    posting_start  int64   (W+1,)   where the postings of each word start
    posting_row    uint32  (P,)     rows that hold the word, ascending
    posting_count  uint8   (P,)     how often, 255 for more
    codes          uint8   (c,)     a FAISS index of the vectors, only in a segment of one large shelf

An array is read and compared with its checksum before its first use, so a flipped byte is never served.
"""

from __future__ import annotations

import errno
import json
import math
import mmap
import os
import resource
import struct
import weakref
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import xxhash

from assistant.errors import LibraryDamaged, LibraryError
from assistant.library.disk import whole_file
from assistant.library.once import once

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from assistant.library.ann import Codes

FOLDER = "segments"
SUFFIX = ".segment"
_MAGIC = b"RefdeskS"
_TRAILER = struct.Struct("<QQ8s")  # bytes of the footer, its checksum, magic
_ALIGN = 64
_READ = 4 << 20
_MANY_FILES = 65_536


class SegmentWriter:
    """Takes a segment's arrays one after the other; see `create`."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._arrays: dict[str, dict[str, Any]] = {}
        self.digest = ""
        """Names the segment's whole content; known once it is finished."""

    def add(self, name: str, blocks: Iterable[NDArray[Any]]) -> None:
        """One array, in pieces along its first axis; at least one piece, which may be empty."""
        with self.array(name) as add:
            for block in blocks:
                add(block)

    @contextmanager
    def array(self, name: str) -> Iterator[Callable[[NDArray[Any]], None]]:
        """One array, to be given in pieces to what this yields, as to `add`."""
        start = self._stream.tell()
        digest = xxhash.xxh3_64()
        rows, dtype, tail = 0, "", ()

        def add(block: NDArray[Any]) -> None:
            nonlocal rows, dtype, tail
            data = block.data if block.flags.c_contiguous else block.tobytes()
            digest.update(data)
            self._stream.write(data)
            rows, dtype, tail = rows + len(block), block.dtype.str, block.shape[1:]

        yield add
        padding = bytes(-self._stream.tell() % _ALIGN)
        digest.update(padding)
        self._stream.write(padding)
        place = {"offset": start, "end": self._stream.tell(), "dtype": dtype, "shape": [rows, *tail]}
        self._arrays[name] = place | {"xxh3": digest.hexdigest()}

    def finish(self) -> None:
        footer = json.dumps(self._arrays, separators=(",", ":")).encode()
        digest = xxhash.xxh3_64(footer)
        self._stream.write(footer + _TRAILER.pack(len(footer), digest.intdigest(), _MAGIC))
        self.digest = digest.hexdigest()


@contextmanager
def create(folder: Path, name: str) -> Iterator[SegmentWriter]:
    """Writes the segment `name` of the library in `folder`; it stands there, durably, once the context ends."""
    with whole_file(folder, folder / FOLDER / (name + SUFFIX)) as stream:
        writer = SegmentWriter(stream)
        yield writer
        writer.finish()


class SegmentMissing(LibraryDamaged):
    """There is no such file; a reader that was slow looks again whether the catalog still names it."""


class Segment:
    """An open segment. Its arrays are memory-mapped; `segment["word"]` raises LibraryDamaged for a flipped byte."""

    def __init__(self, folder: Path, name: str, digest: str | None) -> None:
        """Raises SegmentMissing where there is no such file, LibraryDamaged where it is not the one of `digest`,
        LibraryError where the system does not let it be read.

        Without a digest any whole segment will do.
        """
        self.name = name
        self.file = folder / FOLDER / (name + SUFFIX)
        self._checked: dict[str, NDArray[Any]] = {}
        _allow_many_open_files()
        try:
            with self.file.open("rb") as stream:
                self._arrays = self._read_footer(stream, digest)
                self._bytes = mmap.mmap(stream.fileno(), 0, prot=mmap.PROT_READ)
                self._descriptor = os.dup(stream.fileno())  # soon its name may be gone, which a reader must not notice
        except FileNotFoundError as error:
            raise SegmentMissing(
                f"The segment {self.file} is missing. Restore it from a copy, or index again into a new folder."
            ) from error
        except OSError as error:
            raise self._unreadable(error) from error
        weakref.finalize(self, os.close, self._descriptor)
        self.rows: int = self._arrays["document"]["shape"][0]

    def _read_footer(self, stream: BinaryIO, digest: str | None) -> dict[str, dict[str, Any]]:
        size = stream.seek(0, os.SEEK_END)
        if size < _TRAILER.size:
            raise self._damaged("it is cut short")
        stream.seek(size - _TRAILER.size)
        length, checksum, magic = _TRAILER.unpack(stream.read(_TRAILER.size))
        if magic != _MAGIC or length > size - _TRAILER.size:
            raise self._damaged("its end is not that of a segment")
        stream.seek(size - _TRAILER.size - length)
        footer = stream.read(length)
        found = xxhash.xxh3_64(footer)
        if found.intdigest() != checksum or found.hexdigest() != (digest or found.hexdigest()):
            raise self._damaged("its table of contents is not the one that the catalog knows")
        arrays: dict[str, dict[str, Any]] = json.loads(footer)
        if max(place["end"] for place in arrays.values()) != size - _TRAILER.size - length:
            raise self._damaged("it has not the length that it should")
        return arrays

    def __getitem__(self, name: str) -> NDArray[Any]:
        if name not in self._checked:
            self._check(name)
            self._checked[name] = self._map(name)
        return self._checked[name]

    def read(self, name: str, rows: NDArray[np.int64]) -> NDArray[Any]:
        """The same as `self[name][rows]`, without the memory of a mapping.

        For each page of a mapping that is touched the system maps sixteen, so that searches would come to map all.
        """
        import numpy as np

        mapped = self[name]
        size, start = mapped[:1].nbytes, self._arrays[name]["offset"]
        first = np.flatnonzero(np.diff(rows, prepend=-2) != 1)  # of each run of rows that follow each other
        lengths, offsets = size * np.diff(first, append=len(rows)), start + size * rows[first]
        runs = zip(lengths.tolist(), offsets.tolist(), strict=True)
        try:
            data = b"".join([os.pread(self._descriptor, length, offset) for length, offset in runs])
        except OSError as error:
            raise self._unreadable(error) from error
        if len(data) != size * len(rows):
            raise self._damaged("it was cut while it was open")
        return np.frombuffer(data, mapped.dtype).reshape(len(rows), *mapped.shape[1:])

    def __contains__(self, name: str) -> bool:
        return name in self._arrays

    @once
    def codes(self) -> Codes | None:
        """The FAISS index of a segment of one large shelf."""
        from assistant.library.ann import Codes

        if "codes" not in self:
            return None
        made = Codes(self["codes"])
        self._forget(self._arrays["codes"]["offset"], self._arrays["codes"]["end"])  # FAISS has a copy
        return made

    def release(self) -> None:
        """Gives back the memory of pages that were read: they count as this process's until then."""
        self._bytes.madvise(mmap.MADV_DONTNEED)

    def check(self) -> None:
        """Reads every array whole; raises LibraryDamaged that names the file and the array."""
        for name in self._arrays:
            self._check(name)

    def _check(self, name: str) -> None:
        place = self._arrays[name]
        digest = xxhash.xxh3_64()
        with memoryview(self._bytes) as held:
            for start in range(place["offset"], place["end"], _READ):
                end = min(start + _READ, place["end"])
                digest.update(held[start:end])
                self._forget(start, end)
        if digest.hexdigest() != place["xxh3"]:
            raise self._damaged(f"the checksum of its array {name!r} is wrong")

    def _forget(self, start: int, end: int) -> None:
        """Pages that were only looked at once should not count as this process's memory."""
        first = start - start % mmap.PAGESIZE
        self._bytes.madvise(mmap.MADV_DONTNEED, first, end - first)

    def _map(self, name: str) -> NDArray[Any]:
        import numpy as np

        place = self._arrays[name]
        items = math.prod(place["shape"])
        flat = np.frombuffer(self._bytes, place["dtype"], items, place["offset"])
        return flat.reshape(place["shape"])

    def _unreadable(self, error: OSError) -> LibraryError:
        many = error.errno in (errno.EMFILE, errno.ENFILE)
        hint = " A segment takes two open files; allow more of them, with `ulimit -n` for example." if many else ""
        return LibraryError(f"The segment {self.file} cannot be read: {error}.{hint}")

    def _damaged(self, what: str) -> LibraryDamaged:
        return LibraryDamaged(
            f"The segment {self.file} is damaged: {what}. Restore it from a copy, or index again into a new folder."
        )


def _allow_many_open_files() -> None:
    """Raises this process's soft limit of open files towards the hard one.

    A library may have a thousand large shelves, each with segments that stay open; the usual soft limit is 1,024.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MANY_FILES if hard == resource.RLIM_INFINITY else min(_MANY_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def files(folder: Path) -> list[Path]:
    """Every file beside the segments, named by the catalog or not."""
    return sorted((folder / FOLDER).glob("*"))
