from __future__ import annotations

import pytest

from eval.drafting.draft import Draft, Evidence, Kind
from eval.drafting.relevance import irrelevant


def draft(
    question: str, kind: Kind = "cloze", section: tuple[str, ...] = (), subject: str = "", text: str = ""
) -> Draft:
    place = Evidence("wiki", "a.md", "A", "", section, 0, 1, text or question)
    return Draft(kind, question, ("x",), subject, (), place, ("a.md",))


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        ("The lighthouse of Port Ambrel was built in ____.", "cloze"),
        ("The storage of Keel is emptied after ____ without use, and its owner is told.", "cloze"),
        ("Throughout the war the tower of Port Ambrel was used by ____.", "cloze"),
        ("In Run I the trigger of LHCb was limited to ____.", "cloze"),
        ("How many parameters does Tidewater have?", "free"),
        ("In “GPU allocations 2026”, what is the share of this year's open call?", "cell"),
        ("What does NNSE stand for?", "acronym"),
    ],
)
def test_a_question_that_can_be_understood(question: str, kind: Kind) -> None:
    assert irrelevant(draft(question, kind)) == ""


@pytest.mark.parametrize(
    ("question", "reason"),
    [
        ("It was built by the people of Port Ambrel in ____.", "“It” points"),
        ("This tower of Port Ambrel was built in ____.", "“This” points"),
        ("Records above say that Port Ambrel has ____ people.", "“above” points"),
        ("The tower of Port Ambrel was built after that in ____.", "“after that” points"),
        ("However, the tower of Port Ambrel was built in ____.", "begins with “However”"),
        ("Install the tower of Port Ambrel before ____ is over.", "begins with “Install”"),
        ("Adapt the tower of Port Ambrel until it holds ____.", "begins with “Adapt the”"),
        ("Today in Port Ambrel the tower has ____ people.", "begins with “Today”"),
        ("Fixed a fault of the lamp in Port Ambrel in ____.", "begins with “Fixed”"),
        ("the tower of Port Ambrel was built in ____.", "does not begin as a sentence"),
        ("Tower of Port Ambrel, 3rd edition, page ____.", "no whole sentence"),
        ("The tower and the old lamp were built in ____.", "names nothing"),
        ("Port Ambrel was ____.", "has 4 words"),
        ("Copyright of all pages of Port Ambrel was given in ____.", "about the page"),
    ],
)
def test_a_cloze_that_cannot(question: str, reason: str) -> None:
    assert reason in irrelevant(draft(question))


@pytest.mark.parametrize(
    ("question", "kind", "subject", "reason"),
    [
        ("How many people does it have?", "free", "", "“it” points"),
        ("What does the author say about Halyard?", "free", "", "“the author” points"),
        ("What is the main idea?", "free", "", "names nothing"),
        ("How many GPU-hours did the training take?", "figure", "the training", "names nothing"),
        ("How many " + "very " * 60 + "old pumps has Varnholm?", "free", "", "characters"),
    ],
)
def test_another_question_that_cannot(question: str, kind: Kind, subject: str, reason: str) -> None:
    assert reason in irrelevant(draft(question, kind, subject=subject))


def test_what_a_page_says_of_itself_is_not_asked_for() -> None:
    good = "The lighthouse of Port Ambrel was built in ____."
    assert irrelevant(draft(good, section=("Port Ambrel", "References"))) == "it stands below the heading “References”"
    assert irrelevant(draft(good, section=("Port Ambrel", "History of the references"))) == ""
