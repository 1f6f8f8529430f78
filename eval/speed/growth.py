"""How the figures grow with the library, as a plot, and what follows for one of twenty million chunks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eval.speed.corpus import Corpus
from eval.speed.search import Built, Committed, Searched, build, commit, search
from eval.speed.texts import Texts

SMALLEST = 10_000
CERN = 20_000_000
"""Chunks of a million wiki pages and half a million documents."""


@dataclass(frozen=True, slots=True)
class Size:
    """All that was measured at one size."""

    built: Built
    searched: Searched
    committed: Committed


@dataclass(frozen=True, slots=True)
class Reckoning:
    """What a library of `chunks` would take, by the straight line through the two largest sizes measured.

    `build_hours` is what one process takes besides embedding, `resident` after many searches. In bytes, ms and hours.
    """

    chunks: int
    disk: int
    resident: int
    anonymous: int
    build_hours: float
    open_seconds: float
    hybrid_ms: float
    commit_seconds: float


def measure_size(texts: Texts, chunks: int, work: Path, shelves: int = 1) -> Size:
    corpus = Corpus(texts, chunks, shelves)
    folder = work / corpus.name
    return Size(build(corpus, folder), search(corpus, folder), commit(corpus, folder))


def sizes_up_to(chunks: int) -> list[int]:
    """10,000, 100,000 and so on, and `chunks` itself."""
    found = []
    size = SMALLEST
    while size < chunks:
        found.append(size)
        size *= 10
    return [*found, chunks]


def reckon(sizes: Sequence[Size], chunks: int = CERN) -> Reckoning:
    """Raises ValueError for fewer than two sizes, which give no line."""
    if len(sizes) < 2:
        raise ValueError(f"a line needs two sizes, there is {len(sizes)}")
    small, large = sizes[-2:]

    def at(value: Any) -> float:
        low, high = float(value(small)), float(value(large))
        rise = (high - low) / (large.built.chunks - small.built.chunks)
        return high + rise * (chunks - large.built.chunks)

    return Reckoning(
        chunks,
        disk=int(at(lambda size: size.built.bytes_on_disk)),
        resident=int(at(lambda size: size.searched.searched.resident)),
        anonymous=int(at(lambda size: size.searched.searched.anonymous)),
        build_hours=at(lambda size: size.built.seconds) / 3600,
        open_seconds=at(lambda size: size.searched.open_seconds),
        hybrid_ms=at(lambda size: size.searched.hybrid.median),
        commit_seconds=at(lambda size: size.committed.seconds),
    )


def plot(sizes: Sequence[Size], file: Path) -> None:
    """Search, commit, open and memory against the number of chunks, all axes logarithmic, as PNG."""
    from matplotlib.figure import Figure

    chunks = [size.built.chunks for size in sizes]
    figure = Figure(figsize=(10, 7), layout="constrained")
    panels: dict[str, dict[str, list[float]]] = {
        "Hybrid search, ms": {
            "p50": [size.searched.hybrid.median for size in sizes],
            "p99": [size.searched.hybrid.p99 for size in sizes],
            "lexical p50": [size.searched.lexical.median for size in sizes],
            "dense p50": [size.searched.dense.median for size in sizes],
        },
        "Commit of changed documents, s, besides embedding": {
            "median": [size.committed.seconds for size in sizes],
            "slowest": [size.committed.slowest_seconds for size in sizes],
        },
        "Open, s": {"open and first view": [size.searched.open_seconds for size in sizes]},
        "Bytes": {
            "on disk": [size.built.bytes_on_disk for size in sizes],
            "resident after searches": [size.searched.searched.resident for size in sizes],
            "of these anonymous": [size.searched.searched.anonymous for size in sizes],
            "written by a commit": [size.committed.bytes_written for size in sizes],
        },
    }
    for axes, (title, lines) in zip(figure.subplots(2, 2).flat, panels.items(), strict=True):
        for label, values in lines.items():
            axes.plot(chunks, values, marker="o", label=label)
        axes.set(title=title, xlabel="chunks", xscale="log", yscale="log")
        axes.grid(visible=True, which="both", alpha=0.3)
        axes.legend()
    figure.savefig(file, dpi=120)
