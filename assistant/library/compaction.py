"""Which segments a run rewrites, so that there are few of them and the bytes written grow with what changed.

New chunks of all shelves go together into a *pack*, whose rows are all compared by a search. Once a shelf has more
than LARGE rows in packs they move to a segment of its own, with codes. What happens to a shelf's own segments depends
on this shelf alone, and packs give the same results however they are arranged: nobody's results tell of other shelves.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from assistant.library.segment import Segment

LARGE = 2_048
"""Rows in packs from which on a shelf gets segments of its own."""
LARGEST = 1_000_000
"""A segment with so many rows is not merged with others any more, and those made have less than about twice as many: so
the memory that a run needs does not grow with the library."""
_RATIO = 3
_MOST_DEAD = 0.25
"""Share of dead rows from which on a segment is rewritten."""


@dataclass(frozen=True, slots=True)
class Live:
    """A segment and which of its rows are shown, or some of these."""

    segment: Segment
    shown: NDArray[np.bool_]

    @property
    def rows(self) -> int:
        return int(self.shown.sum())

    @property
    def wasteful(self) -> bool:
        return self.rows < (1 - _MOST_DEAD) * self.segment.rows


def to_rewrite(segments: Sequence[Live], new_rows: int = 0) -> list[Live]:
    """Those of a number of segments that should become one, together with `new_rows`; [] if they are well as they are.

    Afterwards each segment has at least three times the rows of all that are smaller, up to LARGEST; so their number
    grows with the logarithm of the rows, and a row is copied about as often as there are segments.
    """
    by_size = sorted(segments, key=lambda held: held.rows)
    smaller, merged = new_rows, 0
    for place, held in enumerate(by_size, start=1):
        if _RATIO * smaller > held.rows and held.rows < LARGEST:
            merged = place
        smaller += held.rows
    return by_size[:merged] + [held for held in by_size[merged:] if held.wasteful]


def parts(held: Sequence[Live], *, own: bool) -> Iterator[list[Live]]:
    """The same rows, divided among as many segments as they should fill.

    A shelf's `own` rows are divided by their `order`, so that other shelves, which decide where rows stood in packs, do
    not decide which come together. A pack gets whole shelves.
    """
    import numpy as np

    number = max(1, sum(one.rows for one in held) // LARGEST)
    for part in range(number):
        found = []
        for one in held:
            shelf, start = one.segment["shelf"], one.segment["row_start"]
            key = one.segment["order"] if own else np.repeat(shelf, np.diff(start))
            found.append(Live(one.segment, one.shown & (key % number == part)))
        if any(one.rows for one in found):
            yield [one for one in found if one.rows]
