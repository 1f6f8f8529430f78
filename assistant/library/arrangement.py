"""The segments of a library in one run: new chunks become packs, the dead are marked, and segments are merged."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from assistant.library import build, catalog, compaction
from assistant.library.build import NewRow, Written
from assistant.library.compaction import Live
from assistant.library.merge import Source
from assistant.library.segment import Segment

if TYPE_CHECKING:
    import apsw
    import numpy as np
    from numpy.typing import NDArray


class Arrangement:
    """See the module. All of it becomes visible with the transaction of `connection`, as `generation`."""

    def __init__(self, folder: Path, connection: apsw.Connection, generation: int) -> None:
        self._folder = folder
        self._connection = connection
        self._generation = generation
        self._segments: dict[str, Segment] = {}

    def add(self, rows: Sequence[NewRow]) -> Segment:
        """Writes a pack of new chunks."""
        written = build.write_new(self._folder, rows)
        self._name(written)
        return self._open(written.name, written.digest)

    def not_opened(self) -> list[Segment]:
        """The segments, also those kept for a rollback, that this run did not open yet."""
        kept = catalog.segments(self._connection, kept=True)
        return [self._open(name, digest) for name, digest, _ in kept if name not in self._segments]

    def settle(self, touched: Collection[int], gone: Collection[int]) -> None:
        """Marks the rows of the documents that are `gone`, and merges segments; `touched`: shelves of this run."""
        self._bury(touched, gone)
        live = self._live()
        packs = [held for held in live if "codes" not in held.segment]
        for shelf in sorted(touched):
            own = [held for held in live if held not in packs and int(held.segment["shelf"][0]) == shelf]
            self._arrange_shelf(shelf, packs, own)
        packs = [held for held in self._live() if "codes" not in held.segment]
        self._rewrite(compaction.to_rewrite(packs), own=False)

    def _arrange_shelf(self, shelf: int, packs: Sequence[Live], own: Sequence[Live]) -> None:
        """Moves the rows of a shelf that has many of them out of the packs, and merges its own segments."""
        moving = [Live(h.segment, h.shown & _of_shelf(h.segment, shelf)) for h in packs if shelf in h.segment["shelf"]]
        rows = sum(held.rows for held in moving)
        if rows <= compaction.LARGE:
            moving, rows = [], 0
        chosen = compaction.to_rewrite(own, rows)
        if moving or chosen:
            self._rewrite(chosen, moving, own=True)

    def _rewrite(self, segments: Sequence[Live], moving: Sequence[Live] = (), *, own: bool) -> None:
        """Writes all these rows anew and ends these segments; of `moving` only the rows end."""
        held = [*segments, *moving]
        codes = own and sum(one.rows for one in held) > compaction.LARGE
        for part in compaction.parts(held, own=own):
            sources = [Source(one.segment, one.shown) for one in part]
            self._name(build.write_merged(self._folder, sources, codes=codes))
        for one in segments:
            self._end_segment(one.segment.name)
        for one in moving:
            self._entomb(one.segment.name, one.shown)

    def _bury(self, touched: Collection[int], gone: Collection[int]) -> None:
        import numpy as np

        ended = np.array(sorted(gone), np.int64)
        if not len(ended):
            return
        shelves = set(touched)
        for held in self._live():
            if shelves.isdisjoint(held.segment["shelf"].tolist()):
                continue
            document = held.segment["document"]
            at = np.minimum(np.searchsorted(ended, document), len(ended) - 1)
            self._entomb(held.segment.name, held.shown & (ended[at] == document))
            held.segment.release()

    def _entomb(self, segment: str, rows: NDArray[np.bool_]) -> None:
        import numpy as np

        if rows.any():
            self._connection.execute(
                "INSERT INTO tombstone VALUES (?, ?, ?)",
                (segment, self._generation, np.flatnonzero(rows).astype(np.uint32).tobytes()),
            )

    def _end_segment(self, name: str) -> None:
        self._connection.execute("UPDATE segment SET died = ? WHERE name = ?", (self._generation, name))
        self._connection.execute("DELETE FROM segment WHERE died = born")

    def _live(self) -> list[Live]:
        """The segments as they stand in this run. Ends those that have no row left."""
        import numpy as np

        dead = catalog.dead_rows(self._connection)
        live = []
        for name, digest, _ in catalog.segments(self._connection):
            held = self._open(name, digest)
            shown = np.ones(held.rows, np.bool_)
            shown[dead.get(name, [])] = False
            if shown.any():
                live.append(Live(held, shown))
            else:
                self._end_segment(name)
        return live

    def _open(self, name: str, digest: str) -> Segment:
        if name not in self._segments:
            self._segments[name] = Segment(self._folder, name, digest)
        return self._segments[name]

    def _name(self, written: Written) -> None:
        self._connection.execute(
            "INSERT INTO segment (name, digest, rows, born) VALUES (?, ?, ?, ?)",
            (written.name, written.digest, written.rows, self._generation),
        )


def _of_shelf(segment: Segment, shelf: int) -> NDArray[np.bool_]:
    import numpy as np

    rows = np.zeros(segment.rows, np.bool_)
    block = int(np.searchsorted(segment["shelf"], shelf))
    rows[segment["row_start"][block] : segment["row_start"][block + 1]] = True
    return rows
