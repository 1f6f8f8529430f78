"""The page to ask: the draft as it comes, then the checked answer in its place, and what people think of it."""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from html import escape
from typing import Any

import streamlit as st

from app.answer_text import answer_markdown
from app.evidence import citations_html, passages_html
from app.feedback import FeedbackStore
from assistant import Assistant
from assistant.people import Caller
from assistant.types import Answer, Mode

WAYS: dict[str, Mode | None] = {"Automatic": None, "Quote the library": "extract", "Let the LLM write": "generate"}
_PERSON, _DESK = ":material/person:", ":material/menu_book:"
_THANKS = {1: "Thank you, kept as helpful.", 0: "Thank you, kept as not helpful.", None: "Judgement withdrawn."}
_NEAREST = 3
_NOTES = 2
_MOST_CHARACTERS = 2000


@dataclass(frozen=True, slots=True)
class Turn:
    """A question of this session, and its answer once it is checked."""

    id: str
    question: str
    answer: Answer | None = None


def show(assistant: Assistant, store: FeedbackStore) -> None:
    """The page, for one caller."""
    st.title("Ask the library", anchor=False)
    turns: list[Turn] = st.session_state.setdefault("turns", [])
    if not turns:
        holds = assistant.status()
        st.html(
            f"<p>Answers come from the {holds.documents:,} documents of this library, and every sentence shows the "
            "words that it rests on. What the library does not hold is not answered.</p>"
        )
    readable = cache(lambda source, key: assistant.document(source, key) is not None)
    for turn in turns:
        with _place(turn):
            if turn.answer and not all(readable(passage.source, passage.key) for passage in turn.answer.passages):
                _show_that_it_is_gone(turn)
            else:
                _show_turn(turn, store)
    if turns:
        _scroll_to(turns[-1])
    with st.bottom:
        way = st.segmented_control("How to answer", list(WAYS), default="Automatic", required=True, key="way")
        question = st.chat_input("Ask a question", max_chars=_MOST_CHARACTERS, submit_mode="stop")
    if question and question.strip():
        _ask(assistant, question.strip(), WAYS[way])
        st.rerun()


def forget_what_others_asked(asking: Caller) -> None:
    """Empties the chat where it was another person's, or of the same person in other groups: its answers may quote
    what may no longer be read."""
    if st.session_state.setdefault("asking", asking) != asking:
        st.session_state["asking"] = asking
        st.session_state["turns"] = []


def _ask(assistant: Assistant, question: str, mode: Mode | None) -> None:
    """Shows the draft while it is written, and adds the turn to the session's."""
    turns: list[Turn] = st.session_state["turns"]
    # At once, so that a question that is stopped half way is not forgotten.
    turns.append(Turn(uuid.uuid4().hex, question))
    with _place(turns[-1]):
        with st.chat_message("user", avatar=_PERSON):
            st.text(question)
        with st.chat_message("assistant", avatar=_DESK):
            shown = st.empty()
    _scroll_to(turns[-1])
    shown.html('<p class="label" role="status">Searching the library …</p>')
    draft = ""
    for piece in assistant.stream(question, mode=mode):
        if isinstance(piece, Answer):
            turns[-1] = replace(turns[-1], answer=piece)
        else:
            draft += piece
            shown.html(_draft_html(draft))


def _place(turn: Turn) -> Any:
    return st.container(key=f"turn-{turn.id}")


def _scroll_to(turn: Turn) -> None:
    """Brings a question to the top of the page, once: the script runs again only when its text or place changes."""
    scroll = f"document.querySelector('.st-key-turn-{turn.id}')?.scrollIntoView({{block: 'start'}})"
    st.html(f"<script>setTimeout(() => {scroll}, 50);</script>", unsafe_allow_javascript=True)


def _draft_html(draft: str) -> str:
    label = '<p class="label">Draft, not checked yet</p>'
    return f'<div class="draft" aria-busy="true">{label}<p class="words">{escape(draft)}</p></div>'


def _show_turn(turn: Turn, store: FeedbackStore) -> None:
    with st.chat_message("user", avatar=_PERSON):
        st.text(turn.question)
    with st.chat_message("assistant", avatar=_DESK):
        if turn.answer is None:
            st.html('<p class="label">Stopped before there was a checked answer.</p>')
            return
        _show_answer(turn.answer)
        st.feedback("thumbs", key=f"feedback-{turn.id}", on_change=_keep_feedback, args=(turn.id, turn.answer, store))


def _show_that_it_is_gone(turn: Turn) -> None:
    with st.chat_message("user", avatar=_PERSON):
        st.text(turn.question)
    with st.chat_message("assistant", avatar=_DESK):
        st.html('<p class="label">This answer is gone: a document that was read for it is no longer there for you.</p>')


def _show_answer(answer: Answer) -> None:
    st.markdown(answer_markdown(answer))
    st.html("".join(_about(answer)))
    if answer.citations:
        st.html(f'<h2 class="label">Rests on</h2>{citations_html(answer.citations)}')
    elif answer.passages:
        st.html(f'<h2 class="label">The nearest passages</h2>{passages_html(answer.passages[:_NEAREST])}')
    with st.expander("How this answer was made"):
        models = "; ".join(f"{part}: {name}" for part, name in answer.models.items())
        st.text(f"Library generation {answer.generation}. {models}.")
        st.html(f"<p>Passages that were read:</p>{passages_html(answer.passages)}")


def _about(answer: Answer) -> Iterator[str]:
    """How sure, which way, and what else happened, in plain words."""
    sure = f"{answer.confidence:.0%} sure that the passages hold the answer"
    ways = {
        "extract": "Quoted from the library, every quote checked",
        "generate": f"Written by {answer.models.get('llm', 'the language model')}, every sentence checked",
    }
    yield f'<p class="about">{escape(f"{ways[answer.mode]} · {sure}" if answer.answered else f"Refused · {sure}")}</p>'
    notes = [f"<li>{escape(note)}</li>" for note in dict.fromkeys(answer.notes)]
    first, more = notes[:_NOTES], notes[_NOTES:]
    if first:
        yield f'<ul class="notes">{"".join(first)}</ul>'
    if more:
        yield f'<details class="notes"><summary>{len(more)} more notes</summary><ul>{"".join(more)}</ul></details>'


def _keep_feedback(id: str, answer: Answer, store: FeedbackStore) -> None:
    verdict: int | None = st.session_state[f"feedback-{id}"]
    try:
        if verdict is None:
            store.withdraw(id)
        else:
            store.keep(id, answer, helpful=verdict == 1)
    except sqlite3.Error as error:
        st.toast(f"Your judgement could not be stored in {store.file}: {error}.")
    else:
        st.toast(_THANKS[verdict])
