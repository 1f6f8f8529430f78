"""git, run so that nothing of this machine or of the repository takes part: no settings of the user, no hooks, no
questions, no protocol but the one that is meant, and an end to everything that it started.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import IO

from assistant.errors import SourceError

_ENVIRONMENT = {
    "LC_ALL": "C.UTF-8",
    "TZ": "UTC",
    "HOME": os.devnull,  # has no .netrc
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ALLOW_PROTOCOL": "",  # none; a command that connects says which
}
_SETTINGS = {
    "core.hooksPath": os.devnull,
    "credential.helper": "",
    "fetch.recurseSubmodules": "false",
    "gc.autoDetach": "false",
    "http.followRedirects": "false",
    "http.lowSpeedLimit": "1000",
    "http.lowSpeedTime": "60",
    "http.proxy": "",
    "maintenance.autoDetach": "false",
    "safe.directory": "*",  # of our own clones; a local repository is opened by a process that does not see this
    "transfer.bundleURI": "false",
}
_ADVICE = ("Please make sure you have the correct access rights", "and the repository exists")


class GitTimeout(SourceError):
    """git did not end in the time that it was given."""


def git(
    arguments: Sequence[str | Path],
    *,
    timeout: float,
    settings: Mapping[str, str] | None = None,
    variables: Mapping[str, str] | None = None,
    given: bytes = b"",
    into: Path | None = None,
    secrets: Sequence[str] = (),
) -> bytes:
    """What a git command prints, or nothing where it goes `into` a file.

    `settings` are git's, `variables` those of its environment; both may hold secrets, which no command line shows.
    `given` is its input. Raises SourceError with what git says, without `secrets`, and GitTimeout.
    """
    with ExitStack() as opened:
        printing = opened.enter_context(into.open("wb")) if into else subprocess.PIPE
        process = _started(arguments, settings, variables, printing)
    try:
        printed, said = process.communicate(given, timeout)
    except subprocess.TimeoutExpired as error:
        raise GitTimeout(
            f"git {arguments[0]} took longer than {timeout:g} s and was ended. Raise clone_seconds if the repository "
            "is large."
        ) from error
    finally:
        _end(process)
    if process.returncode:
        raise SourceError(_failure(arguments, process.returncode, said, secrets))
    return printed or b""


def fields(arguments: Sequence[str | Path]) -> Iterator[bytes]:
    """What a git command prints between NUL bytes, as it comes. Raises SourceError, at its end, if git fails."""
    process = _started(arguments, None, None, subprocess.PIPE, errors=subprocess.DEVNULL)
    assert process.stdout
    try:
        rest = b""
        while piece := process.stdout.read(1 << 20):
            *whole, rest = (rest + piece).split(b"\0")
            yield from whole
        if process.wait():
            raise SourceError(_failure(arguments, process.returncode, b"", ()))
    finally:
        _end(process)
        process.stdout.close()


def _started(
    arguments: Sequence[str | Path],
    settings: Mapping[str, str] | None,
    variables: Mapping[str, str] | None,
    printing: int | IO[bytes],
    errors: int = subprocess.PIPE,
) -> subprocess.Popen[bytes]:
    """In a process group of its own, because git starts others that connect and unpack."""
    environment = {"PATH": os.environ.get("PATH", os.defpath), **_ENVIRONMENT, **(variables or {})}
    pairs = list({**_SETTINGS, **(settings or {})}.items())
    environment["GIT_CONFIG_COUNT"] = str(len(pairs))
    for number, (name, value) in enumerate(pairs):
        environment[f"GIT_CONFIG_KEY_{number}"] = name
        environment[f"GIT_CONFIG_VALUE_{number}"] = value
    try:
        return subprocess.Popen(
            ["git", *arguments],
            stdin=subprocess.PIPE if errors == subprocess.PIPE else subprocess.DEVNULL,
            stdout=printing,
            stderr=errors,
            env=environment,
            start_new_session=True,
        )
    except FileNotFoundError as error:
        raise SourceError("A git repository is to be read, but there is no program `git`. Install it.") from error


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ends all of its group, where it has not ended itself; only until then is the number its own."""
    if process.returncode is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _failure(arguments: Sequence[str | Path], status: int, said: bytes, secrets: Sequence[str]) -> str:
    lines = [line.strip() for line in said.decode("utf-8", "replace").splitlines()]
    told = [line for line in lines if line and not line.startswith(_ADVICE)]
    last = re.sub(r"//[^/@\s]*@", "//", "; ".join(told[-3:])) or f"it ended with {status}"
    for secret in secrets:
        last = last.replace(secret, "***")
    return f"git {next(str(a) for a in arguments if not str(a).startswith('--git-dir'))} failed: {last[:500]}"
