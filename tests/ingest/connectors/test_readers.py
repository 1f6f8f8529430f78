"""Sources without rules of their own: their readers are restricted and let in again by the settings."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from conftest import Desk  # type: ignore[import-not-found]

DUMP = """<mediawiki xmlns="http://www.mediawiki.org/xml/export-0.11/" version="0.11" xml:lang="en">
<siteinfo><sitename>Wiki</sitename><base>https://wiki.example.org/wiki/Main_Page</base>
<namespaces><namespace key="0" case="first-letter" /></namespaces></siteinfo>
<page><title>Magnets</title><ns>0</ns><id>7</id><revision><id>70</id><timestamp>2026-01-02T03:04:05Z</timestamp>
<model>wikitext</model><format>text/x-wiki</format><text>The solenoid gives 2 tesla.</text></revision></page>
</mediawiki>"""


def git(folder: Path) -> dict[str, Any]:
    for arguments in (["init", "-q", "-b", "main"], ["add", "magnets.md"], ["commit", "-q", "-m", "Magnets"]):
        who = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org"]
        subprocess.run(["git", "-C", str(folder), *who, *arguments], check=True)
    return {"kind": "git", "url": str(folder)}


def llama_index(folder: Path) -> dict[str, Any]:
    reader = "llama_index.core.SimpleDirectoryReader"
    return {"kind": "llama_index", "reader": reader, "arguments": {"input_dir": str(folder), "filename_as_id": True}}


def mediawiki_dump(folder: Path) -> dict[str, Any]:
    (folder / "dump.xml").write_text(DUMP)
    return {"kind": "mediawiki_dump", "path": str(folder / "dump.xml")}


def files(folder: Path) -> dict[str, Any]:
    return {"kind": "folder", "path": str(folder)}


@pytest.mark.parametrize("source", [files, git, llama_index, mediawiki_dump], ids=lambda source: source.__name__)
def test_restricted_and_let_in_again(
    source: Callable[[Path], dict[str, Any]], desk: Callable[[dict[str, Any]], Desk], tmp_path: Path
) -> None:
    folder = tmp_path / "source"
    folder.mkdir()
    (folder / "magnets.md").write_text("# Magnets\n\nThe solenoid gives 2 tesla.\n")
    site = desk({**source(folder), "readers": ["everyone"]})
    site.sync()
    everything = site.readable()
    assert len(everything) == 1
    for readers in (["board"], ["everyone"]):
        site.section["readers"] = readers
        report = site.sync()
        assert (report.embedded, report.sources[0].access_changed) == (0, 1)
        assert (site.readable(), site.readable("board")) == (
            everything if readers == ["everyone"] else set(),
            everything,
        )
        site.like_fresh()
