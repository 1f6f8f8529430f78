"""What others have by default: the retrievers of LlamaIndex and LangChain with the weights of our embedder.

As their documentation begins: the documents as text with the title before it, LlamaIndex's SentenceSplitter (1,024
tokens of GPT, 200 shared) with VectorStoreIndex and its SimpleVectorStore, LangChain's RecursiveCharacterTextSplitter
(4,000 characters, 200 shared) with its InMemoryVectorStore; cosine over all vectors, each through its own interface for
embeddings. One thing is not the default: they return 2 and 4 chunks, and here as many as it takes for 100 documents.
The model reads 256 tokens of a chunk and is not asked about the rest: that is the default, too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from eval.metrics.ranking import DEPTH
from eval.retrieval.stages import Place, Ranker, System, first_documents

if TYPE_CHECKING:
    from assistant.progress import Progress
    from eval.retrieval.vectors import Vectors


@dataclass(frozen=True, slots=True)
class Text:
    """A document as a baseline is given it."""

    place: Place
    text: str


def baselines(texts: Callable[[], Sequence[Text]], vectors: Vectors) -> list[System]:
    """Both as systems; `texts` is called, and embedded, once a ranking is wanted."""

    def system(name: str, package: str, splitter: str, make: Callable[..., Ranker]) -> System:
        settings = {"package": f"{package} {version(package)}", "splitter": splitter, "weights": vectors.fingerprint}
        return System(name, settings, lambda progress: make(texts(), vectors, progress))

    return [
        system("llama-index", "llama-index-core", "SentenceSplitter()", _llama_index),
        system("langchain", "langchain-text-splitters", "RecursiveCharacterTextSplitter()", _langchain),
    ]


def _llama_index(texts: Sequence[Text], vectors: Vectors, progress: Progress) -> Ranker:
    import numpy as np
    from llama_index.core import Document, VectorStoreIndex
    from llama_index.core.base.embeddings.base import BaseEmbedding
    from llama_index.core.node_parser import SentenceSplitter

    class Embedding(BaseEmbedding):
        def _get_text_embeddings(self, texts: list[str]) -> list[list[float]]:
            return vectors.of(texts).tolist()  # type: ignore[no-any-return]

        def _get_text_embedding(self, text: str) -> list[float]:
            return self._get_text_embeddings([text])[0]

        def _get_query_embedding(self, query: str) -> list[float]:
            return self._get_text_embedding(query)

        async def _aget_query_embedding(self, query: str) -> list[float]:
            return self._get_text_embedding(query)

    # Its ids are random, and decide between equal scores; these are not.
    splitter = SentenceSplitter(id_func=lambda number, document: f"{document.node_id} {number}")
    nodes = splitter.get_nodes_from_documents(
        [Document(id_=str(number), text=one.text) for number, one in enumerate(texts)]
    )
    vectors.of([node.get_content() for node in nodes], progress)  # all at once, not ten by ten
    index = VectorStoreIndex(nodes, embed_model=Embedding())
    kept = index.vector_store.data.embedding_dict  # type: ignore[attr-defined]  # a SimpleVectorStore's
    kept.update({node: np.asarray(numbers) for node, numbers in kept.items()})  # not to convert them for each question

    def places(question: str, k: int) -> list[Place]:
        found = index.as_retriever(similarity_top_k=k).retrieve(question)
        return [texts[int(str(one.node.ref_doc_id))].place for one in found]

    return lambda question: first_documents(lambda k: places(question, k), DEPTH)


def _langchain(texts: Sequence[Text], vectors: Vectors, progress: Progress) -> Ranker:
    from langchain_core.documents import Document
    from langchain_core.embeddings import Embeddings
    from langchain_core.vectorstores import InMemoryVectorStore
    from langchain_text_splitters import RecursiveCharacterTextSplitter

    class Embedding(Embeddings):
        def embed_documents(self, texts: list[str]) -> list[list[float]]:
            rows: list[Any] = list(vectors.of(texts, progress))  # arrays, which the store takes and reads faster
            return rows

        def embed_query(self, text: str) -> list[float]:
            return vectors.of([text])[0].tolist()  # type: ignore[no-any-return]

    documents = [Document(one.text, metadata={"place": one.place}) for one in texts]
    store = InMemoryVectorStore(Embedding())
    store.add_documents(RecursiveCharacterTextSplitter().split_documents(documents))

    def places(question: str, k: int) -> list[Place]:
        found = store.as_retriever(search_kwargs={"k": k}).invoke(question)
        return [one.metadata["place"] for one in found]

    return lambda question: first_documents(lambda k: places(question, k), DEPTH)
