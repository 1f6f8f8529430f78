from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from assistant.types import Section
from ingest.structure import sections_of

DATA = Path(__file__).parents[2].parent / "shared/data"


def test_paths_and_spans() -> None:
    text = "Before.\n# A\na\n### C **bold** ###\nc\n## [B](http://b)\n```\n# code\n```\n# D\n"
    starts = [text.index(part) for part in ("Before", "# A", "### C", "## [B]", "# D")]
    ends = [*starts[1:], len(text)]
    paths = [(), ("A",), ("A", "C bold"), ("A", "B"), ("D",)]
    assert sections_of(text) == tuple(Section(*parts) for parts in zip(starts, ends, paths, strict=True))


def test_a_first_heading_that_is_the_title_is_not_repeated_in_paths() -> None:
    text = "# The Guide\nWords.\n## Set-up\nMore."
    assert [section.path for section in sections_of(text, "the guide")] == [(), ("Set-up",)]
    assert [section.path for section in sections_of(text, "other")] == [("The Guide",), ("The Guide", "Set-up")]
    assert sections_of("") == ()


@pytest.mark.parametrize(
    "heading",
    ["References", "7. References", "IV. BIBLIOGRAPHY", "Works cited:", "Literatur", "A.1 x", "**References**"],
)
def test_bibliographies_are_known_by_their_headings(heading: str) -> None:
    text = f"# Text\nwords\n## {heading}\n[1] A.\n### Books\n[2] B.\n## Next\nwords"
    kinds = [section.kind for section in sections_of(text)]
    kind = "text" if heading == "A.1 x" else "bibliography"
    assert kinds == ["text", kind, kind, "text"]


def test_a_heading_about_references_is_no_bibliography() -> None:
    assert [s.kind for s in sections_of("# References to objects in ROOT\nwords")] == ["text"]


@given(
    st.lists(st.sampled_from(["# A", "## B", "####### x", "words", "", "```", "- # c", "    # d", "#e"])).map("\n".join)
)
def test_sections_lie_side_by_side_and_cover_the_text(text: str) -> None:
    found = sections_of(text)
    assert "".join(text[section.start : section.end] for section in found) == text
    assert [section.start for section in found[1:]] == [section.end for section in found[:-1]]


def commonmark_headings(text: str) -> list[int]:
    """Offsets of the lines of ATX headings outside other blocks, by a CommonMark parser."""
    offsets = [0]
    for line in text.split("\n"):
        offsets.append(offsets[-1] + len(line) + 1)
    tokens = MarkdownIt("commonmark").disable("html_block").parse(text)
    headings = [t for t in tokens if t.type == "heading_open" and t.level == 0 and t.markup.startswith("#")]
    return [offsets[token.map[0]] for token in headings if token.map]


@pytest.mark.shared_data
@pytest.mark.skipif(not DATA.exists(), reason=f"there are no corpora at {DATA}")
def test_sections_begin_where_a_commonmark_parser_sees_headings() -> None:
    seen = 0
    for path in sorted((DATA / "corpora").rglob("*.md")):
        text = path.read_text(errors="replace")
        if len(text) < 8_000:
            expected = commonmark_headings(text)
            found = [s.start for s in sections_of(text) if text[s.start : s.end].lstrip(" ").startswith("#")]
            assert found == expected, path
            seen += len(expected)
    assert seen > 1000
