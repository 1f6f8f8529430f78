"""What `Parsed` promises, for any text that a parser may hand over."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.errors import ParseError
from ingest.parse.parsed import Draft, cell, finish, first_heading, pipe_table

# Any code points, lone surrogates and control characters included, and often those that matter here.
TEXT = st.text(st.one_of(st.characters(), st.sampled_from("\r\n\x00\t #|\ufffe\u0301e\ud800\x85\u2028")))


@given(st.lists(TEXT, max_size=6), st.booleans(), TEXT)
def test_promises(parts: list[str], paged: bool, title: str) -> None:
    draft = Draft("text", tuple(parts), title, paged)
    if not any(unicodedata.category(char)[0] in "LMNPS" for char in "".join(parts)):
        try:
            finish(draft, Path("stem.txt"))
        except ParseError:
            return
    found = finish(draft, Path("stem.txt"))
    assert found.text.strip()
    found.text.encode()
    assert found.text == unicodedata.normalize("NFC", found.text)
    assert not any(char in found.text for char in "\r\x00\x07\x0c\x85\u2028\ufffe")
    assert found.title.strip()
    assert "\n" not in found.title
    if paged:
        assert len(found.pages) == len(parts)
        assert found.pages[0] == 0
        assert list(found.pages) == sorted(found.pages)
        assert all(page == 0 or found.text[page - 1] == "\n" or page == len(found.text) for page in found.pages)
    else:
        assert found.pages == ()


@given(st.lists(st.lists(TEXT, min_size=1, max_size=4), min_size=1, max_size=5))
def test_pipe_tables_are_rectangular(rows: list[list[str]]) -> None:
    lines = pipe_table([[cell(text) for text in row] for row in rows]).split("\n")
    assert len(lines) == len(rows) + 1
    widths = {line.replace("\\|", "").count("|") for line in lines}
    assert len(widths) == 1


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("## Two\n\n# One", "Two"),
        ("words\n\n## Two\n\n# One #", "One"),
        ("words\n\n## Two", ""),
        ("```\n# code\n```\n~~~~\n```\n# code\n~~~~\n# `Real`", "Real"),
        ("#hash is no heading", ""),
    ],
)
def test_first_heading(text: str, title: str) -> None:
    assert first_heading(text) == title
