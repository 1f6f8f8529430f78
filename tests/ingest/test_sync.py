"""A real folder that changes: what a run reads again, what it removes, and what it must leave alone."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from assistant import Assistant
from assistant.errors import LibraryLocked, SourceError
from assistant.library import Library
from assistant.types import PUBLIC, Access, Document
from ingest.report import Report
from ingest.sync import build_library

Build = Callable[..., Report]

FILES = {
    "calorimeter.md": "# Calorimeter\n\nIt weighs 2900 tonnes.\n\n## Read-out\n\nLight goes to 9852 tubes.\n",
    "rivers.rst": "Rivers\n======\n\nThe gauge stands at the mill.\n",
    "notes/choir.txt": "The choir rehearses on Thursdays.\n",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "documents"
    for name, text in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


@pytest.fixture
def build(folder: Path, tmp_path: Path, model_cache: Path) -> Build:
    def run(*more: Path, **options: object) -> Report:
        return build_library([folder, *more], tmp_path / "library", **options)  # type: ignore[arg-type]

    return run


@pytest.fixture
def library(tmp_path: Path) -> Path:
    return tmp_path / "library"


def outcomes(report: Report) -> dict[str, str]:
    return {line.key: f"{line.outcome} {line.reason}".strip() for line in report.lines}


def contents(library: Path, groups: tuple[str, ...] = ()) -> tuple[list[Document], list[Any], list[Any]]:
    """All that a caller may see of a library, but for numbers that count its history."""
    assistant = Assistant.open(library).as_user(groups)
    questions = ["How heavy is the calorimeter?", "mill", "When does the choir rehearse?"]
    with assistant._library.view(groups) as view:
        found = []
        for question in questions:
            hits = view.search_dense(assistant._embedder.embed_query(question), 1000)
            found.append([(p.key, p.start, p.end, p.text, p.section, p.score) for p in view.passages(hits, "dense")])
        documents = [d for s in view.summaries() if (d := view.document(s.source, s.key))]
        items = [(i.source, i.key, i.status, i.reason, i.revision) for i in view.items()]
    return documents, found, items


def fresh(folder: Path, tmp_path: Path, **options: object) -> tuple[list[Document], list[Any], list[Any]]:
    """The same of a library that is made now."""
    other = tmp_path / f"fresh-{len(list(tmp_path.iterdir()))}"
    build_library([folder], other, **options)  # type: ignore[arg-type]
    return contents(other)


def test_the_first_run_reads_all_and_the_second_nothing(build: Build, library: Path, folder: Path) -> None:
    first = build()
    assert outcomes(first) == dict.fromkeys(FILES, "new")
    assert first.generation == 1
    assert first.embedded == sum(line.chunks for line in first.lines) >= 3
    before = contents(library)
    again = build()
    assert outcomes(again) == {}
    assert again.count("unchanged") == len(FILES)
    assert (again.generation, again.embedded) == (1, 0)
    assert contents(library) == before


def test_create_modify_rename_delete(build: Build, library: Path, folder: Path, tmp_path: Path) -> None:
    build()
    (folder / "new.md").write_text("# New\n\nA new page.\n")
    (folder / "calorimeter.md").write_text(FILES["calorimeter.md"].replace("2900", "3100"))
    (folder / "rivers.rst").rename(folder / "streams.rst")
    (folder / "notes/choir.txt").unlink()
    report = build()
    assert outcomes(report) == {
        "new.md": "new",
        "calorimeter.md": "changed",
        "streams.rst": "moved",
        "notes/choir.txt": "removed",
    }
    # The renamed file's and the untouched section's text are known.
    assert report.embedded == 2
    assert report.generation == 2
    assert contents(library) == fresh(folder, tmp_path)
    found = Assistant.open(library).search("How heavy is the calorimeter?", 1)
    assert "3100" in found[0].text


def test_a_touch_reads_nothing(build: Build, folder: Path) -> None:
    build()
    os.utime(folder / "calorimeter.md", (1, 1))
    report = build()
    assert outcomes(report) == {}
    assert (report.embedded, report.generation) == (0, 1)


def test_a_file_that_breaks_and_is_mended(build: Build, library: Path, folder: Path, tmp_path: Path) -> None:
    build()
    good = (folder / "rivers.rst").read_text()
    (folder / "rivers.rst").write_bytes(b"\0\1\2" * 100)
    (folder / "empty.md").write_text("")
    broken = build()
    assert outcomes(broken)["rivers.rst"] == "failed corrupt"
    assert outcomes(broken)["empty.md"] == "failed empty"
    assert outcomes(broken).keys() == {"rivers.rst", "empty.md"}
    assert Assistant.open(library).document("documents", "rivers.rst") is None

    again = build()
    assert outcomes(again) == outcomes(broken)  # said again, though not tried again
    assert again.generation == broken.generation
    assert all("not tried again" in line.detail for line in again.lines if line.outcome == "failed")
    assert outcomes(build(retry=True)) == outcomes(broken)

    (folder / "rivers.rst").write_text(good)
    (folder / "empty.md").write_text("No longer empty.")
    mended = build()
    assert outcomes(mended) == {"rivers.rst": "new", "empty.md": "new"}
    assert contents(library) == fresh(folder, tmp_path)


def test_indexing_again_without_naming_readers_keeps_them(build: Build, library: Path) -> None:
    build(access=Access.of("hr"))
    (library.parent / "documents" / "new.md").write_text("# New\n\nSalaries rise by 3 %.\n")
    build()
    assert Assistant.open(library).documents() == []
    assert len(Assistant.open(library).as_user({"hr"}).documents()) == len(FILES) + 1


def test_other_readers_move_documents_without_embedding(
    build: Build, library: Path, folder: Path, tmp_path: Path
) -> None:
    (folder / "broken.pdf").write_bytes(b"%PDF-1.4 no")
    (folder / "data.bin").write_bytes(b"x")
    build()
    board = Access.of("board")
    moved = build(access=board)
    assert moved.count("unchanged") == len(FILES)
    assert moved.sources[0].access_changed == len(FILES) + 2
    assert moved.embedded == 0
    assert contents(library) == ([], [[], [], []], [])  # not even what failed
    documents, _, items = contents(library, ("board",))
    assert (len(documents), len(items)) == (3, 5)
    assert {d.access for d in documents} == {board}
    before = contents(library, ("board",))[1]
    build(access=PUBLIC)
    assert contents(library)[1] == before


def test_links(build: Build, library: Path, folder: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret.md"
    secret.write_text("The password is swordfish.")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/page.md").write_text("The password is swordfish.")
    (folder / "out.md").symlink_to(secret)
    (folder / "folder").symlink_to(tmp_path / "elsewhere")
    (folder / "dangling.md").symlink_to(folder / "nowhere.md")
    (folder / "ring.md").symlink_to(folder / "ring2.md")
    (folder / "ring2.md").symlink_to(folder / "ring.md")
    (folder / "notes/up").symlink_to(folder)
    (folder / "inside.md").symlink_to(folder / "calorimeter.md")
    found = outcomes(build())
    outside = {key for key, outcome in found.items() if outcome == "skipped outside_root"}
    assert outside == {"out.md", "folder", "dangling.md", "ring.md", "ring2.md", "notes/up"}
    assert found["inside.md"] == "new"
    assert not any("swordfish" in p.text for p in Assistant.open(library).search("password swordfish", 100))


def test_pipes_and_odd_names(build: Build, library: Path, folder: Path, tmp_path: Path) -> None:
    os.mkfifo(folder / "pipe.md")
    names = [b"d\xe9j\xe0 vu.md", "ü 😀.md".encode(), b"new\nline.md", b"x" * 251 + b".md", b"-rf.md", b"%s [b].md"]
    for name in names:
        (Path(os.fsdecode(os.fsencode(folder))) / os.fsdecode(name)).write_text("Some text without a heading.\n")
    found = outcomes(build())
    assert found.pop("pipe.md") == "skipped unsupported"
    assert set(found.values()) == {"new"}
    assert len(found) == len(FILES) + len(names)
    assert "d\\xe9j\\xe0 vu.md" in found
    assert outcomes(build()) == {"pipe.md": "skipped unsupported"}


def test_the_library_in_the_folder_and_version_control_are_left_out(folder: Path) -> None:
    (folder / ".git").mkdir()
    (folder / ".git/notes.md").write_text("not a document")
    assert outcomes(build_library([folder], folder / "library")) == dict.fromkeys(FILES, "new")
    assert outcomes(build_library([folder], folder / "library")) == {}


def test_two_folders_of_one_name_are_two_sources(build: Build, library: Path, folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other/documents"
    other.mkdir(parents=True)
    (other / "calorimeter.md").write_text("# Another calorimeter\n\nIt weighs 5 tonnes.\n")
    report = build(other)
    assert {line.source for line in report.lines} == {"documents", "documents-2"}
    assistant = Assistant.open(library)
    assert {p.source for p in assistant.search("calorimeter", 100)} == {"documents", "documents-2"}
    assert {p.source for p in assistant.search("calorimeter", 100, sources=["documents-2"])} == {"documents-2"}
    # Each keeps its name, and one alone leaves the other as it is.
    (other / "calorimeter.md").unlink()
    assert outcomes(build_library([other], library, allow_deletions=True)) == {"calorimeter.md": "removed"}
    assert outcomes(build()) == {}


def test_a_single_file_is_a_source(folder: Path, library: Path) -> None:
    report = build_library([folder / "rivers.rst"], library)
    assert [(line.source, line.key, line.outcome) for line in report.lines] == [("rivers.rst", "rivers.rst", "new")]


def test_an_emptied_folder_removes_nothing(build: Build, library: Path, folder: Path) -> None:
    """As a drive that is not mounted."""
    build()
    before = contents(library)
    for name in FILES:
        (folder / name).unlink()
    report = build()
    assert (outcomes(report), report.sources[0].held_back) == ({}, len(FILES))
    assert contents(library) == before
    assert outcomes(build(allow_deletions=True)) == dict.fromkeys(FILES, "removed")
    assert contents(library) == ([], [[], [], []], [])


def test_a_missing_path_changes_nothing(build: Build, library: Path, folder: Path) -> None:
    build()
    before = contents(library)
    (folder / "new.md").write_text("new")
    with pytest.raises(SourceError, match="nothing removed"):
        build(folder / "not-there")
    folder.rename(folder.with_name("away"))
    with pytest.raises(SourceError, match="nothing removed"):
        build()
    assert contents(library) == before


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_unreadable_files_and_folders(build: Build, library: Path, folder: Path) -> None:
    build()
    before = contents(library)
    (folder / "notes").chmod(0)
    with pytest.raises(SourceError, match="cannot be listed"):
        build()
    (folder / "notes").chmod(0o755)
    assert contents(library) == before
    (folder / "new.md").write_text("A new page.")
    (folder / "new.md").chmod(0)
    assert outcomes(build())["new.md"] == "failed unreadable"
    (folder / "new.md").chmod(0o644)
    assert outcomes(build())["new.md"] == "new"


def test_a_run_that_is_refused_changes_nothing(build: Build, library: Path, folder: Path) -> None:
    build()
    before = contents(library)
    (folder / "new.md").write_text("new")
    assistant = Assistant.open(library)
    with Library.open(library).writer(assistant._embedder), pytest.raises(LibraryLocked):
        build()
    assert contents(library) == before
    assert outcomes(build())["new.md"] == "new"


def test_every_file_is_accounted_for(build: Build, library: Path, folder: Path) -> None:
    (folder / "broken.pdf").write_bytes(b"%PDF-1.4 no")
    (folder / "data.bin").write_bytes(b"x")
    (folder / "no suffix").write_text("x")
    steps: list[tuple[int, int, str]] = []
    report = build(progress=lambda done, seen, line: steps.append((done, seen, line.key)))
    on_disk = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    assert {line.key for line in report.lines} == on_disk
    assert {i.key for i in Assistant.open(library).status().items} == on_disk
    assert [done for done, _, _ in steps] == list(range(1, 7))
    assert {key for _, _, key in steps} == on_disk
    assert all(done <= seen <= 6 for done, seen, _ in steps)
    assert report.count("failed") == 1
    assert report.count("skipped") == 2


def test_what_was_removed_leaves_the_disk(build: Build, library: Path, folder: Path) -> None:
    (folder / "secret.md").write_text("The password is swordfish.")
    build()
    assert b"swordfish" in (library / "catalog.sqlite").read_bytes()
    (folder / "secret.md").unlink()
    build()
    (folder / "new.md").write_text("Until now, a rollback could have brought it back.")
    build()
    assert not any(b"swordfish" in file.read_bytes() for file in library.rglob("*") if file.is_file())
    assert not any(p.key == "secret.md" for p in Assistant.open(library).search("swordfish", 100))
