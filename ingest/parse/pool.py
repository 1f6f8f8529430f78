"""Read many files, each in a limited child process, with the results in the order of the files.

To fork for a file takes a hundred times as long as to read a small page of Markdown, so a child reads several of those
in turn. If it breaks down, each of them is read again in a child of its own: a file's verdict never depends on others.
"""

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
from typing import IO, TYPE_CHECKING, Any

from assistant.errors import ParseError, RefdeskError, SettingsError
from ingest.parse.choose import check, is_plain
from ingest.parse.parsed import Parsed

if TYPE_CHECKING:
    from assistant.settings import IngestSettings

_AHEAD = 4
"""Requests made before the first of them is wanted, for each worker: a slow file must not leave the others idle."""
_TOGETHER = 16
"""Small pages of text that one child reads."""
_SMALL = 65_536
"""Bytes up to which a page is small."""

_Batch = tuple[Path, ...]
_Answer = Parsed | ParseError


def parse_files(paths: Iterable[Path], settings: IngestSettings) -> Iterator[tuple[Path, _Answer]]:
    """Read `paths` one by one or several at once, as `settings.workers` says; what cannot be read comes as its error.

    The paths are taken as the results are, some ahead, so both may be endless. Each file is read in a process that
    dies with this one, with the iterator, or when it exceeds the limits in `settings`. Raises SettingsError for a
    reader that cannot be imported, and RefdeskError if the process that starts the children ends.
    """
    ahead: deque[tuple[_Batch, int | ParseError]] = deque()
    with _Server(settings) as server:
        for batch, refused in _batches(paths, settings):
            if len(ahead) == _AHEAD * settings.workers:
                yield from server.collect(*ahead.popleft())
            ahead.append((batch, refused or server.submit(batch)))
        while ahead:
            yield from server.collect(*ahead.popleft())


def _batches(paths: Iterable[Path], settings: IngestSettings) -> Iterator[tuple[_Batch, ParseError | None]]:
    """The paths in their order: small pages of text together, all others alone, with their error if they have one."""
    together: list[Path] = []
    for path in paths:
        refused = None
        try:
            small = check(path, settings) <= _SMALL and is_plain(path, settings)
        except ParseError as error:
            small, refused = False, error
        if small:
            together.append(path)
        if together and (not small or len(together) == _TOGETHER):
            yield tuple(together), None
            together = []
        if not small:
            yield (path,), refused
    if together:
        yield tuple(together), None


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

    def submit(self, batch: _Batch) -> int:
        """Ask for the files of a batch; the answer is the slot that their results will come in."""
        process = self._process or self._start()
        slot = self._free.pop()
        request = {"slot": slot, "paths": [os.fsencode(path.absolute()).hex() for path in batch]}
        assert process.stdin
        try:
            process.stdin.write(json.dumps(request).encode() + b"\n")
            process.stdin.flush()
        except BrokenPipeError as error:
            raise self._broken() from error
        return slot

    def collect(self, batch: _Batch, slot: int | ParseError) -> Iterator[tuple[Path, _Answer]]:
        """Wait for the results in `slot`."""
        if isinstance(slot, ParseError):
            yield batch[0], slot
            return
        while slot not in self._replies:
            reply = self._read()
            self._replies[reply["slot"]] = reply
        broken = self._replies.pop(slot)
        results = [] if "reason" in broken else json.loads(os.pread(slot, os.fstat(slot).st_size, 0))
        os.ftruncate(slot, 0)
        self._free.append(slot)
        if results:
            for path, result in zip(batch, results, strict=True):
                yield path, _answer(result)
        elif len(batch) == 1:
            yield batch[0], _answer(broken)
        else:
            for path in batch:
                yield from self.collect((path,), self.submit((path,)))

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


def _answer(result: dict[str, Any]) -> _Answer:
    if "reason" in result:
        return ParseError(result["reason"], result["detail"])
    return Parsed(result["title"], result["kind"], result["text"], tuple(result["pages"]))
