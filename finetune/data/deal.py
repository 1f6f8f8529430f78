"""Which documents are trained on, which stop the training, and which only measure it.

Documents that one question concerns are dealt together, so that no question has a foot in two parts.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable
from typing import Literal, get_args

from finetune.data.asked import Asked

Part = Literal["train", "validation", "test"]
PARTS: tuple[Part, ...] = get_args(Part)
Key = tuple[str, str]


def deal(
    documents: Collection[Key], asked: Iterable[Asked], validation: float, test: float, seed: int
) -> dict[Key, Part]:
    """The part of each document, by (source, key).

    A group of documents goes where the hash of its first one and the seed says, so a document that is added moves no
    other unless a question joins them. `validation` and `test` are the shares of groups, about; what they leave is
    trained on. Raises ValueError unless they are at least 0 and leave something.
    """
    if validation < 0 or test < 0 or validation + test >= 1:
        raise ValueError(
            f"validation ({validation}) and test ({test}) must be at least 0 and leave something to train on"
        )
    first = _groups(documents, asked)
    return {key: part_of("\0".join(first[key]), validation, test, seed) for key in documents}


def part_of(name: str, validation: float, test: float, seed: int) -> Part:
    """The part of what has this name, uniformly by its SHA-256."""
    digest = hashlib.sha256(f"{seed}\0{name}".encode()).digest()
    drawn = int.from_bytes(digest[:8], "big") / 2**64
    return "test" if drawn < test else "validation" if drawn < test + validation else "train"


def _groups(documents: Collection[Key], asked: Iterable[Asked]) -> dict[Key, Key]:
    """The first document of each one's group (union-find, with path halving)."""
    first = {key: key for key in documents}

    def root(key: Key) -> Key:
        while first[key] != key:
            first[key] = key = first[first[key]]
        return key

    for one in asked:
        roots = sorted({root(key) for key in one.documents})
        for other in roots[1:]:
            first[other] = roots[0]
    return {key: root(key) for key in documents}
