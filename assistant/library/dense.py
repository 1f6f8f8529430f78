"""Dense search: immutable FAISS segments per shelf, each a file `dense/<name>.faiss` that the catalog names.

A segment holds unit vectors with chunk ids and is searched exhaustively by inner product, which is their cosine. A
search over several segments is the merge of their results, the same as a search over one.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assistant.errors import LibraryDamaged

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from assistant.types import FloatArray

    IdArray = NDArray[np.int64]

FOLDER = "dense"


def write_segment(folder: Path, ids: IdArray, vectors: FloatArray) -> str:
    """Writes a new segment durably and returns its name.

    ids: (n,) chunk ids; vectors: (n, dimensions) unit rows.
    """
    import faiss

    index = faiss.IndexIDMap2(faiss.IndexFlatIP(vectors.shape[1]))
    index.add_with_ids(vectors, ids)
    target = folder / FOLDER
    target.mkdir(exist_ok=True)
    name = uuid.uuid4().hex
    work = target / f".{name}.new"
    faiss.write_index(index, str(work))
    with work.open("rb+") as stream:
        os.fsync(stream.fileno())
    work.replace(target / f"{name}.faiss")
    _sync_folder(target)
    return name


def read_segment(folder: Path, name: str) -> tuple[IdArray, FloatArray]:
    """The chunk ids (n,) and vectors (n, dimensions) of a segment. Raises LibraryDamaged, also where it is missing."""
    import faiss

    try:
        index = open_segment(folder, name)
    except FileNotFoundError as error:
        raise LibraryDamaged(
            f"The segment {error} is missing. Restore it from a copy, or index again into a new folder."
        ) from error
    return faiss.vector_to_array(index.id_map), faiss.downcast_index(index.index).reconstruct_n(0, index.ntotal)


def open_segment(folder: Path, name: str) -> Any:
    """The FAISS index of a segment, in memory.

    Raises FileNotFoundError where there is no such file, LibraryDamaged if it is not a whole segment.
    """
    import faiss

    file = folder / FOLDER / f"{name}.faiss"
    if not file.exists():
        raise FileNotFoundError(file)
    try:
        return faiss.read_index(str(file))
    except RuntimeError as error:
        raise LibraryDamaged(
            f"The segment {file} cannot be read ({error}). Restore it from a copy, or index again into a new folder."
        ) from error


def search_segments(segments: Iterable[Any], query: FloatArray, limit: int) -> list[tuple[int, float]]:
    """The `limit` best (chunk id, cosine) over all segments, best first, equal scores by id.

    query: (dimensions,) unit vector.
    """
    import faiss

    # For one query, more threads mostly wait for each other: on a busy machine that took 10 to 20 times longer.
    faiss.omp_set_num_threads(1)
    hits: list[tuple[int, float]] = []
    for index in segments:
        scores, ids = index.search(query.reshape(1, -1), min(limit, index.ntotal))
        hits += [(int(i), float(s)) for i, s in zip(ids[0], scores[0], strict=True) if i >= 0]
    hits.sort(key=lambda hit: (-hit[1], hit[0]))
    return hits[:limit]


def remove_unnamed(folder: Path, named: Sequence[str]) -> None:
    """Deletes segment files that the catalog does not name: leftovers of runs that were not published."""
    keep = {f"{name}.faiss" for name in named}
    for file in (folder / FOLDER).glob("*"):
        if file.name not in keep:
            file.unlink()


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
