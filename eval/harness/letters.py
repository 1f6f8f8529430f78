"""The letter that a written reply chooses: read strictly, so that no prose is taken for an answer."""

from __future__ import annotations

import re

_WHOLE = re.compile(r"(?:([A-Z])|\(([A-Z])\))\.?")
_BEGINS = re.compile(r"Answer: ?(?:([A-Z])|\(([A-Z])\))(?=$|[.,;:)\n])")


def letter(reply: str, choices: int) -> int | None:
    """The index of the choice that `reply` names, out of `choices`; None where it names none.

    But for white space around it, the whole reply is `B`, `B.`, `(B)` or `(B).`; or it begins `Answer: B` or
    `Answer: (B)`, and there its end or a punctuation mark follows. Nothing else counts: neither `b`, nor `B because`.
    """
    text = reply.strip()
    found = _WHOLE.fullmatch(text) or _BEGINS.match(text)
    if found is None:
        return None
    index = ord(found[1] or found[2]) - ord("A")
    return index if index < choices else None
