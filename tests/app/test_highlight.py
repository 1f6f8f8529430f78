"""A document as HTML: read by a real browser, it says what the text says, and marks what was cited."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.highlight import document_html

_READ = """html => {
  const page = document.createElement('div');
  page.innerHTML = html;
  const marks = Array.from(page.querySelectorAll('mark')).map(mark => mark.textContent).join('');
  return [page.textContent, marks, page.querySelectorAll('script, img, style, a').length];
}"""
PIECES = st.sampled_from(
    [
        "# Title", "## Part", "###### Deep", "- item", "  more", "1. first", "> quoted", "| a | b |", "|---|:-:|",
        "| 1 \\| 2 | **3** |", "|| x", " | late", "cell\tcell", "$$", "E = mc^2", "$x$ and $5", "**bold** `code`",
        "```", "<b>&amp;</b>", "<script>x</script>", "a & b < c", "", " ", "word", "ünïcödé 𝛼",
    ]
)  # fmt: skip
TEXT = st.lists(PIECES | st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=8), max_size=14)


@pytest.fixture(scope="module")
def blank(browser: Any) -> Any:
    page = browser.new_page()
    yield page
    page.close()


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lines=TEXT, data=st.data())
def test_text_and_mark_are_exact(blank: Any, lines: list[str], data: st.DataObject) -> None:
    text = "\n".join(lines)
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    shown, marked, foreign = blank.evaluate(_READ, document_html(text, 0, len(text), (start, end)))
    assert shown == text
    assert marked == text[start:end]
    assert foreign == 0


def test_a_part_of_a_document() -> None:
    text = "one\n\ntwo\n\nthree\n"
    assert (
        document_html(text, 5, 10, (0, 7))
        == '<div class="paragraph"><mark id="cited" tabindex="-1">tw</mark>o</div>\n\n'
    )


def test_table_and_headings_are_told_to_screen_readers() -> None:
    html = document_html("### Deep first\n\n| A | B |\n|---|---|\n| 1 | 2 |\n", 0, 48)
    assert "<h2>" in html
    assert html.count("<th>") == 2
    assert html.count("<td>") == 3  # one of them in the row that is not shown
    assert '<tr class="signs">' in html
