"""The rows of several segments as those of one, in pieces, so that memory hardly grows with their number.

Within each shelf, rows of a source come before those of the next, and keep their order: so do the rows in a word's
posting list, and lists need only be put one behind the other.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from assistant.library import postings
from assistant.library.postings import Lists, Postings

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from assistant.library.segment import Segment

    Ints = NDArray[np.int64]

_JOIN_AT_ONCE = 1_000_000
"""Postings joined in memory at once, about 40 MB; more where one word has more."""
_COPY_AT_ONCE = 32_768
"""Rows copied at once, 25 MB of vectors of 384 dimensions."""
_RANGES = 4_096
"""Of hashes, into which the words of a large block are divided. Hashes are spread evenly."""


@dataclass(frozen=True, slots=True)
class Source:
    """Rows of a segment that are to be copied: `kept` is a mask over all its rows."""

    segment: Segment
    kept: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class _Range:
    """The blocks `first` to `last`, and of their words those with `low` <= hash < `high`, where these are given."""

    first: int
    last: int
    low: np.uint64 | None = None
    high: np.uint64 | None = None


class Merge:
    """See the module. `shelves` (S,) are those of the kept rows, `row_start` (S+1,) where the rows of each start."""

    def __init__(self, sources: Sequence[Source]) -> None:
        import numpy as np

        kept = [np.add.reduceat(s.kept, s.segment["row_start"][:-1], dtype=np.int64) for s in sources]
        self.shelves: Ints = np.unique(
            np.concatenate([s.segment["shelf"][n > 0] for s, n in zip(sources, kept, strict=True)])
        )
        rows = np.zeros(len(self.shelves), np.int64)
        for source, n in zip(sources, kept, strict=True):
            rows[np.searchsorted(self.shelves, source.segment["shelf"][n > 0])] += n[n > 0]
        self.row_start: Ints = np.r_[0, np.cumsum(rows)]
        free = self.row_start.copy()
        self._sources = [_Placed(s, n, self.shelves, free) for s, n in zip(sources, kept, strict=True)]

    def rows(self, name: str) -> Iterator[NDArray[Any]]:
        """An array that has an entry for each row."""
        import numpy as np

        sample = self._sources[0].segment[name]
        total = int(self.row_start[-1])
        for first in range(0, total, _COPY_AT_ONCE):
            out = np.empty((min(_COPY_AT_ONCE, total - first), *sample.shape[1:]), sample.dtype)
            for source in self._sources:
                source.copy(name, first, out)
            yield out

    def postings(self) -> Iterator[Postings]:
        """The posting lists, in pieces that follow each other in the order of block and word."""
        import numpy as np

        length = np.concatenate(list(self.rows("length")))
        for piece in self._pieces():
            lists = postings.join([source.lists(piece, self.shelves) for source in self._sources])
            yield postings.bounded(lists, length)

    def _pieces(self) -> Iterator[_Range]:
        import numpy as np

        postings_of = np.zeros(len(self.shelves), np.int64)
        for source in self._sources:
            postings_of += source.postings_of_blocks(self.shelves)
        for first, last in _runs(postings_of):
            whole = _Range(first, last)
            if last == first + 1 and postings_of[first] > _JOIN_AT_ONCE:
                yield from self._parts(whole)
            else:
                yield whole

    def _parts(self, block: _Range) -> Iterator[_Range]:
        """The words of one block in pieces."""
        import numpy as np

        cuts = np.arange(1, _RANGES, dtype=np.uint64) * np.uint64(2**64 // _RANGES)
        ends = [None, *cuts, None]
        sizes = np.zeros(_RANGES, np.int64)
        for source in self._sources:
            sizes += source.postings_between(block, self.shelves, cuts)
        for low, high in _runs(sizes):
            yield _Range(block.first, block.last, ends[low], ends[high])


class _Placed:
    """A source and where its rows go."""

    def __init__(self, source: Source, kept: Ints, shelves: Ints, free: Ints) -> None:
        """kept: rows of each block that are kept. free: where the next row of each of `shelves` goes, and the end of
        all; takes from it what it needs."""
        import numpy as np

        self.segment = source.segment
        self._kept = source.kept
        self._all = bool(source.kept.all())
        block = np.searchsorted(shelves, source.segment["shelf"])
        place: Ints = np.cumsum(source.kept) - source.kept
        place += np.repeat(free[block] - (np.cumsum(kept) - kept), np.diff(source.segment["row_start"]))
        self._place: NDArray[np.uint32] = place.astype(np.uint32)
        """(rows,) ascending: where each row goes if it is kept."""
        free[block[kept > 0]] += kept[kept > 0]

    def copy(self, name: str, first: int, out: NDArray[Any]) -> None:
        """Fills in those rows of `out`, which are the merged rows from `first` on, that come from this source."""
        import numpy as np

        start, end = np.searchsorted(self._place, np.array([first, first + len(out)], np.uint32))
        if start == end:
            return
        kept = slice(None) if self._all else self._kept[start:end]
        out[self._place[start:end][kept] - np.uint32(first)] = self.segment[name][start:end][kept]
        self.segment.release()

    def postings_of_blocks(self, shelves: Ints) -> Ints:
        """How many postings each of these shelves has here, at least."""
        import numpy as np

        found = np.zeros(len(shelves), np.int64)
        mine = np.isin(self.segment["shelf"], shelves)
        sizes = np.diff(self.segment["posting_start"][self.segment["word_start"]])
        found[np.searchsorted(shelves, self.segment["shelf"][mine])] = sizes[mine]
        self.segment.release()
        return found

    def postings_between(self, piece: _Range, shelves: Ints, cuts: NDArray[np.uint64]) -> Ints:
        """How many postings the words of one block have here in each range of hashes, (len(cuts) + 1,), at least."""
        import numpy as np

        _, first, last = self._words(piece, shelves)
        at = first + np.searchsorted(self.segment["word"][first:last], cuts)
        sizes = np.diff(self.segment["posting_start"][np.r_[first, at, last]])
        self.segment.release()
        return sizes

    def lists(self, piece: _Range, shelves: Ints) -> Lists:
        """The posting lists of the kept rows, with the rows that they become."""
        import numpy as np

        held = self.segment
        blocks, first, last = self._words(piece, shelves)
        of_block = np.diff(held["word_start"][blocks.start : blocks.stop + 1].clip(first, last))
        block = np.repeat(np.searchsorted(shelves, held["shelf"][blocks]).astype(np.uint32), of_block)
        word = held["word"][first:last].copy()
        start = held["posting_start"][first : last + 1]
        size = np.diff(start)
        old, count = held["posting_row"][start[0] : start[-1]], held["posting_count"][start[0] : start[-1]]
        row: NDArray[np.uint32] = self._place[old]
        count = count.copy()
        if not self._all:
            kept = self._kept[old]
            size = np.add.reduceat(kept, start[:-1] - start[0], dtype=np.int64)
            block, word, size = block[size > 0], word[size > 0], size[size > 0]
            row, count = row[kept], count[kept]
        held.release()
        return Lists(block, word, size, row, count)

    def _words(self, piece: _Range, shelves: Ints) -> tuple[slice, int, int]:
        """The blocks of a piece, and where its words start and end."""
        import numpy as np

        held = self.segment
        begin = int(np.searchsorted(held["shelf"], shelves[piece.first]))
        end = int(np.searchsorted(held["shelf"], shelves[piece.last - 1], "right"))
        start, last = int(held["word_start"][begin]), int(held["word_start"][end])
        words = held["word"][start:last]
        low = 0 if piece.low is None else int(np.searchsorted(words, piece.low))
        high = len(words) if piece.high is None else int(np.searchsorted(words, piece.high))
        return slice(begin, end), start + low, start + high


def _runs(sizes: Ints) -> Iterator[tuple[int, int]]:
    """Cuts a sequence into runs `first` to `last` of _JOIN_AT_ONCE together at most; what has more is a run alone."""
    first, together = 0, 0
    for place, size in enumerate(sizes.tolist()):
        if first < place and together + size > _JOIN_AT_ONCE:
            yield first, place
            first, together = place, 0
        together += size
    yield first, len(sizes)
