"""Which documents are trained on, which stop the training, and which only measure it.

Documents that one question concerns are dealt together, so that no question has a foot in two parts; and so is what has
the same text, whatever it is called and wherever it comes from.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable
from functools import lru_cache
from typing import Literal, get_args

Part = Literal["train", "validation", "test"]
PARTS: tuple[Part, ...] = get_args(Part)


@lru_cache(maxsize=1000)  # many questions concern one document
def text_name(text: str) -> str:
    """What a text is dealt by: the same for all that differ in white space and case only."""
    return hashlib.sha256(" ".join(text.split()).casefold().encode()).hexdigest()


class Deal:
    """Deals texts, by their names.

    `joined` are names that must stay together; each group goes where the hash of its first name and the seed says, so
    what is added moves nothing else unless it joins others. `validation` and `test` are the shares of groups, about;
    what they leave is trained on. Raises ValueError unless they are at least 0 and leave something.
    """

    def __init__(self, joined: Iterable[Collection[str]], validation: float, test: float, seed: int) -> None:
        if validation < 0 or test < 0 or validation + test >= 1:
            raise ValueError(
                f"validation ({validation}) and test ({test}) must be at least 0 and leave something to train on"
            )
        self._shares = validation, test
        self._seed = seed
        self._first: dict[str, str] = {}
        for names in joined:
            roots = sorted({self._root(name) for name in names})
            for other in roots[1:]:
                self._first[other] = roots[0]

    def part(self, name: str) -> Part:
        """Uniformly by the SHA-256 of the group's first name; a name that was not joined is a group of its own."""
        validation, test = self._shares
        digest = hashlib.sha256(f"{self._seed}\0{self._root(name)}".encode()).digest()
        drawn = int.from_bytes(digest[:8], "big") / 2**64
        return "test" if drawn < test else "validation" if drawn < test + validation else "train"

    def _root(self, name: str) -> str:
        """The first name of a group (union-find, with path halving)."""
        first = self._first
        while (above := first.setdefault(name, name)) != name:
            first[name] = name = first[above]
        return name
