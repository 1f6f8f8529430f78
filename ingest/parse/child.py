"""The process that reads files for `parse_files`: it imports each parser once and forks for each file.

Started as `python -m ingest.parse.child`, never imported. The first line on its standard input holds the settings and
is answered by one line; each further line asks for what one child is to read, `{"slot": FD, "paths": [PATH, ...]}`, and
is answered by `{"slot": FD}` once the list of results stands in the file FD, or by `{"slot": FD, "reason": ...,
"detail": ...}` if the child was ended before. At the end of its input it ends whatever is running, and itself.

A child has its own session, so that pandoc dies with it, and limits on address space, CPU and wall time.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import json
import os
import resource
import select
import signal
import sys
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import ceil
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NoReturn, cast

from assistant.errors import ParseError, SettingsError
from ingest.parse.choose import LIBRARIES, SUFFIXES, parse
from ingest.parse.foreign import reader_class

if TYPE_CHECKING:
    from assistant.settings import IngestSettings

_MOST_DETAIL = 500
"""Characters of an error's text that are handed on."""
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, slots=True)
class _Running:
    slot: int
    pid: int
    deadline: float


def main() -> None:
    with open(0, "rb", buffering=0, closefd=False) as requests:
        # As they were checked: to import pydantic would take longer than all else until the first file is read.
        settings = cast("IngestSettings", SimpleNamespace(**json.loads(requests.readline())))
    try:
        _import_parsers(settings)
    except SettingsError as error:
        _say({"settings_error": str(error)})
        return
    _say({})
    _freeze()
    _serve(settings)


def _import_parsers(settings: IngestSettings) -> None:
    """Import what a child needs of our own and the user's readers, which all children then share."""
    from ingest.parse import confluence, html, jats, markup, mediawiki, notebook, office, pdf, twiki  # noqa: F401
    from ingest.parse.pandoc import program

    program()
    for suffix, dotted in settings.readers.items():
        reader_class(suffix, dotted)


def _import_library(path: Path) -> None:
    """Import the large library that reads such a file, the first time that there is one: all children then share it,
    and a run that meets only light files neither waits for it nor copies its memory at each fork."""
    library = LIBRARIES.get(SUFFIXES.get(path.suffix.lower(), ""))
    if library and library not in sys.modules:
        importlib.import_module(library)
        _freeze()


def _freeze() -> None:
    """So that a child's garbage collection does not copy all memory."""
    gc.collect()
    gc.freeze()


def _say(reply: dict[str, Any]) -> None:
    os.write(1, json.dumps(reply).encode() + b"\n")


def _serve(settings: IngestSettings) -> None:
    """Answer requests until the input ends, with at most `settings.workers` children at once."""
    awake, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    waiting: deque[dict[str, Any]] = deque()
    running: list[_Running] = []
    unread = b""
    while True:
        while waiting and len(running) < settings.workers:
            running.append(_start(waiting.popleft(), settings))
        rest = min((child.deadline for child in running), default=None)
        ready, _, _ = select.select([0, awake], [], [], rest and max(0.0, rest - time.monotonic()))
        if awake in ready:
            os.read(awake, 4096)
        if 0 in ready:
            received = os.read(0, 65536)
            if not received:
                break
            *lines, unread = (unread + received).split(b"\n")
            waiting.extend(map(json.loads, lines))
        running = [child for child in running if not _ended(child, settings)]
    for child in running:
        _kill(child.pid)


def _start(request: dict[str, Any], settings: IngestSettings) -> _Running:
    paths = [Path(os.fsdecode(bytes.fromhex(path))) for path in request["paths"]]
    for path in paths:
        _import_library(path)
    pid = os.fork()
    if pid == 0:
        _child(request["slot"], paths, settings)
    return _Running(request["slot"], pid, time.monotonic() + settings.parse_seconds)


def _ended(child: _Running, settings: IngestSettings) -> bool:
    """Whether the child is over, or was over its time and has been ended; if so its reply has been sent."""
    in_time = time.monotonic() < child.deadline
    # WNOWAIT leaves the dead child's id taken, so that its process group is certainly still its own.
    if os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is None and in_time:
        return False
    _kill(child.pid)
    _, status, usage = os.wait4(child.pid, 0)
    if os.WIFEXITED(status) and os.WEXITSTATUS(status) == 0:
        _say({"slot": child.slot})
    else:
        number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
        reason, detail = _why(number, in_time, usage.ru_maxrss, settings)
        _say({"slot": child.slot, "reason": reason, "detail": detail})
    return True


def _why(number: int, in_time: bool, peak: int, settings: IngestSettings) -> tuple[str, str]:
    """Reason and detail for a child that died of signal `number` with at most `peak` resident memory (KiB on Linux)."""
    if not in_time or number == signal.SIGXCPU:
        return "timeout", f"not read within {settings.parse_seconds:g} s"
    memory = settings.parse_memory_mb * 1024
    if number == signal.SIGKILL or peak > 0.7 * memory:
        return "too_large", f"it needs more memory than the {settings.parse_memory_mb} MB that a file may use"
    name = signal.Signals(number).name if number else "an error that it did not report"
    return "corrupt", f"the parser broke down on it ({name})"


def _kill(pid: int) -> None:
    """End a child and everything in its session."""
    for end in (os.killpg, os.kill):
        try:
            end(pid, signal.SIGKILL)
        except ProcessLookupError:  # no session yet, or already gone
            continue


def _child(slot: int, paths: Sequence[Path], settings: IngestSettings) -> NoReturn:
    """Read `paths`, write the results to `slot` as JSON, and exit with 0 if that was possible."""
    code = 1
    try:
        _confine(settings)
        data = json.dumps([_result(path, settings) for path in paths]).encode()
        os.ftruncate(slot, 0)
        while data:
            os.lseek(slot, 0, os.SEEK_END)
            data = data[os.write(slot, data) :]
        code = 0
    finally:
        os._exit(code)  # whatever happened: a child must never go on as a second server


def _result(path: Path, settings: IngestSettings) -> dict[str, Any]:
    try:
        return asdict(parse(path, settings))
    except ParseError as error:
        return {"reason": error.reason, "detail": error.detail[:_MOST_DETAIL]}


def _confine(settings: IngestSettings) -> None:
    os.setsid()
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nothing, stream)
    seconds = ceil(settings.parse_seconds)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
    memory = settings.parse_memory_mb << 20
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))


if __name__ == "__main__":
    main()
