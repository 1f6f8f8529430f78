"""The systems that are measured, and Refdesk's stages as such: lexical is BM25 alone, dense the vectors alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from assistant.progress import Progress
from assistant.search import search
from assistant.types import Stage
from eval.metrics.ranking import DEPTH

if TYPE_CHECKING:
    from assistant.settings import SearchSettings
    from eval.retrieval.collection import Collection

Place = tuple[str, str]
"""Source and key, by which a document is known."""
Ranker = Callable[[str], list[Place]]
"""From a question to the first `DEPTH` documents, best first, none of them twice."""


@dataclass(frozen=True, slots=True)
class System:
    """A way of searching. `settings` is what its rankings depend on, as JSON says it; `open` makes what it needs."""

    name: str
    settings: dict[str, Any]
    open: Callable[[Progress], Ranker]


def stages(collection: Collection, settings: SearchSettings) -> list[System]:
    """Each stage of a search, first the one that the assistant uses, with which a report compares the others;
    `reranked` where there is a reranker. They work while the collection's view is open."""
    reranker = collection.reranker
    dense = {"embedder": collection.embedder.fingerprint, "device": settings.device}
    fused = {**dense, "candidates": settings.candidates, "rrf_k": settings.rrf_k}
    made_of: dict[Stage, dict[str, Any]] = {"fused": fused, "lexical": {}, "dense": dense}
    if reranker:
        read = {"reranker": reranker.name, "fingerprint": reranker.fingerprint, "rerank": settings.rerank}
        made_of = {"reranked": {**fused, **read}, **made_of}
    return [
        System(stage, given, lambda progress, stage=stage: _ranker(stage, collection, settings))  # type: ignore[misc]
        for stage, given in made_of.items()
    ]


def _ranker(stage: Stage, collection: Collection, settings: SearchSettings) -> Ranker:
    first = max(settings.k, settings.candidates)

    def places(question: str, k: int) -> list[Place]:
        # Behind the first passages stand those of a fused search, so the reranker need not read twice.
        by = "fused" if stage == "reranked" and k > first else stage
        view, embedder, reranker = collection.view, collection.embedder, collection.reranker
        found = search(view, embedder, question, settings, k=k, stage=by, wanted=collection.wanted, reranker=reranker)
        return [(passage.source, passage.key) for passage in found]

    return lambda question: first_documents(lambda k: places(question, k), first)


def first_documents(search_for: Callable[[int], Sequence[Place]], k: int) -> list[Place]:
    """The first `DEPTH` documents of a search that gives the document of each of the `k` best chunks.

    A document is as good as its best chunk. Where the chunks are of too few documents, more are asked for; what was
    found first stays in front, so that the first ranks are those of an ordinary search.
    """
    found: dict[Place, None] = {}
    while True:
        places = search_for(k)
        found |= dict.fromkeys(places)
        if len(found) >= DEPTH or len(places) < k:
            return list(islice(found, DEPTH))
        k *= 2
