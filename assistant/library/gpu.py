"""Dense search on a GPU: the visible vectors of the same segments, in its memory, all compared."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from assistant.errors import ModelNotFound

if TYPE_CHECKING:
    from assistant.library.indexes import Indexes

MOST_HITS = 2_048
"""FAISS gives no more hits than this on a GPU."""
UNSURE = 1e-3
"""More than a cosine differs because query and vectors are compared in half precision there."""
TURN = threading.Lock()
"""For what loads or searches an index on a GPU: FAISS wants that one thread at a time does so."""
_COPY_AT_ONCE = 65_536


def flat_index(dimensions: int) -> Any:
    """An empty FAISS index on the first GPU. Raises ModelNotFound where FAISS has none."""
    import faiss

    if not hasattr(faiss, "StandardGpuResources") or not faiss.get_num_gpus():
        raise ModelNotFound(
            "`search.device` is gpu, but FAISS finds none here. Install the extra `gpu` on a machine with an NVIDIA "
            "GPU, or set `search.device` to cpu."
        )
    resources = faiss.StandardGpuResources()
    config = faiss.GpuIndexFlatConfig()
    config.useFloat16 = True
    index: Any = faiss.GpuIndexFlatIP(resources, dimensions, config)
    index.resources = resources  # which must live as long as the index
    return index


def load(indexes: Indexes, make: Callable[[int], Any] = flat_index) -> tuple[Any, Any]:
    """An index of all vectors that are shown, and the rows that they belong to, (n,) int64."""
    import numpy as np

    rows = indexes.alive.nonzero()[0]
    if not len(rows):
        return None, rows
    index = make(indexes.dimensions)
    for first in range(0, len(rows), _COPY_AT_ONCE):
        index.add(indexes.vectors(rows[first : first + _COPY_AT_ONCE]).astype(np.float32))
    return index, rows
