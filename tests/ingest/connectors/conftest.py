"""A desk with one source: synced after each change at the source, and compared with one that is built now."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from assistant.library import Library
from assistant.settings import Settings
from ingest.report import Line, Report
from ingest.sources import sources_of
from ingest.sync import sync_sources

if TYPE_CHECKING:
    from assistant.embed import Embedder

SOURCE = "site"


class Desk:
    """A library that reads one source."""

    def __init__(self, section: dict[str, Any], folder: Path, embedder: Embedder) -> None:
        self.section = {"max_removed": 1.0, **section}
        self.library = folder / "library"
        self._folder = folder
        self._embedder = embedder
        self._fresh = 0
        self.steps: list[Line] = []

    def sync(self, **options: Any) -> Report:
        """One run; deletions are allowed unless the test says otherwise."""
        self.steps = []
        return self._sync(self.library, **{"allow_deletions": True, **options})

    def outcomes(self, report: Report) -> dict[str, str]:
        """What became of each item that was not unchanged."""
        return {line.key: f"{line.outcome} {line.reason}".strip() for line in report.lines}

    def contents(self, library: Path | None = None) -> dict[str, Any]:
        """All of a library, whoever may read it, but for what counts its history: documents, chunks, items, rules."""
        connection_of = Library.open(library or self.library)
        with connection_of._connection() as connection:  # a test may see all shelves at once
            documents = connection.execute(
                "SELECT key, revision, title, url, kind, text, sections, pages, authors, created, modified, language,"
                " status, access, (SELECT json_group_array(json_array(start, end, page, chunk.kind, section))"
                " FROM chunk WHERE chunk.document = document.id)"
                " FROM document JOIN shelf ON shelf.id = document.shelf WHERE died IS NULL ORDER BY key"
            ).fetchall()
            items = connection.execute(
                "SELECT key, status, reason, revision, access FROM item JOIN shelf ON shelf.id = item.shelf"
                " WHERE died IS NULL ORDER BY key"
            ).fetchall()
        return {"documents": documents, "items": items}

    def like_fresh(self) -> None:
        """Asserts that the library is as one that is built from the source as it is now."""
        self._fresh += 1
        other = self._folder / f"fresh-{self._fresh}"
        self._sync(other)
        assert self.contents() == self.contents(other)
        assert Library.open(self.library).verify() == []

    def readable(self, *groups: str) -> set[str]:
        """The keys of the documents that somebody in these groups may read."""
        with Library.open(self.library).view(groups) as view:
            return {summary.key for summary in view.summaries()}

    def document(self, key: str, *groups: str) -> dict[str, Any]:
        with Library.open(self.library).view(groups) as view:
            found = view.document(SOURCE, key)
        assert found, f"nobody of {groups or 'everyone'} may read {key}"
        return asdict(found)

    def text(self, key: str, *groups: str) -> str:
        return str(self.document(key, *groups)["text"])

    def _sync(self, library: Path, **options: Any) -> Report:
        settings = Settings(sources={SOURCE: self.section})
        return sync_sources(
            sources_of(settings),
            library,
            settings=settings,
            embedder=self._embedder,
            progress=lambda done, seen, line: self.steps.append(line),
            **options,
        )


@pytest.fixture
def desk(tmp_path: Path, embedder: Embedder) -> Iterator[Callable[[dict[str, Any]], Desk]]:
    """A desk for the section of one source."""
    number = 0

    def made(section: dict[str, Any]) -> Desk:
        nonlocal number
        number += 1
        folder = tmp_path / f"desk-{number}"
        folder.mkdir()
        return Desk(section, folder, embedder)

    return made
