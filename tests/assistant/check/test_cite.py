"""The check lets nothing through that its quote does not bear out."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assistant.check.cite import Checked, check
from assistant.text.quantities import missing
from assistant.types import Passage

WIKI = (
    "### Enhancing knowledge retrieval\n\n"
    "- **Challenge: CERN has many and HUGE data bases:**\n"
    "  - CERN wiki (Confluence): > 1M wiki pages.\n"
    "  - CERN home: > 10k webpages.\n"
)
NETWORK = (
    "AtmoRep has 3.5 billion parameters. It was trained on ERA5. It was not trained on GFS data. "
    "Unlike models that do not scale, AtmoRep predicts faster than GraphCast."
)
TABLE = "| Benchmark | GPT-3.5 | GPT-4 |\n|---|---|---|\n| MMLU (5-shot) | 70.0 | 86.4 |\n| HellaSwag | 85.5 | 95.3 |\n"


def passage(rank: int, text: str, title: str, start: int = 0) -> Passage:
    end = start + len(text)
    return Passage(rank, 1.0, "fused", rank, title, "wiki", f"{rank}.md", "r1", "", "md", None, (), start, end, text)


SHOWN = [
    passage(1, WIKI, "AccGPT", start=1000),
    passage(2, NETWORK, "Weather models", start=50),
    passage(4, TABLE, "Benchmarks"),
]


def checked(draft: str, min_support: float = 0.5, question: str = "") -> Checked:
    outcome = check(draft, SHOWN, min_support, None, question)
    for citation in outcome.citations:
        shown = next(one for one in SHOWN if one.rank == citation.number)
        assert shown.text[citation.start - shown.start : citation.end - shown.start] == citation.quote
        assert min_support <= citation.support <= 1
    return outcome


def test_a_sentence_keeps_its_marker_and_gets_its_quote() -> None:
    outcome = checked("CERN's Confluence wiki holds more than one million wiki pages [1].")
    assert outcome.text == "CERN's Confluence wiki holds more than one million wiki pages. [1]"
    (citation,) = outcome.citations
    assert citation.quote == "CERN wiki (Confluence): > 1M wiki pages."
    assert citation.start == 1000 + WIKI.index("CERN wiki")
    assert (citation.source, citation.key, citation.revision) == ("wiki", "1.md", "r1")


@pytest.mark.parametrize(
    "draft",
    [
        "AtmoRep has 3.5 billion parameters [2].",
        "AtmoRep has 3.5 billion parameters. [2]",
        "[2] AtmoRep has 3.5 billion parameters.",
        "AtmoRep has 3.5 billion parameters [1, 2].",
        "AtmoRep has 3.5 billion parameters [1-2].",
        "AtmoRep has 3.5 billion parameters [1][2].",
        "According to [2], AtmoRep has 3.5 billion parameters.",
        "Based on the provided passages, AtmoRep has 3.5 billion parameters [2].",
        "Passage [2] states that AtmoRep has 3.5 billion parameters.",
        "AtmoRep has 3.5 billion parameters [7].",
        "AtmoRep has 3.5 billion parameters.",
        "- **AtmoRep** has 3.5 billion parameters [2].",
    ],
)
def test_markers_and_boilerplate_of_language_models(draft: str) -> None:
    outcome = checked(draft)
    assert outcome.text == "AtmoRep has 3.5 billion parameters. [2]"
    assert outcome.citations[0].quote == "AtmoRep has 3.5 billion parameters."


@pytest.mark.parametrize(
    ("draft", "reason"),
    [
        ("AtmoRep has 1.5 billion parameters [2].", "number 1.5 billion"),
        ("CERN's wiki has fewer than 1 million pages [1].", "number 1 million"),
        ("Fermilab's wiki has more than 1M wiki pages [1].", "name Fermilab"),
        ("It was trained on GFS data [2].", "opposite"),
        ("AtmoRep was not trained on ERA5 [2].", "opposite"),
        ("AtmoRep predicts slower than GraphCast [2].", "opposite"),
        ("AtmoRep was funded by generous private sponsors [2].", "supports it only to"),
        ("How many pages does it hold?", "question"),
        ("Yes.", "nothing that could be checked"),
        ("AtmoRep has 3.5 billion parameters [1].", "number 3.5 billion"),
        ("GPT-4 reaches 87.4 on MMLU [4].", "number 87.4"),
    ],
)
def test_what_the_quote_does_not_bear_out_is_dropped(draft: str, reason: str) -> None:
    outcome = checked(draft)
    assert (outcome.text, outcome.citations, outcome.refused) == ("", (), False)
    assert reason in outcome.dropped[0].reason


def test_only_the_sentence_that_fails_is_dropped() -> None:
    outcome = checked("AtmoRep has 3.5 billion parameters [2]. It has 7 layers [2]. It was trained on ERA5 [2].")
    assert outcome.text == "AtmoRep has 3.5 billion parameters. [2]\nIt was trained on ERA5. [2]"
    assert [one.sentence for one in outcome.dropped] == ["It has 7 layers."]


def test_a_table_row_is_quoted_and_its_header_gives_the_names() -> None:
    outcome = checked("On MMLU, GPT-4 reaches 86.4 [4].")
    assert outcome.citations[0].quote == "| MMLU (5-shot) | 70.0 | 86.4 |"


def test_two_sentences_are_quoted_where_one_is_not_enough() -> None:
    outcome = checked("AtmoRep has 3.5 billion parameters and was trained on ERA5 [2].")
    assert outcome.citations[0].quote == "AtmoRep has 3.5 billion parameters. It was trained on ERA5."


@pytest.mark.parametrize(
    "draft",
    [
        "I cannot answer this from the library.",
        "I'm sorry, but the passages do not contain this information.",
        "The answer is not mentioned in the provided passages [1].",
    ],
)
def test_a_refusal_is_recognised_and_not_cited(draft: str) -> None:
    assert checked(draft) == Checked("", (), (), refused=True)


def test_what_only_repeats_the_question_is_dropped() -> None:
    question = "Which data was AtmoRep trained on?"
    assert "repeats" in checked("AtmoRep was trained on data [2].", question=question).dropped[0].reason
    assert checked("AtmoRep was trained on ERA5 [2].", question=question).text
    assert checked("AtmoRep was trained on ERA5 [2].", question="Was AtmoRep trained on ERA5?").text


def test_a_higher_threshold_keeps_less() -> None:
    draft = "AtmoRep quickly predicts tomorrow's weather faster than GraphCast [2]."
    assert checked(draft, 0.4).text
    assert not checked(draft, 0.95).text


def test_without_passages_nothing_is_said() -> None:
    assert check("AtmoRep has 3.5 billion parameters [1].", [], 0.5).dropped[0].reason == "no passage was shown"


WORDS = "AtmoRep was not trained on ERA5 GFS 3.5 billion [1] [2] [9] . | 1M wiki pages * - ? $ GPT-4 86.4 2024"


@settings(max_examples=150)
@given(st.lists(st.one_of(st.sampled_from([*WORDS.split(), "\n"]), st.text(max_size=6)), max_size=25).map(" ".join))
def test_nothing_unchecked_appears_whatever_the_draft(draft: str) -> None:
    outcome = checked(draft)
    lines = [re.sub(r" \[\d+\]$", "", line) for line in outcome.text.split("\n")] if outcome.text else []
    assert lines == [citation.sentence for citation in outcome.citations]
    for citation in outcome.citations:
        header = TABLE.split("\n")[0] if citation.number == 4 else ""
        assert not missing(citation.sentence, f"{header}\n{citation.quote}")


def test_a_citation_names_the_page_of_its_quote() -> None:
    text = "The magnet is 12 m long. It is cooled to 1.9 K."
    shown = Passage(1, 1.0, "fused", 1, "Magnets", "s", "k", "r", "", "pdf", 3, (), 100, 100 + len(text), text, (124,))
    outcome = check("The magnet is 12 m long [1]. It is cooled to 1.9 K [1].", [shown], 0.5)
    assert [(one.quote, one.page) for one in outcome.citations] == [
        ("The magnet is 12 m long.", 3),
        ("It is cooled to 1.9 K.", 4),
    ]
