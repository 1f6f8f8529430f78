"""What is compiled gives what the same lines give in Python, also where there is no folder to keep it in."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from assistant.library import maxscore
from assistant.library.compiled import compiled

WINDOWS = 3 * maxscore._WINDOW
ROWS = st.lists(st.integers(0, WINDOWS - 1), unique=True, min_size=1, max_size=30).map(sorted)


def test_a_function_without_a_file_is_compiled_for_this_process() -> None:
    namespace: dict[str, Any] = {}
    exec("def twice(n): return 2 * n", namespace)
    assert compiled(namespace["twice"])(21) == 42


FIRST_SEARCHES = """
import sys
from assistant.library.maxscore import shown
import numpy as np
for _ in range(2):
    at = np.array([0])
    print(shown(np.array([3], np.uint32), at, at + 1, at, np.ones(4, bool)))
"""


def test_it_says_once_on_a_machine_that_it_compiles(tmp_path: Path) -> None:
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)}
    for said in (1, 0):
        command = [sys.executable, "-c", FIRST_SEARCHES]
        done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
        assert done.stdout.split() == ["1", "1"]
        assert done.stderr.count("Compiling the search for this machine") == said


@settings(max_examples=200, deadline=None)
@given(
    st.lists(ROWS, min_size=1, max_size=5),
    st.integers(1, 12),
    st.sets(st.integers(0, WINDOWS - 1)),
    st.integers(0, 2**32),
)
def test_collect_finds_the_best_rows_with_the_sums_of_all_their_words(
    words: list[list[int]], limit: int, dead: set[int], seed: int
) -> None:
    """Words in blocks that lie one after the other in the segment, but in another order among the visible rows."""
    rng = np.random.default_rng(seed)
    words.sort(key=len)
    cut = int(rng.integers(1, WINDOWS))
    row: list[int] = []
    first, size = [], []
    for low, high in ((0, cut), (cut, WINDOWS)):
        held = [[r for r in word if low <= r < high] for word in words]
        first.append([len(row) + sum(map(len, held[:n])) for n in range(len(held))])
        size.append(list(map(len, held)))
        row += [r for word in held for r in word]
    count = rng.integers(1, 256, len(row))
    shift = np.array([WINDOWS - cut, -cut])
    length = rng.integers(1, 400, WINDOWS).astype(np.uint16)
    alive = np.array([n not in dead for n in range(WINDOWS)])
    weights = np.array([5.0 / (n + 1) for n in range(len(words))], np.float32)
    norm = np.float32(0.3), np.float32(0.01)
    best = np.zeros(limit, np.float32)
    rests = np.r_[np.cumsum(weights[::-1].astype(float))[::-1], 0]
    rows, scores, found = maxscore.collect(
        np.array(row, np.uint32), count.astype(np.uint8), np.array(first), np.array(size), np.array([cut, WINDOWS]),
        shift, length, alive, norm, weights, rests, best, np.empty(1, np.int64), np.empty(1, np.float32), 0,
    )  # fmt: skip

    expected: dict[int, np.float32] = {}
    for n, weight in enumerate(weights):
        for block in (0, 1):
            for i in range(first[block][n], first[block][n] + size[block][n]):
                shown = row[i] + int(shift[block])
                times = np.float32(count[i])
                gain = weight * times / (norm[0] + norm[1] * np.float32(length[shown]) + times)
                expected[shown] = expected.get(shown, np.float32(0)) + gain
    ranked = sorted((score for shown, score in expected.items() if alive[shown]), reverse=True)
    least = ranked[limit - 1] if len(ranked) >= limit else np.float32(0)
    assert best[0] == least
    kept = {int(r): s for r, s in zip(rows[:found], scores[:found], strict=True) if s >= least}
    assert kept == {shown: score for shown, score in expected.items() if alive[shown] and score >= least}


@settings(max_examples=200, deadline=None)
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
    first, size = maxscore.locate(
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
