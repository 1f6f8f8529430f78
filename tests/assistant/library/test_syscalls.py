"""The shim at the file-system edge sees, stops and refuses what it says; a power cut takes what was not synced."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

# Overwrites a file in place in two pieces, and replaces another one properly.
SCRIPT = """
import dataclasses, errno, json, os, random, sys, threading
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import syscalls
from power_cut import PowerCut

if reason := syscalls.why_not():
    print(json.dumps({"reason": reason}))
    raise SystemExit
root = Path(sys.argv[2])

def start(name):
    folder = root / name
    folder.mkdir()
    (folder / "careless").write_bytes(b"old old!")
    (folder / "careful").write_bytes(b"old")
    return folder

def program(folder):
    def careless():
        with open(folder / "careless", "r+b", buffering=0) as file:
            file.write(b"new ")
            file.write(b"new!")
    thread = threading.Thread(target=careless)
    thread.start()
    thread.join()
    (folder / "made").mkdir(exist_ok=True)
    (folder / "made").mkdir(exist_ok=True)
    with open(folder / "made" / "new", "wb") as file:
        file.write(b"new")
        file.flush()
        os.fsync(file.fileno())
    os.rename(folder / "made" / "new", folder / "careful")
    descriptor = os.open(folder, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)
    (root / "elsewhere").write_bytes(b"not below the folder")
    os.truncate(folder / "careful", 3)
    os.truncate(folder / "careful", 1)
    (folder / "made").rmdir()
    return "done"

def read(folder):
    return {str(file.relative_to(folder)): file.read_text() if file.is_file() else "/" for file in folder.rglob("*")}

folder = start("whole")
whole = syscalls.run(lambda: program(folder), folder)
trials = []
for point in range(len(whole.events) + 1):
    killed, full = start(f"killed{point}"), start(f"full{point}")
    power = PowerCut(killed)
    stopped = syscalls.run(lambda: program(killed), killed, stop_after=point, before=power.before)
    power.leave(root / f"synced{point}")
    power.leave(root / f"mixed{point}", random.Random(point))
    refused = syscalls.run(lambda: program(full), full, full_after=point)
    failing = start(f"failing{point}")
    failed = syscalls.run(lambda: program(failing), failing, full_after=point, code=errno.EIO)
    trials.append({
        "stopped": dataclasses.asdict(stopped),
        "killed": read(killed),
        "synced": read(root / f"synced{point}"),
        "mixed": read(root / f"mixed{point}"),
        "refused": dataclasses.asdict(refused),
        "failed": dataclasses.asdict(failed),
    })
print(json.dumps({"reason": "", "whole": dataclasses.asdict(whole), "trials": trials}))
"""

EVENTS = [
    ("write", "careless"),
    ("write", "careless"),
    ("mkdir", "made"),
    ("create", "made/new"),
    ("write", "made/new"),
    ("sync", "made/new"),
    ("rename", "careful"),
    ("sync", "."),
    ("truncate", "careful"),
    ("remove", "made"),
]
OLD = {"careless": "old old!", "careful": "old"}


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    arguments = [sys.executable, "-c", SCRIPT, str(Path(__file__).parent), str(tmp_path_factory.mktemp("watched"))]
    ended = subprocess.run(arguments, capture_output=True, text=True, check=False, timeout=120)
    assert ended.returncode == 0, ended.stderr
    found: dict[str, Any] = json.loads(ended.stdout)
    if found["reason"]:
        pytest.skip(found["reason"])
    return found


def test_every_change_below_the_folder_is_seen_in_order(report: dict[str, Any]) -> None:
    assert [(event["call"], event["path"]) for event in report["whole"]["events"]] == EVENTS
    assert report["whole"]["result"] == "done"
    assert not report["whole"]["killed"]


def test_a_program_is_stopped_after_so_many_changes(report: dict[str, Any]) -> None:
    for point, trial in enumerate(report["trials"]):
        assert trial["stopped"]["events"] == report["whole"]["events"][:point]
        assert trial["stopped"]["killed"] == (point < len(EVENTS))
    killed = [trial["killed"] for trial in report["trials"]]
    assert killed[0] == OLD
    assert killed[1] == OLD | {"careless": "new old!"}, "this is the torn file that such tests are made to find"
    assert killed[6] == {"careless": "new new!", "careful": "old", "made": "/", "made/new": "new"}
    assert killed[7] == {"careless": "new new!", "careful": "new", "made": "/"}
    assert killed[10] == {"careless": "new new!", "careful": "n"}


def test_a_full_disk_refuses_what_takes_space(report: dict[str, Any]) -> None:
    for point, trial in enumerate(report["trials"]):
        classes, message = trial["refused"]["error"][:-1], "".join(trial["refused"]["error"][-1:])
        # The careless writer fails in its thread, which Python only reports; the others end the program.
        assert ("OSError" in classes) == (point <= 8), point
        assert ("No space left on device" in message) == (point <= 8), point


def test_a_failing_disk_fails_with_the_error_that_is_asked_for(report: dict[str, Any]) -> None:
    for point, trial in enumerate(report["trials"]):
        message = "".join(trial["failed"]["error"][-1:])
        assert ("Input/output error" in message) == (point <= 8), point
    # Unlike a full disk, it refuses the sync that follows the last write of the file.
    assert [report["trials"][5][kind]["events"][-1]["call"] for kind in ("refused", "failed")] == ["truncate", "sync"]


def test_a_power_cut_leaves_what_was_synced(report: dict[str, Any]) -> None:
    synced = [trial["synced"] for trial in report["trials"]]
    assert synced[:8] == [OLD] * 8, "the file was renamed, but the folder not yet synced"
    assert synced[8] == {"careless": "old old!", "careful": "new", "made": "/"}
    assert synced[10] == synced[8]


def test_a_power_cut_may_leave_some_of_the_rest(report: dict[str, Any]) -> None:
    mixed = [trial["mixed"] for trial in report["trials"]]
    assert {left["careless"] for left in mixed} == {"old old!", "new old!", "new new!"}
    assert {left["careful"] for left in mixed[:7]} == {"old"}
    assert {left["careful"] for left in mixed[8:]} <= {"new", "n"}
