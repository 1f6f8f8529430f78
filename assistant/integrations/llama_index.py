"""Refdesk's search as a LlamaIndex retriever.

retriever = RefdeskRetriever(Assistant.open("library/"), k=5)
engine = RetrieverQueryEngine.from_args(retriever, llm=llm)
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection

from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.schema import (
    NodeRelationship,
    NodeWithScore,
    ObjectType,
    QueryBundle,
    RelatedNodeInfo,
    TextNode,
)

from assistant.answering import Assistant
from assistant.integrations import document_id, metadata, passage_id
from assistant.types import Passage

FOR_THE_LLM = frozenset({"title", "section", "page"})
"""The metadata that stand before a passage in a prompt; the others are for programs."""


class RefdeskRetriever(BaseRetriever):
    """Finds passages, best first, with what the caller of `assistant` may read.

    Takes `k` (None: `search.k` of the settings), `sources` and `kinds` as `Assistant.search` does. A node's id stays
    the same while the revision does, `start_char_idx` and `end_char_idx` are its span in the document's text, its
    SOURCE relationship names the document, and its metadata has the fields of `refdesk search --json` and `kind` and
    `revision`. Raises ValueError for an empty question, and what `Assistant.search` raises.
    """

    def __init__(
        self, assistant: Assistant, k: int | None = None, *, sources: Collection[str] = (), kinds: Collection[str] = ()
    ) -> None:
        super().__init__()
        self._assistant = assistant
        self._k = k
        self._sources = tuple(sources)
        self._kinds = tuple(kinds)

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        found = self._assistant.search(query_bundle.query_str, self._k, sources=self._sources, kinds=self._kinds)
        return [NodeWithScore(node=_node(passage), score=passage.score) for passage in found]

    async def _aretrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        # LlamaIndex' own would search in the event loop's thread and hold up everything else in it.
        return await asyncio.to_thread(self._retrieve, query_bundle)


def _node(passage: Passage) -> TextNode:
    about = metadata(passage)
    document = RelatedNodeInfo(
        node_id=document_id(passage), node_type=ObjectType.DOCUMENT, metadata={"url": passage.url}
    )
    return TextNode(
        id_=passage_id(passage),
        text=passage.text,
        metadata=about,
        excluded_llm_metadata_keys=sorted(about.keys() - FOR_THE_LLM),
        excluded_embed_metadata_keys=sorted(about),
        start_char_idx=passage.start,
        end_char_idx=passage.end,
        relationships={NodeRelationship.SOURCE: document},
    )
