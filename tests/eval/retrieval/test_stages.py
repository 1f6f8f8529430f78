from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.rerank import open_reranker
from assistant.search import search
from assistant.settings import SearchSettings, Settings
from assistant.text.passage_text import passage_text
from eval.metrics.ranking import DEPTH
from eval.retrieval.collection import Collection, indexed
from eval.retrieval.stages import Ranker, first_documents, stages
from ingest.beir import read_documents, read_queries
from ingest.split import split

if TYPE_CHECKING:
    from collections.abc import Iterator

    from assistant.embed import Embedder


EVERY = [("small", f"d{n}") for n in range(1, 7)]


def silent(done: int, total: int, what: str) -> None:
    pass


@pytest.fixture
def collection(beir: Path, tmp_path: Path, embedder: Embedder) -> Iterator[Collection]:
    with indexed(beir, tmp_path / "library", Settings(), silent) as found:
        yield found


def rankers(collection: Collection, settings: SearchSettings) -> dict[str, Ranker]:
    searched = replace(collection, reranker=open_reranker(settings))
    return {system.name: system.open(silent) for system in stages(searched, settings)}


def test_dense_ranking_equals_exhaustive_search(beir: Path, collection: Collection) -> None:
    rank = rankers(collection, SearchSettings())["dense"]
    embedder = collection.embedder
    queries = read_queries(beir)
    best: dict[str, dict[str, float]] = {query: {} for query in queries}
    for document in read_documents(beir):
        chunks = split(document, embedder.token_starts, embedder.max_tokens)
        vectors = embedder.embed_passages([passage_text(document.title, c.section, c.text) for c in chunks])
        for query, text in queries.items():
            best[query][document.key] = float((vectors @ embedder.embed_query(text)).max())
    for query, scores in best.items():
        assert rank(queries[query]) == [("small", key) for key in sorted(scores, key=lambda key: -scores[key])]


def test_a_document_whose_chunks_come_first_does_not_hide_the_others(collection: Collection) -> None:
    """With one candidate at a time, `d1` alone has several chunks about tides."""
    rank = rankers(collection, SearchSettings(candidates=1, k=1))["dense"]
    assert sorted(rank("tides")) == EVERY


def test_the_first_ranks_are_those_of_an_ordinary_search(beir: Path, collection: Collection) -> None:
    settings = SearchSettings(candidates=2, k=2)
    rank = rankers(collection, settings)
    for text in read_queries(beir).values():
        ordinary = search(collection.view, collection.embedder, text, settings)
        first = list(dict.fromkeys((passage.source, passage.key) for passage in ordinary))
        assert rank["fused"](text)[: len(first)] == first


def test_reranked_puts_first_what_the_reranker_prefers(collection: Collection, reranker_folder: Path) -> None:
    assert list(rankers(collection, SearchSettings())) == ["fused", "lexical", "dense"]
    rank = rankers(collection, SearchSettings(reranker=str(reranker_folder)))
    assert list(rank) == ["reranked", "fused", "lexical", "dense"]
    assert rank["fused"]("lava and melted rock")[0] == ("small", "d2")
    found = rank["reranked"]("lava and melted rock")
    assert found[0] == ("small", "d3")  # it was taught to prefer dough
    assert sorted(found) == EVERY
    few = SearchSettings(reranker=str(reranker_folder), rerank=1)
    assert rankers(collection, few)["reranked"]("lava and melted rock")[0] == ("small", "d2")


def test_settings_name_all_that_a_ranking_depends_on(collection: Collection, reranker_folder: Path) -> None:
    settings = SearchSettings(reranker=str(reranker_folder), rerank=7, candidates=50, rrf_k=9)
    reranker = open_reranker(settings)
    assert reranker
    found = stages(replace(collection, reranker=reranker), settings)
    said = {system.name: set(map(str, system.settings.values())) for system in found}
    assert said["dense"] == {collection.embedder.fingerprint, "cpu"}
    assert said["fused"] == said["dense"] | {"50", "9"}
    assert said["reranked"] == said["fused"] | {reranker.name, reranker.fingerprint, "7"}


PLACES = st.tuples(st.sampled_from(["wiki", "web"]), st.sampled_from([f"d{n}" for n in range(100)]))


@given(st.lists(PLACES, max_size=600), st.integers(1, 300))
def test_a_document_is_as_good_as_its_best_chunk(chunks: list[tuple[str, str]], k: int) -> None:
    assert first_documents(lambda k: chunks[:k], k) == list(dict.fromkeys(chunks))[:DEPTH]
