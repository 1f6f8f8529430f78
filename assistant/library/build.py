"""Writes segments: from new chunks, and from the rows of other segments."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assistant.library import ann, postings, segment
from assistant.library.merge import Merge, Source
from assistant.library.postings import Lists, Postings

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from assistant.library.segment import SegmentWriter

_ROW_ARRAYS = ("document", "number", "order", "text", "length", "vector")
_MOST_COUNT = 255
_MOST_LENGTH = 65_535


@dataclass(frozen=True, slots=True)
class Written:
    """A segment that was written."""

    name: str
    digest: str
    rows: int


@dataclass(frozen=True, slots=True)
class NewRow:
    """A chunk that goes into a segment.

    `text`: as `vectors.text_hashes` gives it. `words`, `counts`: as `words.counted` does. `vector`: (dimensions,).
    """

    shelf: int
    document: int
    number: int
    order: int
    text: NDArray[np.uint64]
    words: NDArray[np.uint64]
    counts: NDArray[np.int64]
    vector: NDArray[np.float16]


def write_new(folder: Path, rows: Sequence[NewRow]) -> Written:
    """A segment of new chunks, at least one."""
    import numpy as np

    shelves, block = np.unique(np.array([row.shelf for row in rows], np.int64), return_inverse=True)
    order = np.argsort(block, kind="stable")
    ordered = [rows[i] for i in order]
    arrays: dict[str, NDArray[Any]] = {
        "document": np.array([row.document for row in ordered], np.int64),
        "number": np.array([row.number for row in ordered], np.uint32),
        "order": np.array([row.order for row in ordered], np.uint64),
        "text": np.stack([row.text for row in ordered]),
        "length": np.array([min(int(row.counts.sum()), _MOST_LENGTH) for row in ordered], np.uint16),
        "vector": np.stack([row.vector for row in ordered]).astype(np.float16),
    }
    row_start = np.r_[0, np.cumsum(np.bincount(block))]
    found = postings.bounded(_lists(ordered, block[order]), arrays["length"])
    return _write(folder, shelves, row_start, lambda name: [arrays[name]], [found], codes=False)


def _lists(rows: Sequence[NewRow], block: NDArray[np.int64]) -> Lists:
    """The posting lists of rows whose blocks ascend."""
    import numpy as np

    words_of = np.array([len(row.words) for row in rows])
    return postings.sort(
        block=np.repeat(block.astype(np.uint32), words_of),
        word=np.concatenate([row.words for row in rows]),
        row=np.repeat(np.arange(len(rows), dtype=np.uint32), words_of),
        count=np.minimum(np.concatenate([row.counts for row in rows]), _MOST_COUNT).astype(np.uint8),
    )


def write_merged(folder: Path, sources: Sequence[Source], *, codes: bool) -> Written:
    """A segment of the kept rows of other segments, in their order within each shelf; at least one row.

    `codes` adds the index for large shelves; all rows must then belong to one shelf. Needs memory for the counts and
    codes of the segment, which are about a seventh of it, and else for one piece of copying.
    """
    merge = Merge(sources)
    return _write(folder, merge.shelves, merge.row_start, merge.rows, merge.postings(), codes=codes)


def _write(
    folder: Path,
    shelves: NDArray[np.int64],
    row_start: NDArray[np.int64],
    rows: Callable[[str], Iterable[NDArray[Any]]],
    found: Iterable[Postings],
    *,
    codes: bool,
) -> Written:
    """`rows` gives an array of rows by its name, in pieces. `found` gives the postings in pieces, in the order of
    blocks and words."""
    name = uuid.uuid4().hex
    count = int(row_start[-1])
    with segment.create(folder, name) as out:
        out.add("shelf", [shelves])
        out.add("row_start", [row_start])
        for array in _ROW_ARRAYS:
            out.add(array, rows(array))
        _add_postings(out, len(shelves), found)
        if codes:
            with out.array("codes") as add:
                ann.write(rows, add)
    return Written(name, out.digest, count)


def _add_postings(out: SegmentWriter, blocks: int, found: Iterable[Postings]) -> None:
    import numpy as np

    done: list[Postings] = []
    out.add("posting_row", _rows_of(found, done))
    out.add("posting_count", (piece.lists.count for piece in done))
    out.add("word", (piece.lists.word for piece in done))
    out.add("most", (piece.most for piece in done))
    out.add("shortest", (piece.shortest for piece in done))
    starts = np.r_[0, np.cumsum(np.concatenate([piece.lists.size for piece in done]))].astype(np.int64)
    out.add("posting_start", [starts])
    word_block = np.concatenate([piece.lists.block for piece in done])
    out.add("word_start", [np.searchsorted(word_block, np.arange(blocks + 1)).astype(np.int64)])


def _rows_of(found: Iterable[Postings], done: list[Postings]) -> Iterator[NDArray[np.uint32]]:
    """Gives the rows of each piece to be written, and keeps what is smaller in `done`."""
    from dataclasses import replace

    import numpy as np

    for piece in found:
        yield piece.lists.row
        done.append(replace(piece, lists=replace(piece.lists, row=np.empty(0, np.uint32))))  # a view would keep all
