"""What is read from a segment, and how its vectors are compared."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.errors import LibraryDamaged
from assistant.library.indexes import exhaustive
from assistant.library.segment import FOLDER, SUFFIX, Segment, create

ROWS, DIMENSIONS = 50, 7
VECTORS = np.random.default_rng(0).standard_normal((ROWS, DIMENSIONS)).astype(np.float16)


@pytest.fixture(scope="module")
def segment(tmp_path_factory: pytest.TempPathFactory) -> Segment:
    folder = tmp_path_factory.mktemp("library")
    (folder / FOLDER).mkdir()
    _write(folder, "one")
    return Segment(folder, "one", None)


def _write(folder: Path, name: str) -> None:
    with create(folder, name) as arrays:
        arrays.add("document", [np.arange(ROWS)])
        arrays.add("vector", [VECTORS])


ROW = st.integers(0, ROWS - 1)


@given(st.lists(ROW) | st.builds(lambda *ends: [*range(*ends)], ROW, ROW))
def test_what_is_read_is_what_is_mapped(segment: Segment, rows: list[int]) -> None:
    assert np.array_equal(segment.read("vector", np.array(rows, np.int64)), VECTORS[rows])


def test_a_file_that_is_cut_while_it_is_open_is_damaged(tmp_path: Path) -> None:
    (tmp_path / FOLDER).mkdir()
    _write(tmp_path, "one")
    held = Segment(tmp_path, "one", None)
    held.read("vector", np.arange(3))
    os.truncate(tmp_path / FOLDER / ("one" + SUFFIX), held["vector"].nbytes)
    with pytest.raises(LibraryDamaged, match=r"one\.segment is damaged: it was cut while it was open"):
        held.read("vector", np.array([0, ROWS - 1]))


@given(st.lists(ROW, min_size=1))
def test_a_cosine_has_the_same_bits_beside_any_other_vectors(rows: list[int]) -> None:
    query = VECTORS[:1].astype(np.float32) / 3
    alone = [exhaustive(VECTORS[row : row + 1]).search(query, 1)[0][0, 0] for row in rows]
    found, places = exhaustive(VECTORS[rows]).search(query, len(rows))
    assert [alone[place] for place in places[0]] == found[0].tolist()
    assert np.allclose(alone, VECTORS[rows].astype(np.float64) @ query[0], atol=1e-5)


MANY = """
import resource, sys
from pathlib import Path
from assistant.errors import LibraryError
from assistant.library.segment import Segment
resource.setrlimit(resource.RLIMIT_NOFILE, (40, int(sys.argv[2])))
held = []
try:
    while len(held) < 100:
        held.append(Segment(Path(sys.argv[1]), "one", None))
    print("all")
except LibraryError as error:
    print("Too many open files" in str(error))
"""


@pytest.mark.parametrize(("most", "expected"), [(1_000, "all"), (60, "True")])
def test_more_segments_than_the_soft_limit_of_open_files(segment: Segment, most: int, expected: str) -> None:
    command = [sys.executable, "-c", MANY, str(segment.file.parent.parent), str(most)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == expected, done.stderr
