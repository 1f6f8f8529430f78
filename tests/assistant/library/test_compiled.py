"""What is compiled gives what the same lines give in Python, also where there is no folder to keep it in."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import types
from numpy.typing import NDArray

from assistant.library import bm25, build, locate, maxscore
from assistant.library.build import NewRow
from assistant.library.compiled import compiled
from assistant.library.indexes import Indexes
from assistant.library.segment import Segment

WINDOWS = 3 * maxscore._WINDOW
ROWS = st.lists(st.integers(0, WINDOWS - 1), unique=True, min_size=1, max_size=30).map(sorted)


def test_a_function_without_a_file_is_compiled_for_this_process() -> None:
    namespace: dict[str, Any] = {}
    exec("def twice(n): return 2 * n", namespace)
    assert compiled(types.int64, types.int64)(namespace["twice"])(21) == 42


@pytest.mark.parametrize("function", [maxscore.collect, locate.locate, locate.shown])
def test_there_is_one_version_of_each_function(function: Any) -> None:
    """Processes that make different versions at the same time would mix up numba's files."""
    assert len(function.signatures) == 1


FIRST_SEARCHES = """
import sys
from assistant.library.locate import shown
import numpy as np
for _ in range(2):
    at = np.array([0])
    print(shown(np.array([3], np.uint32), at, at + 1, at, np.ones(4, bool)))
"""


def search_first(cache: Path, before: str = "") -> tuple[list[str], str]:
    """What a process prints and says that searches for the first time; `before`: what a shell does just before."""
    environment = os.environ | {"NUMBA_CACHE_DIR": str(cache)}
    command = ["sh", "-c", f'{before} exec "$0" "$@"', sys.executable, "-c", FIRST_SEARCHES]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    return done.stdout.split(), done.stderr


def test_it_says_once_on_a_machine_that_it_compiles(tmp_path: Path) -> None:
    for said in (1, 0):
        found, errors = search_first(tmp_path)
        assert found == ["1", "1"]
        assert errors.count("Compiling the search for this machine") == said
        assert "cannot be kept or read" not in errors


def test_a_search_needs_no_room_on_the_disk(tmp_path: Path) -> None:
    found, errors = search_first(tmp_path, "ulimit -f 0;")
    assert found == ["1", "1"]
    assert "cannot be kept or read back, so each process compiles it anew: OSError(27, 'File too large')" in errors


@pytest.mark.parametrize(("suffix", "size"), [("nbi", 0), ("nbc", 100)])
def test_a_damaged_file_of_machine_code_is_not_needed(tmp_path: Path, suffix: str, size: int) -> None:
    search_first(tmp_path)
    files = list(tmp_path.rglob(f"*.{suffix}"))
    assert files
    for file in files:
        os.truncate(file, size)
    found, errors = search_first(tmp_path)
    assert found == ["1", "1"]
    assert "cannot be kept or read back, so each process compiles it anew" in errors


@settings(max_examples=300)
@given(
    st.lists(ROWS, min_size=1, max_size=5),
    st.lists(st.sampled_from([0.05, 0.4, 0.95]), max_size=2),
    st.integers(1, 12),
    st.sets(st.integers(0, WINDOWS - 1)),
    st.integers(0, 2**32),
)
def test_collect_finds_the_best_rows_with_the_sums_of_all_their_words(
    words: list[list[int]], common: list[float], limit: int, dead: set[int], seed: int
) -> None:
    """Words in blocks that lie one after the other in the segment, but in another order among the visible rows.

    Few counts and lengths occur, so that many rows tie; bounds are what the words' best rows have, so they are tight.
    """
    rng = np.random.default_rng(seed)
    words = sorted([*words, *(np.flatnonzero(rng.random(WINDOWS) < share).tolist() for share in common)], key=len)
    words = [word for word in words if word]
    cut = int(rng.integers(1, WINDOWS))
    row: list[int] = []
    first, size = [], []
    for low, high in ((0, cut), (cut, WINDOWS)):
        held = [[r for r in word if low <= r < high] for word in words]
        first.append([len(row) + sum(map(len, held[:n])) for n in range(len(held))])
        size.append(list(map(len, held)))
        row += [r for word in held for r in word]
    count = rng.choice(np.array([1, 2, 255], np.uint8), len(row), p=(0.4, 0.5, 0.1))
    shift = np.array([WINDOWS - cut, -cut])
    length = rng.choice(np.array([7, 200], np.uint16), WINDOWS)
    alive = np.array([n not in dead for n in range(WINDOWS)])
    weights = np.array([rng.uniform(2, 3) / (n + 1) for n in range(len(words))], np.float32)
    norm = np.float32(0.3), np.float32(0.01)

    expected = np.zeros(WINDOWS, np.float32)
    most = np.zeros(len(words))
    for n, weight in enumerate(weights):
        for block in (0, 1):
            at = np.arange(first[block][n], first[block][n] + size[block][n])
            place = np.array(row, int)[at] + shift[block]
            times = count[at].astype(np.float32)
            gain = weight * times / (norm[0] + norm[1] * length[place].astype(np.float32) + times)
            expected[place] += gain
            most[n] = max(most[n], gain.max(initial=0))
    expected[~alive] = 0
    ranked = np.sort(expected[expected > 0])[::-1]
    least = ranked[limit - 1] if len(ranked) >= limit else np.float32(0)

    best = np.zeros(limit, np.float32)
    rests = np.r_[np.cumsum(most[::-1])[::-1], 0]
    rows, scores, found = maxscore.collect(
        np.array(row, np.uint32), count, np.array(first), np.array(size), np.array([cut, WINDOWS]), shift, length,
        alive, norm, weights, rests, best, np.empty(1, np.int64), np.empty(1, np.float32), 0,
    )  # fmt: skip
    assert best[0] == least
    kept = {int(r): s for r, s in zip(rows[:found], scores[:found], strict=True) if s >= least}
    assert kept == {int(r): expected[r] for r in np.flatnonzero((expected > 0) & (expected >= least))}


def test_equal_chunks_tie_for_questions_of_any_length(tmp_path: Path) -> None:
    """Sums of very many equal terms are all rounded to the same side, and fall below a bound that is summed exactly."""
    (tmp_path / "segments").mkdir()
    for words in (10, 500, 2_000):
        hashes = np.arange(1, words + 1, dtype=np.uint64) * np.uint64(2**64 // 3_000)
        for fillers in (3, 11, 17, 40):
            new = [_row(shelf, shelf, hashes) for shelf in (0, 1)]
            new += [_row(1, 2 + n, np.array([2**64 - 1 - n], np.uint64)) for n in range(fillers)]
            written = build.write_new(tmp_path, new)
            indexes = Indexes([Segment(tmp_path, written.name, written.digest)], {}, {0, 1})
            scores, rows = bm25.search(indexes, hashes.tolist(), 1)
            assert sorted(rows) == [0, 1]
            assert scores[0] == scores[1]


def _row(shelf: int, document: int, words: NDArray[np.uint64]) -> NewRow:
    text, vector = np.zeros(2, np.uint64), np.zeros(2, np.float16)
    return NewRow(shelf, document, 0, document, text, words, np.ones(len(words), np.int64), vector)


@settings(max_examples=200)
@given(st.lists(st.integers(0, 2**64 - 1), unique=True, max_size=200).map(sorted), st.data())
def test_locate_finds_each_word_where_it_stands(word: list[int], data: st.DataObject) -> None:
    start = np.cumsum([0, *(n % 7 + 1 for n in range(len(word)))])
    most = np.array([n % 250 + 1 for n in range(len(word))], np.uint8)
    shortest = np.array([n % 11 + 0.5 for n in range(len(word))], np.float32)
    cut = data.draw(st.integers(0, len(word)))
    blocks = [(0, cut), (cut, len(word))]
    some = st.sampled_from(word) if word else st.nothing()
    hashes = data.draw(st.lists(some | st.integers(0, 2**64 - 1), unique=True, min_size=1, max_size=9))
    largest, least = np.zeros(len(hashes), np.uint8), np.full(len(hashes), math.inf, np.float32)
    first, size = locate.locate(
        np.array(word, np.uint64), start, most, shortest, np.array([0, cut]), np.array([cut, len(word)]),
        np.array(hashes, np.uint64), largest, least,
    )  # fmt: skip
    for n, wanted in enumerate(hashes):
        for block, (low, high) in enumerate(blocks):
            if wanted in word[low:high]:
                at = word.index(wanted)
                assert (first[block, n], size[block, n]) == (start[at], start[at + 1] - start[at])
                assert (largest[n], least[n]) == (most[at], shortest[at])
            else:
                assert size[block, n] == 0
        if wanted not in word:
            assert (largest[n], least[n]) == (0, math.inf)
