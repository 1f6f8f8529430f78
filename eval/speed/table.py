"""The speed table: what is wanted of each row, and whether it was measured. Nothing here asserts a time."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, get_args

from assistant.embed import open_embedder
from assistant.settings import load
from eval.speed import embedding, files, growth, pipelines
from eval.speed.corpus import Corpus
from eval.speed.embedding import EmbeddingSpeed
from eval.speed.growth import Size
from eval.speed.process import Machine, in_fresh_process, machine
from eval.speed.search import Searched, build, commit, search
from eval.speed.texts import Texts, read_texts, real_chunks

Row = Literal[
    "embedding",
    "ingest",
    "unchanged",
    "one-changed",
    "search",
    "shelves-200",
    "shelves-5000",
    "commit",
    "memory",
    "growth",
]
ROWS: tuple[Row, ...] = get_args(Row)
GB, MB = 1e9, 1e6
_EMBEDDED = 256
"""Chunks that each way of embedding is given in each round."""


@dataclass(frozen=True, slots=True)
class Extent:
    """How much is measured. `data` holds real texts (see `texts`), `work` keeps what is slow to make."""

    data: Path
    work: Path
    chunks: int = 1_000_000
    documents: int = 2_000
    files: int = 10_000
    sentences: int = 40_000
    queries: int = 1_000


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the table. `met` is None where nothing is wanted."""

    row: Row
    what: str
    measured: str
    wanted: str = ""
    met: bool | None = None


@dataclass(frozen=True, slots=True)
class SpeedReport:
    """`records` holds all figures of each row, as the rows' own records."""

    machine: Machine
    lines: tuple[Line, ...]
    records: dict[str, Any]


def measure(
    rows: Collection[str],
    extent: Extent,
    begun: Callable[[Row], None] = lambda row: None,
    measured: Callable[[Sequence[Line]], None] = lambda lines: None,
) -> SpeedReport:
    """Measures the rows that are named, in the table's order.

    `begun` is called with each row before it, `measured` with its lines after it, so that they outlive what may follow.
    Raises ValueError for a row that there is not, or data that do not suffice.
    """
    unknown = sorted(set(rows) - set(ROWS))
    if unknown:
        raise ValueError(f"There is no row {unknown[0]!r}; rows are {', '.join(ROWS)}.")
    extent.work.mkdir(parents=True, exist_ok=True)
    bench = _Bench(extent)
    lines: list[Line] = []
    records: dict[str, Any] = {}
    for row in ROWS:
        if row in rows:
            begun(row)
            found, record = bench.row(row)
            measured(found)
            lines += found
            records[row] = record
    return SpeedReport(machine(), tuple(lines), records)


class _Bench:
    """Measures one row after another; what several need is made once."""

    def __init__(self, extent: Extent) -> None:
        self._extent = extent

    def row(self, row: Row) -> tuple[list[Line], Any]:
        found: tuple[list[Line], Any] = getattr(self, "_" + row.replace("-", "_"))()
        return found

    @cached_property
    def _texts(self) -> Texts:
        extent = self._extent
        embedder = open_embedder(load().embedder)
        return read_texts(extent.data, embedder, extent.work, most_sentences=extent.sentences, queries=extent.queries)

    @cached_property
    def _scanned(self) -> files.Scanned:
        return files.scan(self._texts, self._extent.files, self._extent.work)

    def _searched(self, chunks: int, shelves: int = 1) -> Searched:
        corpus = Corpus(self._texts, chunks, shelves)
        folder = self._extent.work / corpus.name
        build(corpus, folder)
        return search(corpus, folder)

    def _embedding(self) -> tuple[list[Line], Any]:
        embedder = open_embedder(load().embedder)
        texts = real_chunks(self._extent.data, embedder, min(_EMBEDDED, self._extent.chunks))
        found = in_fresh_process(embedding.measure, texts)
        return embedding_lines(found, embedder.fingerprint), asdict(found)

    def _ingest(self) -> tuple[list[Line], Any]:
        found = pipelines.compare(self._extent.data, self._extent.documents, self._extent.work)
        ours, *others = found
        rate = ours.tokens / ours.seconds
        lines = [
            _at_least("ingest", f"tokens/s, times {other.pipeline}", rate / (other.tokens / other.seconds), 4, "x")
            for other in others
        ]
        besides = 100 * (1 - ours.embedding_seconds / ours.seconds)
        lines.append(_at_most("ingest", "share of time besides embedding", besides, 15, "%"))
        for one in found:
            rates = f"{one.documents / one.seconds:.1f} documents/s, {one.tokens / one.seconds:.0f} tokens/s"
            lost = f"{one.lost} of {one.lost + one.tokens} tokens lost"
            lines.append(Line("ingest", one.pipeline, f"{rates}, {lost}"))
        return lines, [asdict(one) for one in found]

    def _unchanged(self) -> tuple[list[Line], Any]:
        found = self._scanned
        what = f"nothing changed in {found.files} files"
        return [_at_most("unchanged", what, found.unchanged, 3, "s")], asdict(found)

    def _one_changed(self) -> tuple[list[Line], Any]:
        found = self._scanned
        what = f"one of {found.files} files changed, until a search finds it"
        line = _at_most("one-changed", what, found.searchable, 1, "s")
        if not found.found:
            line = Line(line.row, line.what, "not found", line.wanted, met=False)
        return [line, Line("one-changed", "opening the embedder besides", f"{found.loading:.2f} s")], asdict(found)

    def _search(self) -> tuple[list[Line], Any]:
        found = self._searched(self._extent.chunks)
        of = f"{found.chunks} chunks: "
        lines = [
            _at_most("search", of + "hybrid p50", found.hybrid.median, 5, "ms"),
            _at_most("search", of + "hybrid p99", found.hybrid.p99, 25, "ms"),
            _at_least("search", of + "dense recall@10", found.recall, 0.98, ""),
            _at_most("search", of + "open", found.open_seconds, 1, "s"),
            _at_most("search", of + "resident", found.searched.resident / GB, 1.5, "GB"),
            Line("search", of + "hybrid p50, time of a core", f"{found.hybrid_cpu.median:.3g} ms"),
            Line("search", of + "of this anonymous", f"{found.searched.anonymous / GB:.3g} GB"),
            Line("search", of + "hybrid with passages p50", f"{found.passages.median:.3g} ms"),
        ]
        return lines, asdict(found)

    def _shelves_200(self) -> tuple[list[Line], Any]:
        found = self._searched(self._extent.chunks, 200)
        what = f"{found.chunks} chunks on {found.shelves} shelves: hybrid p50"
        line = _at_most("shelves-200", what, found.hybrid.median, 30, "ms")
        core = Line("shelves-200", "of this time of a core", f"{found.hybrid_cpu.median:.3g} ms")
        recall = Line("shelves-200", "dense recall@10 there", f"{found.recall:.3f}")
        return [line, core, recall], asdict(found)

    def _shelves_5000(self) -> tuple[list[Line], Any]:
        chunks = self._extent.chunks // 10
        found = self._searched(chunks, min(5_000, max(2, chunks // 20)))
        of = f"{found.chunks} chunks on {found.shelves} shelves: "
        lines = [
            _at_most("shelves-5000", of + "hybrid p50", found.hybrid.median, 100, "ms"),
            Line("shelves-5000", of + "hybrid p50, time of a core", f"{found.hybrid_cpu.median:.3g} ms"),
            _at_most("shelves-5000", of + "open", found.open_seconds, 2, "s"),
        ]
        return lines, asdict(found)

    def _commit(self) -> tuple[list[Line], Any]:
        found = []
        for chunks in (self._extent.chunks // 10, self._extent.chunks):
            corpus = Corpus(self._texts, chunks)
            folder = self._extent.work / corpus.name
            build(corpus, folder)
            found.append(commit(corpus, folder))
        small, large = found
        of = f"{large.documents} documents into {large.chunks} chunks: "
        lines = [
            _at_most("commit", of + "time besides embedding", large.seconds, 2, "s"),
            _at_most("commit", of + "slowest", large.slowest_seconds, 2, "s"),
            Line("commit", of + "bytes written", f"{large.bytes_written / MB:.3g} MB"),
            _at_most(
                "commit", "bytes, times those into a tenth", large.bytes_written / max(1, small.bytes_written), 2, "x"
            ),
        ]
        return lines, [asdict(one) for one in found]

    def _memory(self) -> tuple[list[Line], Any]:
        documents = self._extent.chunks // 100
        found = [files.index(self._texts, max(1, n), self._extent.work) for n in (documents // 10, documents)]
        lines = [
            _at_most(
                "memory", f"above the models, indexing {one.files} files, {one.chunks} chunks", one.memory / GB, 1, "GB"
            )
            for one in found
        ]
        return lines, [asdict(one) for one in found]

    def _growth(self) -> tuple[list[Line], Any]:
        sizes: list[Size] = []
        for chunks in growth.sizes_up_to(self._extent.chunks):
            sizes.append(growth.measure_size(self._texts, chunks, self._extent.work))
        growth.plot(sizes, self._extent.work / "growth.png")
        lines = [_grown(size) for size in sizes]
        reckoned = growth.reckon(sizes) if len(sizes) > 1 else None
        if reckoned:
            measured = (
                f"{reckoned.disk / GB:.0f} GB on disk, {reckoned.resident / GB:.1f} GB resident "
                f"({reckoned.anonymous / GB:.1f} anonymous), built in {reckoned.build_hours:.1f} h besides embedding, "
                f"search {reckoned.hybrid_ms:.0f} ms"
            )
            lines.append(Line("growth", f"reckoned for {reckoned.chunks} chunks", measured))
        return lines, {"sizes": [asdict(size) for size in sizes], "reckoning": reckoned and asdict(reckoned)}


def embedding_lines(found: EmbeddingSpeed, chosen: str) -> list[Line]:
    """`chosen` is the fingerprint of the embedder that the settings name; the other ways have a line of figures."""
    reference, *ways = found.ways
    lines = []
    for way in ways:
        if way.fingerprint == chosen:
            lines += [
                _at_least("embedding", f"{way.name}, times {reference.name}", way.times, 6, "x"),
                _at_least("embedding", f"{way.name}, share of the matrix peak", 100 * way.share_of_peak, 39, "%"),
            ]
    for way in found.ways:
        rates = f"{way.chunks_per_s:.1f} chunks/s, {way.tokens_per_s:.0f} tokens/s"
        spread = f"{way.least_times:.2f} to {way.greatest_times:.2f} times"
        lines.append(Line("embedding", way.name, f"{rates}, {spread}, {100 * way.share_of_peak:.0f}% of the peak"))
    return lines


def _grown(size: Size) -> Line:
    built, searched, committed = size.built, size.searched, size.committed
    measured = (
        f"hybrid {searched.hybrid.median:.2g} ms, recall {searched.recall:.3f}, open {searched.open_seconds:.2g} s, "
        f"commit {committed.seconds:.2g} s, {built.bytes_on_disk / MB:.0f} MB on disk, "
        f"{searched.searched.resident / MB:.0f} MB resident, {built.chunks / built.seconds:.0f} chunks/s built"
    )
    return Line("growth", f"{built.chunks} chunks", measured)


def _at_most(row: Row, what: str, value: float, limit: float, unit: str) -> Line:
    return Line(row, what, f"{value:.3g} {unit}".rstrip(), f"at most {limit:g} {unit}".rstrip(), value <= limit)


def _at_least(row: Row, what: str, value: float, limit: float, unit: str) -> Line:
    return Line(row, what, f"{value:.3g} {unit}".rstrip(), f"at least {limit:g} {unit}".rstrip(), value >= limit)
