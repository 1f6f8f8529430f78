"""The page of the library: its documents, and what became of every file that was seen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import streamlit as st

from app.evidence import href
from assistant import Assistant
from assistant.library.view import DocumentSummary
from assistant.types import Item, ItemStatus

REASONS = {
    "needs_ocr": "only images of text in it: it needs character recognition",
    "encrypted": "encrypted: it needs a password",
    "corrupt": "broken: it cannot be read as what it claims to be",
    "timeout": "reading it took too long",
    "too_large": "larger than the settings allow",
    "empty": "no text in it",
    "unsupported": "a kind of file that Refdesk does not read",
    "unreadable": "the system did not let Refdesk read it",
    "outside_root": "a link that leads out of its folder",
}
_MOST_ROWS = 500


@dataclass(frozen=True, slots=True)
class Row:
    """A file, and its document where it has one. `characters` and `chunks` are sizes of the document."""

    source: str
    key: str
    status: ItemStatus
    reason: str
    title: str = ""
    kind: str = ""
    characters: int = 0
    chunks: int = 0


def show(assistant: Assistant) -> None:
    """The page, for one caller."""
    st.title("Library", anchor=False)
    status = assistant.status()
    rows = _rows(status.items, assistant.documents())
    counts = Counter(row.status for row in rows)
    st.html(
        f"<p>Generation {status.generation}: {status.documents:,} documents in {status.chunks:,} passages, "
        f"{sum(row.characters for row in rows):,} characters. Of {len(rows):,} files, {counts['indexed']:,} are "
        f"indexed, {counts['skipped']:,} were skipped, {counts['failed']:,} failed.</p>"
    )
    words_column, status_column, kind_column = st.columns([2, 1, 1])
    words = words_column.text_input("Title or file holds", placeholder="Any")
    statuses = status_column.multiselect("Status", sorted(counts), key="library-statuses", placeholder="Any")
    kinds = kind_column.multiselect(
        "Kind", sorted({row.kind for row in rows if row.kind}), key="library-kinds", placeholder="Any"
    )
    wanted = [
        row
        for row in rows
        if words.casefold() in f"{row.title} {row.source}/{row.key}".casefold()
        and (not statuses or row.status in statuses)
        and (not kinds or row.kind in kinds)
    ]
    st.html(_table(wanted))


def _rows(items: Sequence[Item], documents: Sequence[DocumentSummary]) -> list[Row]:
    """Every file, those that failed first: they are what someone may have to do something about."""
    by_key = {(document.source, document.key): document for document in documents}
    rows = []
    for item in items:
        document = by_key.get((item.source, item.key))
        if document is None:
            rows.append(Row(item.source, item.key, item.status, item.reason))
        else:
            sizes = (document.title, document.kind, document.characters, document.chunks)
            rows.append(Row(item.source, item.key, item.status, item.reason, *sizes))
    order = ["failed", "skipped", "indexed"]
    return sorted(rows, key=lambda row: (order.index(row.status), row.source, row.key))


def _table(rows: Sequence[Row]) -> str:
    head = "".join(f"<th>{name}</th>" for name in ("Document", "Kind", "Status", "Characters", "Passages"))
    shown = rows[:_MOST_ROWS]
    more = f" The first {len(shown)} are shown; narrow the list to see others." if len(rows) > len(shown) else ""
    return (
        f'<p class="about" role="status">{len(rows):,} files.{more}</p>'
        '<div class="table" role="region" aria-label="Files" tabindex="0">'
        f'<table class="files"><thead><tr>{head}</tr></thead><tbody>{"".join(map(_row, shown))}</tbody></table></div>'
    )


def _row(row: Row) -> str:
    file = f"{row.source}/{row.key}"
    name = f'<div class="place">{escape(file)}</div>'
    if row.title:
        name = f'<a href="{escape(href(row.source, row.key))}" target="_blank">{escape(row.title)}</a>{name}'
    why = f'<div class="place">{escape(REASONS.get(row.reason, row.reason))}</div>' if row.reason else ""
    status = f'<span class="status {row.status}">{row.status}</span>{why}'
    sizes = (f"{row.characters:,}", f"{row.chunks:,}") if row.title else ("", "")
    numbers = "".join(f'<td class="count">{size}</td>' for size in sizes)
    return f"<tr><td>{name}</td><td>{escape(row.kind)}</td><td>{status}</td>{numbers}</tr>"
