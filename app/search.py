"""The page to search: passages with where they stand; no language model takes part."""

from __future__ import annotations

import streamlit as st

from app.evidence import passages_html
from assistant import Assistant

_MOST_PASSAGES = 100


def show(assistant: Assistant) -> None:
    """The page, for one caller."""
    st.title("Search", anchor=False)
    documents = assistant.documents()
    question = _question()
    sources_column, kinds_column, k_column = st.columns([2, 2, 1])
    sources = sources_column.multiselect(
        "Only these sources",
        sorted({document.source for document in documents}),
        key="search-sources",  # so that what is chosen stays when the library gets another source
        placeholder="All sources",
    )
    kinds = kinds_column.multiselect(
        "Only these kinds",
        sorted({document.kind for document in documents}),
        key="search-kinds",
        placeholder="All kinds",
    )
    k = k_column.number_input("Passages", min_value=1, max_value=_MOST_PASSAGES, value=10)
    if not question.strip():
        return
    found = assistant.search(question, int(k), sources=sources, kinds=kinds)
    if found:
        st.html(f'<p class="label" role="status">{len(found)} passages, best first</p>{passages_html(found)}')
    else:
        st.html('<p role="status">Nothing found. Try other words, or fewer filters.</p>')


def _question() -> str:
    """In a form, so that the same words are looked for again: the library may hold something else by now."""
    with st.form("search", border=False):
        words_column, button_column = st.columns([5, 1], vertical_alignment="bottom")
        question: str = words_column.text_input("What to look for", placeholder="In your own words")
        button_column.form_submit_button("Search", width="stretch")
    return question
