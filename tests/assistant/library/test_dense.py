"""Which rows of large shelves are compared."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from assistant.library import ann, build, dense
from assistant.library.build import NewRow
from assistant.library.indexes import Indexes
from assistant.library.merge import Source
from assistant.library.segment import Segment

if TYPE_CHECKING:
    from assistant.types import FloatArray

DIMENSIONS, SHELVES = 16, 30


@pytest.mark.parametrize("seed", range(20))
def test_candidates_of_many_segments_are_those_that_seem_nearest_of_all(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ann, "_LEAST_CANDIDATES_FLAT", 40)
    monkeypatch.setattr(ann, "LEAST_OF_EACH", 2)
    (tmp_path / "segments").mkdir()
    rng = np.random.default_rng(seed)
    query = _unit(rng.normal(size=DIMENSIONS))
    segments, dead = [], {}
    for shelf in range(SHELVES):
        near = query if shelf == 7 else np.zeros(DIMENSIONS)  # most of the nearest are on one shelf
        vectors = [_unit(rng.normal(size=DIMENSIONS) + 3 * near) for _ in range(rng.integers(1, 80))]
        pack = build.write_new(tmp_path, [_row(shelf, n, vector) for n, vector in enumerate(vectors)])
        source = Segment(tmp_path, pack.name, pack.digest)
        coded = build.write_merged(tmp_path, [Source(source, np.ones(source.rows, np.bool_))], codes=True)
        segments.append(Segment(tmp_path, coded.name, coded.digest))
        dead[coded.name] = np.flatnonzero(rng.random(source.rows) < rng.choice([0, 0.3]))
    indexes = Indexes(segments, dead, range(SHELVES))

    every, estimates = [], []
    for codes, first in indexes.coded:
        rows, estimated = codes.search(query, 1_000)
        alive = indexes.alive[rows + first]
        every += (rows[alive] + first).tolist()
        estimates += estimated[alive].tolist()
    least = sorted(estimates)[-40]
    expected = {row for row, estimate in zip(every, estimates, strict=True) if estimate >= least}
    assert set(dense._coded(indexes, query, 5).tolist()) == expected


def test_rows_that_are_no_longer_shown_take_no_places(tmp_path: Path) -> None:
    """All that is nearest to the question was removed, but not so much that the segment is written anew."""
    (tmp_path / "segments").mkdir()
    rng = np.random.default_rng(0)
    query = _unit(rng.normal(size=DIMENSIONS))
    vectors = [_unit(rng.normal(size=DIMENSIONS) + (10 * query if n < 900 else 0)) for n in range(4_000)]
    pack = build.write_new(tmp_path, [_row(1, n, vector) for n, vector in enumerate(vectors)])
    source = Segment(tmp_path, pack.name, pack.digest)
    coded = build.write_merged(tmp_path, [Source(source, np.ones(source.rows, np.bool_))], codes=True)
    segment = Segment(tmp_path, coded.name, coded.digest)
    indexes = Indexes([segment], {coded.name: np.arange(900)}, {1})
    cosines, rows = dense.search(indexes, query, 10)
    expected = np.array(vectors, np.float16).astype(np.float64) @ query
    expected[:900] = -1
    assert sorted(rows) == sorted(np.argsort(-expected)[:10])
    assert np.allclose(np.sort(cosines), np.sort(expected)[-10:], atol=1e-6)


def _unit(vector: FloatArray) -> FloatArray:
    return (vector / np.linalg.norm(vector)).astype(np.float32)


def _row(shelf: int, number: int, vector: FloatArray) -> NewRow:
    words = np.array([number], np.uint64)
    text = np.array([shelf, number], np.uint64)
    return NewRow(shelf, number, 0, number, text, words, np.ones(1, np.int64), vector.astype(np.float16))
