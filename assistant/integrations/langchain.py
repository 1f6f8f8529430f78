"""Refdesk's search as a LangChain retriever.

    retriever = RefdeskRetriever(assistant=Assistant.open("library/"), k=5)
    chain = {"context": retriever, "question": RunnablePassthrough()} | prompt | model

For an agent: `langchain_core.tools.create_retriever_tool(retriever, "refdesk", "Searches the collaboration's wikis.")`.
"""

from __future__ import annotations

from langchain_core.callbacks import CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from pydantic import Field

from assistant.answering import Assistant
from assistant.integrations import metadata, passage_id


class RefdeskRetriever(BaseRetriever):
    """Finds passages, best first, with what the caller of `assistant` may read.

    A Document's `page_content` is the passage's text, its `id` stays the same while the revision does, and its
    `metadata` has the fields of `refdesk search --json` and `kind` and `revision`. `invoke(question, k=3)` asks for
    another number of passages once. Raises ValueError for an empty question, and what `Assistant.search` raises.
    """

    assistant: Assistant
    k: int | None = Field(None, ge=1)
    """How many passages; None takes `search.k` of the settings."""
    sources: tuple[str, ...] = ()
    """Only documents of these sources; empty means all."""
    kinds: tuple[str, ...] = ()
    """Only these kinds of document; empty means all."""

    def _get_relevant_documents(
        self, query: str, *, run_manager: CallbackManagerForRetrieverRun, k: int | None = None
    ) -> list[Document]:
        wanted = self.k if k is None else k
        found = self.assistant.search(query, wanted, sources=self.sources, kinds=self.kinds)
        return [Document(id=passage_id(p), page_content=p.text, metadata=metadata(p)) for p in found]
