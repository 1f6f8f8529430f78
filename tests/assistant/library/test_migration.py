"""A library that Refdesk 0.1 made (`format1`, of documents written for this test) is brought up to date."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from assistant.errors import LibraryError, LibraryTooOld
from assistant.library import Library
from assistant.library.migration import migrate

if TYPE_CHECKING:
    from assistant.embed import Embedder


@pytest.fixture
def old(tmp_path: Path) -> Path:
    folder = tmp_path / "library"
    shutil.copytree(Path(__file__).parent / "format1", folder)
    return folder


def test_an_older_format_is_refused_with_the_way_out(old: Path) -> None:
    with pytest.raises(LibraryTooOld, match="refdesk migrate --library"):
        Library.open(old)


def test_a_migrated_library_holds_the_same(old: Path, embedder: Embedder) -> None:
    steps: list[tuple[int, int]] = []
    assert migrate(old, embedder, lambda done, total: steps.append((done, total))) == 3
    assert steps == [(1, 3), (2, 3), (3, 3)]
    library = Library.open(old)
    library.require(embedder)
    assert library.verify() == []
    with library.view() as view:
        assert [(s.key, s.chunks) for s in view.summaries()] == [("magnets.md", 2), ("odd.md", 2)]
        assert {(i.key, i.status, i.reason) for i in view.items()} == {
            ("magnets.md", "indexed", ""),
            ("odd.md", "indexed", ""),
            ("scan.pdf", "failed", "needs_ocr"),
        }
        assert view.search_lexical("budget", 5) == []
        odd = view.document("documents", "odd.md")
        (passage,) = view.passages(view.search_lexical("emoji", 5), "lexical")
        nearest = view.passages(view.search_dense(embedder.embed_query("How strong is the solenoid?"), 1), "dense")
    assert odd
    assert odd.text == "Ünïcode – “quoted” 1.5 µm.\n\n😀 After an emoji."
    assert (odd.title, odd.revision, odd.pages, odd.sections[0].path) == ("Odd", "r-odd", (0,), ("Odd",))
    assert (passage.text, passage.start, passage.page, passage.section) == ("😀 After an emoji.", 28, 1, ("Odd",))
    assert nearest[0].text == "The solenoid gives a field of 2 tesla."
    with library.view({"board"}) as view:
        assert [p.key for p in view.passages(view.search_lexical("budget", 5), "lexical")] == ["budget.md"]
    assert {file.name for file in old.iterdir() if not file.name.endswith(("-wal", "-shm"))} == {
        "catalog.sqlite",
        "published",
        "segments",
        "writer.lock",
    }
    with library.writer(embedder) as writer:
        assert writer.source_name("/srv/meridian/documents", "other") == "documents"


def test_there_is_nothing_to_migrate_twice(old: Path, embedder: Embedder) -> None:
    migrate(old, embedder)
    with pytest.raises(LibraryError, match="nothing to migrate"):
        migrate(old, embedder)


def test_format_2_gets_the_new_columns(tmp_path: Path, embedder: Embedder) -> None:
    """`format2` was made by the last Refdesk that wrote it."""
    folder = tmp_path / "library"
    shutil.copytree(Path(__file__).parent / "format2", folder)
    with pytest.raises(LibraryTooOld, match="refdesk migrate --library"):
        Library.open(folder)
    assert migrate(folder, embedder) == 1
    library = Library.open(folder)
    assert library.verify() == []
    with library.view() as view:
        document = view.document("docs", "magnets.md")
        hits = view.search_lexical("tesla", 5)
        assert [p.text for p in view.passages(hits, "lexical")] == [
            "# Magnets\n\nThe solenoid gives a field of 2 tesla."
        ]
    assert document
    assert (document.authors, document.created, document.modified, document.status) == ((), "", "", "")
    with pytest.raises(LibraryError, match="nothing to migrate"):
        migrate(folder, embedder)
