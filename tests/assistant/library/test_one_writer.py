"""One writer at a time: its lock dies with it, and what it did not publish is forgotten."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import story

from assistant.errors import LibraryLocked
from assistant.library import Library

HOLDER = """
import sys
sys.path.insert(0, sys.argv[2])
import story
from assistant.library import Library
embedder = story.GivenVectors()
with Library.open_or_create(sys.argv[1], embedder).writer(embedder) as writer:
    writer.remove("wiki", "river")
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def holder(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that is writing to the library."""
    arguments = [sys.executable, "-c", HOLDER, str(folder), str(Path(__file__).parent)]
    process = subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout
        assert process.stdout.readline() == "held\n"
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    story.index(tmp_path / "library")
    return tmp_path / "library"


def test_an_unpublished_run_leaves_nothing(folder: Path) -> None:
    before = story.state(folder)
    with Library.open(folder).writer(story.GivenVectors()) as writer:
        writer.remove("wiki", "river")
        story.put(writer, story.document("new", "A new heron."))
    failing = Library.open(folder).writer(story.GivenVectors())
    failing.remove("wiki", "heron")
    with pytest.raises(KeyError), failing:
        raise KeyError
    assert story.state(folder) == before
    story.nothing(folder)
    assert story.state(folder) == before


def test_a_second_writer_is_refused_until_the_first_is_dead(folder: Path) -> None:
    before = story.state(folder)
    with holder(folder) as other:
        with pytest.raises(LibraryLocked, match="Wait until it has finished"):
            Library.open(folder).writer(story.GivenVectors())
        assert story.state(folder) == before  # readers do not mind
        os.kill(other.pid, signal.SIGKILL)
        other.wait()
        assert story.state(folder) == before
        story.update(folder)


def test_a_second_writer_in_the_same_process_is_refused(folder: Path) -> None:
    library = Library.open(folder)
    with library.writer(story.GivenVectors()):
        with pytest.raises(LibraryLocked):
            library.writer(story.GivenVectors())
        with pytest.raises(LibraryLocked):
            Library.open(folder).writer(story.GivenVectors())
    library.writer(story.GivenVectors()).__exit__(None, None, None)


def test_two_processes_do_not_both_make_a_library(tmp_path: Path) -> None:
    fcntl = pytest.importorskip("fcntl")
    with (tmp_path / "writer.lock").open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(LibraryLocked):
            Library.open_or_create(tmp_path, story.GivenVectors())
        assert not (tmp_path / "catalog.sqlite").exists()
    assert Library.open_or_create(tmp_path, story.GivenVectors()).generation() == 0
