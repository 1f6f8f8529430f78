"""A run of an evaluation is a folder, and what is in it stays whatever happens.

    run.json                what was measured (`About`), when and with which metrics; `finished` once it is
    results/<system>.jsonl  a line for each question, written as soon as it is answered
    figures.json            every figure with its interval, made of the results
    report.md, report.html  the same for people

The folder is named after its content, so the same command goes on where it stopped.
"""

from __future__ import annotations

import errno
import fcntl
import json
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from types import UnionType
from typing import Any

from assistant.errors import LLMError, RunError
from eval.metric import Result
from eval.runs.about import About, Data, content_hash
from eval.runs.cache import Cache, open_cache

FILE = "run.json"
_LOCK = "run.lock"
_UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.ENOTDIR, errno.EEXIST)
_ABOUT = {
    "kind": str,
    "data": dict,
    "systems": dict,
    "library": dict | None,
    "groups": list,
    "seed": int,
    "code": str,
    "versions": dict,
}


@dataclass(frozen=True, slots=True)
class Record:
    """A run as it is on disk. `results` holds those of each system in the order of the questions that were done;
    `created` is ISO 8601 in UTC; `finished` says whether every system has every question. `notes` say what was left
    out and why."""

    folder: Path
    about: About
    created: str
    finished: bool
    notes: tuple[str, ...]
    results: dict[str, tuple[Result, ...]]


class Run:
    """A run that is being written; see `begin`."""

    def __init__(self, folder: Path, about: About, notes: Sequence[str], cache: Cache | None) -> None:
        self.folder, self.about = folder, about
        self._notes, self._cache = tuple(notes), cache
        self._done = {system: {one.id: one for one in _results(folder, system)} for system in about.systems}
        self._keys: dict[tuple[str, str], str] = {}

    def todo(self, system: str, questions: Mapping[str, Any]) -> list[str]:
        """The ids of `questions` (id -> its content, as JSON says it) that `system` has no result for, in order.

        Those whose result is cached are added here.
        """
        done = self._done[system]
        left = []
        for id_, content in questions.items():
            if id_ in done:
                continue
            key = self._keys[system, id_] = self._key(system, id_, content)
            if self._cache and (known := self._cache.get(key)):
                self._append(system, _result(json.loads(known)))
            else:
                left.append(id_)
        return left

    def done(self, system: str) -> dict[str, Result]:
        """The results so far, by question."""
        return dict(self._done[system])

    def add(self, system: str, result: Result) -> None:
        """Keeps a result: it is in the file when this returns. Raises ValueError for a second one of a question."""
        if result.id in self._done[system]:
            raise ValueError(f"{system} has a result for {result.id!r} already")
        line = self._append(system, result)
        key = self._keys.get((system, result.id))
        if self._cache and key:
            self._cache.put(key, line)

    @property
    def kept(self) -> str:
        """How many results there are, and how to come by the others."""
        total = len(self._done) * self.about.data.questions
        return (
            f"{sum(map(len, self._done.values()))} of {total} results are kept in {self.folder}: the same command goes "
            "on with the others."
        )

    def finish(self) -> Record:
        """Marks the run as complete and returns it. Raises RunError where a system lacks a question: figures over
        different questions are not compared."""
        asked = self.about.data.questions
        if lacking := [f"{name} has {len(done)}" for name, done in self._done.items() if len(done) != asked]:
            raise RunError(
                f"{self.folder} cannot be finished: each system is to have results of {asked} questions, but "
                f"{', '.join(lacking)}. This is a fault of the evaluation, not of the questions: please report it."
            )
        _write(self.folder / FILE, {**_content(self.folder), "finished": True, "notes": self._notes})
        return read_run(self.folder)

    def _append(self, system: str, result: Result) -> str:
        line = json.dumps(asdict(result), ensure_ascii=False, allow_nan=False)
        with _file(self.folder, system).open("a", encoding="utf-8") as file:
            file.write(line + "\n")
        self._done[system][result.id] = result
        return line

    def _key(self, system: str, id_: str, content: Any) -> str:
        about = asdict(self.about)
        rest = {name: about[name] for name in ("kind", "library", "groups", "seed", "code", "versions")}
        return content_hash([rest, system, self.about.systems[system], id_, content])


@contextmanager
def begin(folder: Path, about: About, notes: Sequence[str] = (), *, cached: bool = True) -> Iterator[Run]:
    """A run in a folder: a new one, or the same one, which goes on.

    `cached` takes results that another run had of the same content; what is drawn at random (a temperature above 0) is
    not. Raises RunError where the folder holds another run, something else, or one that another process writes.

    Whatever ends the evaluation half-way (a language model that fails, a disk that is full, Ctrl-C) passes through here
    and says from then on what is kept; no evaluation has to say it itself.
    """
    run: Run | None = None
    try:
        _private(folder)
        with _locked(folder):
            _prepare(folder, about, notes)
            with open_cache() if cached else nullcontext() as cache:
                run = Run(folder, about, notes, cache)
                yield run
    except (LLMError, KeyboardInterrupt) as error:
        raise type(error)(f"{error} {run.kept if run else ''}".strip()) from error
    except OSError as error:
        if error.errno not in _UNWRITABLE:
            raise
        raise RunError(f"The run {folder} cannot be written ({error}). {run.kept if run else ''}".strip()) from error


def _prepare(folder: Path, about: About, notes: Sequence[str]) -> None:
    """Makes the folder a run that results can be added to."""
    if (folder / FILE).exists():
        if differs := about.differences(_header(folder).about):
            raise RunError(
                " ".join([f"{folder} holds another run: {'; '.join(differs[:5])}. Choose another folder.", *notes])
            )
    elif strangers := [path.name for path in folder.iterdir() if path.name not in (_LOCK, _new(FILE))]:
        raise RunError(f"{folder} is no run: it holds {', '.join(sorted(strangers)[:5])}. Choose another folder.")
    else:
        folder.chmod(0o700)  # it may have been there, empty
        created = datetime.now(UTC).isoformat(timespec="seconds")
        _write(folder / FILE, {"about": asdict(about), "created": created, "finished": False, "notes": list(notes)})
    _private(folder / "results")
    for system in about.systems:
        _mend(_file(folder, system))


def run_folder(runs: Path, about: About) -> Path:
    """Where a run of this content is kept: named by kind, data and hash."""
    name = "".join(char if char.isalnum() else "-" for char in about.data.name.lower())[:40].strip("-")
    return runs / f"{about.kind}-{name}-{content_hash(asdict(about))[:8]}"


def read_run(folder: Path) -> Record:
    """A run, finished or not. Raises RunError for a folder that holds none, or one that is damaged."""
    header = _header(folder)
    return replace(header, results={system: tuple(_results(folder, system)) for system in header.about.systems})


def _header(folder: Path) -> Record:
    """A run without its results."""
    header = _content(folder)
    try:
        _require_kinds("", header, {"about": dict, "created": str, "finished": bool, "notes": list})
        fields = header["about"]
        _require_kinds("about.", fields, _ABOUT)
        _require_kinds("about.data.", fields["data"], {"name": str, "sha256": str, "questions": int})
        _require_kinds("about.systems.", fields["systems"], dict.fromkeys(fields["systems"], dict))
        for system in fields["systems"]:
            _file(folder, system)
        if not fields["systems"]:
            raise TypeError("about.systems is empty")
        data = {**fields, "data": Data(**fields["data"]), "groups": tuple(fields["groups"])}
        about = About(**data)
        notes = tuple(map(str, header["notes"]))
        return Record(folder, about, header["created"], header["finished"], notes, {})
    except (KeyError, TypeError) as error:
        raise RunError(
            f"{folder / FILE} is not what an evaluation writes ({error}). Run the evaluation again."
        ) from error


def _content(folder: Path) -> dict[str, Any]:
    file = folder / FILE
    try:
        header = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RunError(f"{folder} is no run of an evaluation: it has no {FILE}.") from None
    except (ValueError, RecursionError) as error:
        raise RunError(f"{file} is damaged ({error}). Run the evaluation again.") from error
    if not isinstance(header, dict):
        raise RunError(f"{file} is damaged: it holds no object. Run the evaluation again.")
    return header


def _require_kinds(where: str, found: Mapping[str, Any], kinds: Mapping[str, type | UnionType]) -> None:
    """Raises KeyError for a key that is missing, TypeError for one of another kind."""
    for key, kind in kinds.items():
        if not isinstance(found[key], kind):
            raise TypeError(f"{where}{key} is {found[key]!r}")


def _file(folder: Path, system: str) -> Path:
    """Raises TypeError for a name that is no system's, and would lead elsewhere."""
    if not system or "/" in system:
        raise TypeError(f"a system is called {system!r}")
    return folder / "results" / f"{system.replace(' ', '-')}.jsonl"


def _results(folder: Path, system: str) -> Iterator[Result]:
    file = _file(folder, system)
    if not file.exists():
        return
    try:
        lines = file.read_text(encoding="utf-8").split("\n")[:-1]
    except UnicodeDecodeError as error:
        raise RunError(f"{file} is damaged ({error}). Run the evaluation again, into a new folder.") from error
    seen: set[str] = set()
    for number, line in enumerate(lines, start=1):
        try:
            result = _result(json.loads(line))
            if result.id in seen:
                raise ValueError(f"it is a second one of {result.id!r}")
            seen.add(result.id)
            yield result
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise RunError(f"{file}, line {number} is no result ({error}). Remove the line, or the run.") from error


def _result(row: Mapping[str, Any]) -> Result:
    """Raises ValueError, TypeError or KeyError for what `Run.add` does not write."""
    row = {"wider": [], **row}  # older runs have none
    for name, kind in (("id", str), ("group", str), ("values", dict), ("detail", dict), ("wider", list)):
        if not isinstance(row[name], kind):
            raise TypeError(f"{name} is {row[name]!r}")
    for name, value in row["values"].items():
        if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
            raise ValueError(f"{name} is {value!r}, which is no number")
    return Result(row["id"], row["group"], row["values"], row["detail"], tuple(map(str, row["wider"])))


def _mend(file: Path) -> None:
    """Takes away a last line that a killed process left unfinished."""
    if not file.exists():
        return
    content = file.read_bytes()
    if content and not content.endswith(b"\n"):
        os.truncate(file, content.rfind(b"\n") + 1)


def _write(file: Path, content: Any) -> None:
    """Whole or not at all."""
    new = file.with_name(_new(file.name))
    new.write_text(json.dumps(content, ensure_ascii=False, indent=2, allow_nan=False) + "\n", encoding="utf-8")
    new.replace(file)


def _new(name: str) -> str:
    """What a file is called until it is whole."""
    return f".{name}.new"


def _private(folder: Path) -> None:
    """Makes a folder that its owner alone may read, since results quote documents."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    descriptor = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise RunError(f"Another process is writing to the run {folder}. Wait until it has finished.") from error
        yield
    finally:
        os.close(descriptor)
