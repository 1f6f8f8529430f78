"""Citations and passages as HTML: where they stand, what they say, and a link that opens them in their document.

Everything from the library is escaped. Links open a new tab, because a page that is left loses its conversation.
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from urllib.parse import quote, urlencode

from assistant.types import Citation, Passage

_MOST_SHOWN = 700


def href(source: str, key: str, revision: str = "", span: tuple[int, int] | None = None) -> str:
    """The address of a document's page in this app, relative to its root; with `span` that part is marked."""
    query = {"source": source, "key": key}
    if span:
        query |= {"revision": revision, "start": str(span[0]), "end": str(span[1])}
    return "document?" + urlencode(query, quote_via=quote)


def href_of(one: Citation | Passage) -> str:
    return href(one.source, one.key, one.revision, (one.start, one.end))


def place(one: Citation | Passage) -> str:
    """Headings and page, for people; empty where the document has neither."""
    headings = [heading for heading in one.section if heading != one.title]
    return " › ".join([*headings, *([f"page {one.page}"] if one.page else [])])


def citations_html(citations: Iterable[Citation]) -> str:
    """What an answer rests on: a list of quotes, numbered as in the answer."""
    return _list(_entry(one, f"[{one.number}]", one.quote, "") for one in citations)


def passages_html(passages: Iterable[Passage]) -> str:
    """Passages with rank and score."""
    return _list(_entry(one, f"{one.rank}.", one.text, f"{one.stage} score {one.score:.4f}") for one in passages)


def _list(entries: Iterable[str]) -> str:
    return f'<ul class="evidence">{"".join(entries)}</ul>'


def _entry(one: Citation | Passage, number: str, text: str, score: str) -> str:
    shown = " ".join(text.split())
    shown = shown if len(shown) <= _MOST_SHOWN else shown[:_MOST_SHOWN] + " …"
    details = [one.status, place(one), f"{one.source}/{one.key}", score]
    return (
        f'<li><a href="{escape(href_of(one))}" target="_blank">'
        f'<span class="number">{escape(number)}</span> {escape(one.title)}</a>'
        f'<div class="place">{escape(" · ".join(part for part in details if part))}</div>'
        f"<blockquote>{escape(shown)}</blockquote></li>"
    )
