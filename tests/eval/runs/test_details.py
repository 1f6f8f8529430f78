from __future__ import annotations

from typing import Any

import pytest

from eval.metric import Result
from eval.runs.details import Details, details

PASSAGE = {"source": "wiki", "key": "a.md", "text": "It is."}


def of(**detail: Any) -> Details:
    return details(Result("1", "", {}, detail))


def test_an_answer() -> None:
    shown = of(question="Why?", accepted=["so", "thus"], answer="so [1]", documents=["a.md"], passages=[PASSAGE], n=1)
    assert (shown.question, shown.accepted, shown.answer, shown.documents) == (
        "Why?",
        ("so", "thus"),
        "so [1]",
        ("a.md",),
    )
    assert (shown.passages, shown.citations, shown.more) == ((PASSAGE,), (), {"n": 1})


def test_a_multiple_choice() -> None:
    shown = of(question="2 + 2?", choices=["3", "4"], answer=1, prediction=0, written=" A", passages=[PASSAGE])
    assert (shown.accepted, shown.answer) == (("B. 4",), "A. 3")
    assert shown.more == {"choices": ["3", "4"], "written": " A"}
    assert list(shown.evidence()) == [PASSAGE]


def test_a_task_of_lm_eval() -> None:
    written = of(question="2 + 2?", answer="4", responses=["5"])
    assert (written.accepted, written.answer, written.more) == (("4",), "5", {})
    chosen = of(question="2 + 2?", answer="1", responses=[-1.5, -2.5])
    assert (chosen.accepted, chosen.answer, chosen.more) == (("1",), "", {"responses": [-1.5, -2.5]})


@pytest.mark.parametrize(
    ("detail", "keys"),
    [
        ({"citations": [PASSAGE]}, ["a.md"]),
        ({"passages": ["wiki a.md 1-2"]}, ["wiki a.md 1-2"]),
        ({"prompt": {"messages": [{"shown": [{"key": "b.md"}]}]}}, ["b.md"]),
        ({"question": "a.md"}, []),
    ],
)
def test_whatever_names_a_document_is_found(detail: dict[str, Any], keys: list[str]) -> None:
    assert [one["key"] for one in of(**detail).evidence()] == keys
