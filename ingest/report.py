"""What a run did: a line for each item that it touched or could not read, and sums for each source."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Outcome = Literal["new", "changed", "moved", "unchanged", "skipped", "failed", "removed"]
OUTCOMES: tuple[Outcome, ...] = ("new", "changed", "moved", "unchanged", "removed", "skipped", "failed")


@dataclass(frozen=True, slots=True)
class Line:
    """What a run did with one item. `detail` is a sentence for people where `reason` is a word for programs.

    `access_changed` says that other people than before may read it.
    """

    source: str
    key: str
    outcome: Outcome
    reason: str = ""
    detail: str = ""
    chunks: int = 0
    access_changed: bool = False


@dataclass(frozen=True, slots=True)
class SourceReport:
    """What a run did with one source.

    `counts` has the number of items for each outcome, `access_changed` of those that other people than before may read.
    `error` says why the source could not be read to its end, "" if it was; nothing was removed then. `held_back` is the
    number of items that had vanished, but were too many to be removed. `requests` were made over HTTP, in `seconds`.
    `nobodys` is the number of its documents that nobody may read, because the source does not say who may.
    `last_success` is when a source of the settings was last read to its end with nothing held back, this run included
    (ISO 8601), "" for never.
    """

    source: str
    counts: dict[Outcome, int]
    access_changed: int = 0
    held_back: int = 0
    nobodys: int = 0
    requests: int = 0
    seconds: float = 0.0
    error: str = ""
    last_success: str = ""

    @property
    def trusted(self) -> bool:
        """Whether the source was read to its end and what it said was carried out."""
        return not self.error and not self.held_back


@dataclass(frozen=True, slots=True)
class Report:
    """What a run did. `lines` leaves out what was unchanged. `embedded` counts chunks that had never been embedded
    before; `seconds` is wall time."""

    generation: int
    sources: tuple[SourceReport, ...]
    lines: tuple[Line, ...]
    embedded: int
    seconds: float

    def count(self, *outcomes: Outcome) -> int:
        return sum(source.counts.get(outcome, 0) for source in self.sources for outcome in outcomes)
