from __future__ import annotations

from dataclasses import replace

import pytest

from assistant.types import Citation
from eval.metric import Result
from eval.metrics.citations import METRICS, citation_values, is_right
from eval.questions import Number, Question
from eval.statistics import Figure, Undefined, figure

PUMP = Question("1", "How much does the pump move?", ("70 litres",), ("pump.md", "hall.md"), True)


def cite(key: str, quote: str, sentence: str = "It moves it") -> Citation:
    return Citation(1, sentence, quote, 1.0, "", "docs", key, "r1", "", None, (), 0, len(quote))


@pytest.mark.parametrize(
    ("citation", "right"),
    [
        (cite("pump.md", "moves 70 litres per second"), True),  # holds the answer
        (cite("valve.md", "moves 70 litres per second"), False),  # another document
        (cite("pump.md", "The pump is red, and it moves.", "The pump moves."), True),  # holds the sentence
        (cite("pump.md", "The pump is red.", "The pump moves."), False),
        (cite("pump.md", "0.07 kW", "so"), False),
    ],
)
def test_a_citation_is_judged_by_the_gold(citation: Citation, right: bool) -> None:
    assert is_right(citation, PUMP) == right


def test_a_quote_may_hold_the_number_in_another_unit() -> None:
    numeric = replace(PUMP, answers=("70 W",), number=Number(70, "W"))
    assert is_right(cite("pump.md", "0.07 kW", "so"), numeric)
    assert not is_right(cite("pump.md", "0.07 W", "so"), numeric)


def test_values_by_hand() -> None:
    text = "It moves 70 litres [1].\nIt is red [1].\nNobody cites this."
    citations = [
        cite("pump.md", "moves 70 litres", "It moves 70 litres."),
        cite("pump.md", "70 litres again", "It moves 70 litres."),
        cite("valve.md", "It is red", "It is red."),
    ]
    assert citation_values(text, citations, PUMP) == {
        "citations_judged": 3,
        "citations_right": 2,
        "statements": 3,
        "statements_borne_out": 1,
        "citation_hit": 1,
    }


def test_documents_that_are_all_needed_are_counted() -> None:
    both = replace(PUMP, needs="all")
    assert citation_values("x", [cite("pump.md", "70 litres")], both)["documents_cited"] == 0.5
    assert citation_values("x", [cite("pump.md", "70 litres"), cite("hall.md", "x", "x")], both)["documents_cited"] == 1
    assert citation_values("x", [cite("pump.md", "red"), cite("hall.md", "x", "y")], both)["documents_cited"] == 0
    assert "documents_cited" not in citation_values("x", [], PUMP)


def test_precision_counts_citations_and_recall_statements() -> None:
    first = citation_values("It moves 70 litres [1].", [cite("pump.md", "70 litres", "It moves 70 litres.")], PUMP)
    second = citation_values("A.\nB.\nC.", [cite("no.md", "A", "A."), cite("pump.md", "B", "B."), cite("x", "B")], PUMP)
    uncited = citation_values("Yes.", [], PUMP)
    results = [Result(str(i), "all", values, {}) for i, values in enumerate((first, second, uncited))]
    found = {metric.name: figure(metric, results) for metric in METRICS}
    precision, recall, hit = found["citation_precision"], found["citation_recall"], found["citation_hit"]
    assert isinstance(precision, Figure)
    assert isinstance(recall, Figure)
    assert isinstance(hit, Figure)
    assert (precision.value, precision.n) == (pytest.approx(2 / 4), 2)
    assert (recall.value, recall.n) == (pytest.approx(2 / 5), 3)
    assert (hit.value, hit.n) == (pytest.approx(2 / 3), 3)
    assert isinstance(found["documents_cited"], Undefined)
    assert isinstance(found["quote_verbatim"], Undefined)
