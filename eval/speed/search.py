"""Search in a library of any size: how long it takes to build and open, to answer, and to take a change in.

Every measurement runs in a process of its own. Vectors of queries are given; those of documents come from
`SentenceMeans`, whose time is taken off.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import assistant.library as library_package
from assistant.library import Library
from assistant.settings import SearchSettings
from assistant.text.passage_text import passage_text
from assistant.types import Item
from eval.speed.corpus import READERS, SOURCE, Corpus, SentenceMeans
from eval.speed.process import Memory, bytes_written, folder_bytes, forget_peak, in_fresh_process, memory, say

if TYPE_CHECKING:
    from assistant.library.writer import Writer
    from assistant.types import FloatArray

K = 10
_WARM_UP = 50
_BLOCK = 20_000


@dataclass(frozen=True, slots=True)
class Built:
    """A library made in one run. `seconds` is without `embedding_seconds`, `cpu_seconds` with it; `memory` is in bytes
    and what the writer took at most above what the process had before."""

    documents: int
    chunks: int
    shelves: int
    seconds: float
    embedding_seconds: float
    cpu_seconds: float
    memory: int
    bytes_on_disk: int
    bytes_written: int


@dataclass(frozen=True, slots=True)
class Times:
    """Of one kind of call, in milliseconds."""

    median: float
    p99: float


@dataclass(frozen=True, slots=True)
class Searched:
    """`view` is entering a view, which each search does and `hybrid` contains; `passages` is hybrid with its texts.
    `hybrid_cpu` is what the same searches took of a core, whatever else ran on the machine.

    `recall` is the share of the dense hits among the first ten that are as near as the tenth of an exhaustive search
    in single precision.
    """

    chunks: int
    shelves: int
    queries: int
    open_seconds: float
    first_search_seconds: float
    view: Times
    lexical: Times
    dense: Times
    hybrid: Times
    hybrid_cpu: Times
    passages: Times
    recall: float
    opened: Memory
    searched: Memory


@dataclass(frozen=True, slots=True)
class Committed:
    """Documents changed in one run, medians over `runs`. `seconds` is without the embedding."""

    chunks: int
    documents: int
    runs: int
    seconds: float
    slowest_seconds: float
    bytes_written: int
    bytes_changed: int


def build(corpus: Corpus, folder: Path) -> Built:
    """Puts the corpus into a new library, in one run; what the same code built there before is used again."""
    record = folder / "built.json"
    code = _code()
    if record.exists() and (kept := json.loads(record.read_text()))["code"] == code:
        return Built(**kept["built"])
    shutil.rmtree(folder, ignore_errors=True)
    built = in_fresh_process(_build, corpus, folder)
    record.write_text(json.dumps({"code": code, "built": asdict(built)}))
    return built


def _code() -> str:
    """Changes with the source of the library, and so with whatever it writes."""
    files = sorted(Path(library_package.__file__).parent.glob("*.py"))
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def _build(corpus: Corpus, folder: Path) -> Built:
    embedder = SentenceMeans(corpus.texts)
    forget_peak()
    before = memory().resident
    started, cpu = time.perf_counter(), time.process_time()
    library = Library.open_or_create(folder, embedder)
    with library.writer(embedder) as writer:
        for number in range(corpus.documents):
            if number % 1_000 == 0:
                say(f"building a library: {number} of {corpus.documents} documents")
            _put(writer, corpus, number)
        say("building a library: publishing")
        writer.publish()
    seconds = time.perf_counter() - started - embedder.seconds
    peak = memory().peak
    return Built(
        corpus.documents,
        corpus.chunks,
        corpus.shelves,
        seconds,
        embedder.seconds,
        time.process_time() - cpu,
        peak - before,
        folder_bytes(folder),
        bytes_written(),
    )


def _put(writer: Writer, corpus: Corpus, number: int, revision: int = 0) -> int:
    """Puts a document and returns how many bytes its text and its vectors in half precision have."""
    document, chunks = corpus.document(number, revision)
    writer.put(document, chunks)
    writer.record(Item(SOURCE, document.key, "indexed", "", document.revision, document.revision), document.access)
    return len(document.text.encode()) + 2 * len(chunks) * int(corpus.texts.vectors.shape[1])


def search(corpus: Corpus, folder: Path) -> Searched:
    """Measures a library that `build` made."""
    texts = corpus.texts
    tenth = _kept(folder.parent / f"{folder.name}-exhaustive.json", lambda: in_fresh_process(_tenth_best, corpus))
    timed, found = in_fresh_process(_search, folder, texts.queries, texts.query_vectors)
    embedder = SentenceMeans(texts)
    near = 0
    for vector, least, passages in zip(texts.query_vectors, tenth, found, strict=True):
        cosines = embedder.embed_passages(passages) @ vector
        near += int((cosines >= least - 1e-6).sum())
    recall = near / (min(K, corpus.chunks) * len(found))
    return Searched(chunks=corpus.chunks, shelves=corpus.shelves, queries=len(found), recall=recall, **timed)


def _kept(file: Path, compute: Callable[[], list[float]]) -> list[float]:
    if not file.exists():
        file.write_text(json.dumps(compute()))
    found: list[float] = json.loads(file.read_text())
    return found


def _tenth_best(corpus: Corpus) -> list[float]:
    """For each query the cosine of the tenth nearest chunk, by comparing all."""
    import numpy as np

    embedder = SentenceMeans(corpus.texts)
    queries = corpus.texts.query_vectors
    best = np.full((len(queries), K), -1, dtype=np.float32)
    block: list[str] = []
    done = 0

    def compare() -> None:
        nonlocal best, done
        done += len(block)
        scores = queries @ embedder.embed_passages(block).T
        say(f"comparing every chunk with {len(queries)} questions: {done} of {corpus.chunks} chunks")
        best = -np.partition(-np.concatenate([best, scores], axis=1), K - 1, axis=1)[:, :K]
        block.clear()

    for document, chunks in corpus.all_documents():
        block += [passage_text(document.title, chunk.section, chunk.text) for chunk in chunks]
        if len(block) >= _BLOCK:
            compare()
    if block:
        compare()
    return [float(row.min()) for row in best[:, : min(K, corpus.chunks)]]


def _search(folder: Path, queries: Sequence[str], vectors: FloatArray) -> tuple[dict[str, Any], list[list[str]]]:
    """The figures of `Searched`, and for each query the texts of its dense hits."""
    import numpy as np

    from assistant.search import fuse

    settings = SearchSettings()
    started = time.perf_counter()
    library = Library.open(folder)
    with library.view((READERS,)) as view:
        open_seconds = time.perf_counter() - started
        opened = memory()
        view.passages(view.search_dense(vectors[0], K), "dense")
        view.search_lexical(queries[0], settings.candidates)
        first_search_seconds = time.perf_counter() - started - open_seconds
    rows = []
    found = []
    order = [*range(min(_WARM_UP, len(queries))), *range(len(queries))]
    for at, n in enumerate(order):
        if at % 100 == 0:
            say(f"asking: {at} of {len(order)} questions")
        cpu = time.process_time()
        times = [time.perf_counter()]
        with library.view((READERS,)) as view:
            times.append(time.perf_counter())
            lexical = view.search_lexical(queries[n], settings.candidates)
            times.append(time.perf_counter())
            dense = view.search_dense(vectors[n], settings.candidates)
            times.append(time.perf_counter())
            hits = fuse([lexical, dense], settings.rrf_k)[: settings.k]
            times.append(time.perf_counter())
            cpu = time.process_time() - cpu
            view.passages(hits, "fused")
            times += [time.perf_counter(), cpu]
            if at >= len(order) - len(queries):
                rows.append(times)
                nearest = view.passages(view.search_dense(vectors[n], K), "dense")
                found.append([passage_text(p.title, p.section, p.text) for p in nearest])
    marks = np.array(rows)
    spans = {"view": (0, 1), "lexical": (1, 2), "dense": (2, 3), "hybrid": (0, 4), "passages": (0, 5)}
    figures: dict[str, Any] = {name: _times(marks[:, end] - marks[:, start]) for name, (start, end) in spans.items()}
    figures["hybrid_cpu"] = _times(marks[:, -1])
    figures |= {"open_seconds": open_seconds, "first_search_seconds": first_search_seconds}
    return figures | {"opened": opened, "searched": memory()}, found


def _times(seconds: FloatArray) -> Times:
    import numpy as np

    return Times(1e3 * float(np.median(seconds)), 1e3 * float(np.percentile(seconds, 99)))


def commit(corpus: Corpus, folder: Path, *, documents: int = 100, runs: int = 5) -> Committed:
    """Changes documents in a copy of a library that `build` made: one sentence in ten is another one then."""
    copy = folder.with_name(f"{folder.name}-changed")
    shutil.rmtree(copy, ignore_errors=True)
    say("copying the library")
    shutil.copytree(folder, copy)
    try:
        return in_fresh_process(_commit, corpus, copy, documents, runs)
    finally:
        shutil.rmtree(copy)


def _commit(corpus: Corpus, folder: Path, documents: int, runs: int) -> Committed:
    embedder = SentenceMeans(corpus.texts)
    library = Library.open(folder)
    documents = min(documents, corpus.documents)
    seconds: list[float] = []
    written: list[int] = []
    changed = 0
    for run in range(runs):
        say(f"changing {documents} of {corpus.documents} documents: run {run + 1} of {runs}")
        revision = library.generation() + 1
        before, embedding, started = bytes_written(), embedder.seconds, time.perf_counter()
        with library.writer(embedder) as writer:
            step = corpus.documents / documents
            changed = sum(_put(writer, corpus, int(n * step), revision) for n in range(documents))
            writer.publish()
        seconds.append(time.perf_counter() - started - (embedder.seconds - embedding))
        written.append(bytes_written() - before)
    return Committed(corpus.chunks, documents, runs, median(seconds), max(seconds), int(median(written)), changed)
