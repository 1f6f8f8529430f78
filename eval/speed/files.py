"""What a run of `build_library` costs besides embedding: nothing changed, one file changed, and how much memory.

The files hold sentences of real text; vectors come from `SentenceMeans`, whose time is part of the figures.
"""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from assistant.library import Library
from assistant.settings import Settings, load
from eval.speed.corpus import Corpus, SentenceMeans
from eval.speed.process import forget_peak, in_fresh_process, memory, say
from eval.speed.texts import Texts
from ingest.report import OUTCOMES, Line
from ingest.sync import build_library

_FOLDER_FILES = 100


@dataclass(frozen=True, slots=True)
class Scanned:
    """Seconds of the first run, and medians over `runs` of one in which nothing and one in which one file had changed.

    `searchable` is from the start of the run to the search that returned the change; `found` says that each did.
    `loading` is what opening the embedder of the settings takes, which comes to each run of the command.
    """

    files: int
    runs: int
    first: float
    unchanged: float
    searchable: float
    found: bool
    loading: float


@dataclass(frozen=True, slots=True)
class Indexed:
    """`memory` is the most that a first run took above what the process with its models had before, in bytes."""

    files: int
    chunks: int
    memory: int


def scan(texts: Texts, files: int, work: Path, *, runs: int = 3) -> Scanned:
    """Makes `files` Markdown files of one passage each and indexes them again and again."""
    folder, library = work / "scanned", work / "scanned-library"
    try:
        write_files(Corpus(texts, 10 * files), folder, chunks_each=1)
        say(f"indexing {files} files for the first time")
        first = in_fresh_process(_run, texts, folder, library)
        say(f"indexing them again: {runs} times without a change, {runs} times with one")
        unchanged = [in_fresh_process(_run, texts, folder, library) for _ in range(runs)]
        changed = [in_fresh_process(_change_one, texts, folder, library, n) for n in range(runs)]
        loading = in_fresh_process(_open_embedder, load())
    finally:
        for made in (folder, library):
            shutil.rmtree(made, ignore_errors=True)
    found = all(one_found for _, one_found in changed)
    return Scanned(files, runs, first, median(unchanged), median(seconds for seconds, _ in changed), found, loading)


def index(texts: Texts, documents: int, work: Path) -> Indexed:
    """Indexes `documents` Markdown files of ten passages each."""
    folder, library = work / "indexed", work / "indexed-library"
    try:
        write_files(Corpus(texts, 10 * documents), folder, chunks_each=10)
        return in_fresh_process(_index, texts, folder, library)
    finally:
        for made in (folder, library):
            shutil.rmtree(made, ignore_errors=True)


def write_files(corpus: Corpus, folder: Path, *, chunks_each: int) -> None:
    """Each document of the corpus as a Markdown file, with its first chunks only."""
    for number in range(corpus.documents):
        if number % _FOLDER_FILES == 0:
            say(f"writing files: {number} of {corpus.documents}")
        document, chunks = corpus.document(number)
        file = folder / f"{number // _FOLDER_FILES:04d}" / document.key
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"# {document.title}\n\n" + "\n\n".join(chunk.text for chunk in chunks[:chunks_each]) + "\n")


def _run(texts: Texts, folder: Path, library: Path) -> float:
    embedder = SentenceMeans(texts)
    started = time.perf_counter()
    build_library([folder], library, embedder=embedder)
    return time.perf_counter() - started


def _change_one(texts: Texts, folder: Path, library: Path, number: int) -> tuple[float, bool]:
    embedder = SentenceMeans(texts)
    file = sorted(folder.rglob("*.md"))[7 * number]
    word = f"quokka{number}"
    file.write_text(file.read_text() + f"\nOne more sentence says {word}.\n")
    started = time.perf_counter()
    build_library([folder], library, embedder=embedder)
    with Library.open(library).view() as view:
        passages = view.passages(view.search_lexical(word, 10), "lexical")
    return time.perf_counter() - started, [word in passage.text for passage in passages] == [True]


def _open_embedder(settings: Settings) -> float:
    from assistant.embed import open_embedder

    started = time.perf_counter()
    open_embedder(settings.embedder)
    return time.perf_counter() - started


def _index(texts: Texts, folder: Path, library: Path) -> Indexed:
    from assistant.embed import open_embedder

    models = open_embedder(load().embedder)
    models.embed_passages(list(texts.sentences[:32]))
    embedder = SentenceMeans(texts)
    forget_peak()
    before = memory().resident

    def progress(done: int, seen: int, line: Line) -> None:
        if done % _FOLDER_FILES == 0:
            say(f"indexing: {done} of {seen} files")

    report = build_library([folder], library, embedder=embedder, progress=progress)
    return Indexed(report.count(*OUTCOMES), report.embedded, memory().peak - before)
