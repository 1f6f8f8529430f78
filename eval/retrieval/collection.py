"""The documents that are searched: a library's, or a BEIR corpus that was indexed into one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assistant import Assistant
from assistant.embed import open_embedder
from assistant.library import Library
from assistant.library.view import ANY, Filter
from assistant.rerank import open_reranker
from assistant.types import EVERYONE
from eval.retrieval.baselines import Text
from eval.runs.about import library_of
from ingest.beir import read_documents
from ingest.documents import index

if TYPE_CHECKING:
    from assistant.embed import Embedder
    from assistant.library.view import DocumentSummary, View
    from assistant.progress import Progress
    from assistant.rerank import Reranker
    from assistant.settings import Settings


@dataclass(frozen=True, slots=True)
class Collection:
    """`documents` of a library as a caller in `groups` may see them, and what the assistant searches them with.
    `wanted` is what passes over other documents; `library` is what `eval.runs.about.library_of` says."""

    view: View
    embedder: Embedder
    reranker: Reranker | None
    documents: tuple[DocumentSummary, ...]
    wanted: Filter
    library: dict[str, Any]
    groups: frozenset[str]

    def texts(self) -> list[Text]:
        """Title and text of every document."""
        found = []
        for one in self.documents:
            document = self.view.document(one.source, one.key)
            assert document  # a view stays as it is
            text = f"{one.title}\n\n{document.text}" if one.title else document.text
            found.append(Text((one.source, one.key), text))
        return found


@contextmanager
def indexed(
    folder: Path, library: Path, settings: Settings, progress: Progress, groups: Iterable[str] = ()
) -> Iterator[Collection]:
    """The corpus of a BEIR folder, which a library in the folder `library` holds afterwards, open to everyone.

    Raises ValueError for a corpus that does not hold what it should, LibraryError as `Library` does, ModelNotFound and
    SettingsError as `Assistant.open` does.
    """
    embedder = open_embedder(settings.embedder, Library.fingerprint_at(library))
    made = Library.open_or_create(library, embedder)
    source = index(list(read_documents(folder)), str(folder.resolve()), folder.name, made, embedder, progress)
    held = frozenset({*groups, EVERYONE})
    with made.view(held) as view:
        every = view.summaries()
        documents = [one for one in every if one.source == source]
        wanted = ANY if documents == every else Filter(sources=(source,))
        found = _collection(view, made, embedder, settings, documents, wanted, held)
        yield replace(found, library={**found.library, "corpus": folder.resolve().name})


@contextmanager
def opened(library: Path, settings: Settings, groups: Iterable[str] = ()) -> Iterator[Collection]:
    """All documents that a caller in `groups` may see of a library that is there. Raises as `Assistant.open` does."""
    found = Library.open(library, settings.search.device)
    embedder = open_embedder(settings.embedder, found.made_with[1])
    held = frozenset({*groups, EVERYONE})
    with found.view(held) as view:
        yield _collection(view, found, embedder, settings, view.summaries(), ANY, held)


def _collection(
    view: View,
    library: Library,
    embedder: Embedder,
    settings: Settings,
    documents: Sequence[DocumentSummary],
    wanted: Filter,
    groups: frozenset[str],
) -> Collection:
    reranker = open_reranker(settings.search)
    said = library_of(Assistant(library, embedder, settings, groups, reranker))
    return Collection(view, embedder, reranker, tuple(documents), wanted, said, groups)
