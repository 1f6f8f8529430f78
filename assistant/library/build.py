"""Writes segments: from new chunks, and from the rows of other segments."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assistant.library import ann, postings, segment
from assistant.library.postings import Occurrences, Postings

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from assistant.library.segment import Segment

_SORT_AT_ONCE = 4_000_000
"""Postings sorted in memory at once, about 100 MB."""
_COPY_AT_ONCE = 32_768
"""Vectors copied at once, 25 MB of 384 dimensions."""
_MOST_COUNT = 255
_MOST_LENGTH = 65_535


@dataclass(frozen=True, slots=True)
class Written:
    """A segment that was written."""

    name: str
    digest: str
    rows: int


@dataclass(frozen=True, slots=True)
class NewRow:
    """A chunk that goes into a segment.

    `text`: as `vectors.text_hashes` gives it. `words`, `counts`: as `words.counted` does. `vector`: (dimensions,).
    """

    shelf: int
    document: int
    number: int
    order: int
    text: NDArray[np.uint64]
    words: NDArray[np.uint64]
    counts: NDArray[np.int64]
    vector: NDArray[np.float16]


def write_new(folder: Path, rows: Sequence[NewRow]) -> Written:
    """A segment of new chunks, at least one."""
    import numpy as np

    shelves, block = np.unique(np.array([row.shelf for row in rows], np.int64), return_inverse=True)
    order = np.argsort(block, kind="stable")
    ordered = [rows[i] for i in order]
    length = np.array([min(int(row.counts.sum()), _MOST_LENGTH) for row in ordered], np.uint16)
    words_of = np.array([len(row.words) for row in ordered])
    found = Occurrences(
        block=np.repeat(block[order].astype(np.uint32), words_of),
        word=np.concatenate([row.words for row in ordered]),
        row=np.repeat(np.arange(len(ordered), dtype=np.uint32), words_of),
        count=np.minimum(np.concatenate([row.counts for row in ordered]), _MOST_COUNT).astype(np.uint8),
    )
    rows_arrays: dict[str, NDArray[Any]] = {
        "document": np.array([row.document for row in ordered], np.int64),
        "number": np.array([row.number for row in ordered], np.uint32),
        "order": np.array([row.order for row in ordered], np.uint64),
        "text": np.stack([row.text for row in ordered]),
        "length": length,
    }
    vectors = np.stack([row.vector for row in ordered]).astype(np.float16)
    return _write(folder, shelves, block[order], rows_arrays, lambda: iter([vectors]), [(found, length)], codes=False)


@dataclass(frozen=True, slots=True)
class Source:
    """Rows of a segment that are to be copied: `kept` is a mask over all its rows."""

    segment: Segment
    kept: NDArray[np.bool_]


def write_merged(folder: Path, sources: Sequence[Source], *, codes: bool) -> Written:
    """A segment of the kept rows of other segments, in their order within each shelf; at least one row.

    `codes` adds the index for large shelves; all rows must then belong to one shelf. Needs memory for one pass of
    sorting and copying and for about 40 bytes a row, however long the postings are.
    """
    merge = _Merge(sources)
    ranges = merge.occurrences()
    pieces = ((found, merge.length) for found in ranges)
    return _write(folder, merge.shelves, merge.block, merge.rows, merge.vectors, pieces, codes=codes)


def _write(
    folder: Path,
    shelves: NDArray[np.int64],
    block: NDArray[Any],
    rows: dict[str, NDArray[Any]],
    vectors: Any,
    pieces: Any,
    *,
    codes: bool,
) -> Written:
    """`block`: (n,) index into `shelves` of each row, ascending. `pieces` give occurrences in the order of blocks and
    words. `vectors()` gives the rows' vectors in pieces."""
    import numpy as np

    name = uuid.uuid4().hex
    blocks = np.arange(len(shelves) + 1)
    with segment.create(folder, name) as out:
        out.add("shelf", [shelves])
        out.add("row_start", [np.searchsorted(block, blocks).astype(np.int64)])
        for array, values in rows.items():
            out.add(array, [values])
        out.add("vector", vectors())
        done: list[Postings] = []
        out.add("posting_row", _rows_of(pieces, done))
        out.add("posting_count", (piece.count for piece in done))
        out.add("word", (piece.word for piece in done))
        out.add("most", (piece.most for piece in done))
        out.add("shortest", (piece.shortest for piece in done))
        starts = np.r_[0, np.cumsum(np.concatenate([piece.postings for piece in done]))].astype(np.int64)
        out.add("posting_start", [starts])
        word_block = np.concatenate([piece.block for piece in done])
        out.add("word_start", [np.searchsorted(word_block, blocks).astype(np.int64)])
        if codes:
            out.add("codes", [ann.encode(len(block), vectors)])
    return Written(name, out.digest, len(block))


def _rows_of(pieces: Any, done: list[Postings]) -> Iterator[NDArray[np.uint32]]:
    """Gives the sorted rows of each piece to be written, and keeps what is smaller in `done`."""
    from dataclasses import replace

    for found, length in pieces:
        piece = postings.sort(found, length)
        yield piece.row
        done.append(replace(piece, row=piece.row[:0]))


class _Merge:
    """Where each kept row of the sources goes."""

    def __init__(self, sources: Sequence[Source]) -> None:
        import numpy as np

        self._sources = sources
        shelf_of = [np.repeat(s.segment["shelf"], np.diff(s.segment["row_start"])) for s in sources]
        kept_shelves = [shelves[s.kept] for shelves, s in zip(shelf_of, sources, strict=True)]
        self.shelves = np.unique(np.concatenate(kept_shelves))
        block = np.concatenate([np.searchsorted(self.shelves, shelves) for shelves in kept_shelves])
        order = np.argsort(block, kind="stable")
        self.block = block[order]
        self._from = np.repeat(np.arange(len(sources)), [len(k) for k in kept_shelves])[order].astype(np.uint16)
        self._row = np.concatenate([np.flatnonzero(s.kept) for s in sources])[order].astype(np.uint32)
        self.rows = {name: self._copied(name) for name in ("document", "number", "order", "text", "length")}
        self.length = self.rows["length"]
        new = np.empty(len(order), np.int64)
        new[order] = np.arange(len(order))
        self._new_row = []
        first = 0
        for source, shelves in zip(sources, kept_shelves, strict=True):
            place = np.full(source.segment.rows, -1, np.int64)
            place[source.kept] = new[first : first + len(shelves)]
            first += len(shelves)
            self._new_row.append(place)

    def _copied(self, name: str) -> NDArray[Any]:
        import numpy as np

        sample = self._sources[0].segment[name]
        out = np.empty((len(self._row), *sample.shape[1:]), sample.dtype)
        for i, source in enumerate(self._sources):
            mine = self._from == i
            out[mine] = source.segment[name][self._row[mine]]
        return out

    def vectors(self) -> Iterator[NDArray[np.float16]]:
        import numpy as np

        dimensions = self._sources[0].segment["vector"].shape[1]
        for first in range(0, len(self._row), _COPY_AT_ONCE):
            come, rows = self._from[first : first + _COPY_AT_ONCE], self._row[first : first + _COPY_AT_ONCE]
            out = np.empty((len(rows), dimensions), np.float16)
            for i in np.unique(come):
                mine = come == i
                out[mine] = self._sources[i].segment["vector"][rows[mine]]
            yield out
            self._release()

    def _release(self) -> None:
        for source in self._sources:
            source.segment.release()

    def occurrences(self) -> Iterator[Occurrences]:
        """All words of the kept rows, in pieces that follow each other in the order of block and word."""
        import numpy as np

        total = sum(len(source.segment["posting_row"]) for source in self._sources)
        pieces = -(-total // _SORT_AT_ONCE) or 1
        if len(self.shelves) == 1:
            cuts = [np.uint64(2**64 * i // pieces) for i in range(1, pieces)]  # hashes are spread evenly
            for low, high in zip([None, *cuts], [*cuts, None], strict=True):
                yield self._gather(0, 1, low, high)
            return
        step = -(-len(self.shelves) // pieces)
        for first in range(0, len(self.shelves), step):
            yield self._gather(first, min(first + step, len(self.shelves)), None, None)

    def _gather(self, first: int, last: int, low: Any, high: Any) -> Occurrences:
        """The words of the blocks first..last, and of those the ones with low <= hash < high."""
        import numpy as np

        found = []
        for source, new_row in zip(self._sources, self._new_row, strict=True):
            held = source.segment
            begin = int(np.searchsorted(held["shelf"], self.shelves[first]))
            end = int(np.searchsorted(held["shelf"], self.shelves[last - 1], "right"))
            w0, w1 = int(held["word_start"][begin]), int(held["word_start"][end])
            if low is not None:
                w0 += int(np.searchsorted(held["word"][w0:w1], low))
            if high is not None:
                w1 = w0 + int(np.searchsorted(held["word"][w0:w1], high))
            p0, p1 = int(held["posting_start"][w0]), int(held["posting_start"][w1])
            row = new_row[held["posting_row"][p0:p1]]
            kept = row >= 0
            row = row[kept]
            word = np.repeat(held["word"][w0:w1], np.diff(held["posting_start"][w0 : w1 + 1]))[kept]
            found.append((self.block[row].astype(np.uint32), word, row, held["posting_count"][p0:p1][kept]))
        self._release()
        block, word, row, count = (np.concatenate(arrays) for arrays in zip(*found, strict=True))
        return Occurrences(block, word, row.astype(np.uint32), count)
