"""Where the words of a question stand in the visible blocks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from assistant.library.segment import Segment

    Ints = NDArray[np.int64]
    Postings = tuple[NDArray[np.uint32], NDArray[np.uint8]]


@dataclass(frozen=True, slots=True)
class Part:
    """The visible blocks of a segment. `word_low`, `word_high`: where the words of each start and end; `shift`: what to
    add to a row of the segment to get its number among all visible rows."""

    segment: Segment
    blocks: Ints
    word_low: Ints
    word_high: Ints
    shift: Ints


@dataclass(frozen=True, slots=True)
class _Found:
    """One segment's postings of several words: where they start and how many they are, each (blocks, words); the sums
    of these over the blocks, and where those of the first block start, which for a large shelf says all."""

    part: Part
    first: Ints
    sizes: Ints
    totals: list[int]
    starts: list[int]


class WordPostings:
    """One word's postings in all visible blocks."""

    def __init__(self, word: int, found: Sequence[_Found], most: int, shortest: float) -> None:
        self._word = word
        self._found = found
        self.size = sum(one.totals[word] for one in found)
        """How many rows hold the word, shown or not."""
        self.most = most
        """The largest count among them, or more."""
        self.shortest = shortest
        """The smallest length/count among them, or less."""
        self._read: Postings | None = None

    def read(self) -> Postings:
        """The rows, ascending, and how often each holds the word."""
        if self._read is None:
            self._read = self._joined()
        return self._read

    def _joined(self) -> Postings:
        import numpy as np

        holding = [one for one in self._found if one.totals[self._word]]
        if len(holding) == 1 and len(holding[0].part.blocks) == 1 and not holding[0].part.shift[0]:
            return self._slices(holding[0])
        rows, counts = np.empty(self.size, np.uint32), np.empty(self.size, np.uint8)
        done = 0
        for one in holding:
            if len(one.part.blocks) == 1:
                held, count = self._slices(one)
                shift: NDArray[np.uint32] = one.part.shift.astype(np.uint32)
            else:
                held, count, shift = self._gathered(one)
            end = done + len(held)
            np.add(held, shift, out=rows[done:end])  # modulo 2**32, so a sum may go below 0 and come back
            counts[done:end] = count
            done = end
        return rows, counts

    def _slices(self, one: _Found) -> Postings:
        first, size = one.starts[self._word], one.totals[self._word]
        held = one.part.segment
        return held["posting_row"][first : first + size], held["posting_count"][first : first + size]

    def _gathered(self, one: _Found) -> tuple[NDArray[np.uint32], NDArray[np.uint8], NDArray[np.uint32]]:
        import numpy as np

        first, sizes = one.first[:, self._word], one.sizes[:, self._word]
        at = np.repeat(first - np.r_[0, np.cumsum(sizes)[:-1]], sizes) + np.arange(int(sizes.sum()))
        shift = np.repeat(one.part.shift.astype(np.uint32), sizes)
        return one.part.segment["posting_row"][at], one.part.segment["posting_count"][at], shift


def find(parts: Sequence[Part], hashes: NDArray[np.uint64]) -> list[WordPostings]:
    """The postings of each of these words."""
    import numpy as np

    found = []
    most, shortest = np.zeros(len(hashes), np.uint8), np.full(len(hashes), np.inf, np.float32)
    for part in parts:
        at, held = _places(part, hashes)
        if not held.any():
            continue
        start = part.segment["posting_start"]
        first = start[at]
        sizes = np.where(held, start[at + 1] - first, 0)
        found.append(_Found(part, first, sizes, sizes.sum(axis=0).tolist(), first[0].tolist()))
        np.maximum(most, np.where(held, part.segment["most"][at], 0).max(axis=0), out=most)
        np.minimum(shortest, np.where(held, part.segment["shortest"][at], np.inf).min(axis=0), out=shortest)
    return [WordPostings(i, found, int(most[i]), float(shortest[i])) for i in range(len(hashes))]


def _places(part: Part, hashes: NDArray[np.uint64]) -> tuple[Ints, NDArray[np.bool_]]:
    """For each block and word a place in the segment's array `word`, and whether the word is there: (blocks, words)."""
    import numpy as np

    words = part.segment["word"]
    if len(part.blocks) == 1:
        first, last = int(part.word_low[0]), int(part.word_high[0])
        at = (first + np.searchsorted(words[first:last], hashes)).astype(np.int64)[np.newaxis]
    else:  # a binary search in all blocks at once
        at = np.repeat(part.word_low[:, np.newaxis], len(hashes), axis=1)
        high = np.repeat(part.word_high[:, np.newaxis], len(hashes), axis=1)
        while (searching := at < high).any():
            middle = (at + high) // 2
            less = words[np.minimum(middle, len(words) - 1)] < hashes
            at = np.where(searching & less, middle + 1, at)
            high = np.where(searching & ~less, middle, high)
    inside = at < part.word_high[:, np.newaxis]
    at = np.minimum(at, len(words) - 1)
    return at, inside & (words[at] == hashes)
