"""Questions from tables: the cell in a row and a column, and the row in which a column is largest or smallest."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from itertools import groupby

from assistant.text.quantities import quantities
from assistant.text.statements import Statement, cells, statements
from assistant.text.terms import STOP_WORDS
from assistant.types import Document
from eval.drafting.draft import Draft, Evidence, name_of, plain
from eval.metrics.text import normalized

_LONGEST_ROW = 4000  # characters
_LONGEST_CELL = 80  # characters; a longer one is a remark, not an answer
_MOST_ANSWER_WORDS = 8
_MOST_WORDS = 4  # of a column's name
_LEAST_ROWS = 3  # of a superlative
_MARKUP = re.compile(r"<[^<>]*>|https?://|!\[|\$|[|{}]|@ref|\^|~[^~\s]+~|\A[—–]|&#?\w+;")
_NOTHING = re.compile(r"[\W_]*|n/?a|none|yes|no|x|tbd|unknown|various|any|all|true|false", re.IGNORECASE)
# Columns whose cells are remarks, or that ask already ("What it holds", "How long", "Used by", "Raised when").
_REMARKS = re.compile(
    r"(?:notes?|comments?|remarks?|details?|descriptions?|explanations?|examples?|references?|see also)", re.IGNORECASE
)
_NO_NOUN = re.compile(
    r"(?:how|what|when|where|who|which|why|is|are|has|can|must|to|if|in|for|run|use|see|click|submit|contains?|needs?|the)\b.*"
    r"|.*\b(?:by|since|to|for|at|in|on|when|with|of|from|if|than|is|are|was)|\w+(?:[^e]ed|[^s]s)\s.*|\w+[^e]ed",
    re.IGNORECASE,
)
_VALUE = re.compile(r"values?|entry|content|setting|result", re.IGNORECASE)
# A row of all the others together.
_TOTAL = re.compile(
    r"(?:sub)?totals?\b.*|sums?|all|(?:(?:all|any|the) )?(?:others?|rest)|average|mean|overall|default", re.IGNORECASE
)
# Numbers that name or date something, so that the largest says nothing.
_ORDER = re.compile(
    r"\b(?:years?|dates?|days?|months?|weeks?|starts?|ends?|finished|ids?|no|number|version|release|port|run|page|line"
    r"|extension|phone|fax|room|rank|step|reference|time)\b(?!\s*\()",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Table:
    """`rows` hold the statement of each row with its cells, as many as the header has."""

    header: tuple[str, ...]
    span: tuple[int, int]
    rows: tuple[tuple[Statement, tuple[str, ...]], ...]


def tables(document: Document) -> Iterator[Table]:
    """The tables that have a header row, with cells as they are read; rows of another length are left out."""
    text = document.text
    rows = (one for one in statements(text) if one.kind == "row" and one.lead and one.end - one.start <= _LONGEST_ROW)
    for (start, end), group in groupby(rows, key=lambda row: row.lead[0]):
        header = tuple(plain(cell) for cell in cells(text[start:end]))
        read = [(row, tuple(plain(cell) for cell in cells(text[row.start : row.end]))) for row in group]
        same = tuple(row for row in read if len(row[1]) == len(header))
        if same:
            yield Table(header, (start, end), same)


def from_tables(document: Document) -> Iterator[Draft]:
    """The drafts of all tables of an English document; of a cell, first those that stand in the first rows."""
    if document.language and not document.language.startswith("en"):
        return
    for table in tables(document):
        if not table.header[0]:  # it may as well hold properties in its rows and things in its columns
            continue
        yield from _cells(document, table)
        yield from _superlatives(document, table)


def _cells(document: Document, table: Table) -> Iterator[Draft]:
    header = document.text[slice(*table.span)]
    named = Counter(normalized(row[0]) for _, row in table.rows)
    for (statement, row), below in zip(table.rows, (*table.rows[1:], None), strict=True):
        if not _names_a_row(row[0]) or named[normalized(row[0])] > 1 or (below and not below[1][0]):
            continue  # a row without a name goes on with the one above it
        for column, cell in zip(table.header[1:], row[1:], strict=True):
            if not _names_a_column(column) or not _is_an_answer(cell) or normalized(cell) == normalized(row[0]):
                continue
            asked = _asked_of(column, row[0])
            yield Draft(
                kind="cell",
                question=_in(document, asked),
                answers=(cell, *_with_unit(cell, column)),
                subject=row[0],
                asks=("cell", normalized(row[0]), normalized(column), *_where(document)),
                evidence=Evidence.at(document, statement.start, statement.end, header),
                documents=(document.key,),
            )


def _in(document: Document, asked: str) -> str:
    """The question with the document's title before it: what a table's rows are rows of, often only that says."""
    title = name_of(document)
    return f"In “{title}”, {asked}?" if title else f"{asked[0].upper()}{asked[1:]}?"


def _where(document: Document) -> tuple[str, ...]:
    return (normalized(name_of(document)),)


def _names_a_row(cell: str) -> bool:
    """Not a number, a date or a sentence."""
    words = re.findall(r"[^\W\d_]{2,}", cell)
    if not words or (cell.split() == [cell] and cell.islower() and cell.isalpha()):  # "perfect", "share"
        return False
    if cell.endswith(":") or cell.count(",") > 2:
        return False
    return len(cell) <= 60 and not any((_MARKUP.search(cell), _NOTHING.fullmatch(cell), _TOTAL.fullmatch(cell)))


def _names_a_column(name: str) -> bool:
    words = name.split()
    if not 1 <= len(words) <= _MOST_WORDS or not re.match(r"[^\W\d_]{2,}|R²", name) or _MARKUP.search(name):
        return False
    bare = re.sub(r"\s*\([^()]*\)|,.*", "", name)
    return not _REMARKS.fullmatch(bare) and not _NO_NOUN.fullmatch(bare) and not re.search(r"[?:!“”\"…]|\.\.", name)


def _is_an_answer(cell: str) -> bool:
    fits = len(cell) <= _LONGEST_CELL and len(cell.split()) <= _MOST_ANSWER_WORDS and not _MARKUP.search(cell)
    ends = re.search(r"(?:\A|\s)(\w+)\Z", cell)  # "the files that did not": the rest stands in the next row
    cut = ends is not None and ends[1].lower() in STOP_WORDS and len(cell.split()) > 1
    return fits and not cut and not _NOTHING.fullmatch(cell) and not cell.endswith((".", ":", ",", ";", "-"))


def _asked_of(column: str, row: str) -> str:
    """ "what is the port of RSV"; a table of properties and their values asks for the property."""
    if _VALUE.fullmatch(column):
        return f"what {_be(row)} the {_lower(row)}"
    return f"what {_be(column)} the {_lower(column)} of {row}"


def _be(noun: str) -> str:
    head = re.split(r"\s*\(|,|\s(?:of|per|in|for)\s", noun)[0]
    return "are" if re.search(r"[^su]s$", head) and not head.isupper() else "is"


def _lower(name: str) -> str:
    """A name of a column as it stands within a sentence: "Service name" as "service name", but "CPU" as "CPU"."""
    if "," in name:
        return f"“{name}”"
    if re.fullmatch(r"[A-Z][a-z]+(?: [A-Z][a-z]+)+", name):
        return name.lower()
    return name[0].lower() + name[1:] if re.match(r"[A-Z](?:[a-z]|\b(?!\s?\())", name) and len(name) > 1 else name


def _with_unit(cell: str, column: str) -> tuple[str, ...]:
    """With the unit that the column's name has in brackets: "1,200" below "Cost (EUR)" may be answered "1,200 EUR"."""
    unit = re.search(r"\(([^()]{1,20})\)$", column)
    number = re.fullmatch(r"[-+−~<>≈\s]*\d[\d.,\s]*", cell)
    return (f"{cell} {unit[1]}",) if unit and number else ()


def _superlatives(document: Document, table: Table) -> Iterator[Draft]:
    first = table.header[0]
    if len(table.rows) < _LEAST_ROWS or not _names_a_column(first) or first.lower().startswith("total"):
        return
    if len({normalized(row[0]) for _, row in table.rows}) < len(table.rows):
        return
    for at, column in enumerate(table.header[1:], start=1):
        if not _names_a_column(column) or _ORDER.search(column):
            continue
        found = [(_number(row[at]), row[0]) for _, row in table.rows if not _TOTAL.fullmatch(row[0])]
        values = [value for value, _ in found if value is not None]
        if len(values) < max(_LEAST_ROWS, len(found)) or len({unit for _, unit in values}) > 1:
            continue
        start, end = table.span[0], table.rows[-1][0].end
        most, least = ("most", "fewest") if _be(column) == "are" else ("highest", "lowest")
        for word, extreme in ((f"the {most}", max(values)), (f"the {least}", min(values))):
            best = [row for value, row in found if value == extreme]
            if len(best) > 1 or not _names_a_row(best[0]):
                continue
            yield Draft(
                kind="superlative",
                question=_in(document, f"which {_lower(first)} has {word} {_lower(column)}"),
                answers=(best[0],),
                subject=name_of(document),
                asks=("superlative", normalized(first), word, normalized(column), *_where(document)),
                evidence=Evidence.at(document, start, end),
                documents=(document.key,),
            )


def _number(cell: str) -> tuple[Decimal, str] | None:
    """The one number of a cell that holds nothing else, in its base unit, and that unit."""
    found = quantities(cell)
    if len(found) != 1 or found[0].bound or re.search(r"\w", cell[: found[0].start] + cell[found[0].end :]):
        return None
    return found[0].value, found[0].unit
