"""Read many files, each in a limited child process, with the results in the order of the files."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from assistant.errors import ParseError, RefdeskError, SettingsError
from assistant.settings import IngestSettings
from ingest.parse.choose import check
from ingest.parse.parsed import Parsed

_AHEAD = 4
"""Files asked for before the first of them is wanted, for each worker: a slow file must not leave the others idle."""


def parse_files(paths: Iterable[Path], settings: IngestSettings) -> Iterator[tuple[Path, Parsed | ParseError]]:
    """Read `paths` one by one or several at once, as `settings.workers` says; what cannot be read comes as its error.

    The paths are taken as the results are, a few ahead, so both may be endless. Each file is read in a process of its
    own that dies with this one, with the iterator, or when it exceeds the limits in `settings`. Raises SettingsError
    for a reader that cannot be imported, and RefdeskError if the process that starts the children ends.
    """
    ahead: deque[tuple[Path, int | ParseError]] = deque()
    with _Server(settings) as server:
        for path in paths:
            if len(ahead) == _AHEAD * settings.workers:
                yield server.collect(*ahead.popleft())
            try:
                check(path, settings)
            except ParseError as error:
                ahead.append((path, error))
            else:
                ahead.append((path, server.submit(path)))
        while ahead:
            yield server.collect(*ahead.popleft())


class _Server:
    """The process of `ingest.parse.child`, started with the first file, and the files that results come back in."""

    def __init__(self, settings: IngestSettings) -> None:
        self._settings = settings
        self._process: subprocess.Popen[bytes] | None = None
        self._files: dict[int, IO[bytes]] = {}
        self._free: list[int] = []
        self._replies: dict[int, dict[str, Any]] = {}
        self._resources = ExitStack()

    def __enter__(self) -> _Server:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        """End the process and its children, however far they are."""
        if self._process and self._process.stdin and self._process.stdout:
            self._process.stdin.close()
            try:
                self._process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process.stdout.close()
        self._resources.close()

    def submit(self, path: Path) -> int:
        """Ask for `path`; the answer is the slot that its result will come in."""
        process = self._process or self._start()
        slot = self._free.pop()
        request = {"slot": slot, "path": os.fsencode(path.absolute()).hex()}
        assert process.stdin
        try:
            process.stdin.write(json.dumps(request).encode() + b"\n")
            process.stdin.flush()
        except BrokenPipeError as error:
            raise self._broken() from error
        return slot

    def collect(self, path: Path, slot: int | ParseError) -> tuple[Path, Parsed | ParseError]:
        """Wait for the result in `slot`."""
        if isinstance(slot, ParseError):
            return path, slot
        while slot not in self._replies:
            reply = self._read()
            self._replies[reply["slot"]] = reply
        reply = self._replies.pop(slot)
        if "reason" not in reply:
            reply = json.loads(os.pread(slot, os.fstat(slot).st_size, 0))
            os.ftruncate(slot, 0)
        self._free.append(slot)
        if "reason" in reply:
            return path, ParseError(reply["reason"], reply["detail"])
        return path, Parsed(reply["title"], reply["kind"], reply["text"], tuple(reply["pages"]))

    def _start(self) -> subprocess.Popen[bytes]:
        for _ in range(_AHEAD * self._settings.workers):
            file = self._new_file()
            self._files[file.fileno()] = file
        self._free = list(self._files)
        self._errors = self._new_file()
        # The same modules as here; one thread, because a process with several must not fork.
        environment = os.environ | {
            "PYTHONPATH": os.pathsep.join(folder or str(Path.cwd()) for folder in sys.path),
            "OPENBLAS_NUM_THREADS": "1",
            "OMP_NUM_THREADS": "1",
        }
        # -P: a module in the working directory must not stand in for one of ours.
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "ingest.parse.child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env=environment,
            pass_fds=self._free,
            start_new_session=True,  # Ctrl-C is for the caller, which then ends it
        )
        assert self._process.stdin
        self._process.stdin.write(self._settings.model_dump_json().encode() + b"\n")
        self._process.stdin.flush()
        if wrong := self._read().get("settings_error"):
            raise SettingsError(wrong)
        return self._process

    def _new_file(self) -> IO[bytes]:
        """A file without a name, which vanishes with its last user."""
        return self._resources.enter_context(tempfile.TemporaryFile(prefix="refdesk-"))

    def _read(self) -> dict[str, Any]:
        assert self._process
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            raise self._broken()
        reply: dict[str, Any] = json.loads(line)
        return reply

    def _broken(self) -> RefdeskError:
        assert self._process
        self._errors.seek(0)
        last = self._errors.read().decode("utf-8", "replace").strip().splitlines()[-1:]
        code = self._process.wait()
        return RefdeskError(f"The process that reads files ended with code {code}: {''.join(last) or 'no message'}")
