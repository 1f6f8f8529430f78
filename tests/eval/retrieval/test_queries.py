from __future__ import annotations

from typing import Any

import pytest

from assistant.library.view import DocumentSummary
from eval.questions import Question
from eval.retrieval.queries import Query, of_beir, of_questions
from ingest.beir import Judgement


def document(key: str, source: str = "wiki", kind: str = "html") -> DocumentSummary:
    return DocumentSummary(source, key, "1", key.title(), "", kind, 100, 1)


DOCUMENTS = [document("a"), document("b", kind="pdf"), document("c", "talks", "pdf"), document("d"), document("a", "x")]


def question(id_: str, *documents: str, **more: Any) -> Question:
    return Question(id_, f"what is {id_}?", ("so",) if documents else (), documents, bool(documents), **more)


def test_questions_become_queries() -> None:
    asked = [
        question("1", "b", wording="exact"),
        question("2", "b", "c", tags=("fact", "paraphrase")),
        question("3"),
        question("4", "d", before=("What is it?",)),
    ]
    queries, notes = of_questions(asked, DOCUMENTS)
    assert queries == [
        Query("1", "what is 1?", {"b": 1}, "exact", ("wiki",), ("pdf",)),
        Query("2", "what is 2?", {"b": 1, "c": 1}, "paraphrase", ("talks", "wiki"), ("pdf",)),
        Query("4", "What is it? what is 4?", {"d": 1}, "", ("wiki",), ("html",)),
    ]
    assert [query.group for query in queries] == ["wiki, pdf", "several sources, pdf", "wiki, html"]
    assert [query.wider for query in queries] == [
        ("wiki, all kinds", "all sources, pdf"),
        ("several sources, all kinds", "all sources, pdf"),
        ("wiki, all kinds", "all sources, html"),
    ]
    assert notes == ["1 unanswerable questions have nothing to find and are left out."]
    assert of_questions(asked[:1], DOCUMENTS)[1] == []


def test_a_key_that_two_sources_have_is_one_thing_to_find() -> None:
    (query,), _ = of_questions([question("1", "a")], DOCUMENTS)
    assert (query.relevant, query.sources) == ({"a": 1}, ("wiki", "x"))


def test_questions_that_cannot_be_measured_are_refused() -> None:
    with pytest.raises(
        ValueError,
        match=r"2 documents of the questions are not in the library, or not for who asks \(--as\): "
        r"'nowhere\.md' \(query '1'\), 'B' \(query '2'\)\. Keys look like 'a', 'b', 'c', \.\.\.",
    ):
        of_questions([question("1", "b", "nowhere.md"), question("2", "B")], DOCUMENTS)
    with pytest.raises(ValueError, match="It shows no document"):
        of_questions([question("1", "a")], [])
    with pytest.raises(ValueError, match=r"1 answerable questions name no document .*: 2\. Add 'documents'"):
        of_questions([question("1", "a"), Question("2", "what?", ("so",), (), True)], DOCUMENTS)
    with pytest.raises(ValueError, match="No query of the questions has a relevant document"):
        of_questions([question("1")], DOCUMENTS)


TEXTS = {"q1": "one", "q2": "two", "q3": "three"}


def test_judgements_become_queries() -> None:
    judged = [Judgement("q3", "a", 2), Judgement("q1", "c", 1), Judgement("q1", "d", 0), Judgement("q2", "a", 0)]
    queries, notes = of_beir(TEXTS, judged, "test", DOCUMENTS)
    assert [(query.id, query.text, query.relevant) for query in queries] == [
        ("q1", "one", {"c": 1}),
        ("q3", "three", {"a": 2}),
    ]
    assert notes == ["1 judged queries have no relevant document and are left out."]


def test_judgements_that_cannot_be_measured_are_refused() -> None:
    with pytest.raises(ValueError, match="lacks 1 queries of split 'test', 'q9' first"):
        of_beir(TEXTS, [Judgement("q9", "a", 1)], "test", DOCUMENTS)
    with pytest.raises(ValueError, match=r"1 documents of the qrels of split 'test' are not in the library, .*: 'z'"):
        of_beir(TEXTS, [Judgement("q1", "z", 1)], "test", DOCUMENTS)
    with pytest.raises(ValueError, match="No query of the qrels of split 'test' has a relevant document"):
        of_beir(TEXTS, [Judgement("q1", "a", 0)], "test", DOCUMENTS)
