"""A real folder, synced."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from assistant.errors import SettingsError
from assistant.settings import Settings
from ingest.sources import sources_of
from ingest.sync import sync_sources

if TYPE_CHECKING:
    from conftest import Desk  # type: ignore[import-not-found]

    from assistant.embed import Embedder

FILES = {
    "magnets.md": "# Magnets\n\nThe solenoid gives 2 tesla.\n",
    "notes/choir.md": "# Choir\n\nIt rehearses on Thursdays.\n",
    "notes/draft.md": "# Draft\n\nNot yet done.\n",
    "table.txt": "Gauges stand at the mill.\n",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "documents"
    for name, text in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def test_each_change_takes_one_sync(desk: Callable[[dict[str, Any]], Desk], folder: Path) -> None:
    site = desk({"kind": "folder", "path": str(folder), "readers": ["atlas"], "exclude": ["draft*"]})
    assert set(site.outcomes(site.sync()).values()) == {"new"}
    assert site.readable("atlas") == {"magnets.md", "notes/choir.md", "table.txt"}
    assert site.readable("cms") == set()
    assert site.outcomes(site.sync()) == {}

    (folder / "magnets.md").write_text(FILES["magnets.md"].replace("2 tesla", "4 tesla"))
    (folder / "new.md").write_text("# New\n\nA new page.\n")
    (folder / "table.txt").rename(folder / "gauges.txt")
    (folder / "notes/choir.md").unlink()
    report = site.sync()
    assert site.outcomes(report) == {
        "magnets.md": "changed",
        "new.md": "new",
        "gauges.txt": "moved",
        "notes/choir.md": "removed",
    }
    site.like_fresh()
    assert "4 tesla" in site.text("magnets.md", "atlas")


def test_other_readers_in_the_settings_move_documents_without_embedding(
    desk: Callable[[dict[str, Any]], Desk], folder: Path
) -> None:
    site = desk({"kind": "folder", "path": str(folder), "readers": ["atlas"]})
    site.sync()
    site.section["readers"] = ["cms", "lhcb"]
    report = site.sync()
    assert (report.sources[0].access_changed, report.embedded) == (4, 0)
    assert site.readable("atlas") == set()
    assert len(site.readable("lhcb")) == 4
    site.like_fresh()


def test_vanished_items_are_held_back(desk: Callable[[dict[str, Any]], Desk], folder: Path) -> None:
    site = desk({"kind": "folder", "path": str(folder), "readers": ["everyone"], "max_removed": 0.3})
    site.sync()
    before = site.contents()
    (folder / "table.txt").unlink()
    report = site.sync(allow_deletions=False)
    assert (report.sources[0].held_back, report.count("removed")) == (0, 1)  # 1 of 4 is 25 %
    (folder / "magnets.md").unlink()
    report = site.sync(allow_deletions=False)
    assert (report.sources[0].held_back, report.count("removed")) == (1, 0)  # 1 of 3 is 33 %
    assert not report.sources[0].trusted
    assert len(site.contents()["documents"]) == len(before["documents"]) - 1
    assert site.outcomes(site.sync()) == {"magnets.md": "removed"}
    site.like_fresh()


def test_a_dry_run_says_what_would_be_done_and_does_nothing(
    desk: Callable[[dict[str, Any]], Desk], folder: Path, tmp_path: Path
) -> None:
    site = desk({"kind": "folder", "path": str(folder), "readers": ["everyone"]})
    assert set(site.outcomes(site.sync(dry_run=True)).values()) == {"new"}
    assert not site.library.exists()
    site.sync()
    before = site.contents()
    (folder / "magnets.md").write_text("changed")
    (folder / "table.txt").unlink()
    assert site.outcomes(site.sync(dry_run=True)) == {"magnets.md": "changed", "table.txt": "removed"}
    assert site.contents() == before
    assert site.outcomes(site.sync()) == {"magnets.md": "changed", "table.txt": "removed"}


def test_a_source_that_is_not_there_leaves_the_others_alone(folder: Path, tmp_path: Path, embedder: Embedder) -> None:
    readers = {"kind": "folder", "readers": ["everyone"]}
    settings = Settings(
        sources={"docs": {**readers, "path": str(folder)}, "gone": {**readers, "path": str(tmp_path / "nowhere")}}
    )
    report = sync_sources(sources_of(settings), tmp_path / "library", embedder=embedder)
    by_name = {source.source: source for source in report.sources}
    assert by_name["docs"].counts["new"] == 4
    assert "nothing at" in by_name["gone"].error.lower()


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ({"kind": "folder", "path": "x"}, "must say who may read it"),
        ({"kind": "folder", "path": "x", "readers": []}, "lets nobody read"),
        ({"kind": "floppy"}, "'floppy', which is unknown. The kinds are: arxiv"),
        ({"kind": "foldr"}, "Did you mean 'folder'"),
        ({"path": "x"}, "has no kind. The kinds are: arxiv"),
        ({"kind": "folder", "path": "x", "reader": ["a"]}, r"reader is unknown; did you mean readers\?"),
        ({"kind": "folder", "readers": ["a"]}, "path is missing"),
        ({"kind": "folder", "path": "x", "readers": "a"}, "readers is to be a list"),
        ({"kind": "folder", "path": "x", "readers": ["a"], "exclude": ["[z-a]"]}, "is wrong"),
        ({"kind": "folder", "path": "x", "readers": ["a"], "max_removed": 10}, "max_removed is to be less than or equ"),
        ({"kind": "arxiv", "readers": ["a"]}, "is wrong: give either query or ids"),
        ({"kind": "indico", "url": "x", "categories": []}, "categories: Tuple should have at least 1 item"),
        ({"kind": "twiki_folder", "data": "x", "engine": "foswki"}, "engine is to be 'twiki' or 'foswiki'"),
    ],
)
def test_wrong_settings_say_what_is_wrong(section: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        sources_of(Settings(sources={"docs": section}))
