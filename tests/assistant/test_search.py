"""Stages, fusion, filters and limits of search, on a small library."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.answering import Assistant
from assistant.library import Library
from assistant.library.view import ANY, Filter, Hit
from assistant.search import fuse, search
from assistant.settings import SearchSettings, Settings
from assistant.types import Chunk, Document, Passage, Stage

if TYPE_CHECKING:
    from assistant.embed import Embedder

QUESTION = "How heavy is the calorimeter?"
RANKINGS = st.lists(
    st.lists(st.integers(1, 20), unique=True, max_size=12).map(lambda ids: [Hit(1.0, 1, i, 99 - i) for i in ids]),
    max_size=3,
)


def find(desk: Assistant, question: str, stage: Stage, k: int = 1000, wanted: Filter = ANY) -> list[Passage]:
    with desk._library.view() as view:
        return search(view, desk._embedder, question, SearchSettings(), k=k, stage=stage, wanted=wanted)


@given(RANKINGS, st.integers(0, 100))
def test_fusion_sums_reciprocal_ranks(rankings: list[list[Hit]], k: int) -> None:
    fused = fuse(rankings, k)
    numbers = [[hit.number for hit in ranking] for ranking in rankings]
    for hit in fused:
        places = [ranking.index(hit.number) + 1 for ranking in numbers if hit.number in ranking]
        assert hit.score == pytest.approx(sum(1 / (k + place) for place in places))
        assert (hit.document, hit.order) == (1, 99 - hit.number)
    assert sorted(hit.number for hit in fused) == sorted(set().union(*numbers))
    assert fused == sorted(fused, key=lambda hit: (-hit.score, hit.order))


def test_the_fused_stage_fuses_the_two_others(desk: Assistant) -> None:
    lexical, dense = find(desk, QUESTION, "lexical"), find(desk, QUESTION, "dense")
    expected: dict[int, float] = {}
    for ranking in (lexical, dense):
        for p in ranking:
            expected[p.chunk_id] = expected.get(p.chunk_id, 0) + 1 / (60 + p.rank)
    fused = find(desk, QUESTION, "fused")
    assert {p.chunk_id: p.score for p in fused} == pytest.approx(expected)
    assert fused == desk.search(QUESTION, 1000)
    assert len(dense) == 24
    assert 0 < len(lexical) < 24


@pytest.mark.parametrize("stage", ["lexical", "dense", "fused"])
def test_passages_are_ranked_and_say_their_stage(desk: Assistant, stage: Stage) -> None:
    found = find(desk, QUESTION, stage)
    near = 1 if stage == "lexical" else 2  # the second one's cosine is so close that int8 exchanges them
    assert "The tile calorimeter weighs 2900 tonnes." in [p.text for p in found[:near]]
    assert [p.rank for p in found] == list(range(1, len(found) + 1))
    assert [p.score for p in found] == sorted((p.score for p in found), reverse=True)
    assert {p.stage for p in found} == {stage}
    assert find(desk, QUESTION, stage, k=3) == found[:3]
    assert len({p.chunk_id for p in found}) == len(found)


@pytest.mark.parametrize("stage", ["lexical", "dense", "fused"])
def test_filters_leave_what_an_unfiltered_search_has_of_them(desk: Assistant, stage: Stage) -> None:
    question = "the calorimeter in the river of the next part"
    everything = find(desk, question, stage)
    cases: list[tuple[Filter, Callable[[Passage], bool]]] = [
        (Filter(sources=["papers"]), lambda p: p.source == "papers"),
        (Filter(kinds=("pdf",)), lambda p: p.kind == "pdf"),
        (Filter(sources={"wiki"}, kinds=["markdown", "pdf"]), lambda p: p.source == "wiki"),
        (Filter(chunk_kinds=["text"]), lambda p: "Journal" not in p.text),
        (Filter(sources=["nowhere"]), lambda p: False),
    ]
    for wanted, passes in cases:
        found = find(desk, question, stage, wanted=wanted)
        expected = [p for p in everything if passes(p)]
        assert sorted(p.text for p in found) == sorted(p.text for p in expected)
        assert [p.text for p in find(desk, question, stage, 1, wanted)] == [p.text for p in found][:1]
        if stage != "fused":  # its ranks are counted among what passes
            assert [(p.text, p.score) for p in found] == [(p.text, p.score) for p in expected]


def test_k(desk: Assistant) -> None:
    assert len(desk.search(QUESTION)) == 10
    assert [len(desk.search(QUESTION, k)) for k in (1, 23, 24, 25, 10**6, 2**63, 10**30)] == [1, 23, *[24] * 5]
    for k in (0, -1):
        with pytest.raises(ValueError, match=f"at least 1, not {k}"):
            desk.search(QUESTION, k)


@pytest.mark.parametrize("question", ["", " \n\t", "\u3000"])
def test_an_empty_question_is_refused(desk: Assistant, question: str) -> None:
    with pytest.raises(ValueError, match="empty"):
        desk.search(question)
    with pytest.raises(ValueError, match="empty"):
        desk.ask(question)


def test_what_is_no_text_is_refused(desk: Assistant) -> None:
    with pytest.raises(ValueError, match="UTF-8"):
        desk.search("caf\udce9")


def test_an_unknown_stage_is_refused(desk: Assistant) -> None:
    with pytest.raises(ValueError, match="lexical, dense, fused or reranked"):
        find(desk, QUESTION, "best")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"needs a reranker.*search\.reranker"):
        find(desk, QUESTION, "reranked")


@pytest.mark.parametrize(
    "question",
    [
        "the of and",
        "?!… -- ()",
        "😀🎉",
        "a\0b",
        "\ufeff",
        "AND OR NOT",
        'text:"x" +(',
        "x" * 100_000,
        "river " * 10_000,
    ],
)
def test_odd_questions_find_something(desk: Assistant, question: str) -> None:
    assert len(desk.search(question, 5)) == 5
    assert not desk.ask(question[:1000], mode="extract").answered


def test_a_library_without_documents(tmp_path: Path, embedder: Embedder) -> None:
    empty = Assistant(Library.open_or_create(tmp_path / "library", embedder), embedder, Settings())
    assert empty.search(QUESTION) == []
    answer = empty.ask(QUESTION, mode="extract")
    assert not answer.answered
    assert answer.text == "I cannot answer this from the library."
    assert (empty.status().documents, empty.documents(), empty.document("wiki", "a")) == (0, [], None)


def test_several_threads_find_the_same(desk: Assistant) -> None:
    from concurrent.futures import ThreadPoolExecutor

    questions = [QUESTION, "Which train goes to Vienna?", "When do apples ripen?"] * 8
    expected = [desk.search(question) for question in questions]
    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(desk.search, questions)) == expected


def test_a_passage_knows_where_further_pages_start(
    embedder: Embedder, make: Callable[..., Document], tmp_path: Path
) -> None:
    text = "The dipole is long. The quadrupole is short. The sextupole is shorter."
    document = replace(make("magnets", text, kind="pdf"), pages=(0, 20, 45))
    chunk = Chunk(4, len(text), text[4:], (), 1)
    library = Library.open_or_create(tmp_path / "paged", embedder)
    with library.writer(embedder) as writer:
        writer.put(document, [chunk])
        writer.publish()
    with library.view() as view:
        (passage,) = view.passages(view.search_lexical("dipole", 1), "lexical")
    assert (passage.page, passage.page_breaks) == (1, (20, 45))
