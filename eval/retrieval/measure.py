"""Each query by each system, into a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing, nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eval.metric import Result
from eval.metrics.ranking import ranking_values
from eval.retrieval.baselines import baselines
from eval.retrieval.stages import stages
from eval.retrieval.vectors import Vectors
from eval.runs.about import About, Data, content_hash
from eval.runs.run import begin, run_folder

if TYPE_CHECKING:
    from assistant.library.view import DocumentSummary
    from assistant.progress import Progress
    from assistant.settings import Settings
    from eval.retrieval.collection import Collection
    from eval.retrieval.queries import Query
    from eval.retrieval.stages import Place, System
    from eval.runs.run import Record, Run

KIND = "retrieval"
_SHOWN = 10
"""Documents of a ranking that a result names."""


def measure(
    name: str,
    queries: Sequence[Query],
    collection: Collection,
    settings: Settings,
    progress: Progress,
    *,
    notes: Sequence[str] = (),
    with_baselines: bool = True,
    out: Path | None = None,
) -> Record:
    """The run of all queries by all systems, in the folder `out` or one below `eval.runs` of the settings.

    `name` is what the queries are called in it, `notes` what was left out of them. Raises RunError as `begin` does.
    """
    left_out = (
        [] if collection.reranker else ["The stage reranked is left out: `search.reranker` names no cross-encoder."]
    )
    left_out += [] if with_baselines else ["LlamaIndex and LangChain are left out, as was asked (--no-baselines)."]
    with closing(Vectors(settings.embedder.model)) if with_baselines else nullcontext() as vectors:
        systems = stages(collection, settings.search)
        systems += baselines(collection.texts, vectors) if vectors else []
        contents = {query.id: asdict(query) for query in queries}
        data = Data(name, content_hash(contents), len(queries))
        made_of = {system.name: system.settings for system in systems}
        about = About.of(KIND, data, made_of, library=collection.library, groups=sorted(collection.groups))
        named = {(document.source, document.key): document for document in collection.documents}
        with begin(out or run_folder(Path(settings.eval.runs), about), about, [*notes, *left_out]) as run:
            for system in systems:
                _rank(system, {query.id: query for query in queries}, contents, named, run, progress)
            return run.finish()


def _rank(
    system: System,
    queries: Mapping[str, Query],
    contents: Mapping[str, Any],
    named: Mapping[Place, DocumentSummary],
    run: Run,
    progress: Progress,
) -> None:
    """Adds the results that are missing; a system that has them all is not opened."""
    todo = run.todo(system.name, contents)
    if not todo:
        return
    rank = system.open(progress)
    for done, id_ in enumerate(todo, start=1):
        run.add(system.name, _result(queries[id_], rank(queries[id_].text), named))
        progress(done, len(todo), f"queries, {system.name}")


def _result(query: Query, ranked: Sequence[Place], named: Mapping[Place, DocumentSummary]) -> Result:
    """Under the names of `eval.runs.details`; what is right and what was found are documents here."""
    ranks: dict[str, int] = {}  # where a key comes first: behind it, the same key at another source is not relevant
    for rank, (_, key) in enumerate(ranked, start=1):
        ranks.setdefault(key, rank)
    relevance = {str(ranks.get(key, f"not found: {key}")): degree for key, degree in query.relevant.items()}
    values = ranking_values(relevance, [str(rank) for rank in range(1, len(ranked) + 1)], query.wording)
    detail = {
        "question": query.text,
        "wording": query.wording,
        "accepted": list(query.relevant),
        "answer": ranked[0][1] if ranked else "",
        "documents": list(query.relevant),
        "ranks": {key: ranks.get(key) for key in query.relevant},
        "relevance": query.relevant,
        "sources": list(query.sources),
        "kinds": list(query.kinds),
        "passages": [{"source": one[0], "key": one[1], "title": named[one].title} for one in ranked[:_SHOWN]],
    }
    return Result(query.id, query.group, values, detail, query.wider)
