"""The sentences of a document that drafts are made of, as they are read: whole ones of running text and list items."""

from __future__ import annotations

import re
from collections.abc import Iterator

from assistant.text.blocks import blocks
from assistant.text.statements import statements
from eval.drafting.draft import plain

_MARKUP = re.compile(r"[`$*{}|<>\\\[\]]|https?://|(?<!\w)_\w|\w_(?!\w)|__|!!!|:::|&#?\w+;|\^|~[^~\s]+~")
_LONGEST = 1000  # characters; what is longer is no sentence, and may be made to take long
_ENDS = re.compile(r"[^\W_][\"”’)]?\.\Z|%\.\Z")


def sentences(text: str) -> Iterator[tuple[int, int, str]]:
    """The span of each sentence with how it is read: without marks of emphasis and code, links as their words.

    Left out is what then still has marks in it: formulas, images, citations, HTML.
    """
    quoted = [(block.start, block.end) for block in blocks(text) if block.kind in ("quote", "code")]
    for one in statements(text):
        if one.kind not in ("prose", "item") or one.end - one.start > _LONGEST:
            continue
        if any(start <= one.start < end for start, end in quoted):
            continue
        sentence = text[one.start : one.end]
        read = plain(sentence)
        if "![" not in sentence and _ENDS.search(read) and not _MARKUP.search(read):
            yield one.start, one.end, read
