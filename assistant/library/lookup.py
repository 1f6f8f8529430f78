"""Where the words of a question stand in the visible blocks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from assistant.library.segment import Segment

    Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Part:
    """The visible `blocks` of a segment. `word_low`, `word_high`: where the words of each start and end; `end`: where
    their rows end; `shift`: what to add to a row of the segment to get its number among all visible rows."""

    segment: Segment
    blocks: Ints
    word_low: Ints
    word_high: Ints
    end: Ints
    shift: Ints


class Places(NamedTuple):
    """Where the postings of each word start in each block of a part, and how many they are: (blocks, words)."""

    part: Part
    first: Ints
    size: Ints


@dataclass(frozen=True, slots=True)
class Words:
    """Several words in all visible blocks. `places`: of the parts that hold any of them. For each word: `rows` that
    hold it, shown or not; `most`, the largest count among them; `shortest`, the smallest length/count."""

    places: tuple[Places, ...]
    rows: Ints
    most: NDArray[np.uint8]
    shortest: NDArray[np.float32]


def find(parts: Sequence[Part], hashes: NDArray[np.uint64]) -> Words:
    """The postings of each of these words."""
    import numpy as np

    from assistant.library.locate import locate

    places = []
    rows = np.zeros(len(hashes), np.int64)
    most, shortest = np.zeros(len(hashes), np.uint8), np.full(len(hashes), np.inf, np.float32)
    for part in parts:
        held = part.segment
        table = held["word"], held["posting_start"], held["most"], held["shortest"]
        first, size = locate(*table, part.word_low, part.word_high, hashes, most, shortest)
        if size.any():
            places.append(Places(part, first, size))
            rows += size.sum(axis=0)
    return Words(tuple(places), rows, most, shortest)
