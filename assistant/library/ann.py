"""The FAISS index of one large shelf: 1-bit RaBitQ codes, behind a coarse quantiser where there are very many rows.

Gao and Long, "RaBitQ: quantizing high-dimensional vectors with a theoretical error bound for approximate nearest
neighbor search", SIGMOD 2024. The codes only choose candidates; their scores are computed from the vectors.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from assistant.types import FloatArray

_CANDIDATES = 4
"""Candidates that the codes choose for each hit that is wanted, and"""
_LEAST_CANDIDATES = 400
"""no fewer than these; or, where a segment has no coarse quantiser and its codes say less,"""
_LEAST_CANDIDATES_FLAT = 800
"""these: over 200 segments of 5,000 rows recall at 10 was 0.969 with 400, 0.989 with 800 and 0.995 with 1,200."""
_ROWS_FOR_LEAST = 1_000_000
"""More rows need more, about as their root: on five million recall was 0.958 with 400, 0.983 with 800, 0.990 with
1,600."""
LEAST_OF_EACH = 16
"""Candidates for which each of very many segments is asked at first."""
_COARSE_ROWS = 100_000
_TRAINING_ROWS_PER_LIST = 50
_PROBED = 1 / 16
"""Share of the lists that a search looks into, and"""
_LEAST_PROBED = 128
"""no fewer than these: recall at 10 is then 0.986 on 100,000 hard vectors and 0.987 on a million; with a quarter of
them it was 0.956 and 0.963."""


def candidates(limit: int, rows: int, *, coarse: bool) -> int:
    """How many of `rows` the codes should choose for the `limit` best. coarse: all have a coarse quantiser."""
    least = _LEAST_CANDIDATES if coarse else _LEAST_CANDIDATES_FLAT
    return max(limit * _CANDIDATES, round(least * max(1, math.sqrt(rows / _ROWS_FOR_LEAST))))


def write(rows: Callable[[str], Iterable[NDArray[Any]]], add: Callable[[NDArray[np.uint8]], None]) -> None:
    """Gives the serialised index over the vectors of some rows to `add`, in pieces.

    `rows(name)` gives the arrays "vector" and "order" of a segment in pieces; row i of the index is vector i. What the
    index learns depends on the set of rows alone, not on where they stand.
    """
    import faiss
    import numpy as np

    dimensions = next(iter(rows("vector"))).shape[1]
    order = np.concatenate(list(rows("order")))
    lists = 2 ** round(math.log2(2 * math.sqrt(len(order)))) if len(order) >= _COARSE_ROWS else 0
    kind = f"IVF{lists},RaBitQfs" if lists else "RaBitQfs"
    index = faiss.index_factory(dimensions, kind, faiss.METRIC_INNER_PRODUCT)
    _train(index, _sample(rows("vector"), dimensions, order, lists * _TRAINING_ROWS_PER_LIST or _COARSE_ROWS))
    for piece in rows("vector"):
        index.add(piece.astype(np.float32))

    def taken(piece: bytes) -> int:
        add(np.frombuffer(piece, np.uint8))
        return len(piece)

    faiss.write_index(index, faiss.PyCallbackIOWriter(taken))  # type: ignore[attr-defined]  # the stub lacks it


def _sample(
    vectors: Iterable[NDArray[np.float16]], dimensions: int, order: NDArray[np.uint64], most: int
) -> FloatArray:
    """The vectors of the rows that are first by `order`, which is a hash, in that order."""
    import numpy as np

    first = np.argsort(order)[:most]
    place = np.full(len(order), -1)
    place[first] = np.arange(len(first))
    sample = np.empty((len(first), dimensions), np.float32)
    done = 0
    for piece in vectors:
        places = place[done : done + len(piece)]
        sample[places[places >= 0]] = piece[places >= 0]
        done += len(piece)
    return sample


def _train(index: Any, sample: FloatArray) -> None:
    import faiss

    if hasattr(index, "nlist"):  # its codes learn nothing, but FAISS would copy the whole sample for them
        index.train_q1(len(sample), faiss.swig_ptr(sample), False, index.metric_type)
        sample = sample[:1]
    index.train(sample)


class Codes:
    """An index that `write` made."""

    def __init__(self, codes: NDArray[np.uint8]) -> None:
        import faiss

        index: Any = faiss.deserialize_index(codes)
        self._index = index
        self.rows: int = index.ntotal
        self.coarse = hasattr(index, "nlist")
        """Whether it has a coarse quantiser."""
        if self.coarse:
            index.nprobe = max(_LEAST_PROBED, round(index.nlist * _PROBED))

    def search(self, query: FloatArray, limit: int) -> tuple[NDArray[np.int64], FloatArray]:
        """The `limit` rows that are probably the nearest, and all that seem as near as the last, with their estimated
        cosines, descending; fewer where few are looked at. query: (dimensions,).

        Equal vectors are often many, and chance must not choose between them.
        """
        ask = min(limit + 1, self.rows)
        while True:
            estimated, rows = self._index.search(query.reshape(1, -1), ask)
            found = int((rows[0] >= 0).sum())
            if found < ask or ask == self.rows or estimated[0][-1] < estimated[0][limit - 1]:
                break
            ask = min(2 * ask, self.rows)
        if found > limit:
            found = int((estimated[0][:found] >= estimated[0][limit - 1]).sum())
        return rows[0][:found], estimated[0][:found]
