"""A writer that dies anywhere leaves one whole generation; its lock dies with it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from assistant.errors import LibraryLocked
from assistant.library import Library, lexical
from assistant.library.lock import lock
from assistant.types import Document

if TYPE_CHECKING:
    from assistant.embed import Embedder

BEFORE = {"stays": "a common text that stays", "changes": "a common text of before", "goes": "a common text that goes"}
AFTER = {"stays": BEFORE["stays"], "changes": "a common text of afterwards", "comes": "a common text that comes"}
SHELVES = 2

# Writes AFTER over BEFORE and kills itself at the line of `assistant/library` that it is told, -1 for none; prints how
# many lines there are. It forks before each run, so that the embedder is opened once; its vectors are known already.
CHILD = """
import json, os, shutil, signal, sys
from pathlib import Path
from assistant.embed import open_embedder
from assistant.library import Library, dense, lexical, writer
from assistant.settings import EmbedderSettings
from assistant.types import Access, Chunk, Document, PUBLIC

template, work, after = Path(sys.argv[1]), Path(sys.argv[2]), json.loads(sys.argv[3])
embedder = open_embedder(EmbedderSettings())

def run(folder, fatal):
    lines = 0
    def trace(frame, event, argument):
        nonlocal lines
        if "assistant/library" not in frame.f_code.co_filename.replace(os.sep, "/"):
            return None
        if event == "line":
            lines += 1
            if lines == fatal:
                os.kill(os.getpid(), signal.SIGKILL)
        return trace
    with Library.open(folder).writer(embedder) as writer:
        sys.settrace(trace)
        for key, text in after.items():
            access = Access.of("board") if key == "comes" else PUBLIC
            document = Document("wiki", key, "2", "", "", "markdown", text, (), (), access)
            writer.put(document, [Chunk(0, len(text), text, (), None)])
        writer.remove("wiki", "goes")
        writer.publish()
        sys.settrace(None)
    return lines

def forked(folder, fatal):
    shutil.copytree(template, folder)
    reading, writing = os.pipe()
    if (pid := os.fork()) == 0:
        os.write(writing, str(run(folder, fatal)).encode())
        os._exit(0)
    os.close(writing)
    status = os.waitpid(pid, 0)[1]
    return status, os.read(reading, 100)

status, lines = forked(work / "whole", -1)
assert status == 0, status
total = int(lines)
points = sorted({1, total, *range(2, total, max(1, total // 20))})
statuses = {point: forked(work / str(point), point)[0] for point in points}
print(json.dumps({"total": total, "statuses": statuses}))
"""

HOLDER = """
import sys
from assistant.embed import open_embedder
from assistant.library import Library
from assistant.settings import EmbedderSettings
embedder = open_embedder(EmbedderSettings())
with Library.open_or_create(sys.argv[1], embedder).writer(embedder):
    print("held", flush=True)
    sys.stdin.read()
"""


def held(folder: Path, embedder: Embedder) -> dict[str, str]:
    """Key -> text of everything that a member of all groups finds, the same by both indexes and the catalog."""
    with Library.open(folder).view({"board"}) as view:
        lexical_found = view.passages(view.search_lexical("common text", 100), "lexical")
        dense_found = view.passages(view.search_dense(embedder.embed_query("common text"), 100), "dense")
        documents = {s.key for s in view.summaries()}
    by_lexical = {p.key: p.text for p in lexical_found}
    assert by_lexical == {p.key: p.text for p in dense_found}
    assert len(lexical_found) == len(dense_found) == len(by_lexical)
    assert set(by_lexical) == documents
    return by_lexical


def indexed_chunks(folder: Path) -> int:
    """How many chunks stand in the lexical indexes, shown or not."""
    shelves = range(1, SHELVES + 1)
    opened = [lexical.open_index(folder, n) for n in shelves if (folder / "lexical" / str(n) / "meta.json").exists()]
    return sum(int(lexical.searcher(index).num_docs) for index in opened)


def test_a_run_killed_anywhere_leaves_one_whole_generation(
    tmp_path: Path, embedder: Embedder, publish: Callable[..., int], make: Callable[..., Document]
) -> None:
    template, work = tmp_path / "template", tmp_path / "work"
    work.mkdir()
    publish(tmp_path / "vectors", [make(key, text) for key, text in (BEFORE | AFTER).items()])
    publish(template, [make(key, text) for key, text in BEFORE.items()])
    known = next((tmp_path / "vectors").glob("vectors-*.sqlite"))
    (template / known.name).write_bytes(known.read_bytes())

    arguments = [sys.executable, "-c", CHILD, str(template), str(work), json.dumps(AFTER)]
    child = subprocess.run(arguments, capture_output=True, text=True, check=False, timeout=300)
    assert child.returncode == 0, child.stderr
    statuses = json.loads(child.stdout)["statuses"]
    assert set(statuses.values()) == {signal.SIGKILL}
    assert len(statuses) >= 20

    outcomes = set()
    for point in statuses:
        folder = work / point
        found = held(folder, embedder)
        generation = Library.open(folder).generation()
        assert (found, generation) in ((BEFORE, 1), (AFTER, 2)), f"killed at line {point}"
        outcomes.add(generation)
        publish(folder)  # the next run sweeps
        assert held(folder, embedder) == found
        assert indexed_chunks(folder) == 3, f"killed at line {point}"
        with Library.open(folder).writer(embedder) as writer:
            named = {name for (name,) in writer._connection.execute("SELECT name FROM segment")}
        assert {file.stem for file in (folder / "dense").iterdir()} == named, f"killed at line {point}"
    assert outcomes == {1, 2}


def test_an_unpublished_run_leaves_nothing(
    tmp_path: Path, embedder: Embedder, publish: Callable[..., int], make: Callable[..., Document]
) -> None:
    publish(tmp_path, [make(key, text) for key, text in BEFORE.items()])
    with Library.open(tmp_path).writer(embedder) as writer:
        writer.remove("wiki", "stays")
        writer.put(make("new", "a common text"), [])
    writer = Library.open(tmp_path).writer(embedder)
    writer.remove("wiki", "goes")
    with pytest.raises(KeyError), writer:
        raise KeyError
    assert held(tmp_path, embedder) == BEFORE
    assert Library.open(tmp_path).generation() == 1


@contextmanager
def holder(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that is writing to the library."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout
        assert process.stdout.readline() == "held\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def test_a_second_writer_is_refused_until_the_first_is_dead(
    tmp_path: Path, embedder: Embedder, publish: Callable[..., int], make: Callable[..., Document]
) -> None:
    publish(tmp_path, [make(key, text) for key, text in BEFORE.items()])
    with holder(tmp_path) as other:
        with pytest.raises(LibraryLocked, match="Wait until it has finished"):
            Library.open(tmp_path).writer(embedder)
        assert held(tmp_path, embedder) == BEFORE  # readers do not mind
        os.kill(other.pid, signal.SIGKILL)
        other.wait()
        with Library.open(tmp_path).writer(embedder) as writer:
            writer.publish()


def test_a_second_writer_in_the_same_process_is_refused(tmp_path: Path, embedder: Embedder) -> None:
    library = Library.open_or_create(tmp_path, embedder)
    with library.writer(embedder):
        with pytest.raises(LibraryLocked):
            library.writer(embedder)
        with pytest.raises(LibraryLocked):
            Library.open(tmp_path).writer(embedder)
    library.writer(embedder).__exit__(None, None, None)


def test_two_processes_do_not_both_make_a_library(tmp_path: Path, embedder: Embedder) -> None:
    with lock(tmp_path), pytest.raises(LibraryLocked):
        Library.open_or_create(tmp_path, embedder)
    assert not (tmp_path / "catalog.sqlite").exists()
    assert Library.open_or_create(tmp_path, embedder).generation() == 0
