"""One wrong byte in any file of a library is named by `verify`, and nothing wrong is ever served.

The normal run flips a spread of bytes of each file, the long form one in 64.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

Ask = Callable[..., Any]
SPREAD = 8
STEP = 64
CATALOG = "catalog.sqlite"
EVERY = pytest.mark.parametrize(
    "every", [pytest.param(False, id="spread"), pytest.param(True, id="every", marks=pytest.mark.long)]
)


@dataclass(frozen=True, slots=True)
class Whole:
    """An undamaged library, closed, and what it shows before and after the run `update`."""

    folder: Path
    state: Any
    updated: Any

    def files(self) -> list[str]:
        """All that outlive the processes that use them, by their path in the library."""
        found = (file for file in self.folder.rglob("*") if file.is_file() and file.stat().st_size)
        return sorted(str(file.relative_to(self.folder)) for file in found if not file.name.endswith("-shm"))


@pytest.fixture(scope="module")
def whole(zygote: Ask, tmp_path_factory: pytest.TempPathFactory) -> Whole:
    folder = tmp_path_factory.mktemp("whole") / "library"
    for program in ("index", "update", "index"):  # so that documents of an older generation are kept as well
        assert "error" not in zygote("plain", program, folder)
    assert zygote("plain", "problems", folder) == {"value": []}
    state = zygote("plain", "state", folder)["value"]
    work = copied(folder, folder.with_name("updated"))
    assert "error" not in zygote("plain", "update", work)
    return Whole(folder, state, zygote("plain", "state", work)["value"])


def copied(folder: Path, target: Path) -> Path:
    shutil.rmtree(target, ignore_errors=True)
    return Path(shutil.copytree(folder, target))


def positions(size: int, every: bool) -> list[int]:
    """The first bytes, the last, and some between; the step is odd, so that all places in a page come."""
    if every:
        return sorted({*range(0, min(size, 256)), *range(0, size, STEP - 1), size - 1})
    return sorted({0, 1, 20, 100, size - 1, *range(0, size, max(1, size // SPREAD) | 1)} & set(range(size)))


def flip(file: Path, position: int) -> None:
    content = bytearray(file.read_bytes())
    content[position] ^= 1 << position % 8
    file.write_bytes(content)


def flipped(whole: Whole, work: Path, every: bool) -> Iterator[tuple[str, str, Path]]:
    """Each file with each position: its name, what to say of it, and a library in which this byte is wrong."""
    for name in whole.files():
        for position in positions((whole.folder / name).stat().st_size, every):
            copied(whole.folder, work)
            flip(work / name, position)
            yield name, f"byte {position} of {name}", work


def assert_named(answer: Any, name: str, told: str) -> None:
    """The error LibraryDamaged with the file's name."""
    *classes, message = answer["error"]
    assert classes[0] == "LibraryDamaged", f"{told}: {classes[0]}: {message}"
    assert Path(name).name in message, f"{told}: {message}"


@EVERY
def test_is_named_and_never_served(every: bool, tmp_path: Path, zygote: Ask, whole: Whole) -> None:
    for name, told, work in flipped(whole, tmp_path / "library", every):
        shown = zygote("plain", "state", work)
        if "error" in shown:
            assert_named(shown, name, told)
        else:
            assert shown["value"] == whole.state, told
        found = zygote("plain", "problems", work)
        if "error" in found:
            assert_named(found, name, told)
        else:
            assert any(Path(name).name in problem for problem in found["value"]), f"{told}: {found}"


@EVERY
def test_does_not_get_into_the_next_generation(every: bool, tmp_path: Path, zygote: Ask, whole: Whole) -> None:
    """A run that reads a wrong byte says so or does without it; this holds for the kept vectors, too."""
    for name, told, work in flipped(whole, tmp_path / "library", every):
        done = zygote("plain", "update", work)
        if "error" in done:
            assert_named(done, name, told)
            continue
        shown = zygote("plain", "state", work)
        if "error" in shown:
            assert_named(shown, name, told)
        else:
            assert shown["value"] == whole.updated, told


@EVERY
def test_in_the_log_is_named(every: bool, tmp_path: Path, watching: Ask, whole: Whole) -> None:
    """To SQLite a damaged log is one that ends early, and what was published would silently be gone."""
    work = copied(whole.folder, tmp_path / "whole" / "library")
    events = watching("watched", "update", work)["events"]
    copied_back = next(
        at for at, e in enumerate(events) if (e["call"], e["path"]) == ("write", f"{work.name}/{CATALOG}")
    )
    work = copied(whole.folder, tmp_path / "whole" / "library")
    assert watching("watched", "update", work, copied_back)["killed"]
    log = work / f"{CATALOG}-wal"
    named = 0
    for position in positions(log.stat().st_size, every):
        trial = copied(work, tmp_path / "library")
        flip(trial / log.name, position)
        shown = watching("plain", "state", trial)
        if "error" in shown:
            assert_named(shown, CATALOG, f"byte {position}")
            named += 1
        else:  # a frame that is no longer used
            assert shown["value"] == whole.updated, f"byte {position}"
    assert named
