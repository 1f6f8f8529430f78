"""Readers of LlamaIndex as sources: the real SimpleDirectoryReader and JSONReader, and readers that misbehave."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest

from assistant.errors import SettingsError, SourceError
from assistant.settings import Settings
from assistant.types import PUBLIC
from ingest.connectors.llama_index import LlamaIndex, LlamaIndexOptions, _facts
from ingest.sources import sources_of

if TYPE_CHECKING:
    from conftest import Desk  # type: ignore[import-not-found]

DIRECTORY = "llama_index.core.SimpleDirectoryReader"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "notes"
    root.mkdir()
    (root / "choir.txt").write_text("The choir rehearses on Thursdays.\n")
    (root / "mill.txt").write_text("The gauge stands at the mill.\n")
    return root


@pytest.fixture
def readers(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A module to put readers into."""
    made = ModuleType("made_up_readers")
    monkeypatch.setitem(sys.modules, "made_up_readers", made)
    return made


def reader(**options: Any) -> LlamaIndex:
    return LlamaIndex(LlamaIndexOptions(**options))


def test_the_files_of_a_directory(folder: Path, tmp_path: Path) -> None:
    source = reader(reader=DIRECTORY, arguments={"input_dir": str(folder)})
    items = {item.key: item for item in source.list()}
    assert items.keys() == {str(folder / "choir.txt"), str(folder / "mill.txt")}
    assert {item.access for item in items.values()} == {PUBLIC}
    assert {key: item.stamp for key, item in items.items()} == {item.key: item.stamp for item in source.list()}
    got = source.fetch(items[str(folder / "choir.txt")], tmp_path)
    assert got.path.read_text() == "The choir rehearses on Thursdays.\n"
    assert got.title == "choir.txt"
    assert got.modified == datetime.now(UTC).date().isoformat()
    assert got.path.suffix == ".txt"


def test_documents_without_a_name_are_known_by_their_content(tmp_path: Path) -> None:
    (tmp_path / "lines.json").write_text(json.dumps({"weight": "2900 tonnes"}))
    options: dict[str, Any] = {
        "reader": "llama_index.core.readers.json.JSONReader",
        "load": {"input_file": str(tmp_path / "lines.json")},
    }
    (first,) = reader(**options).list()
    (again,) = reader(**options).list()
    assert (first.key, first.stamp) == (again.key, again.stamp)
    assert "2900 tonnes" in first.hint[1]


def test_several_documents_of_one_name_are_numbered(readers: ModuleType) -> None:
    from llama_index.core import Document

    class Pages:
        def load_data(self) -> list[Any]:
            return [Document(text=f"page {n}", metadata={"file_path": "a.pdf", "page_label": str(n)}) for n in (1, 2)]

    readers.Pages = Pages  # type: ignore[attr-defined]
    assert [item.key for item in reader(reader="made_up_readers.Pages").list()] == ["a.pdf", "a.pdf#2"]


def test_what_metadata_says() -> None:
    assert _facts(
        {
            "title": " The mill ", "author": "Meitner, Lise", "created_at": "2026-03-01T12:00:00+01:00", "lang": "de",
            "last_modified_date": date(2026, 3, 2), "source": "https://example.org/mill", "date": "soon",
        }
    ) == {
        "url": "https://example.org/mill", "title": "The mill", "authors": ("Meitner, Lise",), "language": "de",
        "created": "2026-03-01T11:00:00Z", "modified": "2026-03-02",
    }  # fmt: skip
    assert _facts({"authors": ["A", "B"], "created": "yesterday", "language": 7, "url": "ftp://x"}) == {
        "url": "", "title": "", "authors": ("A", "B"), "created": "", "modified": "", "language": "",
    }  # fmt: skip


def test_whatever_a_reader_raises_is_a_source_that_was_not_read(
    readers: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Broken:
        def __init__(self, token: str) -> None:
            self.token = token

        def load_data(self, what: str) -> list[Any]:
            if what == "text":
                return ["a text"]
            raise RuntimeError(f"cannot sign in with {self.token}")

    readers.Broken = Broken  # type: ignore[attr-defined]
    monkeypatch.setenv("A_TOKEN", "swordfish")
    given: dict[str, Any] = {"reader": "made_up_readers.Broken", "secrets": {"token": "A_TOKEN"}}
    with pytest.raises(SourceError, match=r"Broken failed: RuntimeError: cannot sign in with \*\*\*\. Nothing was"):
        list(reader(**given, load={"what": "all"}).list())
    with pytest.raises(SourceError, match="loaded a str, which is no document"):
        list(reader(**given, load={"what": "text"}).list())
    with pytest.raises(SourceError, match="TypeError"):
        list(reader(**given).list())
    monkeypatch.delenv("A_TOKEN")
    with pytest.raises(SettingsError, match="A_TOKEN is to hold a secret, but is not set"):
        list(reader(**given).list())
    assert "swordfish" not in reader(**given).root


@pytest.mark.parametrize("name", ["no.such.Reader", "llama_index.core.NoReader", "Reader", "json.JSONDecoder"])
def test_a_name_that_is_no_reader(name: str) -> None:
    with pytest.raises(SettingsError, match=f"reader = '{name}'"):
        list(reader(reader=name).list())


def test_who_may_read_must_be_said() -> None:
    with pytest.raises(SettingsError, match="must say who may read it"):
        sources_of(Settings(sources={"notes": {"kind": "llama_index", "reader": DIRECTORY}}))


def test_each_change_takes_one_sync(desk: Callable[[dict[str, Any]], Desk], folder: Path) -> None:
    site = desk(
        {"kind": "llama_index", "reader": DIRECTORY, "arguments": {"input_dir": str(folder)}, "readers": ["atlas"]}
    )
    assert set(site.outcomes(site.sync()).values()) == {"new"}
    assert site.readable("atlas") == {str(folder / "choir.txt"), str(folder / "mill.txt")}
    assert site.readable() == set()
    assert site.outcomes(site.sync()) == {}
    (folder / "choir.txt").write_text("The choir rehearses on Fridays.\n")
    (folder / "new.txt").write_text("A new note.\n")
    (folder / "mill.txt").unlink()
    assert site.outcomes(site.sync()) == {
        str(folder / "choir.txt"): "changed",
        str(folder / "new.txt"): "new",
        str(folder / "mill.txt"): "removed",
    }
    site.like_fresh()
    for file in folder.iterdir():
        file.unlink()
    assert "ValueError: No files found" in site.sync().sources[0].error
    assert site.readable("atlas") == {str(folder / "choir.txt"), str(folder / "new.txt")}
