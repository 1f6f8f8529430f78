"""What is counted of search, building and commits is counted again in another way; no time is held to a limit."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from assistant.library import Library
from assistant.text.passage_text import passage_text
from eval.speed import growth, search
from eval.speed.corpus import READERS, Corpus, SentenceMeans
from eval.speed.process import bytes_written, in_fresh_process


def all_vectors(corpus: Corpus) -> tuple[list[tuple[str, int]], Any]:
    """Key and start of every chunk, and its vector."""
    import numpy as np

    embedder = SentenceMeans(corpus.texts)
    names, rows = [], []
    for document, chunks in corpus.all_documents():
        names += [(document.key, chunk.start) for chunk in chunks]
        rows += [embedder.embed_passages([passage_text(document.title, (), chunk.text)]) for chunk in chunks]
    return names, np.concatenate(rows)


def test_the_threshold_of_recall_is_that_of_sorting_all_cosines(corpus: Corpus) -> None:
    import numpy as np

    _, vectors = all_vectors(corpus)
    tenth = np.sort(corpus.texts.query_vectors @ vectors.T, axis=1)[:, -10]
    assert np.abs(tenth - in_fresh_process(search._tenth_best, corpus)).max() < 1e-6


def test_recall_is_the_share_of_the_true_neighbours(corpus: Corpus, library: Path) -> None:
    import numpy as np

    found = search.search(corpus, library)
    names, vectors = all_vectors(corpus)
    hits = 0
    with Library.open(library).view((READERS,)) as view:
        for query in corpus.texts.query_vectors:
            nearest = {names[n] for n in np.argsort(-(vectors @ query))[:10]}
            passages = view.passages(view.search_dense(query, 10), "dense")
            hits += len(nearest & {(passage.key, passage.start) for passage in passages})
    assert found.recall == pytest.approx(hits / (10 * len(corpus.texts.query_vectors)), abs=0.02)
    assert found.recall > 0.95
    assert found.queries == 30
    assert 0 < found.hybrid.median <= found.hybrid.p99
    assert found.hybrid.median > max(found.lexical.median, found.dense.median)
    assert found.searched.resident >= found.searched.anonymous > 0


def test_recall_falls_where_neighbours_are_missing(corpus: Corpus, library: Path, tmp_path: Path) -> None:
    half = tmp_path / "library"
    search.build(replace(corpus, chunks=corpus.chunks // 2), half)
    assert search.search(corpus, half).recall < 0.9


def test_what_was_built_is_counted_and_built_once(corpus: Corpus, library: Path) -> None:
    built = search.build(corpus, library)
    record = library / "built.json"
    before = record.stat().st_mtime_ns
    assert asdict(search.build(corpus, library)) == asdict(built) == json.loads(record.read_text())["built"]
    assert record.stat().st_mtime_ns == before
    with Library.open(library).view((READERS,)) as view:
        assert view.counts() == (built.documents, built.chunks) == (corpus.chunks // 10, corpus.chunks)
    vectors = corpus.chunks * corpus.texts.vectors.shape[1]
    text = sum(len(document.text) for document, _ in corpus.all_documents())
    assert built.bytes_on_disk > 2 * vectors + text / 4
    assert built.seconds > 0


def test_a_commit_changes_a_copy_only(corpus: Corpus, library: Path) -> None:
    before = Library.open(library).generation()
    found = search.commit(corpus, library, documents=20, runs=2)
    assert Library.open(library).generation() == before
    assert [path.name for path in library.parent.iterdir() if path.is_dir()] == ["library"]
    assert (found.documents, found.runs) == (20, 2)
    text = [corpus.document(number)[0].text for number in range(0, corpus.documents, corpus.documents // 20)]
    own = sum(len(one.encode()) for one in text) + 20 * 10 * 2 * corpus.texts.vectors.shape[1]
    assert found.bytes_changed == pytest.approx(own, rel=0.1)
    assert 0 < found.seconds <= found.slowest_seconds
    if on_a_disk(library):
        assert found.bytes_written > found.bytes_changed / 2


def on_a_disk(folder: Path) -> bool:
    before = bytes_written()
    with (folder.parent / "probe").open("wb") as stream:
        stream.write(bytes(2**20))
        os.fsync(stream.fileno())
    return bytes_written() - before >= 2**20


def test_the_reckoning_is_a_straight_line(corpus: Corpus, library: Path, tmp_path: Path) -> None:
    measured = growth.Size(
        search.build(corpus, library),
        search.search(corpus, library),
        search.commit(corpus, library, documents=5, runs=1),
    )
    built, searched = measured.built, measured.searched
    small = replace(measured, built=replace(built, chunks=1_000, bytes_on_disk=3_000, seconds=36.0))
    large = replace(
        measured,
        built=replace(built, chunks=2_000, bytes_on_disk=5_000, seconds=72.0),
        searched=replace(searched, open_seconds=searched.open_seconds + 1),
    )
    found = growth.reckon([small, large], 101_000)
    assert found.disk == 203_000
    assert found.build_hours == pytest.approx(1.01)
    assert found.open_seconds == pytest.approx(searched.open_seconds + 100)
    with pytest.raises(ValueError, match="two sizes"):
        growth.reckon([small])
    growth.plot([small, large], tmp_path / "growth.png")
    assert (tmp_path / "growth.png").read_bytes().startswith(b"\x89PNG")


def test_sizes_grow_tenfold() -> None:
    assert growth.sizes_up_to(1_000_000) == [10_000, 100_000, 1_000_000]
    assert growth.sizes_up_to(5_000) == [5_000]
