"""A server process and its children: who they are, and how to end them all and nobody else.

Reads /proc where there is one, else asks `ps` (macOS).
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc/self/stat")


@dataclass(frozen=True, slots=True)
class Process:
    """One running process. `pid` alone is used again for another one; with `started`, an opaque stamp, it is not."""

    pid: int
    group: int
    started: str


def running() -> dict[int, Process]:
    """All processes of this machine that still run (zombies do not), by pid."""
    found = _from_proc() if _PROC.exists() else _from_ps()
    return {process.pid: process for process in found}


def _from_proc() -> list[Process]:
    found = []
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()  # start times count from there
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            stat = (folder / "stat").read_text()
        except OSError:
            continue  # ended meanwhile
        # pid (name) state parent group ... : the name may itself hold spaces and brackets. See proc_pid_stat(5).
        state, _, group, *rest = stat.rpartition(")")[2].split()
        if state not in "ZX":
            found.append(Process(int(folder.name), int(group), f"{rest[16]} {boot}"))
    return found


def _from_ps() -> list[Process]:
    shown = subprocess.run(
        ["ps", "-A", "-o", "pid=,pgid=,stat=,lstart="],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "LC_ALL": "C"},
    ).stdout
    lines = [line.split(maxsplit=3) for line in shown.splitlines()]
    return [Process(int(pid), int(group), start) for pid, group, state, start in lines if state[0] not in "ZX"]


def end_group(leader: Process, seconds: float) -> None:
    """Ends the process group that `leader` led: SIGTERM, and SIGKILL for what still runs after `seconds`.

    Does nothing when the group is gone, or when its number has passed to another process.
    """
    for sign, patience in ((signal.SIGTERM, seconds), (signal.SIGKILL, 10.0)):
        end = time.monotonic() + patience
        if not members(leader):
            return
        os.killpg(leader.group, sign)
        while members(leader) and time.monotonic() < end:
            time.sleep(0.1)


def members(leader: Process) -> list[Process]:
    """What still runs of the group that `leader` led, though it may have ended itself.

    While one of them runs, the system gives the group's number to nobody else.
    """
    _reap(leader.pid)
    now = running()
    if leader.pid in now and now[leader.pid] != leader:
        return []  # the number has passed to another process
    return [process for process in now.values() if process.group == leader.group]


def _reap(pid: int) -> None:
    with suppress(ChildProcessError):  # not our child: whoever started it collects it
        os.waitpid(pid, os.WNOHANG)
