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

    from assistant.library.indexes import Indexes
    from assistant.library.lookup import WordPostings

    Ints = NDArray[np.int64]
    Scores = NDArray[np.float32]

K1 = 1.2
B = 0.75
_ROUNDING = 1e-5
_MANY = 20_000
"""Postings of a word from which on it is worth looking whether the word need be read."""
_SAMPLE = 4_096
_LOOK_UP = 20
"""How many times longer it takes to look for a row among a word's postings than to read one."""


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
    if not words:
        return np.empty(0, np.float32), np.empty(0, np.int64)
    with indexes.scores() as (scores, touched):
        threshold, read, rest = 0.0, 0, _rests(words)
        leaders = np.empty(0, np.int64)
        for read, word in enumerate(words, start=1):
            packed, counts = word.postings.read()
            rows = packed.astype(np.int64)  # numpy follows these twice as fast
            values = _gains(indexes, word, rows, counts)
            values += scores.take(rows)
            scores[rows] = values
            touched.append(rows)
            if read < len(words) and words[read].postings.size > _MANY:
                leaders = _leaders(scores, leaders, rows, values, limit)
                threshold = max(threshold, _reached(indexes, leaders, scores, words[read:], limit))
                if rest[read] < (1 - _ROUNDING) * threshold:
                    # A row that holds none of the words read so far cannot be among the best.
                    near = _above(scores, touched, threshold - rest[read])
                    if _LOOK_UP * sum(map(len, near)) < words[read].postings.size:
                        break
        else:
            near = _above(scores, touched, threshold)
        candidates = _distinct(near)
        found = scores[candidates]
    for place, word in enumerate(words[read:], start=read):
        threshold = max(threshold, _kth(found, limit))
        kept = found >= threshold - rest[place] - _ROUNDING * threshold
        candidates, found = candidates[kept], found[kept]
        found = _completed(indexes, word, candidates, found)
    if len(found) > limit:
        best = found >= _kth(found, limit)
        candidates, found = candidates[best], found[best]
    return found, candidates


def _leaders(scores: Scores, leaders: Any, rows: Any, values: Scores, limit: int) -> Any:
    """`limit` rows that have high scores so far, ascending: of those that did before the last word, and of its own.

    values: the scores of `rows`.
    """
    import numpy as np

    step = len(values) // _SAMPLE
    if step > 1:  # to look at all takes longer than to read the word
        wanted = min(2 * limit // step, _SAMPLE)
        least = _kth(values[::step], wanted) if wanted else values.max()
        rows = rows[np.flatnonzero(values >= least)]
    leaders = np.union1d(leaders, rows)
    if len(leaders) > limit:
        leaders = np.sort(leaders[np.argpartition(scores[leaders], len(leaders) - limit)[-limit:]])
    return leaders


def _reached(indexes: Indexes, leaders: Any, scores: Scores, missing: list[_Word], limit: int) -> float:
    """A score that at least `limit` rows reach: that of the last of the leaders when the missing words are added."""
    if len(leaders) < limit:
        return 0.0
    found = scores[leaders]
    for word in missing:
        found = _completed(indexes, word, leaders, found)
    return float(found.min())


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
    for number, postings in zip(numbers, indexes.postings(np.array(numbers, np.uint64)), strict=True):
        if count := _holding(indexes, number, postings):
            rarity = idf(indexes.chunks, count)
            # A row has no larger count than `most` and no smaller length/count than `shortest`.
            best = 1 / (1 + K1 * (1 - B) / postings.most + K1 * B * postings.shortest / indexes.average)
            words.append(_Word(number, postings, rarity, float(rarity * (K1 + 1) * best)))
    return sorted(words, key=lambda word: (-word.idf, word.number))


def _rests(words: list[_Word]) -> list[float]:
    """What the words from each position on can add at most."""
    rests = [0.0]
    for word in reversed(words):
        rests.append(rests[-1] + word.bound)
    return rests[::-1]


def _gains(indexes: Indexes, word: _Word, rows: Any, counts: NDArray[np.uint8]) -> Scores:
    import numpy as np

    gains = counts.astype(np.float32)
    below = indexes.length_norm.take(rows)
    below += gains
    gains *= np.float32(word.idf * (K1 + 1))
    gains /= below
    return gains


def _kth(values: Scores, k: int) -> float:
    """The k-th largest, 0 where there are fewer."""
    import numpy as np

    return float(np.partition(values, len(values) - k)[len(values) - k]) if len(values) >= k else 0.0


def _above(scores: Scores, touched: list[Ints], least: float) -> list[Ints]:
    least = max(least - _ROUNDING * abs(least), _ROUNDING)
    return [rows[(scores.take(rows) >= least).nonzero()[0]] for rows in touched]


def _distinct(lists: list[Ints]) -> Ints:
    import numpy as np

    rows = np.sort(np.concatenate(lists))
    return rows[np.r_[True, rows[1:] != rows[:-1]]] if len(rows) else rows


def _completed(indexes: Indexes, word: _Word, candidates: Any, found: Scores) -> Scores:
    """The candidates' scores with what this word adds to those that hold it. candidates: ascending."""
    import numpy as np

    rows, counts = word.postings.read()
    wanted = candidates.astype(np.uint32)
    at = np.minimum(np.searchsorted(rows, wanted), len(rows) - 1)
    held = np.flatnonzero(rows[at] == wanted)
    found = found.copy()
    found[held] += _gains(indexes, word, candidates[held], counts[at[held]])
    return found
