"""The same documents indexed by Refdesk and by the default pipelines of LlamaIndex and LangChain.

Theirs as their documentation begins: LlamaIndex's SentenceSplitter (1,024 tokens of GPT, 200 shared) and LangChain's
RecursiveCharacterTextSplitter (4,000 characters, 200 shared), the same all-MiniLM-L6-v2 weights through
sentence-transformers with the batch sizes of their embedding classes (10 and 32), a flat FAISS index. What is longer
than the model reads (254 tokens and two marks) is cut there without a word; it is counted here as lost.
"""

from __future__ import annotations

import random
import shutil
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from assistant.embed import Embedder, open_embedder
from assistant.embed.weights import load_sentence_transformer, model_folder
from assistant.settings import EmbedderSettings, load
from eval.speed.process import in_fresh_process, say
from eval.speed.texts import documents
from ingest.sync import build_library

if TYPE_CHECKING:
    from assistant.types import FloatArray

Pipeline = Literal["refdesk", "llama_index", "langchain"]
PIPELINES: tuple[Pipeline, ...] = ("refdesk", "llama_index", "langchain")
MODEL = EmbedderSettings().model


@dataclass(frozen=True, slots=True)
class Ingested:
    """What a pipeline did with documents that lie on disk: read, split, embed, index.

    `tokens` were embedded, `lost` lay beyond what the model reads; neither counts the two special ones of a chunk.
    """

    pipeline: Pipeline
    documents: int
    chunks: int
    seconds: float
    embedding_seconds: float
    tokens: int
    lost: int


def compare(folder: Path, documents_wanted: int, work: Path, *, rounds: int = 4) -> tuple[Ingested, ...]:
    """The sums of each pipeline over `rounds` in which they take turns, each time on new documents."""
    texts = list(documents(folder))
    random.Random(0).shuffle(texts)
    place = work / "ingested"
    shutil.rmtree(place, ignore_errors=True)
    done: list[Ingested] = []
    try:
        for number in range(rounds):
            part = place / str(number)
            part.mkdir(parents=True)
            for n, text in enumerate(
                texts[number * documents_wanted // rounds : (number + 1) * documents_wanted // rounds]
            ):
                (part / f"{n:05d}.txt").write_text(text)
            for pipeline in PIPELINES:
                say(f"round {number + 1} of {rounds}: {pipeline}")
                done.append(in_fresh_process(_ingest, pipeline, part, place / "library"))
    finally:
        shutil.rmtree(place, ignore_errors=True)
    return tuple(_sum([one for one in done if one.pipeline == pipeline]) for pipeline in PIPELINES)


def _sum(parts: Sequence[Ingested]) -> Ingested:
    names = ("documents", "chunks", "seconds", "embedding_seconds", "tokens", "lost")
    return Ingested(parts[0].pipeline, *(sum(getattr(part, name) for part in parts) for name in names))


def _ingest(pipeline: Pipeline, folder: Path, library: Path) -> Ingested:
    """Models are open before the clock starts."""
    if pipeline == "refdesk":
        return _refdesk(folder, library)
    model = load_sentence_transformer(_weights(), "cpu")
    return _llama_index(folder, model) if pipeline == "llama_index" else _langchain(folder, model)


def _weights() -> Path:
    folder = model_folder(MODEL)
    assert folder  # comes by pip
    return folder


class _Listening:
    """An embedder that notes what it is asked and how long it takes."""

    def __init__(self, embed: Callable[[list[str]], Any]) -> None:
        self._embed = embed
        self.seconds = 0.0
        self.texts: list[str] = []

    def __call__(self, texts: Iterable[str]) -> Any:
        texts = list(texts)
        started = time.perf_counter()
        rows = self._embed(texts)
        self.seconds += time.perf_counter() - started
        self.texts += texts
        return rows


class _Listened:
    """The embedder of the settings, with what it embeds noted."""

    def __init__(self, embedder: Embedder) -> None:
        self.name, self.fingerprint = embedder.name, embedder.fingerprint
        self.dimensions, self.max_tokens = embedder.dimensions, embedder.max_tokens
        self.embed_query, self.token_starts = embedder.embed_query, embedder.token_starts
        self.passages = _Listening(embedder.embed_passages)

    def embed_passages(self, texts: Sequence[str]) -> FloatArray:
        rows: FloatArray = self.passages(texts)
        return rows


def _refdesk(folder: Path, library: Path) -> Ingested:
    embedder = _Listened(open_embedder(load().embedder))
    started = time.perf_counter()
    report = build_library([folder], library, embedder=embedder)
    seconds = time.perf_counter() - started
    return _counted("refdesk", report.count("new", "changed"), seconds, embedder.passages)


def _llama_index(folder: Path, model: Any) -> Ingested:
    import faiss
    import numpy as np
    from llama_index.core import SimpleDirectoryReader
    from llama_index.core.base.embeddings.base import BaseEmbedding
    from llama_index.core.ingestion import IngestionPipeline
    from llama_index.core.node_parser import SentenceSplitter

    listening = _Listening(
        lambda texts: model.encode(texts, batch_size=10, normalize_embeddings=True, show_progress_bar=False).tolist()
    )

    class Embedding(BaseEmbedding):
        def _get_text_embeddings(self, texts: list[str]) -> list[list[float]]:
            rows: list[list[float]] = listening(texts)
            return rows

        def _get_text_embedding(self, text: str) -> list[float]:
            return self._get_text_embeddings([text])[0]

        def _get_query_embedding(self, query: str) -> list[float]:
            return self._get_text_embedding(query)

        async def _aget_query_embedding(self, query: str) -> list[float]:
            return self._get_text_embedding(query)

    started = time.perf_counter()
    found = SimpleDirectoryReader(str(folder)).load_data()
    nodes = IngestionPipeline(transformations=[SentenceSplitter(), Embedding()]).run(documents=found)
    index = faiss.IndexFlatIP(model.get_embedding_dimension())
    index.add(np.array([node.embedding for node in nodes], dtype=np.float32))
    faiss.write_index(index, str(folder / "llama_index.faiss"))
    return _counted("llama_index", len(found), time.perf_counter() - started, listening)


def _langchain(folder: Path, model: Any) -> Ingested:
    import faiss
    import numpy as np
    from langchain_core.documents import Document
    from langchain_text_splitters import RecursiveCharacterTextSplitter

    listening = _Listening(lambda texts: model.encode(texts, show_progress_bar=False).tolist())
    started = time.perf_counter()
    found = [Document(file.read_text(), metadata={"source": str(file)}) for file in sorted(folder.glob("*.txt"))]
    parts = RecursiveCharacterTextSplitter().split_documents(found)
    rows = listening(part.page_content for part in parts)
    index = faiss.IndexFlatL2(model.get_embedding_dimension())
    index.add(np.array(rows, dtype=np.float32))
    faiss.write_index(index, str(folder / "langchain.faiss"))
    return _counted("langchain", len(found), time.perf_counter() - started, listening)


def _counted(pipeline: Pipeline, documents_read: int, seconds: float, listening: _Listening) -> Ingested:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(_weights() / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    lengths = [len(one.ids) for one in tokenizer.encode_batch(listening.texts, add_special_tokens=False)]
    read = open_embedder(EmbedderSettings()).max_tokens
    tokens = sum(min(length, read) for length in lengths)
    return Ingested(pipeline, documents_read, len(lengths), seconds, listening.seconds, tokens, sum(lengths) - tokens)
