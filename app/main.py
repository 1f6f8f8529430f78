"""What Streamlit runs: opens the library once, and leads to the pages. Started by `refdesk app`.

The environment says which library (REFDESK_LIBRARY) and, where nobody signs in, for a caller in which groups
(REFDESK_GROUPS).
"""

from __future__ import annotations

import os
from pathlib import Path

import streamlit as st

from app import chat, document, evaluation, library, search, sign_in
from app.feedback import FILE, FeedbackStore
from assistant import Assistant, LibraryNotFound, RefdeskError
from assistant.people import People
from assistant.settings import load


@st.cache_resource(show_spinner="Opening the library …")
def opened(folder: str) -> Assistant:
    """Once per process: a new generation is seen by every search, without opening again."""
    return Assistant.open(folder)


@st.cache_resource(show_spinner=False)
def people() -> People:
    """Once per process, too: it notices by itself when the file of groups changes."""
    return People(load().people)


def main() -> None:
    """Every run of the page begins here."""
    here = Path(__file__).parent
    st.set_page_config(page_title="Refdesk", page_icon=str(here / "mark.svg"), layout="centered")
    st.logo(str(here / "wordmark.svg"), size="large")
    st.html(here / "style.css")
    folder = os.environ.get("REFDESK_LIBRARY", "library")
    try:
        asking = sign_in.caller(people(), os.environ.get("REFDESK_GROUPS", ""))
        sign_in.show(asking)
        chat.forget_what_others_asked(asking)
        assistant = opened(folder).as_user(asking.groups)
        store = FeedbackStore(Path(folder) / FILE)
        st.navigation(
            [
                st.Page(lambda: chat.show(assistant, store), title="Ask", url_path="ask", default=True),
                st.Page(lambda: search.show(assistant), title="Search", url_path="search"),
                st.Page(lambda: library.show(assistant), title="Library", url_path="library"),
                st.Page(
                    lambda: evaluation.show(assistant, asking.groups, Path(load().eval.runs), folder),
                    title="Evaluation",
                    url_path="evaluation",
                ),
                st.Page(lambda: document.show(assistant), title="Document", url_path="document", visibility="hidden"),
            ],
            position="top",
        ).run()
    except LibraryNotFound as error:
        st.title("There is no library yet")
        st.text(str(error))
    except RefdeskError as error:
        st.title("The library cannot be used")
        st.text(str(error))
        sign_in.show_way_out()


main()
