"""Text of an answer as Markdown: it reads as the text does, and does nothing else."""

from __future__ import annotations

import re
from html import unescape

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from app.answer_text import answer_markdown, plain_markdown
from assistant.types import Answer, Citation

SIGNS = st.sampled_from([*"*_`[]()<>#|~!\\:-+=1.&", "http://x.org/", "![a](b)", "[a](b)", "<i>", "a@b.org", "\n"])
WORDS = st.lists(SIGNS | st.text(st.characters(categories=["L", "N"]), max_size=4), min_size=1, max_size=12)


@given(WORDS)
def test_nothing_becomes_markup(pieces: list[str]) -> None:
    text = "x" + " ".join("".join(pieces).replace("&", "and").split())
    html = MarkdownIt("gfm-like", {"linkify": False}).render(plain_markdown(text))
    paragraph = re.fullmatch(r"<p>([^<]*)</p>\n", html)
    assert paragraph, html
    assert unescape(paragraph[1]).replace("\u200b", "") == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Energy $E = mc^2$ is kept", "Energy $E = mc^2$ is kept"),
        ("It costs $5 or $6", "It costs \\$5 or \\$6"),
        ("Then $$a_1$$", "Then $$a_1$$"),
        ("a :red[b]", "a \\:red\\[b\\]"),
        ("1. first", "1\\. first"),
        ("- item", "\\- item"),
    ],
)
def test_formulas_stay(text: str, shown: str) -> None:
    assert plain_markdown(text) == shown


def test_each_sentence_links_its_own_quote() -> None:
    def citation(number: int, sentence: str, start: int) -> Citation:
        place = {"title": "T", "source": "s", "key": "a b&c/d.md", "revision": "r", "url": "", "page": 1, "section": ()}
        return Citation(
            number=number,
            sentence=sentence,
            quote="q",
            support=1.0,
            start=start,
            end=start + 9,
            **place,  # type: ignore[arg-type]
        )

    citations = (citation(3, "One [2].", 5), citation(3, "Two.", 70))
    answer = Answer("q", "One [2]. [3]\nTwo. [3]", True, 0.9, "extract", citations, (), 1, {})
    link = "document?source=s&key=a%20b%26c%2Fd.md&revision=r&start="
    assert answer_markdown(answer) == f"One \\[2\\]. [\\[3\\]]({link}5&end=14)\n\nTwo. [\\[3\\]]({link}70&end=79)"
