"""Readers that do to a process what a hostile file can do to a parser. Named in `ingest.readers` by the tests."""

import ctypes
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from langchain_core.document_loaders import BaseLoader
from langchain_core.documents import Document


class Loader(BaseLoader):
    """Does what the file says, and notes its process id beside it."""

    def __init__(self, path: str) -> None:
        self.path = Path(path)

    def lazy_load(self) -> Iterator[Document]:
        self.path.with_suffix(".pid").write_text(str(os.getpid()))
        for line in self.path.read_text().splitlines():
            getattr(self, line.split()[0])()
        yield Document("# Loaded\n\nby " + self.path.name)
        yield Document("second part")

    def well(self) -> None:
        """Nothing."""

    def sleep(self) -> None:
        time.sleep(300)

    def spin(self) -> None:
        while True:
            pass

    def hoard(self) -> None:
        hoard = [bytearray(2**20) for _ in range(4000)]
        raise AssertionError(f"{len(hoard)} MB were granted")

    def crash(self) -> None:
        ctypes.string_at(0)

    def leave(self) -> None:
        sys.exit(0)

    def breed(self) -> None:
        """Start a process that outlives its parent, as a parser's own helper program may."""
        child = subprocess.Popen(["sleep", "300"])
        self.path.with_suffix(".grandchild").write_text(str(child.pid))

    def mumble(self) -> None:
        os.write(1, b'{"slot": 3}\n')
        os.write(2, b"a warning\n")

    def stumble(self) -> None:
        raise KeyError("no such part")

    def ask(self) -> None:
        if sys.stdin.read():
            raise AssertionError("something could be read from standard input")
