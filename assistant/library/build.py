"""Writes segments: from new chunks, and from the rows of other segments."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assistant.library import ann, postings, segment
from assistant.library.merge import Merge, Source
from assistant.library.postings import Joined, Lists

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
    words_of = np.array([len(row.words) for row in ordered])
    found = Lists(
        block=np.repeat(block[order].astype(np.uint32), words_of),
        word=np.concatenate([row.words for row in ordered]),
        size=np.ones(words_of.sum(), np.int64),
        row=np.repeat(np.arange(len(ordered), dtype=np.uint32), words_of),
        count=np.minimum(np.concatenate([row.counts for row in ordered]), _MOST_COUNT).astype(np.uint8),
    )
    arrays: dict[str, NDArray[Any]] = {
        "document": np.array([row.document for row in ordered], np.int64),
        "number": np.array([row.number for row in ordered], np.uint32),
        "order": np.array([row.order for row in ordered], np.uint64),
        "text": np.stack([row.text for row in ordered]),
        "length": np.array([min(int(row.counts.sum()), _MOST_LENGTH) for row in ordered], np.uint16),
        "vector": np.stack([row.vector for row in ordered]).astype(np.float16),
    }
    row_start = np.r_[0, np.cumsum(np.bincount(block))]
    joined = (postings.join(parts, arrays["length"]) for parts in [[found]])
    return _write(folder, shelves, row_start, lambda name: [arrays[name]], joined, codes=False)


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
    joined: Iterable[Joined],
    *,
    codes: bool,
) -> Written:
    """`rows` gives an array of rows by its name, in pieces. `joined` gives the postings in pieces, in the order of
    blocks and words."""
    name = uuid.uuid4().hex
    count = int(row_start[-1])
    with segment.create(folder, name) as out:
        out.add("shelf", [shelves])
        out.add("row_start", [row_start])
        for array in _ROW_ARRAYS:
            out.add(array, rows(array))
        _add_postings(out, len(shelves), joined)
        if codes:
            with out.array("codes") as add:
                ann.write(count, partial(rows, "vector"), add)
    return Written(name, out.digest, count)


def _add_postings(out: SegmentWriter, blocks: int, joined: Iterable[Joined]) -> None:
    import numpy as np

    done: list[Joined] = []
    out.add("posting_row", _rows_of(joined, done))
    out.add("posting_count", (piece.lists.count for piece in done))
    out.add("word", (piece.lists.word for piece in done))
    out.add("most", (piece.most for piece in done))
    out.add("shortest", (piece.shortest for piece in done))
    starts = np.r_[0, np.cumsum(np.concatenate([piece.lists.size for piece in done]))].astype(np.int64)
    out.add("posting_start", [starts])
    word_block = np.concatenate([piece.lists.block for piece in done])
    out.add("word_start", [np.searchsorted(word_block, np.arange(blocks + 1)).astype(np.int64)])


def _rows_of(joined: Iterable[Joined], done: list[Joined]) -> Iterator[NDArray[np.uint32]]:
    """Gives the rows of each piece to be written, and keeps what is smaller in `done`."""
    from dataclasses import replace

    import numpy as np

    for piece in joined:
        yield piece.lists.row
        done.append(replace(piece, lists=replace(piece.lists, row=np.empty(0, np.uint32))))  # a view would keep all
