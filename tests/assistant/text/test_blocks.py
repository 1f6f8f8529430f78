from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from assistant.text.blocks import blocks

LINES = st.sampled_from(
    """# Head|words and words|- item|  more of it|2. second|x\ty|$$|a = b|```|~~~|> said|---|\\begin{align}|\\end{align}
$$x$$|\t|éß漢|#no heading|""".replace("\n", "|").split("|")
)
ROWS = st.sampled_from(["| a | b |", "|---|---|"])
CHARACTERS = st.text(alphabet="#$`~|->*1. \n\tab\\[]\r\x0b\u2028é", max_size=80)


def kinds(text: str) -> list[tuple[str, str]]:
    return [(block.kind, text[block.start : block.end]) for block in blocks(text)]


def test_each_kind_of_block_is_found_with_its_lines() -> None:
    text = (
        "# A heading\nA paragraph\nof two lines.\n- one\n  continued\n- two\n\n  still two\n\n"
        "| a | b |\n|---|---|\n| 1 | 2 |\n\n$$\nx = 1\n\n+ 2\n$$\n```python\n# no heading\n\n$$\n```"
        "\n> quoted\n> twice\n\nEnd."
    )
    assert kinds(text) == [
        ("heading", "# A heading"),
        ("paragraph", "A paragraph\nof two lines."),
        ("item", "- one\n  continued"),
        ("item", "- two\n\n  still two"),
        ("table", "| a | b |\n|---|---|\n| 1 | 2 |"),
        ("equation", "$$\nx = 1\n\n+ 2\n$$"),
        ("code", "```python\n# no heading\n\n$$\n```"),
        ("quote", "> quoted\n> twice"),
        ("paragraph", "End."),
    ]


def test_an_equation_that_never_ends_is_text_and_a_number_in_a_line_is_no_item() -> None:
    assert kinds("$$ costs\n\nmore") == [("paragraph", "$$ costs"), ("paragraph", "more")]
    assert kinds("It was in\n2024. The end.") == [("paragraph", "It was in\n2024. The end.")]
    assert kinds("$$a$$ holds because of this.") == [("paragraph", "$$a$$ holds because of this.")]


def test_environments_brackets_and_tab_separated_rows() -> None:
    text = "\\begin{align*}\na &= b\n\\end{align*}\n\\[ c \\]\nVision\timages\nText\twords"
    assert [kind for kind, _ in kinds(text)] == ["equation", "equation", "table"]


@given(st.lists(LINES | ROWS, max_size=30).map("\n".join) | CHARACTERS)
def test_blocks_hold_every_character_once_and_in_order(text: str) -> None:
    found = blocks(text)
    covered = "".join(text[block.start : block.end] for block in found)
    assert "".join(covered.split()) == "".join(text.split())
    assert all(text[b.start : b.end] == text[b.start : b.end].strip() != "" for b in found)
    assert all(a.end <= b.start for a, b in pairwise(found))
