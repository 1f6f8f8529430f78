"""The sentences of a document that drafts are made of: running text and list items, without links, code or formulas."""

from __future__ import annotations

import re
from collections.abc import Iterator

from assistant.text.blocks import blocks
from assistant.text.statements import statements

_MARKUP = re.compile(r"[`$*{}|<>\\]|https?://|\]\(|!\[|\[[^\[\]]*\]|(?<!\w)_\w|\w_(?!\w)|____")
_ENDS = re.compile(r"[^\W_][\"”’)]?\.\Z|%\.\Z")


def sentences(text: str) -> Iterator[tuple[int, int]]:
    """The spans of whole sentences in running text that hold nothing but words, numbers and punctuation."""
    quoted = [(block.start, block.end) for block in blocks(text) if block.kind in ("quote", "code")]
    for one in statements(text):
        sentence = text[one.start : one.end]
        if one.kind not in ("prose", "item") or _MARKUP.search(sentence) or not _ENDS.search(sentence):
            continue
        if not any(start <= one.start < end for start, end in quoted):
            yield one.start, one.end


def one_line(text: str) -> str:
    """A sentence without the line breaks of its paragraph."""
    return " ".join(text.split())
