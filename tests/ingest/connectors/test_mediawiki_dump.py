"""Dumps as MediaWiki writes them: whole, compressed, cut, and larger than what may be held in memory."""

from __future__ import annotations

import bz2
import gzip
import lzma
import tracemalloc
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import pytest

from assistant.errors import FetchError, SourceError
from assistant.types import PUBLIC
from ingest.connectors.connector import Listed
from ingest.connectors.mediawiki.dump import MediaWikiDump, MediaWikiDumpOptions

HEAD = """<mediawiki xmlns="http://www.mediawiki.org/xml/export-0.11/" version="0.11" xml:lang="en">
  <siteinfo>
    <sitename>Test Wiki</sitename>
    <base>https://wiki.example.org/wiki/Main_Page</base>
  </siteinfo>
"""


def page(number: int, title: str, *texts: str, space: int = 0, extra: str = "", model: str = "wikitext") -> str:
    revisions = "".join(
        f"<revision><id>{number * 100 + n}</id><timestamp>2026-01-0{n + 1}T00:00:00Z</timestamp>"
        f"<contributor><username>Ada {n}</username><id>1</id></contributor><model>{model}</model>"
        f'<text bytes="1" xml:space="preserve">{escape(text)}</text></revision>\n'
        for n, text in enumerate(texts)
    )
    return f"<page>\n<title>{escape(title)}</title><ns>{space}</ns><id>{number}</id>{extra}\n{revisions}</page>\n"


DUMP = (
    HEAD
    + page(7, "Calorimeter & more", "Old.", "It weighs <b>2900</b> tonnes; <page> is no tag.")
    + page(8, "Redirect", "#REDIRECT [[X]]", extra='<redirect title="X" />')
    + page(9, "Talk:Calorimeter", "Chatter.", space=1)
    + page(10, "Style", "body {}", model="css")
    + page(11, "Größe/Teil 1", "Übergröße.")
    + "</mediawiki>\n"
)


def opened(path: Path, **more: Any) -> MediaWikiDump:
    return MediaWikiDump(MediaWikiDumpOptions(kind="mediawiki_dump", path=str(path), **more))


def listed(connector: MediaWikiDump) -> dict[str, Listed]:
    return {item.key: item for item in connector.list()}


@pytest.fixture
def dump(tmp_path: Path) -> Path:
    path = tmp_path / "dump.xml"
    path.write_text(DUMP)
    return path


def text_of(connector: MediaWikiDump, item: Listed, folder: Path) -> str:
    folder.mkdir(exist_ok=True)
    return connector.fetch(item, folder).path.read_text()


@pytest.mark.parametrize("pack", [bytes, bz2.compress, gzip.compress, lzma.compress])
def test_pages_of_a_dump(tmp_path: Path, pack: Any) -> None:
    path = tmp_path / "dump"
    path.write_bytes(pack(DUMP.encode()))
    connector = opened(path)
    items = listed(connector)
    assert set(items) == {"7", "10", "11"}
    assert {item.access for item in items.values()} == {PUBLIC}
    assert items["10"].refused == ("unsupported", "its content is css, not wikitext")
    folder = tmp_path / "folder"
    folder.mkdir()
    got = connector.fetch(items["7"], folder)
    assert got.path.read_text() == "It weighs <b>2900</b> tonnes; <page> is no tag."
    assert got.path.suffix == ".mediawiki"
    assert (got.title, got.revision, got.authors) == ("Calorimeter & more", "701", ("Ada 1",))
    assert got.modified == "2026-01-02T00:00:00Z"
    assert got.url == "https://wiki.example.org/wiki/Calorimeter_%26_more"
    assert items["7"].stamp == f"701 {got.url}"
    assert connector.fetch(items["11"], folder).url == "https://wiki.example.org/wiki/Gr%C3%B6%C3%9Fe/Teil_1"
    assert set(listed(opened(path, namespaces=(1,)))) == {"9"}


def test_the_same_file_has_no_changes(dump: Path) -> None:
    since = opened(dump).cursor()
    changes = opened(dump).changes(since, ())
    assert changes is not None
    assert list(changes) == []
    assert opened(dump).changes(since, ("7",)) is None
    dump.write_text(DUMP + "\n")
    assert opened(dump).changes(since, ()) is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (DUMP[:-20], "it is cut"),
        (DUMP[: DUMP.index("Größe")], "it is cut"),
        (DUMP[: DUMP.index("  <siteinfo>")], "it is cut"),
        ("", "no XML dump"),
        ("<html><form>Sign in</form></html>", "no XML dump"),
        (DUMP.replace("<id>11</id>", "<id>7</id>"), "page 7 twice"),
        (DUMP.replace("<ns>1</ns>", "<ns>1</n>"), "no XML"),
        (DUMP.replace("<id>11</id>", ""), "without a number"),
    ],
)
def test_what_is_no_whole_dump_is_refused(dump: Path, text: str, said: str) -> None:
    dump.write_text(text)
    with pytest.raises(SourceError, match=said):
        listed(opened(dump))


def test_a_compressed_dump_that_is_cut(tmp_path: Path) -> None:
    path = tmp_path / "dump.bz2"
    path.write_bytes(bz2.compress(DUMP.encode())[:-10])
    with pytest.raises(SourceError, match="cannot be read"):
        listed(opened(path))
    with pytest.raises(SourceError, match="cannot be read"):
        listed(opened(tmp_path / "nothing.xml"))


def test_a_dump_that_is_replaced_while_it_is_read(dump: Path, tmp_path: Path) -> None:
    connector = opened(dump)
    items = listed(connector)
    dump.write_text(DUMP.replace("Calorimeter &amp; more", "Calorimeter"))
    with pytest.raises(FetchError, match="replaced"):
        connector.fetch(items["11"], tmp_path)


def test_a_large_dump_needs_little_memory(tmp_path: Path) -> None:
    path = tmp_path / "dump.xml"
    with path.open("w") as out:
        out.write(HEAD)
        for number in range(1, 2001):
            out.write(page(number, f"Page {number}", "word " * 5000))
        out.write("</mediawiki>")
    assert path.stat().st_size > 45e6
    connector = opened(path)
    tracemalloc.start()
    items = listed(connector)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(items) == 2000
    assert peak < 12e6
    assert text_of(connector, items["1999"], tmp_path / "f") == "word " * 5000


def test_a_desk_follows_dumps(desk: Any, dump: Path) -> None:
    d = desk({"kind": "mediawiki_dump", "path": str(dump), "readers": ["atlas"]})
    assert d.sync().sources[0].error == ""
    assert d.readable("atlas") == {"7", "11"}
    assert d.readable() == set()
    d.like_fresh()
    dump.write_text(DUMP.replace("Größe/Teil 1", "Masse").replace("2900", "3100").replace("<id>701<", "<id>702<"))
    report = d.sync()
    assert d.outcomes(report) == {"7": "changed", "10": "skipped unsupported", "11": "moved"}
    assert "3100" in d.text("7", "atlas")
    d.like_fresh()
    dump.write_text(HEAD + page(7, "Only", "This is left.") + "</mediawiki>")
    d.sync()
    d.like_fresh()
    assert d.readable("atlas") == {"7"}
    dump.write_text(HEAD)
    assert d.sync().sources[0].error
    assert d.readable("atlas") == {"7"}
