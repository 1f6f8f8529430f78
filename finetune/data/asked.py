"""A question, and the places in documents that answer it: what every source of training data gives."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from assistant.types import Document

Answerable = Literal["yes", "no", "unknown"]
Key = tuple[str, str]
"""The source and the key of a document."""


@dataclass(frozen=True, slots=True)
class Place:
    """`text[start:end]` of the document with this source and key."""

    source: str
    key: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Asked:
    """A question or claim. Raises ValueError for one without words.

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

    def __post_init__(self) -> None:
        if not self.question.strip():
            raise ValueError(f"the question {self.id} is empty")

    @property
    def documents(self) -> frozenset[Key]:
        """All documents that it concerns."""
        return frozenset((place.source, place.key) for place in (*self.answered_at, *self.about))


@dataclass(frozen=True, slots=True)
class Questions:
    """What a source gives: questions on `documents`. `left_out` says why others were not taken, and how many."""

    asked: tuple[Asked, ...]
    documents: Mapping[Key, Document]
    left_out: Mapping[str, int] = field(default_factory=dict)


def wording(answer: str) -> re.Pattern[str]:
    """Finds an answer that stands as words of their own, whatever the case and the white space, and no number that is
    a part of another: "5 GeV" is not in "12.5 GeV"."""
    words = r"\s+".join(map(re.escape, answer.split()))
    return re.compile(rf"(?<!\w)(?<!\d[.,]){words}(?!\w)(?![.,]\d)", re.IGNORECASE)
