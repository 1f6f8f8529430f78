"""What changed at the sources, and so what to do: parse, split and put what is new, remove what is gone.

Each source is read in a thread of its own (`reading`); here what they find is parsed and taken into the library
(`taking`), which shows it in steps, each a whole generation.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

from assistant.embed import Embedder, open_embedder
from assistant.errors import ParseError, SettingsError, SourceError
from assistant.library import Library
from assistant.library.lock import lock
from assistant.settings import Settings, load
from assistant.types import PUBLIC, Access
from ingest.access import NOBODY
from ingest.connectors.connector import Connector
from ingest.connectors.folder import Folder, FolderOptions
from ingest.parse import Parsed, parse_files
from ingest.report import Line, Report, SourceReport
from ingest.sources import Source
from ingest.sync import reading
from ingest.sync.interleave import interleave
from ingest.sync.reading import Finished, Known, Reading, Seen
from ingest.sync.state import SourceState, digest, now
from ingest.sync.taking import Taking

LOCK = "sync.lock"
_SOURCES_AT_ONCE = 8

Progress = Callable[[int, int, Line], None]
"""Called with items done, items seen so far, and the line of the one just done."""


def build_library(
    paths: Iterable[str | Path],
    library: str | Path,
    *,
    access: Access | None = None,
    retry: bool = False,
    allow_deletions: bool = False,
    settings: Settings | None = None,
    embedder: Embedder | None = None,
    progress: Progress | None = None,
) -> Report:
    """Makes the library hold what is in the files and folders `paths`, touching only what changed.

    Each path is a source of its own: what vanished from it is removed, other sources stay. If all has vanished, as from
    a drive that is not mounted, nothing is removed without `allow_deletions`. `access` says who may read all of it;
    None keeps the rule that each source has, and lets everyone read a new one. With `retry`, files that could not be
    read before are tried again although they did not change. `embedder` stands in for the one that the settings name.

    Raises SourceError if a path is not there or cannot be listed (nothing is changed then), LibraryLocked,
    LibraryMismatch and LibraryDamaged as `Library` does.
    """
    settings = settings or load()
    folders = [Folder(FolderOptions(path=str(path))) for path in paths]
    with _Run(Path(library), settings, embedder, progress, retry=retry) as run:
        for folder in folders:
            source = run.writer.source_name(folder.root, folder.name)
            known = run.writer.known(source)
            rule = access or run.writer.access_of(source) or PUBLIC
            run.add(folder, Taking(source, run.embedder, rule, len(known), 1.0, allow_deletions), known)
        return run.report(strict=True)


def sync_sources(
    sources: Iterable[Source],
    library: str | Path,
    *,
    full: bool = False,
    dry_run: bool = False,
    retry: bool = False,
    allow_deletions: bool = False,
    settings: Settings | None = None,
    embedder: Embedder | None = None,
    progress: Progress | None = None,
) -> Report:
    """Makes the library hold what the sources hold, touching only what changed.

    >>> from ingest import sources_of
    >>> sync_sources(sources_of(settings), "library")  # doctest: +SKIP

    `full` lists them whole although they could tell what changed. With `dry_run`,
    nothing is fetched and nothing written: the lines say what would be done. A source that cannot be read, or from
    which more vanished than its `max_removed` and not `allow_deletions`, is reported as such and loses nothing.

    Raises LibraryLocked where another run is under way, LibraryMismatch and LibraryDamaged as `Library` does.
    """
    settings = settings or load()
    with ExitStack() as opened:
        target = Path(library)
        if dry_run and not target.exists():
            target = Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="refdesk-")))
        run = opened.enter_context(_Run(target, settings, embedder, progress, retry=retry, dry_run=dry_run))
        for source in sources:
            run.add_source(source, full=full, allow_deletions=allow_deletions, opened=opened)
        return run.report()


@dataclass(frozen=True, slots=True)
class _Open:
    """A source that is being read; `options` is the digest of its settings, "" where it has none."""

    taking: Taking
    reading: Reading
    steps: Iterator[Seen | Finished]
    requests: Callable[[], int]
    options: str = ""


class _Run:
    """One run of the one writer over several sources."""

    def __init__(
        self,
        library: Path,
        settings: Settings,
        embedder: Embedder | None,
        progress: Progress | None,
        *,
        retry: bool = False,
        dry_run: bool = False,
    ) -> None:
        self._started = self._published = time.monotonic()
        self._settings = settings
        self._progress = progress
        self._retry, self._dry_run = retry, dry_run
        self.embedder = embedder or open_embedder(settings.embedder, Library.fingerprint_at(library))
        self._library = Library.open_or_create(library, self.embedder)
        self._open: dict[str, _Open] = {}
        self._names: list[str] = []
        self._reports: dict[str, SourceReport] = {}
        self._lines: list[Line] = []
        self._parsing: deque[tuple[_Open, Seen]] = deque()
        self._embedded = self._done = self._found = 0
        self._in_steps = False

    def __enter__(self) -> _Run:
        with ExitStack() as opened:
            opened.enter_context(lock(self._library.path, LOCK))
            # A reading that was broken off may still be writing into it.
            work = tempfile.TemporaryDirectory(prefix="refdesk-", ignore_cleanup_errors=True)
            self._folder = Path(opened.enter_context(work))
            self.writer = opened.enter_context(self._library.writer(self.embedder))
            self._opened = opened.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        self._opened.close()

    def add_source(self, source: Source, *, full: bool, allow_deletions: bool, opened: ExitStack) -> None:
        """A source of the settings. One that cannot be opened is reported so."""
        known = self.writer.known(source.name)
        taking = Taking(
            source.name, self.embedder, source.readers, len(known), source.options.max_removed, allow_deletions
        )
        try:
            connector, client = source.open(opened, self._settings.ingest.max_file_mb)
            self.writer.claim_source(source.name, connector.root)
        except (SourceError, SettingsError) as error:
            taking.error = str(error)
            self._names.append(source.name)
            self._end(taking, 0)
            return
        options = digest(source.options, reading.READING)
        state = SourceState.parse(self.writer.state(source.name))
        cursor = "" if full or self._retry else state.since(options, source.full_hours, now())
        self.add(connector, taking, known, cursor, options, (lambda: client.requests) if client else lambda: 0)

    def add(
        self,
        connector: Connector,
        taking: Taking,
        known: Known,
        cursor: str = "",
        options: str = "",
        requests: Callable[[], int] = lambda: 0,
    ) -> None:
        self._names.append(taking.source)
        taking.remote = connector.remote
        folder = self._folder / str(len(self._open))
        folder.mkdir()
        read = Reading(connector, known, folder, retry=self._retry, dry_run=self._dry_run)
        self._open[taking.source] = _Open(taking, read, read.steps(cursor), requests, options)

    def report(self, *, strict: bool = False) -> Report:
        """Reads all sources to their ends. With `strict`, one that cannot be read raises SourceError, and nothing of
        this run is published."""
        self._in_steps = not strict and not self._dry_run
        steps = interleave({name: source.steps for name, source in self._open.items()}, _SOURCES_AT_ONCE)
        with closing(steps):
            for _, result in parse_files(self._to_parse(steps, strict), self._settings.ingest):
                self._take(result)
        generation = self._publish(last=True) if not self._dry_run else self._library.generation()
        seconds = time.monotonic() - self._started
        reports = tuple(self._reports[name] for name in self._names)
        return Report(generation, reports, tuple(self._lines), self._embedded, seconds)

    def _to_parse(self, steps: Iterator[tuple[str, Seen | Finished | SourceError]], strict: bool) -> Iterator[Path]:
        """The files to parse; all else that was found is dealt with on the way."""
        for name, step in steps:
            source = self._open[name]
            if isinstance(step, SourceError):
                if strict:
                    raise step
                source.taking.error = str(step)
                self._close_if_done(source)
            elif isinstance(step, Finished):
                source.taking.finished = step
                self._close_if_done(source)
            else:
                self._found += 1
                line = source.taking.settle(self.writer, step)
                if line:
                    self._done_with(step, line)
                else:
                    assert step.fetched
                    source.taking.waiting += 1
                    self._parsing.append((source, step))
                    yield step.fetched.path

    def _take(self, result: Parsed | ParseError) -> None:
        source, seen = self._parsing.popleft()
        other = source.reading.instead(seen) if isinstance(result, ParseError) else None
        if other and other.fetched:
            ((_, result),) = parse_files([other.fetched.path], self._settings.ingest)
        line = source.taking.settle(self.writer, other) if other and not other.fetched else None
        self._done_with(seen, line or source.taking.take(self.writer, other or seen, result))
        if other:
            self._clear(other)
        source.taking.waiting -= 1
        self._close_if_done(source)

    def _clear(self, seen: Seen) -> None:
        if seen.folder:
            shutil.rmtree(seen.folder)

    def _done_with(self, seen: Seen, line: Line) -> None:
        self._done += 1
        if self._progress:
            self._progress(self._done, self._found, line)
        self._clear(seen)
        if self._in_steps and time.monotonic() - self._published > self._settings.ingest.publish_seconds:
            self._publish()

    def _close_if_done(self, source: _Open) -> None:
        """Ends a source that was read, once all of its items are taken."""
        taking = source.taking
        if taking.waiting or not (taking.finished or taking.error):
            return
        if taking.finished:
            for line in taking.finish(self.writer, taking.finished):
                self._found += 1
                self._done += 1
                if self._progress:
                    self._progress(self._done, self._found, line)
            if source.options and not taking.held_back and not self._dry_run:
                before = SourceState.parse(self.writer.state(taking.source))
                after = before.after(taking.finished.cursor, source.options, now(), listed=taking.finished.listed)
                self.writer.set_state(taking.source, after.written())
        self._end(taking, source.requests())

    def _end(self, taking: Taking, requests: int) -> None:
        last_success = SourceState.parse(self.writer.state(taking.source)).read
        nobodys = self.writer.count(taking.source, NOBODY)
        self._reports[taking.source] = taking.report(requests, nobodys, last_success)
        self._lines += taking.lines

    def _publish(self, *, last: bool = False) -> int:
        generation = self.writer.publish()
        self._embedded += self.writer.embedded
        if not last:
            self.writer.go_on(self.embedder)
            self._published = time.monotonic()
        return generation
