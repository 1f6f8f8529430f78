"""What a search reads: the blocks of the visible shelves out of all segments, as if they were one.

Rows are counted through all visible blocks, segment after segment; rows of other shelves have no number here, so that
nothing which a caller may not read is scored, counted or weighed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from assistant.library import lookup
from assistant.library.lookup import Part, Words
from assistant.library.once import once

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from assistant.library.ann import Codes
    from assistant.library.segment import Segment

    Ints = NDArray[np.int64]


class Indexes:
    """See the module. `dead` names the rows of each segment that a generation does not show."""

    def __init__(
        self,
        segments: Sequence[Segment],
        dead: Mapping[str, Ints],
        shelves: Collection[int],
        device: Literal["cpu", "gpu"] = "cpu",
    ) -> None:
        import numpy as np

        self.device = device
        wanted = np.array(sorted(shelves), np.int64)
        self._parts: list[Part] = []
        starts, firsts, lengths, hidden = [0], [], [np.empty(0, np.uint16)], [np.empty(0, np.int64)]
        owners: list[int] = []
        for held in segments:
            blocks = np.flatnonzero(np.isin(held["shelf"], wanted))
            if not len(blocks):
                continue
            first, last = held["row_start"][blocks], held["row_start"][blocks + 1]
            ends = starts[-1] + np.cumsum(last - first)
            shift = np.r_[starts[-1], ends[:-1]] - first
            words = held["word_start"]
            self._parts.append(Part(held, blocks, words[blocks], words[blocks + 1], last, shift))
            lengths += [held["length"][f:t] for f, t in zip(first, last, strict=True)]
            gone = dead.get(held.name, hidden[0])
            block_of_gone = np.searchsorted(first, gone, "right") - 1
            inside = (block_of_gone >= 0) & (gone < last[block_of_gone])
            hidden.append(gone[inside] + shift[block_of_gone[inside]])
            starts += ends.tolist()
            firsts += first.tolist()
            owners += [len(self._parts) - 1] * len(blocks)
        self._block_start = np.array(starts, np.int64)
        self._block_first = np.array(firsts, np.int64)
        self._block_part = np.array(owners, np.int64)
        self.rows = starts[-1]
        length: NDArray[np.uint16] = np.concatenate(lengths)
        self.dead: Ints = np.concatenate(hidden)
        """The rows that are no longer shown."""
        self.alive: NDArray[np.bool_] = np.ones(self.rows, np.bool_)
        self.alive[self.dead] = False
        self.chunks = self.rows - len(self.dead)
        held_words = int(length.sum(dtype=np.int64)) - int(length[self.dead].sum(dtype=np.int64))
        self.average = held_words / self.chunks if held_words else 1.0
        """Words in a row that is shown, in the mean; 1 where there are none."""
        self.length = length
        """(rows,) words in each row."""
        self.holding: dict[int, int] = {}
        """In how many shown rows a word stands, as far as it was counted; only kept where there are dead rows."""

    def gather(self, rows: Ints, *names: str) -> list[NDArray[Any]]:
        """The entries of these arrays of the segments for these rows."""
        import numpy as np

        samples = [self._parts[0].segment[name] for name in names]
        found = [np.empty((len(rows), *sample.shape[1:]), sample.dtype) for sample in samples]
        for segment, mine, own_rows in self._by_segment(rows):
            for name, out in zip(names, found, strict=True):
                out[mine] = segment[name][own_rows]
        return found

    def _by_segment(self, rows: Ints) -> Iterator[tuple[Segment, Ints, Ints]]:
        """Each segment that has any of the rows, the places of these in `rows`, and their numbers in the segment."""
        import numpy as np

        block = np.searchsorted(self._block_start, rows, "right") - 1
        local = rows - self._block_start[block] + self._block_first[block]
        part = self._block_part[block]
        order = np.argsort(part, kind="stable")
        parts, starts = np.unique(part[order], return_index=True)
        cuts = [*starts.tolist(), len(rows)]
        for i, first, last in zip(parts.tolist(), cuts, cuts[1:], strict=False):
            mine = order[first:last]
            yield self._parts[i].segment, mine, local[mine]

    @once
    def dimensions(self) -> int:
        """Of the vectors."""
        return int(self._parts[0].segment["vector"].shape[1])

    def words(self, hashes: NDArray[np.uint64]) -> Words:
        """Where each of these words stands."""
        return lookup.find(self._parts, hashes)

    @once
    def coded(self) -> list[tuple[Codes, int]]:
        """The indexes of large shelves, each with the number of its first row."""
        return [(p.segment.codes, int(p.shift[0])) for p in self._parts if p.segment.codes]

    @once
    def on_gpu(self) -> tuple[Any, Ints]:
        """A FAISS index over all vectors that are shown, on a GPU, and the rows that they belong to."""
        from assistant.library import gpu

        return gpu.load(self)

    @once
    def scanned(self) -> tuple[Any, Ints]:
        """A FAISS index over the vectors of all other rows that are shown, and the rows that they belong to."""
        import numpy as np

        codes, rows = [], [np.empty(0, np.int64)]
        for part in self._parts:
            if "codes" in part.segment:
                continue
            start = part.segment["row_start"]
            for block, shift in zip(part.blocks.tolist(), part.shift.tolist(), strict=True):
                mine = np.arange(start[block], start[block + 1])
                mine = mine[self.alive[mine + shift]]
                codes.append(part.segment.read("vector", mine))
                rows.append(mine + shift)
        if not codes:
            return None, rows[0]
        return exhaustive(np.concatenate(codes)), np.concatenate(rows)

    def vectors(self, rows: Ints) -> NDArray[np.float16]:
        """(len(rows), dimensions), as stored."""
        import numpy as np

        held = np.empty((len(rows), self.dimensions), np.float16)
        for segment, mine, own_rows in self._by_segment(rows):
            held[mine] = segment.read("vector", own_rows)
        return held


def exhaustive(vectors: NDArray[np.float16]) -> Any:
    """A FAISS index that compares all of these vectors, (n, dimensions), as they are."""
    import faiss
    import numpy as np

    index: Any = faiss.IndexScalarQuantizer(vectors.shape[1], faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT)
    faiss.copy_array_to_vector(vectors.view(np.uint8).ravel(), index.codes)
    index.ntotal, index.is_trained = len(vectors), True
    return index
