"""A process that has imported the library and forks a child for each trial, so that a trial costs milliseconds.

Reads a JSON list a line from standard input, the name of a function below and its arguments, and answers each with one
line. A program is the name of a function in `story.py` or `replaced.py` that takes the library's folder. The fixture
`zygote` runs this.
"""

from __future__ import annotations

import errno
import json
import os
import random
import select
import signal
import sys
import traceback
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
import apsw  # noqa: F401 - imported here and not after each fork
import faiss  # noqa: F401
import numpy  # noqa: F401
import replaced
import story
import syscalls
import tantivy  # noqa: F401
from power_cut import PowerCut

import assistant.library.library
import assistant.library.migration
import assistant.library.writer  # noqa: F401

PROGRAMS: dict[str, Callable[[Path], Any]] = vars(story) | vars(replaced)


def plain(program: str, folder: str) -> dict[str, Any]:
    """Runs a program in a child: {"value": ...}, or {"error": [class, its bases..., message]} also where it died."""
    reading, writing = os.pipe()
    if (pid := os.fork()) == 0:
        try:
            answer = {"value": PROGRAMS[program](Path(folder))}
        except Exception as error:  # noqa: BLE001 - it is handed on whole
            traceback.print_exc()
            answer = {"error": [*(kind.__name__ for kind in type(error).__mro__[:-2]), str(error)]}
        with open(writing, "w") as pipe:  # noqa: PTH123
            json.dump(answer, pipe)
        os._exit(0)
    os.close(writing)
    with open(reading) as pipe:  # noqa: PTH123
        text = pipe.read()
    status = os.waitpid(pid, 0)[1]
    return json.loads(text) if text else {"error": ["died", f"wait status {status}"]}


def watched(
    program: str,
    folder: str,
    stop_after: int | None = None,
    full_after: int | None = None,
    remains: str | None = None,
    code: int = errno.ENOSPC,
) -> dict[str, Any]:
    """Runs a program below `syscalls.run`, watching the folder around the library's.

    With `remains`, what a power cut would leave is put below it, as `synced` and as `mixed`.
    """
    path = Path(folder)
    power = PowerCut(path.parent)
    outcome = syscalls.run(
        lambda: PROGRAMS[program](path) or "",
        path.parent,
        stop_after=stop_after,
        full_after=full_after,
        code=code,
        before=power.before if remains else None,
    )
    if remains:
        power.leave(Path(remains) / "synced")
        power.leave(Path(remains) / "mixed", random.Random(stop_after))
    power.close()
    return asdict(outcome)


def kill_after(program: str, folder: str, seconds: float) -> dict[str, Any]:
    """Runs a program and kills it from outside after so long, unless it has ended."""
    if (pid := os.fork()) == 0:
        PROGRAMS[program](Path(folder))
        os._exit(0)
    descriptor = os.pidfd_open(pid)
    ended = bool(select.select([descriptor], [], [], seconds)[0])
    os.close(descriptor)
    os.kill(pid, signal.SIGKILL)
    status = os.waitpid(pid, 0)[1]
    return {"ended": ended, "status": status}


def why_not() -> dict[str, Any]:
    return {"value": syscalls.why_not()}


def load_what_is_compiled() -> None:
    """What numba compiles is read from disk at its first call: here, and not after each fork."""
    with TemporaryDirectory() as work:
        folder = Path(work) / "library"
        for program in ("index", "update"):  # the second leaves dead rows, which are counted
            plain(program, str(folder))
        story.state(folder)


def main() -> None:
    load_what_is_compiled()
    threads = len(os.listdir("/proc/self/task")) if sys.platform == "linux" else 1  # noqa: PTH208
    if threads > 1:
        raise RuntimeError(f"importing has started {threads - 1} threads, so this process cannot fork safely")
    for line in sys.stdin:
        function, *arguments = json.loads(line)
        print(json.dumps(globals()[function](*arguments)), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
