"""Lexical search: exact BM25 over the visible shelves, with k1 = 1.2 and b = 0.75.

Robertson and Zaragoza, "The probabilistic relevance framework: BM25 and beyond", 2009, with the idf of Lucene, as
tantivy has it: log(1 + (N - n + 0.5) / (n + 0.5)). N, n and the average length count what the caller may read and
nothing else. A score is summed from the rarest word to the commonest, so it has the same bits whatever else there is.

Words are read from the rarest on, and no further than they can matter: Turtle and Flood, "Query evaluation: strategies
and optimizations", Information Processing & Management 31(6), 1995 (MaxScore).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from assistant.library.indexes import Indexes, WordPostings

    Ints = NDArray[np.int64]
    Scores = NDArray[np.float64]

K1 = 1.2
B = 0.75
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class _Word:
    number: int
    postings: WordPostings
    idf: float
    bound: float
    """No row scores more than this for the word."""


def idf(chunks: int, holding: int) -> float:
    return math.log(1 + (chunks - holding + 0.5) / (holding + 0.5))


def search(indexes: Indexes, hashes: Iterable[int], limit: int) -> tuple[Scores, Ints]:
    """The `limit` best rows (and all that tie with the last) with their scores > 0, in no order."""
    import numpy as np

    words = _weighed(indexes, sorted(set(hashes)))
    scores = np.zeros(indexes.rows)
    scores[indexes.dead] = -np.inf
    threshold, touched = 0.0, []
    rest = _rests(words)
    last = 0
    for last, word in enumerate(words, start=1):
        rows, counts = word.postings.read()
        values = scores[rows] + _gains(indexes, word, rows, counts)
        scores[rows] = values
        touched.append((rows, values))
        if last < len(words):
            threshold = max(threshold, _kth(values, limit))
            if rest[last] < threshold:
                break  # a row that holds none of the words read so far cannot be among the best
    candidates = _above(scores, touched, threshold - rest[last] if words else 0.0)
    found = scores[candidates]
    for word in words[last:]:
        found = _completed(indexes, word, candidates, found)
    if len(found) > limit:
        best = found >= _kth(found, limit)
        candidates, found = candidates[best], found[best]
    return found, candidates


def holding(indexes: Indexes, number: int) -> int:
    """In how many visible chunks a word stands."""
    import numpy as np

    (postings,) = indexes.postings(np.array([number], np.uint64))
    return _holding(indexes, number, postings)


def _holding(indexes: Indexes, number: int, postings: WordPostings) -> int:
    if not len(indexes.dead) or not postings.size:
        return postings.size
    known = indexes.holding.get(number)
    if known is None:
        rows, _ = postings.read()
        known = indexes.holding[number] = int(indexes.alive[rows].sum())
    return known


def _weighed(indexes: Indexes, numbers: list[int]) -> list[_Word]:
    """The words that stand somewhere, the rarest first, equally rare ones by hash."""
    import numpy as np

    words = []
    average = indexes.words / indexes.chunks if indexes.chunks else 1.0
    for number, postings in zip(numbers, indexes.postings(np.array(numbers, np.uint64)), strict=True):
        if count := _holding(indexes, number, postings):
            rarity = idf(indexes.chunks, count)
            # A row has no larger count than `most` and no smaller length/count than `shortest`.
            best = 1 / (1 + K1 * (1 - B) / postings.most + K1 * B * postings.shortest / average)
            words.append(_Word(number, postings, rarity, rarity * (K1 + 1) * best * (1 + _ROUNDING)))
    return sorted(words, key=lambda word: (-word.idf, word.number))


def _rests(words: list[_Word]) -> list[float]:
    """What the words from each position on can add at most."""
    rests = [0.0]
    for word in reversed(words):
        rests.append(rests[-1] + word.bound)
    return rests[::-1]


def _gains(indexes: Indexes, word: _Word, rows: Any, counts: NDArray[np.uint8]) -> Scores:
    import numpy as np

    average = indexes.words / indexes.chunks
    gains = counts.astype(np.float64)
    below = indexes.length[rows].astype(np.float64)
    below *= K1 * B / average
    below += K1 * (1 - B)
    below += gains
    gains *= word.idf * (K1 + 1)
    gains /= below
    return gains


def _kth(values: Scores, k: int) -> float:
    """The k-th largest, 0 where there are fewer."""
    import numpy as np

    return float(np.partition(values, len(values) - k)[len(values) - k]) if len(values) >= k else 0.0


def _above(scores: Scores, touched: list[tuple[Any, Scores]], least: float) -> Ints:
    import numpy as np

    least = max(least - _ROUNDING * abs(least), 0.0)
    found = [rows[scores[rows] >= least] for rows, _ in touched]
    if not found:
        return np.empty(0, np.int64)
    rows = np.sort(np.concatenate(found)).astype(np.int64)
    new = np.r_[True, rows[1:] != rows[:-1]] if len(rows) else slice(None)
    rows = rows[new]
    return np.asarray(rows[scores[rows] > 0])


def _completed(indexes: Indexes, word: _Word, candidates: Ints, found: Scores) -> Scores:
    """The candidates' scores with what this word adds to those that hold it."""
    import numpy as np

    rows, counts = word.postings.read()
    at = np.minimum(np.searchsorted(rows, candidates), len(rows) - 1)
    held = rows[at] == candidates
    found = found.copy()
    found[held] += _gains(indexes, word, candidates[held], counts[at[held]])
    return found
