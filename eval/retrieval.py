"""How well a search finds documents: a BEIR folder is indexed as Refdesk indexes, and each stage is measured.

The format is that of Thakur et al., "BEIR: A heterogeneous benchmark for zero-shot evaluation of information retrieval
models", NeurIPS 2021: `corpus.jsonl`, `queries.jsonl` and `qrels/<split>.tsv`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assistant.types import PUBLIC, Document, Item, Stage
from ingest.split import split
from ingest.structure import sections_of

if TYPE_CHECKING:
    from assistant.embed import Embedder
    from assistant.library import Library
    from assistant.settings import SearchSettings

STAGES: tuple[Stage, ...] = ("lexical", "dense", "fused")
DEPTH = 10
"""Both measures look at the first ten documents."""

Progress = Callable[[int, str], None]
"""Called with how many documents or queries are done, and of what."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """That a person found `document` relevant for `query`: 0 is not, more is more."""

    query: str
    document: str
    relevance: int


@dataclass(frozen=True, slots=True)
class Scores:
    """Means over all judged queries, each from 0 to 1.

    nDCG as of Jarvelin and Kekalainen, ACM TOIS 20(4), 2002, at rank 10; recall is the share of the relevant documents
    among the first ten.
    """

    ndcg_at_10: float
    recall_at_10: float


@dataclass(frozen=True, slots=True)
class RetrievalReport:
    documents: int
    chunks: int
    queries: int
    embedder: str
    scores: dict[Stage, Scores]


def read_documents(folder: Path) -> Iterator[Document]:
    """The documents of `corpus.jsonl`, keyed by `_id`. One without text has its title as text."""
    for where, row in _rows(folder / "corpus.jsonl"):
        key, title, text = (_field(where, row, name) for name in ("_id", "title", "text"))
        text = text if text.strip() else title
        revision = hashlib.sha256(f"{title}\0{text}".encode()).hexdigest()[:16]
        yield Document("", key, revision, title, "", "beir", text, sections_of(text, title))


def read_queries(folder: Path) -> dict[str, str]:
    """The texts of `queries.jsonl` by `_id`."""
    rows = _rows(folder / "queries.jsonl")
    return {_field(where, row, "_id"): _field(where, row, "text") for where, row in rows}


def read_judgements(folder: Path, split_name: str) -> list[Judgement]:
    """The rows of `qrels/<split_name>.tsv`. Raises ValueError that names the splits there are, or a wrong line."""
    file = folder / "qrels" / f"{split_name}.tsv"
    if not file.exists():
        found = sorted(path.stem for path in file.parent.glob("*.tsv"))
        raise ValueError(f"There is no split {split_name!r} in {file.parent}; found: {', '.join(found) or 'none'}.")
    judged = []
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
        parts = line.split("\t")
        if len(parts) == 3 and parts[2].lstrip("-").isdigit():
            judged.append(Judgement(parts[0], parts[1], int(parts[2])))
        elif number > 1 and line.strip():  # the first line names the columns
            raise ValueError(f"{file}, line {number}: expected query-id, corpus-id and score, found {line[:80]!r}.")
    return judged


def index_corpus(folder: Path, library: Library, embedder: Embedder, progress: Progress) -> str:
    """Makes a library hold the corpus, one document each, and returns the name of its source."""
    with library.writer(embedder) as writer:
        source = writer.source_name(str(folder.resolve()), folder.name)
        vanished = set(writer.known(source))
        for done, found in enumerate(read_documents(folder), start=1):
            document = replace(found, source=source)
            writer.put(document, split(document, embedder.token_starts, embedder.max_tokens))
            writer.record(Item(source, document.key, "indexed", revision=document.revision), PUBLIC)
            vanished.discard(document.key)
            progress(done, "documents")
        for key in vanished:
            writer.remove(source, key)
        writer.publish()
    return source


def rankings(
    library: Library,
    embedder: Embedder,
    settings: SearchSettings,
    queries: Mapping[str, str],
    *,
    stage: Stage,
    source: str,
    progress: Progress,
) -> dict[str, list[str]]:
    """The first `DEPTH` documents for each query, best first. A document is as good as its best chunk."""
    from assistant.library.view import Filter
    from assistant.search import search

    found = {}
    with library.view() as view:
        for done, (query, text) in enumerate(queries.items(), start=1):
            k = max(DEPTH, settings.candidates)
            while True:
                passages = search(view, embedder, text, settings, k=k, stage=stage, wanted=Filter(sources=(source,)))
                keys = dict.fromkeys(passage.key for passage in passages)
                if len(keys) >= DEPTH or len(passages) < k:
                    break
                k *= 4  # many chunks of few documents
            found[query] = list(islice(keys, DEPTH))
            progress(done, f"queries, {stage}")
    return found


def measure(judgements: Sequence[Judgement], ranked: Mapping[str, Sequence[str]]) -> Scores:
    """Means over the queries that have a relevant document; one that is missing from `ranked` counts 0.

    Raises ValueError if no query has a relevant document, because then neither measure is defined.
    """
    import ir_measures

    judgeable = {judged.query for judged in judgements if judged.relevance > 0}
    if not judgeable:
        raise ValueError("No query has a relevant document, so neither nDCG nor recall is defined.")
    qrels = [ir_measures.Qrel(j.query, j.document, j.relevance) for j in judgements if j.query in judgeable]
    # Scores that fall with the rank: equal scores would be put in another order by the library that measures.
    run = [
        ir_measures.ScoredDoc(query, key, -rank)
        for query, keys in ranked.items()
        if query in judgeable
        for rank, key in enumerate(keys)
    ]
    ndcg, recall = ir_measures.nDCG @ DEPTH, ir_measures.R @ DEPTH
    means = ir_measures.calc_aggregate([ndcg, recall], qrels, run)
    return Scores(float(means[ndcg]), float(means[recall]))


def evaluate(
    folder: Path,
    split_name: str,
    library_folder: Path,
    embedder: Embedder,
    settings: SearchSettings,
    progress: Progress = lambda done, what: None,
) -> RetrievalReport:
    """Indexes the corpus into `library_folder` and measures each stage on the queries of a split.

    Raises ValueError for a folder that does not hold what it should, and LibraryError as `Library` does.
    """
    from assistant.library import Library

    judgements = read_judgements(folder, split_name)
    texts = read_queries(folder)
    unknown = sorted({judged.query for judged in judgements} - texts.keys())
    if unknown:
        raise ValueError(f"queries.jsonl lacks {len(unknown)} queries of split {split_name!r}, {unknown[0]!r} first.")
    queries = {query: texts[query] for query in sorted({j.query for j in judgements if j.relevance > 0})}
    library = Library.open_or_create(library_folder, embedder)
    source = index_corpus(folder, library, embedder, progress)
    scores = {}
    for stage in STAGES:
        ranked = rankings(library, embedder, settings, queries, stage=stage, source=source, progress=progress)
        scores[stage] = measure(judgements, ranked)
    with library.view() as view:
        documents = [summary for summary in view.summaries() if summary.source == source]
    return RetrievalReport(
        len(documents), sum(document.chunks for document in documents), len(queries), embedder.name, scores
    )


def _rows(file: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """(place for messages, object) of each line of a JSON Lines file."""
    if not file.exists():
        raise ValueError(f"{file} is missing; a BEIR folder has corpus.jsonl, queries.jsonl and qrels/<split>.tsv.")
    with file.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, start=1):
            where = f"{file}, line {number}"
            try:
                row = json.loads(line)
            except json.JSONDecodeError as error:
                raise ValueError(f"{where}: not JSON ({error}).") from error
            if not isinstance(row, dict):
                raise ValueError(f"{where}: expected an object, found {line[:80]!r}.")
            yield where, row


def _field(where: str, row: dict[str, Any], name: str) -> str:
    value = row.get(name, "" if name == "title" else None)
    if not isinstance(value, str):
        raise ValueError(f"{where}: {name!r} must be a text, found {value!r}.")
    return value
