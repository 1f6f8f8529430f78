"""Search: lexical and dense hits, fused by reciprocal rank."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING

from assistant.library.view import ANY, Filter, Hit, View
from assistant.settings import SearchSettings
from assistant.types import Passage, Stage

if TYPE_CHECKING:
    from assistant.embed import Embedder


def fuse(rankings: Sequence[Sequence[Hit]], k: int) -> list[Hit]:
    """Reciprocal rank fusion: a chunk's score is the sum of 1 / (k + rank) over the rankings that hold it.

    Best first, equal scores by `Hit.order`. Cormack, Clarke and Buettcher, "Reciprocal rank fusion outperforms
    Condorcet and individual rank learning methods", SIGIR 2009, with ranks from 1.
    """
    scores: dict[tuple[int, int, int], float] = defaultdict(float)
    for ranking in rankings:
        for rank, hit in enumerate(ranking, start=1):
            scores[hit[1:]] += 1 / (k + rank)
    hits = [Hit(score, *chunk) for chunk, score in scores.items()]
    return sorted(hits, key=lambda hit: (-hit.score, hit.order))


def search(
    view: View,
    embedder: Embedder,
    question: str,
    settings: SearchSettings,
    *,
    k: int | None = None,
    stage: Stage = "fused",
    wanted: Filter = ANY,
) -> list[Passage]:
    """The `k` best passages for a question, ranked from 1; `stage` names what ranks them.

    Raises ValueError for an empty question or a `k` below 1.
    """
    limit = settings.k if k is None else k
    if limit < 1:
        raise ValueError(f"k is the number of passages to return and must be at least 1, not {limit}")
    if not question.strip():
        raise ValueError("the question is empty")
    if any("\ud800" <= character <= "\udfff" for character in question):
        raise ValueError("the question holds bytes that are no text; give it in UTF-8")
    candidates = max(limit, settings.candidates)
    if stage == "lexical":
        hits = view.search_lexical(question, limit, wanted)
    elif stage == "dense":
        hits = view.search_dense(embedder.embed_query(question), limit, wanted)
    elif stage == "fused":
        lexical = view.search_lexical(question, candidates, wanted)
        dense = view.search_dense(embedder.embed_query(question), candidates, wanted)
        hits = fuse([lexical, dense], settings.rrf_k)[:limit]
    else:
        raise ValueError(f"stage must be lexical, dense or fused, not {stage!r}")
    return view.passages(hits, stage)
