"""Readers in threads and other processes while the library changes below them: none fails, none sees half of it."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import pytest
import replaced
import story

from assistant.answering import Assistant
from assistant.library import Library
from assistant.library.indexes import Indexes
from assistant.settings import Settings

GENERATIONS = 20


@contextmanager
def reader(folder: Path) -> Iterator[Callable[[], replaced.Seen]]:
    """Another process that searches until it is asked what it saw."""
    process = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("replaced.py")), str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )

    def seen() -> replaced.Seen:
        out, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors
        return replaced.Seen(**json.loads(out))

    try:
        assert process.stdout
        if process.stdout.readline() != "looking\n":
            seen()
        yield seen
    finally:
        process.kill()
        process.wait()


@contextmanager
def reading_thread(library: Library) -> Iterator[Callable[[], replaced.Seen]]:
    """A thread that searches until it is asked what it saw."""
    found: list[replaced.Seen] = []
    failed: list[BaseException] = []
    stop = threading.Event()

    def look() -> None:
        try:
            found.append(replaced.watch(library, iter(lambda: not stop.is_set(), False)))
        except BaseException as error:  # noqa: BLE001 - raised again below
            failed.append(error)

    thread = threading.Thread(target=look)

    def seen() -> replaced.Seen:
        stop.set()
        thread.join(60)
        if failed:
            raise failed[0]
        return found[0]

    thread.start()
    try:
        yield seen
    finally:
        stop.set()
        thread.join(60)


def test_readers_see_whole_generations_while_one_after_the_other_is_published(tmp_path: Path) -> None:
    replaced.replace_all(tmp_path / "library", 1)
    shared = Library.open(tmp_path / "library")
    with ExitStack() as opened:
        readers = [opened.enter_context(reader(tmp_path / "library")) for _ in range(2)]
        readers += [opened.enter_context(reading_thread(shared)) for _ in range(2)]
        readers.append(opened.enter_context(reading_thread(Library.open(tmp_path / "library"))))
        for number in range(2, GENERATIONS + 1):
            replaced.replace_all(tmp_path / "library", number)
        everything = [seen() for seen in readers]
    for one in everything:
        assert one.numbers == sorted(one.numbers), "a reader went back to an older generation"
        assert len(set(one.numbers)) >= 3, f"a reader saw too few generations to say anything: {set(one.numbers)}"


def test_readers_see_whole_generations_while_the_library_is_rolled_back(tmp_path: Path) -> None:
    for number in (1, 2):
        replaced.replace_all(tmp_path / "library", number)
    with reader(tmp_path / "library") as other, reading_thread(Library.open(tmp_path / "library")) as thread:
        for number in range(3, 9):
            Library.open(tmp_path / "library").rollback()
            replaced.replace_all(tmp_path / "library", number)
        Library.open(tmp_path / "library").rollback()
        seen = {number for one in (other(), thread()) for number in one.numbers}
    assert seen <= set(range(1, 9))
    assert len(seen) >= 3, f"the readers saw too few generations to say anything: {seen}"
    with Library.open(tmp_path / "library").view(replaced.MEMBER) as view:
        assert replaced.look(view, replaced.DOCUMENTS) == 1


def test_readers_do_not_mind_writers_that_are_killed(tmp_path: Path, zygote: Callable[..., Any]) -> None:
    folder = tmp_path / "library"
    replaced.replace_all(folder, 1)
    with reader(folder) as other, reading_thread(Library.open(folder)) as thread:
        for turn in range(40):
            zygote("kill_after", "replace_next", folder, 0.002 * (turn % 20 + 1))
        zygote("plain", "replace_next", folder)
        last = Library.open(folder).generation()
        for one in (other(), thread()):
            assert one.numbers == sorted(one.numbers)
            assert one.numbers[-1] <= last
    with Library.open(folder).view(replaced.MEMBER) as view:
        assert replaced.look(view, replaced.DOCUMENTS) == last


def test_an_open_view_keeps_its_generation(tmp_path: Path) -> None:
    """Also where it is searched for the first time when the files of its segments are long gone."""
    folder = tmp_path / "library"
    replaced.replace_all(folder, 1)
    with (
        Library.open(folder).view(replaced.MEMBER) as used,
        Library.open(folder).view(replaced.MEMBER) as unused,
        Library.open(folder).view() as outsider,
    ):
        files = set(story.segments(folder))
        for number in range(2, 6):
            replaced.replace_all(folder, number)
            assert replaced.look(used, replaced.DOCUMENTS) == 1
        assert files.isdisjoint(story.segments(folder))
        assert replaced.look(unused, replaced.DOCUMENTS) == 1
        assert replaced.look(outsider, replaced.DOCUMENTS * 2 // 3) == 1
    with Library.open(folder).view(replaced.MEMBER) as view:
        assert replaced.look(view, replaced.DOCUMENTS) == 5


def test_a_slow_first_view_holds_up_nobody_who_wants_another(tmp_path: Path) -> None:
    """One thread is halted, as by a debugger, where it begins to make the indexes of the board's view."""
    story.index(tmp_path)
    library = Library.open(tmp_path)
    begun: list[str] = []
    halted, go_on = threading.Event(), threading.Event()
    found: dict[str, int] = {}

    def look(name: str, groups: Sequence[str]) -> None:
        def trace(frame: FrameType, event: str, argument: Any) -> None:
            if frame.f_code is Indexes.__init__.__code__:
                begun.append(name)
                if name == "slow":
                    halted.set()
                    go_on.wait(120)

        sys.settrace(trace)
        with library.view(groups) as view:
            found[name] = len(view.search_lexical("budget", 10))

    threads = {
        name: threading.Thread(target=look, args=(name, groups))
        for name, groups in {"slow": ["board"], "other": [], "same": ["board"]}.items()
    }
    try:
        threads["slow"].start()
        assert halted.wait(60)
        threads["other"].start()
        threads["same"].start()
        threads["other"].join(30)
        assert found == {"other": 1}
    finally:
        go_on.set()
        for thread in threads.values():
            thread.join(60)
    assert found == {"slow": 2, "other": 1, "same": 2}
    assert begun == ["slow", "other"], "who wants the same waits for it"


def test_an_open_assistant_follows_the_library(tmp_path: Path, zygote: Callable[..., Any]) -> None:
    """Another process publishes; nobody tells the assistant."""
    zygote("plain", "index", tmp_path / "library")
    desk = Assistant(Library.open(tmp_path / "library"), story.GivenVectors(), Settings())
    board = desk.as_user({"board"})
    assert desk.status().generation == 1
    assert "heron" in {passage.key for passage in desk.search("A heron stands in the river")}
    assert "minutes" in {passage.key for passage in board.search("The board met on Monday")}
    zygote("plain", "update", tmp_path / "library")
    assert desk.status().generation == 2
    assert "heron" not in {passage.key for passage in desk.search("A heron stands in the river")}
    assert "minutes" in {passage.key for passage in desk.search("The board met on Monday")}
    assert "detector" not in {passage.key for passage in board.search("The common detector")}


@pytest.mark.long
def test_latency_during_a_sync_is_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Measured, not asserted: other work on the machine would decide."""
    replaced.replace_all(tmp_path / "library", 1)

    def p95(milliseconds: Sequence[float]) -> str:
        return f"p50 {np.percentile(milliseconds, 50):.2f} ms, p95 {np.percentile(milliseconds, 95):.2f} ms"

    with reader(tmp_path / "library") as seen:
        threading.Event().wait(5)
        rest = seen()
    numbers = [str(number) for number in range(2, 10 * GENERATIONS)]
    with reader(tmp_path / "library") as seen:
        program = [sys.executable, replaced.__file__, str(tmp_path / "library"), *numbers]
        subprocess.run(program, check=True, timeout=300)
        busy = seen()
    with capsys.disabled():
        print(f"\na look at rest: {p95(rest.milliseconds)}; during a sync: {p95(busy.milliseconds)}")  # noqa: T201
