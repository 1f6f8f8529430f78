"""Dense search: the cosines of a query with the visible chunks.

Rows of small shelves are all compared; those of a large shelf only where its codes say that they are near. Whatever
chose a row, its score is computed in the same way from its vector as stored, so it always has the same bits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from assistant.library import ann, gpu
from assistant.library.indexes import exhaustive

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from assistant.library.indexes import Indexes
    from assistant.types import FloatArray

    Ints = NDArray[np.int64]

_UNSURE = 1e-5
"""More than two ways of summing the same cosine differ."""


def search(indexes: Indexes, query: FloatArray, limit: int) -> tuple[FloatArray, Ints]:
    """The `limit` best rows (and all that tie with the last) with their cosines, in no order.

    query: (dimensions,) unit vector.
    """
    import faiss
    import numpy as np

    # For one query, more threads mostly wait for each other: on a busy machine that took 10 to 20 times longer.
    faiss.omp_set_num_threads(1)
    if indexes.device == "gpu" and 2 * limit <= gpu.MOST_HITS:
        with gpu.TURN:
            rows = _compared(*indexes.on_gpu, query, limit, gpu.UNSURE)
    else:
        rows = np.concatenate([_compared(*indexes.scanned, query, limit, _UNSURE), _coded(indexes, query, limit)])
    if not len(rows):
        return np.empty(0, np.float32), rows
    found = exhaustive(indexes.vectors(rows)).search(query.reshape(1, -1), len(rows))
    cosines, places = found[0][0], found[1][0]
    wanted = len(rows) if len(rows) <= limit else np.count_nonzero(cosines >= cosines[limit - 1])
    return cosines[:wanted], rows[places[:wanted]]


def _compared(index: Any, rows: Ints, query: FloatArray, limit: int, unsure: float) -> Ints:
    """At least the `limit` best of the rows that FAISS compares, with all that may tie with the last.

    unsure: how far its cosines may be off.
    """
    import numpy as np

    if index is None or not len(rows):
        return np.empty(0, np.int64)
    ask = limit
    while True:
        ask = min(2 * ask, len(rows))
        cosines, found = index.search(query.reshape(1, -1), ask)
        least = cosines[0][min(limit, ask) - 1] - 2 * unsure
        if ask == len(rows) or cosines[0][-1] < least or (2 * ask > gpu.MOST_HITS and unsure == gpu.UNSURE):
            return np.asarray(rows[found[0][cosines[0] >= least]])


def _coded(indexes: Indexes, query: FloatArray, limit: int) -> Ints:
    """The rows of large shelves that are probably near, several for each that is wanted."""
    import numpy as np

    if not indexes.coded:
        return np.empty(0, np.int64)
    rows_coded, coarse = sum(codes.rows for codes, _ in indexes.coded), all(codes.coarse for codes, _ in indexes.coded)
    wanted = ann.candidates(limit, rows_coded, coarse=coarse)
    # Of many segments few hold much of what is wanted; these are asked again.
    of_each = min(wanted, max(ann.LEAST_OF_EACH, 4 * wanted // len(indexes.coded)))
    found = [codes.search(query, of_each) for codes, _ in indexes.coded]
    while True:
        rows = np.concatenate([rows + first for (rows, _), (_, first) in zip(found, indexes.coded, strict=True)])
        shown = indexes.alive[rows]
        rows, estimated = rows[shown], np.concatenate([cosines for _, cosines in found])[shown]
        least = np.partition(estimated, len(rows) - wanted)[-wanted] if len(rows) >= wanted else -np.inf
        # Beyond its last a segment has only less; but rows that are no longer shown may have taken the places.
        cut = [n for n, (_, cosines) in enumerate(found) if len(cosines) >= of_each and cosines[-1] > least]
        if not cut:
            return np.asarray(rows[estimated >= least])
        of_each *= 4
        for n in cut:
            found[n] = indexes.coded[n][0].search(query, of_each)
