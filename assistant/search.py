"""Search: lexical and dense hits, fused by reciprocal rank, the first of them reranked."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING

from assistant.library.view import ANY, Filter, Hit, View
from assistant.settings import SearchSettings
from assistant.types import Passage, Stage

if TYPE_CHECKING:
    from assistant.embed import Embedder
    from assistant.rerank import Reranker


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
    stage: Stage | None = None,
    wanted: Filter = ANY,
    reranker: Reranker | None = None,
) -> list[Passage]:
    """The `k` best passages for a question, ranked from 1.

    `stage` names what ranks them: None is `reranked` where there is a reranker, else `fused`. Raises ValueError for an
    empty question, a `k` below 1, and the stage `reranked` without a reranker.
    """
    limit = settings.k if k is None else k
    if limit < 1:
        raise ValueError(f"k is the number of passages to return and must be at least 1, not {limit}")
    if not question.strip():
        raise ValueError("the question is empty")
    if any("\ud800" <= character <= "\udfff" for character in question):
        raise ValueError("the question holds bytes that are no text; give it in UTF-8")
    stage = stage or ("reranked" if reranker else "fused")
    if stage == "lexical":
        hits = view.search_lexical(question, limit, wanted)
    elif stage == "dense":
        hits = view.search_dense(embedder.embed_query(question), limit, wanted)
    elif stage == "fused":
        hits = _fused(view, embedder, question, settings, limit, wanted)
    elif stage == "reranked":
        if not reranker:
            raise ValueError("the stage reranked needs a reranker, and none was given: search.reranker names one")
        fused = _fused(view, embedder, question, settings, max(limit, settings.rerank), wanted)
        hits = _reranked(view, reranker, question, fused, settings.rerank)
    else:
        raise ValueError(f"stage must be lexical, dense, fused or reranked, not {stage!r}")
    return view.passages(hits[:limit], stage)


def _fused(
    view: View, embedder: Embedder, question: str, settings: SearchSettings, limit: int, wanted: Filter
) -> list[Hit]:
    candidates = max(limit, settings.candidates)
    lexical = view.search_lexical(question, candidates, wanted)
    dense = view.search_dense(embedder.embed_query(question), candidates, wanted)
    return fuse([lexical, dense], settings.rrf_k)[:limit]


def _reranked(view: View, reranker: Reranker, question: str, hits: Sequence[Hit], first: int) -> list[Hit]:
    """The `first` hits by the reranker's scores, equal ones by `Hit.order`, and behind them the others as they were.

    Those keep the distances of their scores, moved so that they go on from the last that was reranked: whoever sorts by
    score gets the same order.
    """
    read, others = hits[:first], hits[first:]
    scores = reranker.scores(question, view.passages(read, "fused"))
    scored = [hit._replace(score=float(score)) for hit, score in zip(read, scores, strict=True)]
    best_first = sorted(scored, key=lambda hit: (-hit.score, hit.order))
    return best_first + [hit._replace(score=hit.score - read[-1].score + best_first[-1].score) for hit in others]
