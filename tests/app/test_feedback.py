"""The judgements of answers, in SQLite."""

from __future__ import annotations

import sqlite3
import threading
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from app.feedback import FeedbackStore
from assistant.types import Answer, Citation

CITATION = Citation(
    number=2,
    sentence="It is 43 m high.",
    quote="is 43 m high — über alles",
    support=0.75,
    title="Lighthouse",
    source="port",
    key="lighthouse.md",
    revision="abc",
    url="file:///port/lighthouse.md",
    page=None,
    section=("History",),
    start=10,
    end=35,
)
ANSWER = Answer(
    question="How high is it?",
    text="It is 43 m high. [2]",
    answered=True,
    confidence=0.875,
    mode="generate",
    citations=(CITATION,),
    passages=(),
    generation=7,
    models={"embedder": "e", "llm": "l"},
)


def test_a_row_holds_the_answer(tmp_path: Path) -> None:
    store = FeedbackStore(tmp_path / "feedback.sqlite")
    assert store.all() == []
    store.keep("one", ANSWER, helpful=True)
    (row,) = store.all()
    assert (row.id, row.helpful, row.question, row.answer) == ("one", True, ANSWER.question, ANSWER.text)
    assert (row.answered, row.mode, row.confidence, row.generation) == (True, "generate", 0.875, 7)
    assert row.models == {"embedder": "e", "llm": "l"}
    assert row.citations == ({**asdict(CITATION), "section": ["History"]},)
    assert abs(datetime.fromisoformat(row.time) - datetime.now(UTC)) < timedelta(minutes=1)


def test_plain_sql_reads_it(tmp_path: Path) -> None:
    store = FeedbackStore(tmp_path / "feedback.sqlite")
    store.keep("one", ANSWER, helpful=False)
    row = sqlite3.connect(store.file).execute(
        "SELECT helpful, generation, json_extract(citations, '$[0].quote') FROM feedback"
    )
    assert row.fetchall() == [(0, 7, CITATION.quote)]


def test_a_second_judgement_replaces_the_first_and_can_be_withdrawn(tmp_path: Path) -> None:
    store = FeedbackStore(tmp_path / "feedback.sqlite")
    store.keep("one", ANSWER, helpful=True)
    store.keep("two", replace(ANSWER, answered=False, citations=()), helpful=True)
    store.keep("one", ANSWER, helpful=False)
    assert {row.id: row.helpful for row in store.all()} == {"one": False, "two": True}
    store.withdraw("one")
    store.withdraw("never")
    assert [row.id for row in FeedbackStore(store.file).all()] == ["two"]


def test_many_at_once(tmp_path: Path) -> None:
    store = FeedbackStore(tmp_path / "feedback.sqlite")

    def judge(name: int) -> None:
        for number in range(10):
            store.keep(f"{name}-{number}", ANSWER, helpful=bool(number % 2))

    threads = [threading.Thread(target=judge, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(store.all()) == 40


def test_a_file_that_is_no_database_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "feedback.sqlite").write_text("not a database, but long enough to be looked at " * 100)
    with pytest.raises(sqlite3.DatabaseError):
        FeedbackStore(tmp_path / "feedback.sqlite").keep("one", ANSWER, helpful=True)
