"""Markdown text as a row of blocks: headings, paragraphs, list items, tables, equations, code, quotes.

One pass over the lines. Only the outermost structure matters here: it tells the splitter where it may cut and the
sentence finder what is one sentence. Every character that is not white space lies in exactly one block.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

BlockKind = Literal["heading", "paragraph", "item", "table", "equation", "code", "quote"]

HEADING = re.compile(r" {0,3}(#{1,6})(?=\s|$)")
_FENCE = re.compile(r"\s*(`{3,}(?=[^`]*$)|~{3,})")
_ITEM = re.compile(r"\s*(?:[-*+•‣◦▪]|\(?\d{1,9}[.)]|#\.)\s+\S")
_FIRST_ITEM = re.compile(r"\s*(?:[-*+•‣◦▪]|\(?1[.)]|#\.)\s+\S")
_RULE = re.compile(r"\s*([-*_])(?:\s*\1){2,}\s*$")
_ROW = re.compile(r"\s*\||\s*\S[^\t]*\t+\s*\S")
_ENVIRONMENT = re.compile(r"\s*\\begin\{((?:equation|align|alignat|gather|multline|eqnarray|displaymath|math)\*?)\}")
_MOST_EQUATION_LINES = 200


@dataclass(frozen=True, slots=True)
class Block:
    """`text[start:end]` without outer white space. A `table` is cut by line into rows, an `item` is one list item."""

    kind: BlockKind
    start: int
    end: int


def lines(text: str, start: int, end: int) -> list[tuple[int, int]]:
    """The spans of the lines of `text[start:end]`, without their line feeds."""
    found = []
    while start < end:
        stop = text.find("\n", start, end)
        stop = end if stop < 0 else stop
        found.append((start, stop))
        start = stop + 1
    return found


def stripped(text: str, start: int, end: int) -> tuple[int, int]:
    """The span without white space at its ends; `start == end` if there is nothing else."""
    piece = text[start:end]
    left = len(piece) - len(piece.lstrip())
    return (start + left, start + len(piece.rstrip())) if left < len(piece) else (start, start)


def blocks(text: str, start: int = 0, end: int | None = None) -> list[Block]:
    """The blocks of `text[start:end]`, ascending and apart from one another; offsets count from the start of `text`."""
    spans = lines(text, start, len(text) if end is None else end)
    rows = [text[a:b] for a, b in spans]
    found = []
    for kind, first, stop in _runs(rows):
        a, b = stripped(text, spans[first][0], spans[stop - 1][1])
        if a < b:
            found.append(Block(kind, a, b))
    return found


def _runs(rows: list[str]) -> Iterator[tuple[BlockKind, int, int]]:
    """(kind, first line, line after the last) of each block."""
    at = 0
    while at < len(rows):
        row = rows[at]
        if not row.strip():
            at += 1
            continue
        kind, stop = _block_at(rows, at)
        yield kind, at, stop
        at = stop


def _block_at(rows: list[str], at: int) -> tuple[BlockKind, int]:
    """The kind of the block that begins in line `at`, and the line after its last."""
    row = rows[at]
    if HEADING.match(row):
        return "heading", at + 1
    if fence := _FENCE.match(row):
        return "code", _fence_end(rows, at, fence[1])
    if stop := _equation_end(rows, at):
        return "equation", stop
    if _RULE.match(row):
        return "paragraph", at + 1
    if _ITEM.match(row):
        return "item", _item_end(rows, at)
    if _ROW.match(row):
        return "table", _while(rows, at, _ROW)
    if row.lstrip().startswith(">"):
        return "quote", _paragraph_end(rows, at, quoted=True)
    return "paragraph", _paragraph_end(rows, at)


def _while(rows: list[str], at: int, pattern: re.Pattern[str]) -> int:
    stop = at + 1
    while stop < len(rows) and pattern.match(rows[stop]) and not _begins_block(rows[stop], row_of_table=True):
        stop += 1
    return stop


def _fence_end(rows: list[str], at: int, fence: str) -> int:
    """As in CommonMark: to a fence at least as long, else to the end of the text."""
    for line in range(at + 1, len(rows)):
        bare = rows[line].strip()
        if bare.startswith(fence) and not bare.strip(fence[0]):
            return line + 1
    return len(rows)


def _equation_end(rows: list[str], at: int) -> int:
    """The line after a display equation that begins in line `at`; 0 if none does, or if it never ends."""
    row = rows[at].lstrip()
    if row.startswith("$$"):
        closing, rest = "$$", row[2:]
    elif row.startswith(r"\["):
        closing, rest = r"\]", row[2:]
    elif environment := _ENVIRONMENT.match(row):
        closing, rest = rf"\end{{{environment[1]}}}", row[environment.end() :]
    else:
        return 0
    if closing in rest:
        # What follows on the same line makes it a paragraph that begins with an equation.
        tail = rest[rest.index(closing) + len(closing) :].strip()
        return at + 1 if len(tail) < 20 and not re.search(r"\w{3}", tail) else 0
    for line in range(at + 1, min(len(rows), at + _MOST_EQUATION_LINES)):
        if closing in rows[line]:
            return line + 1
        if HEADING.match(rows[line]):
            return 0
    return 0


def _item_end(rows: list[str], at: int) -> int:
    """An item goes on through the lines that follow it, and over a blank line if what follows is indented."""
    stop = at + 1
    while stop < len(rows):
        row = rows[stop]
        if not row.strip():
            following = rows[stop + 1] if stop + 1 < len(rows) else ""
            if not following.startswith(("  ", "\t")) or _begins_block(following) or not following.strip():
                return stop
        elif _begins_block(row) or _ITEM.match(row):
            return stop
        stop += 1
    return stop


def _paragraph_end(rows: list[str], at: int, quoted: bool = False) -> int:
    stop = at + 1
    while stop < len(rows) and rows[stop].strip():
        if rows[stop].lstrip().startswith(">") != quoted or _begins_block(rows[stop]):
            return stop
        stop += 1
    return stop


def _begins_block(row: str, row_of_table: bool = False) -> bool:
    """Whether the line ends the paragraph before it without a blank line between them."""
    if HEADING.match(row) or _FENCE.match(row) or _FIRST_ITEM.match(row) or _RULE.match(row):
        return True
    return not row_of_table and bool(_ROW.match(row) or row.lstrip().startswith("$$") or _ENVIRONMENT.match(row))
