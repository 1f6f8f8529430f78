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

CANDIDATES = 4
"""Candidates that the codes choose for each hit that is wanted, and"""
LEAST_CANDIDATES = 400
"""no fewer than these: on hard data the ten nearest of 5,000 were among the first 100 in 91% and among 300 in 98%."""
LEAST_OF_EACH = 50
"""Fewest candidates of one segment, where there are many."""
_COARSE_ROWS = 100_000
_TRAINING_ROWS_PER_LIST = 50
_PROBED = 1 / 16
"""Share of the lists that a search looks into, and"""
_LEAST_PROBED = 128
"""no fewer than these: recall at 10 is then 0.987 on 100,000 hard vectors and 0.985 on a million; with a quarter of
them it was 0.956 and 0.963."""


def write(
    rows: int, vectors: Callable[[], Iterable[NDArray[np.float16]]], add: Callable[[NDArray[np.uint8]], None]
) -> None:
    """Gives the serialised index over `rows` vectors to `add`, in pieces.

    `vectors()` gives them in pieces; row i of the index is vector i.
    """
    import faiss
    import numpy as np

    dimensions = next(iter(vectors())).shape[1]
    lists = 2 ** round(math.log2(2 * math.sqrt(rows))) if rows >= _COARSE_ROWS else 0
    kind = f"IVF{lists},RaBitQfs" if lists else "RaBitQfs"
    index = faiss.index_factory(dimensions, kind, faiss.METRIC_INNER_PRODUCT)
    stride = max(1, rows // (lists * _TRAINING_ROWS_PER_LIST or _COARSE_ROWS))
    _train(index, np.concatenate([piece[::stride].copy() for piece in vectors()], dtype=np.float32))
    for piece in vectors():
        index.add(piece.astype(np.float32))

    def taken(piece: bytes) -> int:
        add(np.frombuffer(piece, np.uint8))
        return len(piece)

    faiss.write_index(index, faiss.PyCallbackIOWriter(taken))  # type: ignore[attr-defined]  # the stub lacks it


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
        self._rows: int = index.ntotal
        if hasattr(index, "nlist"):
            index.nprobe = max(_LEAST_PROBED, round(index.nlist * _PROBED))

    def search(self, query: FloatArray, limit: int) -> tuple[NDArray[np.int64], FloatArray]:
        """At most `limit` rows that are probably the nearest, with their estimated cosines. query: (dimensions,)."""
        estimated, rows = self._index.search(query.reshape(1, -1), min(limit, self._rows))
        found = rows[0] >= 0
        return rows[0][found], estimated[0][found]
