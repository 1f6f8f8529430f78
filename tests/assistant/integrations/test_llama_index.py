"""Our retriever by LlamaIndex' own interface: retrieve, async, a query engine, fusion, post-processors."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from assistant.answering import Assistant
    from assistant.integrations.llama_index import RefdeskRetriever

QUESTION = "How heavy is the calorimeter?"


@pytest.fixture
def retriever(desk: Assistant) -> RefdeskRetriever:
    from assistant.integrations.llama_index import RefdeskRetriever

    return RefdeskRetriever(desk, k=3)


def test_nodes_are_the_passages_of_search(desk: Assistant, retriever: RefdeskRetriever) -> None:
    from llama_index.core.schema import TextNode

    passages = desk.search(QUESTION, 3)
    found = retriever.retrieve(QUESTION)
    assert [one.score for one in found] == [p.score for p in passages]
    for one, passage in zip(found, passages, strict=True):
        node = one.node
        assert isinstance(node, TextNode)
        assert node.text == passage.text
        assert node.metadata["key"] == passage.key
        assert node.metadata["url"] == passage.url
        assert node.ref_doc_id == f"{passage.source}/{passage.key}"
        whole = desk.document(passage.source, passage.key)
        assert whole
        assert whole.text[node.start_char_idx : node.end_char_idx] == node.text


def test_the_llm_reads_title_and_section_but_no_bookkeeping(retriever: RefdeskRetriever) -> None:
    from llama_index.core.schema import MetadataMode

    node = retriever.retrieve(QUESTION)[0].node
    shown = node.get_content(MetadataMode.LLM)
    assert "title: Calorimeter" in shown
    assert "2900 tonnes" in shown
    assert "revision" not in shown
    assert "score" not in shown
    assert node.get_content(MetadataMode.EMBED) == node.get_content(MetadataMode.NONE)


def test_ids_tell_passages_apart_and_stay(desk: Assistant) -> None:
    from assistant.integrations.llama_index import RefdeskRetriever

    first, second = ([n.node_id for n in RefdeskRetriever(desk, k=24).retrieve(QUESTION)] for _ in range(2))
    assert len(set(first)) == 24
    assert first == second


def test_k_and_filters(desk: Assistant) -> None:
    from assistant.integrations.llama_index import RefdeskRetriever

    assert len(RefdeskRetriever(desk).retrieve(QUESTION)) == 10
    papers = RefdeskRetriever(desk, 24, sources=["papers"], kinds=["pdf"]).retrieve(QUESTION)
    assert {(n.metadata["source"], n.metadata["kind"]) for n in papers} == {("papers", "pdf")}
    with pytest.raises(ValueError, match="at least 1"):
        RefdeskRetriever(desk, 0).retrieve(QUESTION)
    with pytest.raises(ValueError, match="empty"):
        RefdeskRetriever(desk).retrieve("")


def test_async_agrees_and_leaves_the_loop_free(retriever: RefdeskRetriever) -> None:
    async def both() -> tuple[list[str], int]:
        ticks = 0

        async def tick() -> None:
            nonlocal ticks
            while True:
                ticks += 1
                await asyncio.sleep(0)

        ticking = asyncio.create_task(tick())
        await asyncio.sleep(0)
        before = ticks
        found = await retriever.aretrieve(QUESTION)
        ticking.cancel()
        return [n.node_id for n in found], ticks - before

    ids, ticks = asyncio.run(both())
    assert ids == [n.node_id for n in retriever.retrieve(QUESTION)]
    assert ticks > 2


def test_in_a_query_engine(retriever: RefdeskRetriever) -> None:
    from llama_index.core.llms import MockLLM
    from llama_index.core.query_engine import RetrieverQueryEngine

    engine = RetrieverQueryEngine.from_args(retriever, llm=MockLLM())
    answer = engine.query(QUESTION)
    assert "The tile calorimeter weighs 2900 tonnes." in str(answer)  # MockLLM repeats its prompt
    assert QUESTION in str(answer)
    assert [n.node_id for n in answer.source_nodes] == [n.node_id for n in retriever.retrieve(QUESTION)]
    assert "2900" in str(asyncio.run(engine.aquery(QUESTION)))


def test_with_a_post_processor_and_in_fusion(desk: Assistant, retriever: RefdeskRetriever) -> None:
    from llama_index.core.llms import MockLLM
    from llama_index.core.postprocessor import SimilarityPostprocessor
    from llama_index.core.retrievers import QueryFusionRetriever

    found = retriever.retrieve(QUESTION)
    scores = sorted({n.score or 0 for n in found}, reverse=True)
    kept = SimilarityPostprocessor(similarity_cutoff=(scores[0] + scores[1]) / 2).postprocess_nodes(found)
    assert [n.node_id for n in kept] == [n.node_id for n in found if n.score == scores[0]]
    fused = QueryFusionRetriever(
        [retriever, retriever], llm=MockLLM(), num_queries=1, similarity_top_k=3, use_async=False
    )
    assert {n.node_id for n in fused.retrieve(QUESTION)} == {n.node_id for n in found}
