"""A question, and the places in documents that answer it: what every source of training data gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from assistant.types import Document

Answerable = Literal["yes", "no", "unknown"]


@dataclass(frozen=True, slots=True)
class Place:
    """`text[start:end]` of the document with this source and key."""

    source: str
    key: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Asked:
    """A question or claim.

    `answers` are its accepted wordings, none where only places are known. `answered_at` are the places that hold the
    answer, or that support or refute the claim, each alone. `about` are places where a search should lead although they
    do not hold it, or nobody said where in them it stands. `answerable` is "no" where somebody judged that no document
    answers it, and "unknown" where nobody judged whether the places of `about` do.
    """

    id: str
    question: str
    answers: tuple[str, ...] = ()
    answered_at: tuple[Place, ...] = ()
    about: tuple[Place, ...] = ()
    answerable: Answerable = "yes"

    @property
    def documents(self) -> frozenset[tuple[str, str]]:
        """(source, key) of all documents that it concerns."""
        return frozenset((place.source, place.key) for place in (*self.answered_at, *self.about))


@dataclass(frozen=True, slots=True)
class Questions:
    """What a source gives: questions on `documents`, which are by (source, key)."""

    asked: tuple[Asked, ...]
    documents: Mapping[tuple[str, str], Document]
