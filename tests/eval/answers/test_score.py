from __future__ import annotations

import json
from dataclasses import asdict, replace
from typing import Any

from assistant import Assistant
from assistant.types import Citation
from eval.answers import METRICS
from eval.answers.score import are_verbatim, result
from eval.answers.systems import Reply
from eval.questions import Question
from eval.statistics import Figure, figure


def a_reply(assistant: Assistant, text: str, quote: str, shift: int = 0, **changes: Any) -> Reply:
    """An answer that cites `quote` of pump.md, `shift` characters beside where it stands."""
    document = next(d for d in assistant.documents() if d.key == "pump.md")
    whole = assistant.document(document.source, document.key)
    assert whole
    start = whole.text.index(quote) + shift
    end = start + len(quote)
    source, key, revision = whole.source, whole.key, whole.revision
    citation = Citation(1, text, quote, 1.0, whole.title, source, key, revision, "", None, (), start, end)
    reply = Reply(f"{text} [1]", True, f"{text} [1]", 0.9, "extract", (citation,), (), (), 2.0, None, ())
    return replace(reply, **changes)


REFUSAL = Reply("I cannot answer this. 70 litres per second", False, None, 0.1, "extract", (), (), (), 1.0, None, ())


def values(question: Question, reply: Reply, assistant: Assistant) -> dict[str, float]:
    found = result(question, reply, are_verbatim(reply.citations, assistant), None)
    assert json.loads(json.dumps(asdict(found), allow_nan=False)) == {**asdict(found), "wider": list(found.wider)}
    return found.values


def test_an_answer_is_scored_without_its_markers(assistant: Assistant, pump: Question) -> None:
    found = values(pump, a_reply(assistant, "70 litres per second.", "moves 70 litres per second"), assistant)
    expected = {"exact_match": 1, "f1": 1, "contains": 1, "rouge_1": 1, "right": 1, "accurate": 1, "answered": 1}
    expected |= {"citation_hit": 1, "citations_judged": 1, "citations_right": 1, "statements": 1}
    expected |= {"statements_borne_out": 1, "quotes": 1, "quotes_verbatim": 1, "seconds": 2.0, "confidence": 0.9}
    assert {name: found[name] for name in expected} == expected
    assert "tokens" not in found
    assert "number_match" not in found
    assert "meteor" not in found


def test_a_quote_beside_its_span_is_not_verbatim(assistant: Assistant, pump: Question) -> None:
    found = values(pump, a_reply(assistant, "70 litres", "moves 70 litres", shift=1), assistant)
    assert (found["quotes"], found["quotes_verbatim"]) == (1, 0)


def test_a_quote_of_another_revision_is_not_verbatim(assistant: Assistant) -> None:
    (citation,) = a_reply(assistant, "70 litres", "moves 70 litres").citations
    assert are_verbatim([citation, replace(citation, revision="old"), replace(citation, key="no.md")], assistant) == [
        True,
        False,
        False,
    ]


def test_a_citation_of_another_document_is_no_hit(assistant: Assistant, pump: Question) -> None:
    elsewhere = replace(pump, documents=("valve.md",))
    assert values(elsewhere, a_reply(assistant, "70", "70 litres"), assistant)["citation_hit"] == 0


def test_a_refusal_is_wrong_for_an_answerable_question_and_right_for_another(
    assistant: Assistant, pump: Question, unknown: Question
) -> None:
    refused = values(pump, REFUSAL, assistant)
    assert (refused["exact_match"], refused["f1"], refused["contains"], refused["answered"]) == (0, 0, 0, 0)
    assert "citation_hit" not in refused
    assert "right" not in refused
    replies = [
        (pump, a_reply(assistant, "70 litres per second", "70 litres per second")),
        (replace(pump, id="3"), REFUSAL),
        (unknown, replace(REFUSAL, seconds=4.0)),
    ]
    results = [result(q, r, are_verbatim(r.citations, assistant), None) for q, r in replies]
    figures = {metric.name: figure(metric, results) for metric in METRICS}
    found = {name: (one.value, one.n) for name, one in figures.items() if isinstance(one, Figure)}
    assert {name: found[name] for name in ("exact_match", "f1", "contains", "answered", "refused")} == {
        "exact_match": (0.5, 2),
        "f1": (0.5, 2),
        "contains": (0.5, 2),
        "answered": (0.5, 2),
        "refused": (1.0, 1),
    }
    assert found["accuracy"] == (2 / 3, 3)
    assert found["precision_answered"] == (1.0, 1)
    assert found["seconds"] == (7 / 3, 3)
    # The surest is right; the two that get no answer at any threshold count as wrong: risks 0, 1/2, 2/3.
    assert found["risk_coverage_area"] == ((0 + 1 / 2 + 2 / 3) / 3, 3)
    assert "perplexity" not in found
    assert "number_match" not in found


def test_what_is_not_defined_has_no_value(assistant: Assistant, unknown: Question) -> None:
    found = values(unknown, REFUSAL, assistant)
    assert found == {"accurate": 1, "refused": 1, "confidence": -1, "correct": 0, "seconds": 1}


def test_a_model_without_citations_bears_nothing_out(assistant: Assistant, pump: Question) -> None:
    reply = Reply("It moves\n70 litres per second.", True, "70", None, "closed-book", (), (), (), 1.0, 9, ())
    found = values(pump, reply, assistant)
    assert (found["statements"], found["statements_borne_out"], found["citation_hit"]) == (1, 0, 0)
    assert "citations_judged" not in found
    assert "quotes" not in found
    assert "confidence" not in found
    assert found["tokens"] == 9
    assert "written" not in found


def test_a_quoted_answer_in_place_of_a_written_one_is_counted(assistant: Assistant, pump: Question) -> None:
    written = a_reply(assistant, "70 litres", "70 litres", mode="generate", tokens=5)
    assert values(pump, written, assistant)["written"] == 1
    assert values(pump, replace(written, mode="extract"), assistant)["written"] == 0


def test_the_details_are_what_people_look_at(assistant: Assistant, pump: Question) -> None:
    reply = a_reply(assistant, "70 litres per second", "70 litres", notes=("slow",))
    found = result(pump, reply, [True], None)
    assert (found.id, found.group) == ("1", "all")
    detail = found.detail
    assert detail["question"] == pump.question
    assert detail["accepted"] == ["70 litres per second", "70 l/s"]
    assert detail["answer"] == "70 litres per second [1]"
    assert detail["notes"] == ["slow"]
    (citation,) = detail["citations"]
    assert (citation["key"], citation["quote"], citation["verbatim"]) == ("pump.md", "70 litres", True)
    assert result(pump, REFUSAL, [], None).detail["answer"] == ""
