"""Segments that are written new or merged hold what a plain computation says, in bounded memory."""

from __future__ import annotations

import tracemalloc
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from assistant.library import ann, build, compaction, merge
from assistant.library.build import NewRow
from assistant.library.compaction import Live
from assistant.library.merge import Source
from assistant.library.segment import Segment

DIMENSIONS = 8


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "segments").mkdir()
    return tmp_path


def drawn(rng: np.random.Generator, shelves: list[int], rows: int, vocabulary: int, most_words: int) -> list[NewRow]:
    """Rows whose words are small numbers times a large one, so that hashes are spread, and some of which have none."""
    found = []
    for number in range(rows):
        words = rng.choice(vocabulary, rng.integers(0, most_words), replace=False).astype(np.uint64)
        found.append(
            NewRow(
                shelf=int(rng.choice(shelves)),
                document=int(rng.integers(0, 50)),
                number=number,
                order=int(rng.integers(0, 2**63)),
                text=rng.integers(0, 2**63, 2).astype(np.uint64),
                words=words * np.uint64(0x9E3779B97F4A7C15),
                counts=rng.geometric(0.5, len(words)) * int(rng.choice([1, 100])),
                vector=rng.normal(size=DIMENSIONS).astype(np.float16),
            )
        )
    return found


def expected(rows: list[NewRow]) -> dict[str, list[Any]]:
    """The arrays of a segment of these rows."""
    rows = sorted(rows, key=lambda row: row.shelf)
    lists: dict[tuple[int, int], list[tuple[int, int]]] = defaultdict(list)
    lengths = []
    for i, row in enumerate(rows):
        lengths.append(int(row.counts.sum()))
        for word, count in zip(row.words.tolist(), row.counts.tolist(), strict=True):
            lists[row.shelf, word].append((i, min(count, 255)))
    names = sorted(lists)
    held = [lists[name] for name in names]
    shelves = sorted({row.shelf for row in rows})
    return {
        "shelf": shelves,
        "row_start": [sum(row.shelf < shelf for row in rows) for shelf in [*shelves, 1 << 40]],
        "document": [row.document for row in rows],
        "number": [row.number for row in rows],
        "order": [row.order for row in rows],
        "text": [row.text.tolist() for row in rows],
        "vector": [row.vector.tolist() for row in rows],
        "length": lengths,
        "word_start": [sum(name[0] < shelf for name in names) for shelf in [*shelves, 1 << 40]],
        "word": [word for _, word in names],
        "most": [max(count for _, count in one) for one in held],
        "shortest": [min(np.float32(lengths[row]) / np.float32(count) for row, count in one) for one in held],
        "posting_start": [sum(map(len, held[:i])) for i in range(len(held) + 1)],
        "posting_row": [row for one in held for row, _ in one],
        "posting_count": [count for one in held for _, count in one],
    }


def held(folder: Path, written: build.Written) -> Segment:
    return Segment(folder, written.name, written.digest)


def shown(segment: Segment) -> dict[str, list[Any]]:
    return {name: segment[name].tolist() for name in expected([])}


@pytest.mark.parametrize("shelves", [[4], [2, 4, 7, 9, 12]])
@pytest.mark.parametrize("at_once", [1, 60, 1_000_000])
def test_a_merged_segment_holds_the_kept_rows(
    folder: Path, shelves: list[int], at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(merge, "_JOIN_AT_ONCE", at_once)
    monkeypatch.setattr(merge, "_COPY_AT_ONCE", 7)
    rng = np.random.default_rng(5)
    sources, kept = [], []
    for some in (shelves, shelves[1:] or shelves, shelves[:3], shelves):
        rows = sorted(drawn(rng, some, 40, 30, 12), key=lambda row: row.shelf)
        segment = held(folder, build.write_new(folder, rows))
        assert shown(segment) == expected(rows)
        mask = rng.random(40) < rng.choice([0.2, 0.7, 1.1])
        mask &= np.array([row.shelf != 9 for row in rows])  # of this shelf nothing is left
        mask[0] = True
        sources.append(Source(segment, mask))
        kept += [row for row, keep in zip(rows, mask.tolist(), strict=True) if keep]
    merged = held(folder, build.write_merged(folder, sources, codes=False))
    assert shown(merged) == expected(kept)
    assert merged.rows == len(kept)


def test_rows_without_words_make_a_segment(folder: Path) -> None:
    rows = drawn(np.random.default_rng(1), [1, 2], 5, 10, 1)
    segment = held(folder, build.write_new(folder, rows))
    assert shown(segment) == expected(rows)
    kept = np.array([True, False, True, True, True])
    merged = held(folder, build.write_merged(folder, [Source(segment, kept)], codes=False))
    rows = sorted(rows, key=lambda row: row.shelf)
    assert shown(merged) == expected([rows[i] for i in kept.nonzero()[0]])


def test_a_merge_does_not_hold_the_rows_of_the_postings(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(merge, "_JOIN_AT_ONCE", 20_000)
    rng = np.random.default_rng(2)
    sources = []
    for _ in range(4):
        segment = held(folder, build.write_new(folder, drawn(rng, [1], 2_000, 1_000, 400)))
        sources.append(Source(segment, np.ones(segment.rows, np.bool_)))
    rows = sum(source.segment["posting_row"].nbytes for source in sources)
    counts = sum(source.segment["posting_count"].nbytes for source in sources)
    tracemalloc.start()
    try:
        build.write_merged(folder, sources, codes=False)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert rows > 6_000_000
    assert peak < counts + rows // 2


@pytest.mark.parametrize("rows", [500, 100_000])
def test_codes_are_those_that_faiss_makes_itself(rows: int) -> None:
    import faiss

    rng = np.random.default_rng(3)
    vectors = rng.normal(size=(rows, DIMENSIONS)).astype(np.float16)
    order = rng.permutation(rows).astype(np.uint64)
    pieces = {"vector": np.array_split(vectors, 3), "order": np.array_split(order, 3)}
    written: list[bytes] = []
    ann.write(lambda name: iter(pieces[name]), lambda piece: written.append(piece.tobytes()))
    lists = {500: "", 100_000: "IVF512,"}[rows]  # the power of two next to 2 sqrt(rows)
    index = faiss.index_factory(DIMENSIONS, f"{lists}RaBitQfs", faiss.METRIC_INNER_PRODUCT)
    row_of = np.argsort(order)
    index.train(vectors[row_of[: {500: 500, 100_000: 512 * 50}[rows]]].astype(np.float32))
    for piece in pieces["vector"]:
        index.add(piece.astype(np.float32))
    assert b"".join(written) == faiss.serialize_index(index).tobytes()


def test_equal_vectors_are_all_candidates_or_none() -> None:
    rng = np.random.default_rng(5)
    vectors = rng.normal(size=(3_000, DIMENSIONS)).astype(np.float16)
    vectors[rng.permutation(3_000)[:800]] = vectors[0]
    same = (vectors == vectors[0]).all(axis=1)
    order = np.arange(3_000, dtype=np.uint64)
    written: list[bytes] = []
    ann.write(lambda name: [{"vector": vectors, "order": order}[name]], lambda piece: written.append(piece.tobytes()))
    codes = ann.Codes(np.frombuffer(b"".join(written), np.uint8))
    query = vectors[0].astype(np.float32)
    rows, estimated = codes.search(query, 100)
    assert set(same.nonzero()[0]) <= set(rows)
    every, estimates = codes.search(query, 3_000)
    assert sorted(every) == list(range(3_000))
    assert set(rows) == {row for row, one in zip(every, estimates, strict=True) if one >= estimated[99]}


def test_very_many_rows_become_several_segments(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compaction, "LARGEST", 20)
    rng = np.random.default_rng(4)
    live = []
    for size in (3, 15, 30):
        segment = held(folder, build.write_new(folder, drawn(rng, [1], size, 5, 3)))
        live.append(Live(segment, rng.random(size) < 0.95))
    for some in (live[:1], live[:2], live):
        parts = list(compaction.parts(some, own=True))
        assert len(parts) == max(1, sum(one.rows for one in some) // 20)
        given = {(one.segment.name, row) for one in some for row in one.shown.nonzero()[0]}
        found = [(o.segment.name, row) for part in parts for o in part for row in o.shown.nonzero()[0]]
        assert len(found) == len(given)
        assert set(found) == given
    # The same rows come together wherever they stood before.
    moved = build.write_merged(folder, [Source(one.segment, one.shown) for one in live[::-1]], codes=False)
    other = held(folder, moved)
    again = compaction.parts([Live(other, np.ones(other.rows, np.bool_))], own=True)
    assert [orders(part) for part in again] == [orders(part) for part in parts]
    assert list(compaction.parts([], own=True)) == []


def test_a_shelf_lies_in_one_of_the_packs_that_are_made(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compaction, "LARGEST", 20)
    packs = [
        held(folder, build.write_new(folder, drawn(np.random.default_rng(n), [1, 2, 4], 50, 5, 3))) for n in (1, 2)
    ]
    live = [Live(pack, np.ones(pack.rows, np.bool_)) for pack in packs]
    parts = list(compaction.parts(live, own=False))
    shelves = [{int(shelf) for one in part for shelf in shelf_of_rows(one.segment)[one.shown]} for part in parts]
    assert sorted(shelf for some in shelves for shelf in some) == [1, 2, 4]
    assert sum(one.rows for part in parts for one in part) == 100


def orders(part: list[Live]) -> list[int]:
    return sorted(int(order) for one in part for order in one.segment["order"][one.shown])


def shelf_of_rows(segment: Segment) -> NDArray[np.int64]:
    return np.repeat(segment["shelf"], np.diff(segment["row_start"]))
