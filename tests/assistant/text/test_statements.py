"""What can be quoted from a passage."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from assistant.text.statements import cells, readable, statements

LIST = "### AccGPT\n\nCERN has many data bases:\n\n- wikis\n  - CERN wiki: > 1M pages. Old ones too.\n- **CDS**\n"
PIPES = "| Model | MSE | Year |\n|---|---:|---|\n| **LSTM** | 0.00631 |  |\n| TFT | 0.00635 | 2023 |\n"
TABS = "Model\tMSE\nLSTM\t0.00631\nTFT\t0.00635\n"


def found(text: str) -> list[tuple[str, str, list[str]]]:
    return [(one.kind, readable(text, one), [text[a:b] for a, b in one.lead]) for one in statements(text)]


def test_list_items_have_the_lines_that_lead_in_to_them() -> None:
    lead = "CERN has many data bases:"
    assert found(LIST) == [
        ("heading", "### AccGPT", []),
        ("prose", lead, []),
        ("item", "wikis", [lead]),
        ("item", "CERN wiki: > 1M pages.", [lead, "wikis"]),
        ("item", "Old ones too.", [lead, "wikis"]),
        ("item", "CDS", [lead]),
    ]


def test_rows_are_shown_with_their_header_cells() -> None:
    assert [shown for _, shown, _ in found(PIPES)] == [
        "Model; MSE; Year",
        "Model: LSTM; MSE: 0.00631",
        "Model: TFT; MSE: 0.00635; Year: 2023",
    ]
    assert [(kind, shown) for kind, shown, _ in found(TABS)] == [
        ("header", "Model; MSE"),
        ("row", "Model: LSTM; MSE: 0.00631"),
        ("row", "Model: TFT; MSE: 0.00635"),
    ]


def test_rows_without_a_header_stand_alone() -> None:
    rows = PIPES.partition("---|\n")[2]
    assert [shown for _, shown, _ in found(rows)] == ["LSTM; 0.00631", "TFT; 0.00635; 2023"]


def test_an_escaped_pipe_is_part_of_its_cell() -> None:
    assert cells(r"| a \| b | c |") == [r"a \| b", "c"]


def test_questions_and_references_are_known() -> None:
    text = "How many pages?\n\nVaswani et al., Advances in Neural Information Processing Systems, 2017.\n\nIt has five."
    assert [one.kind for one in statements(text)] == ["question", "reference", "prose"]


@given(
    st.lists(st.sampled_from([LIST, PIPES, TABS, "A b. C d?\n", "$$x=1$$\n", "```\ncode\n```\n", "\n", "- x\n"])).map(
        "".join
    )
)
def test_spans_ascend_and_leads_come_before(text: str) -> None:
    all_of_them = statements(text)
    ends = [0, *(one.end for one in all_of_them)]
    for before, one in zip(ends, all_of_them, strict=False):
        assert before <= one.start < one.end <= len(text)
        assert text[one.start : one.end].strip() == text[one.start : one.end]
        assert all(end <= one.start for _, end in one.lead)
