"""Where words stand in the blocks of a segment, in compiled loops."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numba import types

from assistant.library.compiled import array, compiled, part_of_compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]


@part_of_compiled
def _place(word: NDArray[np.uint64], low: int, high: int, wanted: np.uint64) -> Any:
    """The first place in the ascending word[low:high] with `wanted` or more, `high` where there is none.

    Hashes are spread evenly, so it is near where its value says: few of the processor's cache lines are read.
    """
    if low == high:
        return high
    guess: Any = low + np.int64(((wanted >> np.uint64(32)) * np.uint64(high - low)) >> np.uint64(32))
    step = 4
    first, last = guess, guess
    if word[guess] < wanted:
        while last < high and word[last] < wanted:
            first = last + 1
            last += step
            step *= 2
        last = min(last, high)
    else:
        while first > low and word[first - 1] >= wanted:
            last = first - 1
            first -= step
            step *= 2
        first = max(first, low)
    while first < last:
        middle = (first + last) // 2
        if word[middle] < wanted:
            first = middle + 1
        else:
            last = middle
    return first


@compiled(
    types.UniTuple(array(np.int64, 2, written=True), 2),
    array(np.uint64),
    array(np.int64),
    array(np.uint8),
    array(np.float32),
    array(np.int64),
    array(np.int64),
    array(np.uint64),
    array(np.uint8, written=True),
    array(np.float32, written=True),
)
def locate(
    word: NDArray[np.uint64],
    posting_start: Ints,
    most: NDArray[np.uint8],
    shortest: NDArray[np.float32],
    low: Ints,
    high: Ints,
    hashes: NDArray[np.uint64],
    largest: NDArray[np.uint8],
    least: NDArray[np.float32],
) -> tuple[Ints, Ints]:
    """Where each word's postings start in each block, and how many they are: (blocks, words).

    word, posting_start, most, shortest: of a segment. low, high: (blocks,), the block's place in `word`. `largest` and
    `least` are raised and lowered to what the words have in `most` and `shortest`.
    """
    first, size = np.zeros((len(low), len(hashes)), np.int64), np.zeros((len(low), len(hashes)), np.int64)
    for block in range(len(low)):
        for n in range(len(hashes)):
            at = _place(word, low[block], high[block], hashes[n])
            if at < high[block] and word[at] == hashes[n]:
                first[block, n] = posting_start[at]
                size[block, n] = posting_start[at + 1] - posting_start[at]
                largest[n] = max(largest[n], most[at])
                least[n] = min(least[n], shortest[at])
    return first, size


@compiled(
    types.int64,
    array(np.uint32),
    array(np.int64, strided=True),
    array(np.int64, strided=True),
    array(np.int64),
    array(np.bool_),
)
def shown(row: NDArray[np.uint32], first: Ints, size: Ints, shift: Ints, alive: NDArray[np.bool_]) -> int:
    """How many of one word's postings are of shown rows. first, size, shift: (blocks,)."""
    count = 0
    for block in range(len(first)):
        for i in range(first[block], first[block] + size[block]):
            count += alive[np.int64(row[i]) + shift[block]]
    return count
