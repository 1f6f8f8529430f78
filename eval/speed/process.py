"""What a benchmark needs of its process and machine: a fresh process, memory, bytes written, a word to who waits.

Reads /proc (Linux).
"""

from __future__ import annotations

import multiprocessing
import os
import platform
import shutil
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import ParamSpec, TypeVar

_P = ParamSpec("_P")
_R = TypeVar("_R")

_PACKAGES = ("faiss-cpu", "faiss-gpu", "numpy", "openvino", "sentence-transformers", "tantivy", "torch", "apsw")


@dataclass(frozen=True, slots=True)
class Memory:
    """Resident memory of this process in bytes: all, its own (`anonymous`), that of files, and the most there was."""

    resident: int
    anonymous: int
    files: int
    peak: int


@dataclass(frozen=True, slots=True)
class Machine:
    """Where the figures come from. `memory` in bytes; `load` is how many processes wanted to run in the last minute, of
    which one is ours; `versions` of the packages that do the work."""

    processor: str
    cores: int
    memory: int
    load: float
    system: str
    python: str
    versions: dict[str, str]


def memory() -> Memory:
    """The memory of this process now."""
    rows = (line.split(":") for line in Path("/proc/self/status").read_text().splitlines())
    kibibytes = {name: int(value.split()[0]) for name, value in rows if value.endswith("kB")}
    return Memory(*(kibibytes[name] * 1024 for name in ("VmRSS", "RssAnon", "RssFile", "VmHWM")))


def forget_peak() -> None:
    """From now on `memory().peak` is the most since this call."""
    Path("/proc/self/clear_refs").write_text("5")


def bytes_written() -> int:
    """What this process has had written to a disk so far; 0 where its files lie in memory (tmpfs)."""
    rows = (line.split(": ") for line in Path("/proc/self/io").read_text().splitlines())
    return int(dict(rows)["write_bytes"])


def folder_bytes(folder: Path) -> int:
    """The sizes of all files below a folder, added up."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def in_fresh_process(function: Callable[_P, _R], *args: _P.args, **kwargs: _P.kwargs) -> _R:
    """What `function` returns in a process of its own, whose memory and threads nothing else has touched."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max_workers=1, mp_context=context) as one:
        return one.submit(function, *args, **kwargs).result()


def say(what: str) -> None:
    """Tells who waits at a terminal what is being done, in place of what was said before.

    Nothing is written where standard error is no terminal. A process made by `in_fresh_process` has the same one.
    """
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[K{what[: shutil.get_terminal_size().columns - 1]}")
        sys.stderr.flush()


def machine() -> Machine:
    processor = platform.processor()
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            processor = line.partition(":")[2].strip()
            break
    found = {}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return Machine(
        processor,
        len(os.sched_getaffinity(0)),
        os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        os.getloadavg()[0],
        platform.platform(),
        platform.python_version(),
        found,
    )
