"""What can be quoted from a passage: sentences, list items and table rows, each with the lines that lead in to it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from assistant.text.blocks import Block, blocks, lines, stripped
from assistant.text.sentences import prose_sentences

StatementKind = Literal["prose", "item", "row", "header", "heading", "question", "reference", "code", "equation"]

_MARKER = re.compile(r"\s*(?:(?:[-*+•‣◦▪]|\(?\d{1,9}[.)]|#\.)\s+|>\s?)(?:\\\*\s+)?")
_NUMBER_CELL = re.compile(r"[-+−~<>≈±*\s]*\d[\d.,\s]*(?:%|[a-zA-Zµ]{1,3})?\**")
_REFERENCE = re.compile(
    r"\bet al\b.*\b(?:19|20)\d\d\b|\barXiv:\s*\d|\bdoi\.org/|\bdoi:|\b\d+\.\d+ \((?:19|20)\d\d\)"
    r"|\bvol\.\s*\d+.*\bpp?\.",
    re.IGNORECASE,
)
_BARE_HEADING = re.compile(r"(?:\*\*|__)[^*_]{1,80}(?:\*\*|__)")


@dataclass(frozen=True, slots=True)
class Statement:
    """`text[start:end]` without list marker. `lead` holds the spans of what it needs to be understood: the line that
    opens its list, the item above it, the header row of its table."""

    start: int
    end: int
    kind: StatementKind
    lead: tuple[tuple[int, int], ...] = ()


@lru_cache(maxsize=256)
def statements(text: str) -> tuple[Statement, ...]:
    """The statements of a passage's text, ascending and without overlap."""
    found: list[Statement] = []
    above: list[tuple[int, tuple[int, int]]] = []  # (indentation, span) of the lines that lead in to the next item
    for block in blocks(text):
        if block.kind == "table":
            found += _rows(text, block)
            continue
        pieces = _pieces(text, block)
        if not pieces:
            continue
        indentation = block.start - (text.rfind("\n", 0, block.start) + 1) if block.kind == "item" else -1
        above = [one for one in above if one[0] < indentation]
        lead = tuple(span for _, span in above)
        found += [Statement(a, b, _kind(text[a:b], block), lead) for a, b in pieces]
        last = pieces[-1]
        if block.kind == "item" or re.search(r":\W*$", text[slice(*last)]):
            above.append((indentation, last))
    return tuple(found)


def _pieces(text: str, block: Block) -> list[tuple[int, int]]:
    if block.kind not in ("paragraph", "quote", "item"):
        return [(block.start, block.end)]
    start = block.start
    if marker := _MARKER.match(text, start, block.end):
        start = marker.end()
    spans = prose_sentences(text, start, block.end)
    return [(a, b) for a, b in spans if re.search(r"[^\W_]", text[a:b])]


def _kind(piece: str, block: Block) -> StatementKind:
    if block.kind in ("heading", "code", "equation"):
        return block.kind
    if re.search(r"\?[\W_]*$", piece):
        return "question"
    if _REFERENCE.search(piece):
        return "reference"
    if block.kind == "paragraph" and _BARE_HEADING.fullmatch(piece) and piece.strip("*_ ").endswith(":"):
        return "heading"
    return "item" if block.kind == "item" else "prose"


def _rows(text: str, table: Block) -> list[Statement]:
    rows = [stripped(text, a, b) for a, b in lines(text, table.start, table.end)]
    header = _header(text, rows)
    found = []
    for span in rows:
        if re.search(r"[^\W_]", text[slice(*span)]):
            lead = (header,) if header and span != header else ()
            found.append(Statement(*span, "header" if span == header else "row", lead))
    return found


def _header(text: str, rows: list[tuple[int, int]]) -> tuple[int, int] | None:
    """The header row: above a rule of a pipe table, or a first row of words above one that has numbers."""
    if len(rows) < 2:
        return None
    first, second = text[slice(*rows[0])], text[slice(*rows[1])]
    if not re.search(r"[^\W_]", second) and "-" in second:
        return rows[0] if re.search(r"[^\W_]", first) else None
    numbers = [sum(bool(_NUMBER_CELL.fullmatch(cell)) for cell in cells(row)) for row in (first, second)]
    return rows[0] if not numbers[0] and numbers[1] else None


def cells(row: str) -> list[str]:
    """The cells of a table row, of a pipe table or between tabs, without outer white space."""
    parts = re.split(r"(?<!\\)\|", row.strip().removeprefix("|").removesuffix("|")) if "|" in row else row.split("\t")
    return [part.strip() for part in parts]


def readable(text: str, statement: Statement) -> str:
    """A statement as one line to be shown: a table row with its header cells, marks of emphasis and line breaks gone.

    Its words, numbers and formulas stay as they are.
    """
    piece = text[statement.start : statement.end]
    if statement.kind in ("row", "header"):
        row = cells(piece)
        head = cells(text[slice(*statement.lead[0])]) if statement.lead else [""] * len(row)
        pairs = zip(head + [""] * (len(row) - len(head)), row, strict=False)
        piece = "; ".join(f"{name}: {cell}" if name and cell else cell for name, cell in pairs if cell)
    piece = re.sub(r"(?<!\\)(?:\*\*|__)|</?(?:b|i|em|strong|br)\s*/?>", "", piece)
    return " ".join(piece.split())
