"""Lexical search: exact BM25 over the visible shelves, with k1 = 1.2 and b = 0.75.

Robertson and Zaragoza, "The probabilistic relevance framework: BM25 and beyond", 2009, with the idf of Lucene, as
tantivy has it: log(1 + (N - n + 0.5) / (n + 0.5)). N, n and the average length count what the caller may read and
nothing else. A score is summed from the rarest word to the commonest, so it has the same bits whatever else there is.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from assistant.library.indexes import Indexes
    from assistant.library.lookup import Words

    Ints = NDArray[np.int64]
    Scores = NDArray[np.float32]

K1 = 1.2
B = 0.75


def idf(chunks: int, holding: int) -> float:
    return math.log(1 + (chunks - holding + 0.5) / (holding + 0.5))


def search(indexes: Indexes, hashes: Iterable[int], limit: int) -> tuple[Scores, Ints]:
    """The `limit` best rows (and all that tie with the last) with their scores > 0, in no order. limit: at least 1."""
    import numpy as np

    from assistant.library.maxscore import collect

    numbers = np.array(sorted(set(hashes)), np.uint64)
    words = indexes.words(numbers)
    counts = _holding(indexes, numbers, words)
    rarity = np.array([idf(indexes.chunks, count) if count else 0.0 for count in counts.tolist()])
    order = np.argsort(-rarity, kind="stable")[: np.count_nonzero(counts)]
    weights = (rarity[order] * (K1 + 1)).astype(np.float32)
    rests = np.r_[np.cumsum((weights * _greatest(indexes, words)[order])[::-1])[::-1], 0.0]
    norm = np.float32(K1 * (1 - B)), np.float32(K1 * B / indexes.average)
    best = np.zeros(limit, np.float32)
    rows, scores, found = np.empty(4 * limit, np.int64), np.empty(4 * limit, np.float32), 0
    for part, first, size in words.places:
        row, count = part.segment["posting_row"], part.segment["posting_count"]
        places = first[:, order], size[:, order], part.end, part.shift
        query = norm, weights, rests
        rows, scores, found = collect(
            row, count, *places, indexes.length, indexes.alive, *query, best, rows, scores, found
        )
    among = np.flatnonzero(scores[:found] >= best[0])
    return scores[among], rows[among]


def holding(indexes: Indexes, number: int) -> int:
    """In how many visible chunks a word stands."""
    import numpy as np

    numbers = np.array([number], np.uint64)
    return int(_holding(indexes, numbers, indexes.words(numbers))[0])


def _holding(indexes: Indexes, numbers: NDArray[np.uint64], words: Words) -> Ints:
    """In how many shown rows each word stands."""
    import numpy as np

    from assistant.library.locate import shown

    if not len(indexes.dead):
        return words.rows
    counts = words.rows.copy()
    for n in np.flatnonzero(counts).tolist():
        number = int(numbers[n])
        if number not in indexes.holding:
            indexes.holding[number] = sum(
                shown(part.segment["posting_row"], first[:, n], size[:, n], part.shift, indexes.alive)
                for part, first, size in words.places
            )
        counts[n] = indexes.holding[number]
    return counts


def _greatest(indexes: Indexes, words: Words) -> NDArray[np.float64]:
    """The largest share of its weight that each word can give: no row has a larger count than `most`, and none a
    smaller length/count than `shortest`."""
    import numpy as np

    most = np.maximum(words.most, 1).astype(np.float64)  # 0 for a word that stands nowhere
    return 1 / (1 + K1 * (1 - B) / most + K1 * B * words.shortest.astype(np.float64) / indexes.average)
