"""Acronyms, figures and clozes, all made from sentences."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from assistant.types import Document, Section
from eval.drafting.acronyms import explained, from_acronyms
from eval.drafting.cloze import blank, from_sentences
from eval.drafting.draft import BLANK
from eval.drafting.figures import asked

Make = Callable[..., Document]
CORPORA = Path(__file__).parents[3].parent / "shared/data/corpora"


@pytest.mark.parametrize(
    ("sentence", "found"),
    [
        ("A Field Programmable Gate Array (FPGA) is a chip.", [("FPGA", "Field Programmable Gate Array")]),
        ("It uses byte-pair encoding (BPE).", [("BPE", "byte-pair encoding")]),
        ("It is run by the SNO (station network operator).", [("SNO", "station network operator")]),
        ("The International Institute of Physics (IIP) is old.", [("IIP", "International Institute of Physics")]),
        ("The National Office of Physics (NOP) is old.", [("NOP", "National Office of Physics")]),
        ("He asked the Certificate Authorities (CAs) again.", [("CA", "Certificate Authorities")]),
        ("Massive Multitask Language Understanding (MMLU) and the mean squared error (MSE).",
         [("MMLU", "Massive Multitask Language Understanding"), ("MSE", "mean squared error")]),
        ("The large network (LSTM) is old.", []),
        ("We measured the flow (SI units) twice.", []),
        ("The rest is in the appendix (NB) below.", []),
        ("It was made in Germany (DE).", []),
    ],
)  # fmt: skip
def test_acronyms(sentence: str, found: list[tuple[str, str]]) -> None:
    assert [(short, long) for short, long, _ in explained(sentence)] == found


WORDS = st.lists(st.from_regex(r"[A-Z][a-z]{2,8}", fullmatch=True), min_size=2, max_size=6)


@given(WORDS, st.sampled_from(["We call it the", "Today the old", "Since 2019 a"]))
def test_initials_are_explained_by_their_words(words: list[str], before: str) -> None:
    short = "".join(word[0] for word in words)
    sentence = f"{before} {' '.join(words)} ({short}) is used."
    assert explained(sentence) == [(short, " ".join(words), False)]
    # One letter more, or another, and the words do not explain it.
    assert not explained(f"{before} {' '.join(words)} ({short}{'Q' if short[-1] != 'Q' else 'X'}) is used.")


def test_the_plural_of_an_acronym_is_asked_for_in_the_singular(a_document: Make) -> None:
    (draft,) = from_acronyms(a_document("Sites trust the Certificate Authorities (CAs) of the grid."))
    assert (draft.question, draft.answers) == (
        "What does CA stand for?",
        ("Certificate Authority", "Certificate Authorities"),
    )


@pytest.mark.parametrize(
    ("sentence", "question", "answers"),
    [
        ("The tile calorimeter weighs 2900 tonnes.", "How much does the tile calorimeter weigh?", ["2900 tonnes"]),
        ("Tidewater has 410 million parameters.", "How many parameters does Tidewater have?",
         ["410 million", "410 million parameters"]),
        ("In 2025 Halyard had 64 GPUs.", "How many GPUs did Halyard have in 2025?", ["64", "64 GPUs"]),
        ("CERN's Confluence, its main wiki, holds more than 1 million wiki pages.",
         "How many wiki pages does CERN's Confluence hold?", ["more than 1 million", "more than 1 million wiki pages"]),
        ("The meeting lasts 3 hours.", "How long does the meeting last?", ["3 hours"]),
        ("The lighthouse of Port Ambrel was built in 1887.", "When was the lighthouse of Port Ambrel built?", ["1887"]),
        ("The mass of the Higgs boson is 125 GeV.", "What is the mass of the Higgs boson?", ["125 GeV"]),
        ("The detectors use 40 boards from Halden.", "How many boards do the detectors use from Halden?",
         ["40", "40 boards"]),
        ("Tidewater is a transformer with 410 million parameters that was trained twice.",
         "How many parameters does Tidewater have?", ["410 million", "410 million parameters"]),
    ],
)  # fmt: skip
def test_figures(sentence: str, question: str, answers: list[str]) -> None:
    found = asked(sentence)
    assert found
    assert (found[0], list(found[1])) == (question, answers)


@pytest.mark.parametrize(
    "sentence",
    [
        "New members may use up to 100 GPU-hours.",
        "Note that this takes 3 hours.",
        "It has 12 valves.",
        "Two others have 90 valves.",
        "The detector has many channels.",
        "The detector has 12 or more channels.",
        "The pump was built in Varnholm.",
        "The farm has 24 nodes of 4 GPUs.",
        "Everything that was tried before cost 2.3 times as much.",
    ],
)
def test_no_figure_is_asked_for_where_the_sentence_leaves_a_doubt(sentence: str) -> None:
    assert asked(sentence) is None


@pytest.mark.parametrize(
    ("sentence", "blanked"),
    [
        ("The lighthouse of Port Ambrel was built in 1887.", "1887"),
        ("The Board met on 27 November 2025.", "27 November 2025"),
        ("Scratch space on Keel is emptied after 28 days without use.", "28 days"),
        ("The scheduler of Halyard was written by Anna Lindqvist.", "Anna Lindqvist"),
        ("Halyard has nodes in files called Logbook, which are old.", "Logbook"),
        ("Halyard has one node.", None),
        ("Halyard has 3 nodes.", None),
        ("Halyard runs OSG 3.6 and nothing else.", None),
        ("Halyard has 96 GPUs in 24 nodes.", None),
        ("Halyard needs kernel 3.10.0-957 or newer.", None),
        ("It was built in May.", None),
        ("The snow layers of Halden are those of Jordan (1991).", None),
        ("The method of Halden is that of Tang and Riley 2013.", None),
        ("The water of Halden satisfies equation (24.13) there.", None),
        ("The valves of Halden have a default of 0.26.", "0.26"),
        ("The line of Halden has 250 old pumps.", "250"),
    ],
)
def test_what_is_blanked(sentence: str, blanked: str | None) -> None:
    span = blank(sentence)
    assert (sentence[slice(*span)] if span else None) == blanked


def as_another_parser_reads_it(markdown: str) -> str:
    """The text of a sentence, by markdown-it."""
    read = []
    for token in MarkdownIt().parseInline(markdown)[0].children or []:
        read.append(" " if token.type in ("softbreak", "hardbreak") else token.content)
    return " ".join("".join(read).split())


def check_clozes(documents: list[Document]) -> int:
    """That each answer, put into its blank, gives back what stands in the document; how many there are."""
    checked = 0
    for document in documents:
        for draft in from_sentences(document):
            place = draft.evidence
            assert document.text[place.start : place.end] == place.text
            assert draft.question.count(BLANK) == 1
            whole = draft.question.replace(BLANK, draft.answers[0])
            assert whole == as_another_parser_reads_it(place.text), draft
            if not re.search(r"[`*\\[]", place.text):
                assert whole.split() == place.text.split()
            checked += 1
    return checked


def test_every_cloze_of_the_demonstration_documents_gives_back_its_sentence(demo_documents: list[Document]) -> None:
    assert check_clozes(demo_documents) > 60


@pytest.mark.shared_data
@pytest.mark.skipif(not CORPORA.exists(), reason=f"there are no corpora at {CORPORA}")
def test_every_cloze_of_real_documentation_gives_back_its_sentence() -> None:
    files = sorted((CORPORA / "lhcb_starterkit").rglob("*.md")) + sorted((CORPORA / "osg_docs/docs").rglob("*.md"))
    texts = [file.read_text(encoding="utf-8") for file in files]
    documents = [Document("s", "k", "1", "", "", "markdown", one, (Section(0, len(one), ()),)) for one in texts]
    assert check_clozes(documents) > 150


PROSE = st.lists(
    st.sampled_from(
        ["Halyard", "has", "96 GPUs", "*now*", "`keel`", "[the farm](a.md)", "in 2025", "by Anna", "and", "\n", "38 %",
         "on 3 May 2024", "a\\_b", "**very**", "which", "it,", "\"so\"", "called Logbook"]
    ),
    min_size=3,
    max_size=12,
)  # fmt: skip


@given(PROSE)
def test_any_cloze_gives_back_its_sentence(words: list[str]) -> None:
    text = "We know that " + " ".join(words) + " ends."
    check_clozes([Document("s", "k", "1", "", "", "markdown", text, (Section(0, len(text), ()),))])
