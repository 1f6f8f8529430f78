"""Rollback, and polite refusals: a read-only folder, a full disk."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from assistant.errors import LibraryError
from assistant.library import Library
from assistant.types import Document

if TYPE_CHECKING:
    from assistant.embed import Embedder

Publish = Callable[..., int]
Make = Callable[..., Document]


def texts(folder: Path) -> list[str]:
    library = Library.open(folder)
    with library.view() as view:
        found = view.passages(view.search_lexical("about", 100), "lexical")
        assert view.counts() == (len(found), len(found))
        return sorted(p.text for p in found)


def test_rollback_shows_what_was_before(tmp_path: Path, publish: Publish, make: Make) -> None:
    publish(tmp_path, [make("a", "about zebras"), make("b", "about lions")])
    publish(tmp_path, [make("a", "about walruses"), make("c", "about yaks")], [("wiki", "b")])
    assert texts(tmp_path) == ["about walruses", "about yaks"]
    assert Library.open(tmp_path).rollback() == 1
    assert texts(tmp_path) == ["about lions", "about zebras"]
    assert Library.open(tmp_path).verify() == []
    with pytest.raises(LibraryError, match="keeps no generation before 1"):
        Library.open(tmp_path).rollback()
    # A number is never used twice: what an answer says of generation 2 stays true.
    assert publish(tmp_path, [make("d", "about okapis")]) == 4
    assert texts(tmp_path) == ["about lions", "about okapis", "about zebras"]


def test_an_open_library_sees_a_rollback(tmp_path: Path, publish: Publish, make: Make) -> None:
    publish(tmp_path, [make("a", "about zebras")])
    publish(tmp_path, [make("a", "about walruses")])
    library = Library.open(tmp_path)
    with library.view() as view:
        assert view.search_lexical("walruses", 1)
        library.rollback()
        assert view.search_lexical("walruses", 1)  # this view keeps what it saw
    with library.view() as view:
        assert not view.search_lexical("walruses", 1)
        assert view.search_lexical("zebras", 1)


def test_a_run_without_a_change_leaves_the_rollback(tmp_path: Path, publish: Publish, make: Make) -> None:
    publish(tmp_path, [make("a", "about zebras")])
    publish(tmp_path, [make("a", "about walruses")])
    publish(tmp_path)
    Library.open(tmp_path).rollback()
    assert texts(tmp_path) == ["about zebras"]


# Run as another user, because nothing is read-only to root.
READER = """
import os, shutil, sys, tempfile
import apsw.sqlite_extra, faiss, numpy, tantivy
import assistant.library.ann, assistant.library.library
from assistant.library import Library
with tempfile.TemporaryDirectory() as work:
    shutil.copytree(sys.argv[1], f"{work}/library")
    with Library.open(f"{work}/library").view() as view:
        view.search_lexical("zebras", 5)  # loads all that the other user may not read
if os.geteuid() == 0:
    os.setgid(65534); os.setuid(65534)
from assistant.errors import LibraryReadOnly
library = Library.open(sys.argv[1])
with library.view() as view:
    print([p.text for p in view.passages(view.search_lexical("zebras", 5), "lexical")])
for change in (library.rollback, lambda: library.writer(None)):
    try:
        change()
    except LibraryReadOnly as error:
        print(type(error).__name__, "cannot be written" in str(error))
"""


def test_a_read_only_library_can_be_read_and_is_not_written(
    tmp_path_factory: pytest.TempPathFactory, publish: Publish, make: Make
) -> None:
    folder = tmp_path_factory.mktemp("shared") / "library"
    publish(folder, [make("a", "about zebras")])
    script = READER.replace(
        "library.writer(None)", "__import__('assistant.library.writer').library.writer.Writer(library.path, None)"
    )
    places = [folder, *folder.parents]
    modes = {place: place.stat().st_mode for place in places}
    try:
        for place in places[1:-1]:
            place.chmod(modes[place] | 0o055)
        for file in folder.rglob("*"):
            file.chmod(0o555 if file.is_dir() else 0o444)
        folder.chmod(0o555)
        done = subprocess.run(
            [sys.executable, "-c", script, str(folder)], capture_output=True, text=True, check=False, timeout=120
        )
    finally:
        for place, mode in modes.items():
            place.chmod(mode)
    assert done.stdout.splitlines() == ["['about zebras']", "LibraryReadOnly True", "LibraryReadOnly True"], done.stderr


# A limit on the size of a file stands for a full disk: the error that a program gets differs in its name only.
FILLER = """
import json, resource, signal, sys
from assistant.embed import open_embedder
from assistant.errors import LibraryDiskFull
from assistant.library import Library
from assistant.settings import EmbedderSettings
from assistant.types import Chunk, Document
embedder = open_embedder(EmbedderSettings())
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
library = Library.open(sys.argv[1])
text = "about yaks " * 20_000
resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, resource.RLIM_INFINITY))
try:
    with library.writer(embedder) as writer:
        writer.put(Document("wiki", "big", "1", "", "", "md", text, ()), [Chunk(0, 10, text[:10], (), None)])
        writer.publish()
except LibraryDiskFull as error:
    print("full", "Make room" in str(error))
"""


def test_a_full_disk_is_said_and_changes_nothing(
    tmp_path: Path, embedder: Embedder, publish: Publish, make: Make
) -> None:
    publish(tmp_path, [make("a", "about zebras")])
    done = subprocess.run(
        [sys.executable, "-c", FILLER, str(tmp_path)], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.stdout.strip() == "full True", done.stderr
    assert texts(tmp_path) == ["about zebras"]
    assert Library.open(tmp_path).verify() == []
    publish(tmp_path, [make("b", "about yaks")])
    assert texts(tmp_path) == ["about yaks", "about zebras"]
