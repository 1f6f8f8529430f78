"""Brings posting lists into the order of a segment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Lists:
    """Posting lists: `block`, `word` and `size` have one entry for each; `row` and `count`, one after the other, the
    `size` entries of each, with rows ascending."""

    block: NDArray[np.uint32]
    word: NDArray[np.uint64]
    size: Ints
    row: NDArray[np.uint32]
    count: NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Postings:
    """Posting lists as they stand in a segment: ascending by block and word, and what `segment` says of each."""

    lists: Lists
    most: NDArray[np.uint8]
    shortest: NDArray[np.float32]


def sort(
    block: NDArray[np.uint32], word: NDArray[np.uint64], row: NDArray[np.uint32], count: NDArray[np.uint8]
) -> Lists:
    """The lists of a number of postings, of which `row` must ascend."""
    import numpy as np

    order = np.lexsort((word, block))  # stable
    block, word = block[order], word[order]
    first = _first(block, word)
    return Lists(block[first], word[first], np.diff(np.r_[first, len(order)]), row[order], count[order])


def join(parts: Sequence[Lists]) -> Lists:
    """Lists of the same word and block become one; of these, the rows of each must be above those of the one before.

    So no posting is sorted, only the lists are.
    """
    import numpy as np

    block, word = np.concatenate([part.block for part in parts]), np.concatenate([part.word for part in parts])
    order = np.lexsort((word, block))  # stable
    block, word = block[order], word[order]
    at, size = _from(np.concatenate([part.size for part in parts]), order)
    row = np.concatenate([part.row for part in parts])[at]
    count = np.concatenate([part.count for part in parts])[at]
    first = _first(block, word)
    start = (np.cumsum(size) - size)[first]
    return Lists(block[first], word[first], np.diff(np.r_[start, len(row)]), row, count)


def _first(block: NDArray[np.uint32], word: NDArray[np.uint64]) -> Ints:
    """Where another word or block starts."""
    import numpy as np

    new = np.ones(len(word), np.bool_)
    new[1:] = (word[1:] != word[:-1]) | (block[1:] != block[:-1])
    return np.flatnonzero(new)


def _from(size: Ints, order: Ints) -> tuple[Ints, Ints]:
    """Where each posting comes from when the lists are brought into this order, and the sizes in it."""
    import numpy as np

    start = (np.cumsum(size) - size)[order]
    size = size[order]
    at = np.repeat(start - (np.cumsum(size) - size), size)
    at += np.arange(len(at))
    return at, size


def bounded(lists: Lists, length: NDArray[np.uint16]) -> Postings:
    """length: (n,) words in each row."""
    import numpy as np

    start = np.cumsum(lists.size) - lists.size
    relative = length[lists.row] / lists.count.astype(np.float32)
    most = np.maximum.reduceat(lists.count, start)
    return Postings(lists, most, np.minimum.reduceat(relative, start).astype(np.float32))
