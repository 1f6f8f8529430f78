"""The page of one document, with the cited characters marked and scrolled to.

Its address says which: `document?source=...&key=...`, and for a citation `&revision=...&start=...&end=...`.
"""

from __future__ import annotations

from bisect import bisect_right
from html import escape
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

import streamlit as st

from app.answer_text import plain_markdown
from app.highlight import ANCHOR, Span, document_html
from assistant import Assistant
from assistant.types import Document

PART = 100_000
"""Characters that are shown at once."""

_SCROLL = f"""<script>
(function find(tries) {{
  const cited = document.getElementById("{ANCHOR}");
  if (cited) {{ cited.scrollIntoView({{block: "center"}}); cited.focus({{preventScroll: true}}); }}
  else if (tries) setTimeout(find, 50, tries - 1);
}})(100);
</script>"""


def show(assistant: Assistant) -> None:
    """The page, for one caller."""
    asked = st.query_params
    document = assistant.document(asked.get("source", ""), asked.get("key", ""))
    if document is None:
        st.title("No such document", anchor=False)
        st.html(
            f"<p>The library holds no document <code>{escape(asked.get('key', ''))}</code> that you may read. It may "
            "have been removed since it was cited. Look for it on the library page.</p>"
        )
        return
    st.set_page_config(page_title=f"{document.title} · Refdesk")
    st.title(plain_markdown(" ".join(document.title.split())), anchor=False)
    mark = _mark(document)
    _show_about(document, mark)
    start, end = _part(document, mark)
    st.html(f'<article class="document">{document_html(document.text, start, end, mark)}</article>')
    if mark:
        st.html(_SCROLL, unsafe_allow_javascript=True)


def _mark(document: Document) -> Span | None:
    """The cited span, or None if none is cited or the document is another one now."""
    asked = st.query_params
    if "start" not in asked:
        return None
    try:
        start, end = int(asked["start"]), int(asked.get("end", ""))
    except ValueError:
        start, end = 0, 0
    if asked.get("revision") != document.revision:
        st.warning("This document has changed since it was cited, so the cited words cannot be pointed out.")
        return None
    if not 0 <= start < end <= len(document.text):
        st.warning("The address names characters that this document does not have.")
        return None
    return start, end


def _show_about(document: Document, mark: Span | None) -> None:
    """Where the document comes from and, for a citation, where in it the words stand."""
    facts = {"Kind": document.kind, "Source": f"{document.source}/{document.key}", "Revision": document.revision}
    if mark:
        page = bisect_right(document.pages, mark[0])
        section = next((s.path for s in document.sections if s.start <= mark[0] < s.end), ())
        facts = {"Place": " › ".join([*section, *([f"page {page}"] if page else [])])} | facts
    parts = [f"<div><dt>{name}</dt><dd>{escape(value)}</dd></div>" for name, value in facts.items() if value]
    address = urlsplit(document.url)
    if address.scheme in ("http", "https"):
        link = f'<a href="{escape(document.url)}" target="_blank">{escape(document.url)}</a>'
        parts.append(f"<div><dt>Original</dt><dd>{link}</dd></div>")
    elif address.scheme == "file":  # browsers do not follow such links
        parts.append(f"<div><dt>Original file</dt><dd>{escape(unquote(address.path))}</dd></div>")
    st.html(f'<dl class="facts">{"".join(parts)}</dl>')
    st.download_button(
        "Download the text", document.text, f"{PurePosixPath(document.key).stem}.md", "text/markdown", on_click="ignore"
    )


def _part(document: Document, mark: Span | None) -> Span:
    """The span to show: all of it, or of a long document the part that holds the citation or is asked for."""
    parts = _parts(document.text)
    if len(parts) == 1:
        return parts[0]
    first = next((n for n, (_, end) in enumerate(parts, 1) if mark and mark[0] < end), 1)
    number = st.number_input(f"Part, of {len(parts)}", min_value=1, max_value=len(parts), value=first)
    return parts[int(number) - 1]


def _parts(text: str) -> list[Span]:
    """Spans of about PART characters that cover the text and, where it has lines, begin at one."""
    spans, start = [], 0
    while len(text) - start > PART:
        end = text.rfind("\n", start, start + PART) + 1 or start + PART
        spans.append((start, end))
        start = end
    return [*spans, (start, len(text))]
