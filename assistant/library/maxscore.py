"""The loops of lexical search, compiled: where words stand in the blocks of a segment, and the best of their rows.

Turtle and Flood, "Query evaluation: strategies and optimizations", Information Processing & Management 31(6), 1995
(MaxScore): words are ordered from the rarest to the commonest; once enough rows have been found, those words that even
together cannot lift a row among the best are only looked up for rows that hold one of the others. Rows are taken in
windows, so that all that is scattered (sums, lengths, counts) stays in the processor's nearest memory.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numba.cpython.unsafe.numbers import trailing_zeros

from assistant.library.compiled import compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Bytes = NDArray[np.uint8]
    Ints = NDArray[np.int64]
    Rows = NDArray[np.uint32]
    Scores = NDArray[np.float32]

_WINDOW = 4_096
"""Rows in a window; a multiple of 64."""
_SPREAD = 16
"""How many times longer it takes to look for a row among a word's postings than to write one of them to its place."""
_ROUNDING = 1e-5
"""More than the same terms differ, relatively, when summed in two ways."""


@compiled
def locate(
    word: NDArray[np.uint64],
    posting_start: Ints,
    most: Bytes,
    shortest: Scores,
    low: Ints,
    high: Ints,
    hashes: NDArray[np.uint64],
    largest: Bytes,
    least: Scores,
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


@compiled
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


@compiled
def shown(row: Rows, first: Ints, size: Ints, shift: Ints, alive: NDArray[np.bool_]) -> int:
    """How many of one word's postings are of shown rows. first, size, shift: (blocks,)."""
    count = 0
    for block in range(len(first)):
        for i in range(first[block], first[block] + size[block]):
            count += alive[np.int64(row[i]) + shift[block]]
    return count


@compiled
def collect(
    row: Rows,
    count: Bytes,
    first: Ints,
    size: Ints,
    end: Ints,
    shift: Ints,
    length: NDArray[np.uint16],
    alive: NDArray[np.bool_],
    norm: tuple[np.float32, np.float32],
    weights: Scores,
    rests: NDArray[np.float64],
    best: Scores,
    rows: Ints,
    scores: Scores,
    found: int,
) -> tuple[Ints, Scores, int]:
    """Adds the rows of a segment that may be among the best to the `found` first entries of `rows` and `scores`.

    row, count: the segment's postings. first, size: (blocks, words), where those of each word start, and how many they
    are. end: (blocks,), where the rows of each block end. shift: (blocks,), what to add to a row to get its number
    among all visible rows, as `length` and `alive` have them. A word adds weight * count / (norm[0] + norm[1] * length
    + count) to a row's score. rests: (words + 1,), what the words from each on can add at most. best: the best scores
    so far as a binary heap, the least first. Returns rows and scores, which may be new arrays, and how many count.
    """
    sums, norms = np.zeros(_WINDOW, np.float32), np.empty(_WINDOW, np.float32)
    touched, counts = np.zeros(_WINDOW // 64, np.uint64), np.zeros(_WINDOW, np.uint8)
    # One more than there can be, as what is written last may not count.
    near, near_scores = np.empty(_WINDOW + 1, np.int64), np.empty(_WINDOW + 1, np.float32)
    at, stop = np.empty(len(weights), np.int64), np.empty(len(weights), np.int64)
    read = len(weights)
    for block in range(len(shift)):
        for n in range(len(weights)):
            at[n] = first[block, n]
            stop[n] = at[n] + size[block, n]
        while True:
            while read > 0 and rests[read - 1] < best[0] * (1 - _ROUNDING):
                read -= 1
            base = _next_row(row, at, stop, read)
            if base < 0:
                break
            start = base + shift[block]
            for place in range(min(_WINDOW, end[block] - base)):
                norms[place] = norm[0] + norm[1] * np.float32(length[start + place])
            for n in range(read):
                at[n] = _add(row, count, at[n], stop[n], base, weights[n], norms, sums, touched)
            close = _take(touched, sums, best[0] * (1 - _ROUNDING) - rests[read], near, near_scores)
            for n in range(read, len(weights)):
                least = best[0] * (1 - _ROUNDING) - rests[n]
                close = _kept(near, near_scores, close, least)
                if close:
                    at[n] = _seek(row, at[n], stop[n], base)
                    at[n] = _look_up(
                        row, count, at[n], stop[n], base, weights[n], norms, counts, near, near_scores, close
                    )
            for c in range(close):
                if near_scores[c] >= best[0] and alive[start + near[c]]:
                    if found == len(rows):
                        rows, scores, found = _thinned(rows, scores, best[0])
                    rows[found] = start + near[c]
                    scores[found] = near_scores[c]
                    found += 1
                    _replace_least(best, near_scores[c])
    return rows, scores, found


@compiled
def _next_row(row: Rows, at: Ints, stop: Ints, words: int) -> int:
    """The lowest row at which one of the first words stands next, -1 where none does any more."""
    lowest = -1
    for n in range(words):
        if at[n] < stop[n] and (lowest < 0 or np.int64(row[at[n]]) < lowest):
            lowest = int(row[at[n]])
    return lowest


@compiled
def _add(
    row: Rows,
    count: Bytes,
    first: int,
    stop: int,
    base: int,
    weight: float,
    norms: Scores,
    sums: Scores,
    touched: NDArray[np.uint64],
) -> int:
    """Adds to the sums what one word gives to the rows of the window at `base`; returns where its postings go on."""
    i = first
    while i < stop and row[i] < base + _WINDOW:
        place = np.int64(row[i]) - base
        times = np.float32(count[i])
        sums[place] += weight * times / (norms[place] + times)
        touched[place >> 6] |= np.uint64(1) << np.uint64(place & 63)
        i += 1
    return i


@compiled
def _take(touched: NDArray[np.uint64], sums: Scores, least: float, near: Ints, near_scores: Scores) -> int:
    """Writes the places whose sums reach `least` to `near`, ascending; returns how many they are. Clears the sums."""
    taken = 0
    for word in range(len(touched)):
        bits = touched[word]
        touched[word] = 0
        while bits:
            place = 64 * word + np.int64(trailing_zeros(bits))
            bits &= bits - np.uint64(1)
            near[taken] = place
            near_scores[taken] = sums[place]
            taken += sums[place] >= least
            sums[place] = 0
    return taken


@compiled
def _kept(near: Ints, near_scores: Scores, close: int, least: float) -> int:
    """Leaves only what reaches `least`; returns how many these are."""
    kept = 0
    for c in range(close):
        score = near_scores[c]
        near[kept] = near[c]
        near_scores[kept] = score
        kept += score >= least
    return kept


@compiled
def _look_up(
    row: Rows,
    count: Bytes,
    first: int,
    stop: int,
    base: int,
    weight: float,
    norms: Scores,
    counts: Bytes,
    near: Ints,
    near_scores: Scores,
    close: int,
) -> int:
    """Adds to the scores what one word gives to the places that are near; returns where its postings go on."""
    last = _seek(row, first, stop, base + _WINDOW)
    if last - first < _SPREAD * close:
        for i in range(first, last):
            counts[np.int64(row[i]) - base] = count[i]
        for c in range(close):
            times = np.float32(counts[near[c]])
            near_scores[c] += weight * times / (norms[near[c]] + times)
        counts[:] = 0
    else:
        i = first
        for c in range(close):
            i = _seek(row, i, last, base + near[c])
            if i < last and row[i] == base + near[c]:
                times = np.float32(count[i])
                near_scores[c] += weight * times / (norms[near[c]] + times)
    return last


@compiled
def _seek(row: Rows, first: int, stop: int, wanted: int) -> int:
    """The first place from `first` on where row is `wanted` or more; `stop` where there is none."""
    step = 1
    low, high = first, first
    while high < stop and row[high] < wanted:
        low = high + 1
        high += step
        step *= 2
    high = min(high, stop)
    while low < high:
        middle = (low + high) // 2
        if row[middle] < wanted:
            low = middle + 1
        else:
            high = middle
    return low


@compiled
def _thinned(rows: Ints, scores: Scores, least: float) -> tuple[Ints, Scores, int]:
    """Only what reaches `least`, with room for more."""
    kept = np.flatnonzero(scores >= least)
    wider, wider_scores = np.empty(2 * len(rows), np.int64), np.empty(2 * len(rows), np.float32)
    wider[: len(kept)] = rows[kept]
    wider_scores[: len(kept)] = scores[kept]
    return wider, wider_scores, len(kept)


@compiled
def _replace_least(best: Scores, score: float) -> None:
    """Puts a score into a binary heap in place of its least."""
    place = 0
    while True:
        child = 2 * place + 1
        if child >= len(best):
            break
        if child + 1 < len(best) and best[child + 1] < best[child]:
            child += 1
        if best[child] >= score:
            break
        best[place] = best[child]
        place = child
    best[place] = score
