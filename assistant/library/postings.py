"""From the words of chunks to the sorted arrays of a segment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Occurrences:
    """Which words stand where, one entry per word of a chunk, in any order: all arrays have the same length."""

    block: NDArray[np.uint32]
    word: NDArray[np.uint64]
    row: NDArray[np.uint32]
    count: NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Postings:
    """The same, sorted by block, word and row. `block`, `word`, `most`, `shortest` and `postings` have one entry per
    word of a block; `postings` says how many of `row` and `count` are its own."""

    block: NDArray[np.uint32]
    word: NDArray[np.uint64]
    most: NDArray[np.uint8]
    shortest: NDArray[np.float32]
    postings: Ints
    row: NDArray[np.uint32]
    count: NDArray[np.uint8]


def sort(found: Occurrences, length: NDArray[np.uint16]) -> Postings:
    """length: (n,) words in each row, to which `found.row` points."""
    import numpy as np

    order = np.lexsort((found.row, found.word, found.block))
    block, word = found.block[order], found.word[order]
    row, count = found.row[order], found.count[order]
    if not len(order):
        empty = np.empty(0, np.int64)
        return Postings(block, word, count, empty.astype(np.float32), empty, row, count)
    first = np.flatnonzero(np.r_[True, (word[1:] != word[:-1]) | (block[1:] != block[:-1])])
    return Postings(
        block=block[first],
        word=word[first],
        most=np.maximum.reduceat(count, first),
        shortest=np.minimum.reduceat(length[row] / count.astype(np.float32), first).astype(np.float32),
        postings=np.diff(np.r_[first, len(row)]),
        row=row,
        count=count,
    )
