"""From a question to a checked answer: search, draft, check."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from assistant.errors import LLMError
from assistant.inquiry import Inquiry, search_models
from assistant.library import Library
from assistant.library.view import Filter
from assistant.rerank import open_reranker
from assistant.search import search
from assistant.settings import Settings, load
from assistant.types import Answer, ChunkKind, Document, Item, Mode, Passage

if TYPE_CHECKING:
    from assistant.embed import Embedder
    from assistant.library.view import DocumentSummary, View
    from assistant.rerank import Reranker


EVIDENCE: tuple[ChunkKind, ...] = ("text",)
"""The kinds of chunk that an answer may rest on: a bibliography names other works, it does not say what they say."""


@dataclass(frozen=True, slots=True)
class Status:
    """A library's state as the caller may see it. `items` has one entry for every item ever seen and still there."""

    generation: int
    documents: int
    chunks: int
    items: tuple[Item, ...]


class Assistant:
    """Answers questions from one library, for one caller. Safe to use from several threads."""

    def __init__(
        self,
        library: Library,
        embedder: Embedder,
        settings: Settings,
        groups: Collection[str] = (),
        reranker: Reranker | None = None,
    ) -> None:
        """`reranker` is that of the settings, where it is open already."""
        library.require(embedder)
        self._library = library
        self._embedder = embedder
        self._settings = settings
        self._groups = frozenset(groups)
        self._reranker = reranker or open_reranker(settings.search)

    @classmethod
    def open(cls, library: str | Path, settings: Settings | None = None) -> Assistant:
        """The assistant for the library in a folder, for a caller who is in no group but `everyone`.

        Raises LibraryNotFound, LibraryMismatch and LibraryDamaged as `Library.open` does, ModelNotFound where the
        embedder or the reranker is not on this machine, SettingsError.
        """
        from assistant.embed import open_embedder

        settings = settings or load()
        opened = Library.open(library, settings.search.device)
        return cls(opened, open_embedder(settings.embedder, opened.made_with[1]), settings)

    def as_user(self, groups: Collection[str]) -> Assistant:
        """The same assistant for a caller who is in `groups`, and sees what those may read."""
        return Assistant(self._library, self._embedder, self._settings, groups, self._reranker)

    @property
    def models(self) -> dict[str, str]:
        """What it searches with, by name and fingerprint: `embedder`, and `reranker` where there is one."""
        return search_models(self._embedder, self._reranker)

    def search(
        self, question: str, k: int | None = None, *, sources: Collection[str] = (), kinds: Collection[str] = ()
    ) -> list[Passage]:
        """The `k` best passages (default: `search.k` of the settings), ranked from 1; no language model takes part.

        `sources` and `kinds` narrow the documents that are searched; empty means all. Raises ValueError for an empty
        question or a `k` below 1.
        """
        wanted = Filter(sources=sources, kinds=kinds)
        with self._library.view(self._groups) as view:
            return self._found(view, question, k, wanted)

    def ask(
        self,
        question: str,
        *,
        mode: Mode | None = None,
        k: int | None = None,
        sources: Collection[str] = (),
        kinds: Collection[str] = (),
    ) -> Answer:
        """A checked answer, or a refusal with the nearest passages.

        `mode` is `extract` (quotes, no language model) or `generate`; None takes generate where a server answers, else
        extract. `k` passages (default: `answer.k`) are read. Where the language model fails, the answer is extracted
        and its notes say why; nothing is raised for that. Raises ValueError as `search` does.
        """
        *_, answer = self.stream(question, mode=mode, k=k, sources=sources, kinds=kinds)
        assert isinstance(answer, Answer)  # what `stream` ends with
        return answer

    def stream(
        self,
        question: str,
        *,
        mode: Mode | None = None,
        k: int | None = None,
        sources: Collection[str] = (),
        kinds: Collection[str] = (),
    ) -> Iterator[str | Answer]:
        """As `ask`, but first the pieces of the draft as they are written, unchecked; the last value is the Answer."""
        if mode not in (None, "extract", "generate"):
            raise ValueError(f"mode must be extract, generate or None, not {mode!r}")
        inquiry = self.inquire(question, k=k, sources=sources, kinds=kinds)
        try:
            yield from inquiry.answer(mode)
        except LLMError as error:
            yield inquiry.extracted(f"Extracted without a language model: {error}")

    def inquire(
        self, question: str, *, k: int | None = None, sources: Collection[str] = (), kinds: Collection[str] = ()
    ) -> Inquiry:
        """What is found for a question, before anything is drafted. Raises ValueError as `search` does."""
        limit = self._settings.answer.k if k is None else k
        wanted = Filter(sources=sources, kinds=kinds, chunk_kinds=EVIDENCE)
        with self._library.view(self._groups) as view:
            passages = self._found(view, question, limit, wanted)
            return Inquiry.begin(question, passages, view, self._embedder, self._settings, self._reranker)

    def _found(self, view: View, question: str, k: int | None, wanted: Filter) -> list[Passage]:
        settings = self._settings.search
        return search(view, self._embedder, question, settings, k=k, wanted=wanted, reranker=self._reranker)

    def status(self) -> Status:
        """What the library holds, as the caller may see it."""
        return _status(self._library, self._groups)

    def documents(self) -> list[DocumentSummary]:
        """Every document that the caller may read, by source and key."""
        with self._library.view(self._groups) as view:
            return view.summaries()

    def document(self, source: str, key: str) -> Document | None:
        """A document whole, or None where there is none that the caller may read."""
        with self._library.view(self._groups) as view:
            return view.document(source, key)


def library_status(library: str | Path, groups: Collection[str] = ()) -> Status:
    """What the library in a folder holds, as a caller in `groups` may see it; needs no embedder."""
    return _status(Library.open(library), groups)


def _status(library: Library, groups: Collection[str]) -> Status:
    with library.view(groups) as view:
        documents, chunks = view.counts()
        return Status(view.generation, documents, chunks, tuple(view.items()))
