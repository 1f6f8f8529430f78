"""The table compares each figure with what is wanted of it, and the command prints it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from eval.cli import commands
from eval.speed.embedding import EmbeddingSpeed, EmbeddingWay
from eval.speed.table import Extent, embedding_lines, measure


def run(*arguments: object) -> Any:
    return CliRunner().invoke(commands, ["eval", "speed", *map(str, arguments)])


@pytest.fixture(scope="module")
def searched(data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """A folder of work in which the row search was measured, and what the command said then."""
    work = tmp_path_factory.mktemp("searched")
    return work, run("search", "--data", data, "--work", work, "--chunks", 400)


@pytest.fixture
def work(searched: tuple[Path, Any], tmp_path: Path) -> Path:
    """A copy of it, so that texts are not embedded again."""
    return Path(shutil.copytree(searched[0], tmp_path / "work"))


def test_the_command_prints_a_line_for_each_wish_or_json(searched: tuple[Path, Any], data: Path, work: Path) -> None:
    _, shown = searched
    assert shown.exit_code == 0, shown.output
    assert "cores" in shown.stdout
    common = ("search", "shelves-200", "shelves-5000", "--data", data, "--work", work, "--chunks", 400)
    report = json.loads(run(*common, "--json").stdout)
    rows = [line["row"] for line in report["lines"]]
    assert rows == sorted(rows, key=["search", "shelves-200", "shelves-5000"].index)
    assert set(rows) == {"search", "shelves-200", "shelves-5000"}
    assert report["records"]["shelves-200"]["shelves"] == 200
    assert report["records"]["search"]["chunks"] == 400
    assert report["machine"]["cores"] >= 1
    for line in report["lines"]:
        assert (line["met"] is None) == (line["wanted"] == "")


@pytest.mark.parametrize("json_wanted", [False, True])
def test_lines_of_a_row_outlive_a_later_one_that_fails(json_wanted: bool, data: Path, work: Path) -> None:
    (library,) = work.glob("library-*/")
    library.with_name(f"{library.name}-changed").touch()  # so that no copy of it can be made for growth
    common = ("search", "growth", "--data", data, "--work", work, "--chunks", 400)
    found = run(*common, *["--json"] * json_wanted)
    assert isinstance(found.exception, FileExistsError)
    began = [line for line in found.stderr.splitlines() if line.startswith("measuring")]
    assert began == ["measuring search", "measuring growth"]
    assert "hybrid p50" in (found.stderr if json_wanted else found.stdout)
    assert not (json_wanted and found.stdout)


def test_a_terminal_shows_what_is_done_within_a_row_and_what_is_measured_survives_an_interrupt(
    data: Path, work: Path
) -> None:
    terminal, theirs = os.openpty()
    arguments = ["search", "growth", "--data", data, "--work", work, "--chunks", 2_000]
    code = "from eval.cli import commands; commands()"
    process = subprocess.Popen(
        [sys.executable, "-c", code, "eval", "speed", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=theirs,
        text=True,
        start_new_session=True,
    )
    os.close(theirs)
    said = ""
    while "measuring growth" not in said:
        said += os.read(terminal, 4096).decode()  # raises once the program has ended
    os.killpg(process.pid, signal.SIGINT)  # as Ctrl-C does
    shown, _ = process.communicate(timeout=60)
    os.close(terminal)
    assert process.returncode != 0
    assert "building a library: 0 of 200 documents" in said
    assert "asking: 0 of" in said
    assert "hybrid p50" in shown


def test_each_wish_is_compared_with_its_figure(data: Path, tmp_path: Path) -> None:
    report = measure(["commit", "memory", "growth"], Extent(data, tmp_path, chunks=1_000, sentences=300, queries=20))
    assert {line.row for line in report.lines} == {"commit", "memory", "growth"}
    for line in report.lines:
        if line.met is not None:
            value, limit = float(line.measured.split()[0]), float(line.wanted.split()[2])
            assert line.met == (value <= limit if "at most" in line.wanted else value >= limit)
    assert (tmp_path / "growth.png").exists()


def test_the_embedder_of_the_settings_is_held_to_the_wish() -> None:
    reference = EmbeddingWay("sentence-transformers", "a-f32", 10, 1000, 50, 1, 1, 1, 0.3)
    fast = EmbeddingWay("int8", "a-int8", 65, 6500, 400, 6.5, 6.1, 6.9, 0.35)
    plain = EmbeddingWay("f32", "a-f32", 12, 1200, 60, 1.2, 1.1, 1.3, 0.4)
    found = EmbeddingSpeed(100, 10_000, 3, {"int8": 1000.0, "bf16": 900.0, "f32": 150.0}, (reference, fast, plain))
    wishes = [(line.measured, line.met) for line in embedding_lines(found, "a-int8") if line.wanted]
    assert wishes == [("6.5 x", True), ("35 %", False)]
    assert [line.met for line in embedding_lines(found, "a-f32") if line.wanted] == [False, True]
    assert len([line for line in embedding_lines(found, "a-int8") if not line.wanted]) == 3


def test_a_row_that_there_is_not_is_named(data: Path, tmp_path: Path) -> None:
    assert run("serach", "--data", data).exit_code == 2
    with pytest.raises(ValueError, match="no row 'serach'"):
        measure(["serach"], Extent(data, tmp_path))
