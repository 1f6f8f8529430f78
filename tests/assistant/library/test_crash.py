"""A run that is stopped anywhere leaves one whole generation, and the next run finishes the work.

The normal run stops each operation after a spread of its changes to files, the long form after every one.
"""

from __future__ import annotations

import errno
import re
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import pytest

Ask = Callable[..., Any]
OPERATIONS = ("index", "update", "compact", "rollback", "migrate")
LARGE = "settle"  # which takes a second a trial
SPREAD = 6
CASES = pytest.mark.parametrize(
    ("operation", "every"),
    [
        *(pytest.param(operation, False, id=f"{operation}-spread") for operation in OPERATIONS),
        *(pytest.param(operation, True, id=f"{operation}-every", marks=pytest.mark.long) for operation in OPERATIONS),
        pytest.param(LARGE, False, id=f"{LARGE}-spread", marks=pytest.mark.long),
    ],
)


@dataclass(frozen=True, slots=True)
class Run:
    """One operation that went well: the library before it, and what was seen then.

    `events` are [call, path] of each change to a file. `before` holds the states that a crash may leave besides
    `after`; `files` are those after a further run that finds nothing changed.
    """

    operation: str
    start: Path
    events: list[tuple[str, str]]
    before: list[Any]
    after: Any
    files: list[str]

    def points(self, every: bool, kind: Callable[[str], bool] = lambda _: True) -> list[int]:
        """After how many changes to stop, 0 included; SQLite's shared memory is no file that outlives a crash."""
        numbers = [
            number
            for number, (call, path) in enumerate(self.events)
            if kind(call) and not path.endswith("-shm")
        ] + [len(self.events)]  # fmt: skip
        if every:
            return numbers
        spread = {numbers[i * (len(numbers) - 1) // (SPREAD - 1)] for i in range(SPREAD)}
        renamed = {number + 1 for number, (call, _) in enumerate(self.events) if call == "rename"}
        return sorted(spread | (renamed & set(numbers)))  # most hangs on the moment when a file gets its name

    def told(self, what: str, point: int) -> str:
        return f"{self.operation}, {what} after change {point}: {self.events[max(0, point - 2) : point]}"


@pytest.fixture(scope="module")
def went_well(watching: Ask, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Run]:
    """Each operation done once and left alone."""
    done: dict[str, Run] = {}

    def run(operation: str) -> Run:
        if operation in done:
            return done[operation]
        start = tmp_path_factory.mktemp(operation) / "start"
        start.mkdir()
        value(watching("plain", f"before_{operation}", start / "library"))
        before = [value(watching("plain", "state", start / "library"))]
        work = copied(start, start.with_name("whole"))
        if operation == "index":  # an empty library may be there before the first generation is
            value(watching("plain", "nothing", work / "library"))
            before.append(value(watching("plain", "state", work / "library")))
            shutil.rmtree(work / "library")
        outcome = watching("watched", operation, work / "library")
        assert not outcome["error"]
        after = value(watching("plain", "state", work / "library"))
        assert after not in before
        value(watching("plain", "nothing", work / "library"))
        assert value(watching("plain", "state", work / "library")) == after
        events = [(event["call"], event["path"]) for event in outcome["events"]]
        done[operation] = Run(
            operation, start, events, before, after, value(watching("plain", "files", work / "library"))
        )
        return done[operation]

    return run


def value(answer: Any) -> Any:
    assert "error" not in answer, answer["error"]
    return answer["value"]


def copied(start: Path, target: Path) -> Path:
    shutil.rmtree(target, ignore_errors=True)
    return Path(shutil.copytree(start, target))


def assert_whole(ask: Ask, run: Run, folder: Path, told: str) -> Any:
    """One of the two generations is there, `verify` agrees, and the next run ends where it always ends; the state."""
    found = value(ask("plain", "seen", folder))
    assert found["state"] in [*run.before, run.after], told
    assert found["problems"] == [], told
    if found["state"] in run.before:
        value(ask("plain", run.operation, folder))
    value(ask("plain", "nothing", folder))
    assert value(ask("plain", "seen", folder)) == {"state": run.after, "problems": [], "files": run.files}, told
    return found["state"]


@CASES
def test_killed_after_any_change_to_a_file(
    operation: str, every: bool, tmp_path: Path, watching: Ask, went_well: Callable[[str], Run]
) -> None:
    run = went_well(operation)
    seen = Counter[bool]()
    for point in run.points(every):
        work = copied(run.start, tmp_path / "work")
        outcome = watching("watched", operation, work / "library", point)
        assert outcome["killed"] or point == len(run.events)
        found = assert_whole(watching, run, work / "library", run.told("killed", point))
        assert outcome["killed"] or found == run.after
        seen[found == run.after] += 1
    assert seen[False]
    assert seen[True]


@CASES
def test_power_cut_after_any_change_to_a_file(
    operation: str, every: bool, tmp_path: Path, watching: Ask, went_well: Callable[[str], Run]
) -> None:
    """What was not synced is gone, or is there in part; what was published stays."""
    run = went_well(operation)
    for point in run.points(every):
        work = copied(run.start, tmp_path / "work")
        shutil.rmtree(tmp_path / "left", ignore_errors=True)
        (tmp_path / "left").mkdir()
        outcome = watching("watched", operation, work / "library", point, None, tmp_path / "left")
        for kind in ("synced", "mixed"):
            told = run.told(kind, point)
            found = assert_whole(watching, run, tmp_path / "left" / kind / "library", told)
            assert outcome["killed"] or found == run.after, told


@CASES
def test_full_disk_after_any_change_to_a_file(
    operation: str, every: bool, tmp_path: Path, watching: Ask, went_well: Callable[[str], Run]
) -> None:
    run = went_well(operation)
    refused = 0
    for point in run.points(every, lambda call: call in ("write", "allocate", "truncate")):
        work = copied(run.start, tmp_path / "work")
        outcome = watching("watched", operation, work / "library", None, point)
        told = run.told("disk full", point)
        found = assert_whole(watching, run, work / "library", told)
        if outcome["error"]:
            refused += 1
            *classes, message = outcome["error"]
            assert classes[0] == "LibraryDiskFull", f"{told}: {classes[0]}: {message}"
            assert re.search("No space left on device|disk is full", message), f"{told}: {message}"
            assert found in run.before, told
        else:
            assert found == run.after, told
    assert refused


@CASES
def test_a_failing_disk_is_not_called_full(
    operation: str, every: bool, tmp_path: Path, watching: Ask, went_well: Callable[[str], Run]
) -> None:
    """What the system or SQLite said is in the message. After a failed sync it may be either generation."""
    run = went_well(operation)
    refused = 0
    for point in run.points(every, lambda call: call in ("write", "allocate", "truncate", "sync")):
        work = copied(run.start, tmp_path / "work")
        outcome = watching("watched", operation, work / "library", None, point, None, errno.EIO)
        told = run.told("disk failing", point)
        assert_whole(watching, run, work / "library", told)
        if outcome["error"]:
            refused += 1
            *classes, message = outcome["error"]
            assert classes[0] == "LibraryError", f"{told}: {classes[0]}: {message}"
            assert re.search("Input/output error|disk I/O error", message), f"{told}: {message}"
    assert refused


@CASES
def test_killed_at_a_random_moment(
    operation: str, every: bool, tmp_path: Path, zygote: Ask, went_well: Callable[[str], Run]
) -> None:
    run = went_well(operation)
    chance = Random(operation)
    work = copied(run.start, tmp_path / "work")
    longest = 0.005
    while not zygote("kill_after", operation, work / "library", longest)["ended"]:
        longest *= 1.5
        work = copied(run.start, tmp_path / "work")
    for number in range(200 if every else 4):
        work = copied(run.start, tmp_path / "work")
        moments = [chance.uniform(0, longest) for _ in range(3)]
        for seconds in moments:  # the second and the third kill a run that finds what the last one left
            if value(zygote("plain", "state", work / "library")) in run.before:
                zygote("kill_after", operation, work / "library", seconds)
        assert_whole(zygote, run, work / "library", f"{operation}, trial {number} killed after {moments} s")


@pytest.mark.parametrize("operation", OPERATIONS[:3])
def test_segments_are_synced_before_the_commit(operation: str, went_well: Callable[[str], Run]) -> None:
    """Each new segment is written, synced, renamed and its folder synced, and only then the catalog commits."""
    events = went_well(operation).events
    commits = [at for at, event in enumerate(events) if event == ("sync", "library/catalog.sqlite-wal")]
    named = {path for call, path in events if call == "rename" and path.endswith(".segment")}
    assert named
    for path in named:
        renamed = events.index(("rename", path))
        synced = next(at for at, event in enumerate(events) if at > renamed and event == ("sync", "library/segments"))
        content = max(at for at in range(renamed) if events[at][0] == "sync" and "/segments/" in events[at][1])
        written = max(at for at in range(renamed) if events[at][0] == "write" and "/segments/" in events[at][1])
        assert written < content < renamed < synced < commits[-1]
