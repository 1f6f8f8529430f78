"""The best rows of a segment for the words of a question, in compiled loops.

Turtle and Flood, "Query evaluation: strategies and optimizations", Information Processing & Management 31(6), 1995
(MaxScore): words are ordered from the rarest to the commonest; once enough rows have been found, those words that even
together cannot lift a row among the best are only looked up for rows that hold one of the others. Rows are taken in
windows, so that all that is scattered (sums, lengths, counts) stays in the processor's nearest memory.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numba import types
from numba.cpython.unsafe.numbers import trailing_zeros  # numba offers this processor instruction nowhere else

from assistant.library.compiled import array, compiled, part_of_compiled

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
_ROUNDING = 1e-6
"""More than the bound of a word and the term that reaches it differ, relatively, and"""
_ROUNDING_PER_WORD = 6e-8
"""half a unit in the last place of float32 for each word: sums of equal terms are all rounded to the same side."""


@part_of_compiled
def _keep_best(
    near: Ints,
    near_scores: Scores,
    close: int,
    start: int,
    alive: NDArray[np.bool_],
    best: Scores,
    rows: Ints,
    scores: Scores,
    found: int,
) -> tuple[Ints, Scores, int]:
    """Adds what a window at `start` gave; see `collect`."""
    for c in range(close):
        if near_scores[c] >= best[0] and alive[start + near[c]]:
            if found == len(rows):
                rows, scores, found = _thinned(rows, scores, best[0])
            rows[found] = start + near[c]
            scores[found] = near_scores[c]
            found += 1
            _replace_least(best, near_scores[c])
    return rows, scores, found


@part_of_compiled
def _next_row(row: Rows, at: Ints, stop: Ints, words: int) -> int:
    """The lowest row at which one of the first words stands next, -1 where none does any more."""
    lowest = -1
    for n in range(words):
        if at[n] < stop[n] and (lowest < 0 or np.int64(row[at[n]]) < lowest):
            lowest = int(row[at[n]])
    return lowest


@part_of_compiled
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


@part_of_compiled
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


@part_of_compiled
def _kept(near: Ints, near_scores: Scores, close: int, least: float) -> int:
    """Leaves only what reaches `least`; returns how many these are."""
    kept = 0
    for c in range(close):
        score = near_scores[c]
        near[kept] = near[c]
        near_scores[kept] = score
        kept += score >= least
    return kept


@part_of_compiled
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


@part_of_compiled
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


@part_of_compiled
def _thinned(rows: Ints, scores: Scores, least: float) -> tuple[Ints, Scores, int]:
    """Only what reaches `least`, with room for as much again as there was."""
    kept = np.flatnonzero(scores >= least)
    wider, wider_scores = np.empty(2 * len(rows), np.int64), np.empty(2 * len(rows), np.float32)
    wider[: len(kept)] = rows[kept]
    wider_scores[: len(kept)] = scores[kept]
    return wider, wider_scores, len(kept)


@part_of_compiled
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


@compiled(
    types.Tuple([array(np.int64, written=True), array(np.float32, written=True), types.int64]),
    array(np.uint32),
    array(np.uint8),
    array(np.int64, 2, strided=True),
    array(np.int64, 2, strided=True),
    array(np.int64),
    array(np.int64),
    array(np.uint16),
    array(np.bool_),
    types.UniTuple(types.float32, 2),
    array(np.float32),
    array(np.float64),
    array(np.float32, written=True),
    array(np.int64, written=True),
    array(np.float32, written=True),
    types.int64,
)
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
    near, near_scores = np.empty(_WINDOW, np.int64), np.empty(_WINDOW, np.float32)
    at, stop = np.empty(len(weights), np.int64), np.empty(len(weights), np.int64)
    surely = 1 - _ROUNDING - _ROUNDING_PER_WORD * len(weights)
    read = len(weights)
    for block in range(len(shift)):
        at[:] = first[block]
        stop[:] = first[block] + size[block]
        while True:
            while read > 0 and rests[read - 1] < best[0] * surely:
                read -= 1
            base = _next_row(row, at, stop, read)
            if base < 0:
                break
            start = base + shift[block]
            for place in range(min(_WINDOW, end[block] - base)):
                norms[place] = norm[0] + norm[1] * np.float32(length[start + place])
            for n in range(read):
                at[n] = _add(row, count, at[n], stop[n], base, weights[n], norms, sums, touched)
            close = _take(touched, sums, best[0] * surely - rests[read], near, near_scores)
            for n in range(read, len(weights)):
                close = _kept(near, near_scores, close, best[0] * surely - rests[n])
                if close:
                    at[n] = _seek(row, at[n], stop[n], base)
                    at[n] = _look_up(
                        row, count, at[n], stop[n], base, weights[n], norms, counts, near, near_scores, close
                    )
            rows, scores, found = _keep_best(near, near_scores, close, start, alive, best, rows, scores, found)
    return rows, scores, found
