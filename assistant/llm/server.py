"""The LLM server of this machine: vLLM in a process of its own, started, asked for its state, and stopped."""

from __future__ import annotations

import fcntl
import json
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from assistant.errors import LLMUnavailable
from assistant.llm import vllm
from assistant.llm.generate import probe
from assistant.llm.process import Process, end_group, members, running
from assistant.settings import LLMSettings, state_folder

Report = Callable[[str], None]

_POLL_SECONDS = 0.5
_STOP_SECONDS = 20.0
_TAIL_LINES = 15


@dataclass(frozen=True, slots=True)
class LLMServer:
    """What is known of the server at `url`. `pid` and `log` are None for one that Refdesk did not start.

    `model` is the one that answers, empty unless `running`.
    """

    state: Literal["running", "starting", "stopped"]
    url: str
    model: str = ""
    pid: int | None = None
    log: Path | None = None


def status(settings: LLMSettings) -> LLMServer:
    """The state of the server at `settings.url`, whoever started it.

    Raises LLMGarbage when what answers there is not an OpenAI-compatible server.
    """
    found = _started()
    alive = found is not None and found.url == settings.url and running().get(found.leader.pid) == found.leader
    pid, log = (found.leader.pid, _log()) if found and alive else (None, None)
    try:
        return LLMServer("running", settings.url, probe(settings), pid, log)
    except LLMUnavailable:
        return LLMServer("starting" if alive else "stopped", settings.url, "", pid, log)


def start(settings: LLMSettings, report: Report = lambda message: None) -> LLMServer:
    """Starts vLLM with `settings.model` at `settings.url` and waits until it answers. One that answers is left alone.

    `report` is told about once a second what is going on. Raises SettingsError for a URL that is not on this machine,
    ModelNotFound for a missing model or vLLM, LLMUnavailable when the server ends, does not answer within
    `settings.start_seconds`, or another one is in the way, and LLMGarbage when something else answers at the URL.
    Whatever is raised, no process is left behind.
    """
    if (found := status(settings)).state == "running":
        return found
    command, environment = vllm.command(settings, report)
    with _only_one(), _log().open("wb") as log:
        # Not in the working directory, whose packages Python would find before vLLM's own.
        child = subprocess.Popen(
            command,
            env=environment,
            cwd=state_folder(),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        leader = running().get(child.pid, Process(child.pid, child.pid, "ended"))
        _record().write_text(json.dumps(asdict(_Started(leader, settings.url))))
        healthy = False
        try:
            server = _wait(child, settings, report)
            healthy = True
        finally:  # on Ctrl-C too
            if not healthy:
                stop(report)
    return server


def _wait(child: subprocess.Popen[bytes], settings: LLMSettings, report: Report) -> LLMServer:
    begun = time.monotonic()
    while (waited := time.monotonic() - begun) < settings.start_seconds:
        report(f"Starting vLLM with {settings.model}: {waited:.0f} s (log: {_log()})")
        if child.poll() is not None:
            raise LLMUnavailable(f"vLLM ended with code {child.returncode} while starting. {_tail()}")
        try:
            return LLMServer("running", settings.url, probe(settings), child.pid, _log())
        except LLMUnavailable:
            time.sleep(_POLL_SECONDS)
    raise LLMUnavailable(
        f"vLLM did not answer at {settings.url} within {settings.start_seconds:g} s (REFDESK_LLM__START_SECONDS). "
        + _tail()
    )


def stop(report: Report = lambda message: None) -> bool:
    """Ends the server that `start` started, with all its processes. False when there was none."""
    if (found := _started()) is None:
        return False
    left = members(found.leader)
    if left:
        report(f"Stopping the LLM server at {found.url} (process {found.leader.pid}) ...")
        end_group(found.leader, _STOP_SECONDS)
    _record().unlink(missing_ok=True)
    return bool(left)


@contextmanager
def serving(settings: LLMSettings, report: Report = lambda message: None) -> Iterator[LLMServer]:
    """A server for the length of a `with` block; one that ran before goes on running after it."""
    before = status(settings).state == "running"
    server = start(settings, report)
    try:
        yield server
    finally:
        if not before:
            stop(report)


@contextmanager
def _only_one() -> Iterator[None]:
    """Holds off a second `start`, refuses while a server that we started runs, and clears away one that died."""
    state_folder().mkdir(parents=True, exist_ok=True)
    with (state_folder() / "llm.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LLMUnavailable("The LLM server is being started already; see `refdesk llm status`.") from None
        if (found := _started()) and running().get(found.leader.pid) == found.leader:
            raise LLMUnavailable(
                f"An LLM server for {found.url} still runs (process {found.leader.pid}), but nothing answers at "
                "the configured URL. Wait for it, or end it with `refdesk llm stop`."
            )
        stop()
        yield


@dataclass(frozen=True, slots=True)
class _Started:
    """The last server that we started: it may have ended since."""

    leader: Process
    url: str


def _started() -> _Started | None:
    try:
        record = json.loads(_record().read_text())
        return _Started(Process(**record["leader"]), record["url"])
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, KeyError) as error:
        raise LLMUnavailable(
            f"{_record()} is damaged ({error!r}). Remove it, and end a server that still runs by hand."
        ) from error


def _record() -> Path:
    return state_folder() / "llm.json"


def _log() -> Path:
    return state_folder() / "llm.log"


def _tail() -> str:
    end = _log().read_text(errors="replace").splitlines()[-_TAIL_LINES:]
    return f"The end of {_log()}:\n" + "\n".join(f"    {line}" for line in end)
