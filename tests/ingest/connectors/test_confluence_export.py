"""An XML export of a Confluence says the same of its items as the Confluence itself."""

from __future__ import annotations

import importlib.util
import sys
import tracemalloc
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from assistant.errors import FetchError, SourceError
from assistant.settings import IngestSettings
from assistant.types import PUBLIC, Access
from ingest.access import NOBODY
from ingest.connectors.confluence.export import ConfluenceExport, ConfluenceExportOptions
from ingest.connectors.confluence.site import Confluence, ConfluenceOptions
from ingest.connectors.connector import Connector, Fetched
from ingest.fetch import Client
from ingest.parse.choose import parse


def _module(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        f"server_{name}", Path(__file__).parents[2] / "servers" / f"{name}.py"
    )
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


write_export = _module("confluence_export").write_export


@pytest.fixture
def site() -> Iterator[Any]:
    with _module("confluence").Confluence() as running:
        yield running


def exported(path: Path, **options: Any) -> ConfluenceExport:
    return ConfluenceExport(ConfluenceExportOptions(kind="confluence_export", path=str(path), **options))


def rules(connector: Connector) -> dict[str, Access]:
    return {item.key: item.access for item in connector.list()}


def contents(connector: Connector, folder: Path) -> dict[str, tuple[Fetched, bytes]]:
    found = {}
    for item in connector.list():
        if not item.refused:
            into = folder / item.key.replace("/", "-")
            into.mkdir(parents=True)
            fetched = connector.fetch(item, into)
            found[item.key] = (replace(fetched, path=Path(fetched.path.name)), fetched.path.read_bytes())
    return found


def filled(site: Any) -> str:
    """A space with all there is; returns the first page."""
    site.space("PHY", groups=("physics", "everyone"), users=("carl",))
    site.space("OPEN", groups=("physics",), anonymous=True)
    top = site.page("PHY", "Detector & more", "<p>It weighs 7000 t.</p>", labels=("old", "x"))
    code = "<ac:plain-text-body><![CDATA[if x > 1:]]></ac:plain-text-body>"
    macro = f'<ac:structured-macro ac:name="code">{code}</ac:structured-macro><p>&Delta;E</p>'
    middle = site.page("PHY", "Middle", macro, parent=top)
    leaf = site.page("PHY", "Leaf", "<p>3</p>", parent=middle)
    site.page("OPEN", "Visits", "<p>Saturdays</p>", type="blogpost")
    site.restrict(top, groups=("staff",), users=("dora",))
    site.restrict(leaf, groups=("board",))
    site.attach(leaf, "notes.txt", b"Quench", "text/plain")
    site.attach(leaf, "hall.jpg", b"jpeg")
    site.edit(middle)
    return str(top)


def test_it_says_what_the_site_says(site: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    filled(site)
    monkeypatch.setenv("WIKI_TOKEN", "s3cret")
    labels = {"old": "superseded"}
    options = ConfluenceOptions(
        kind="confluence",
        url=site.url,
        allow=(site.host,),
        requests_per_second=1000,
        secret_env="WIKI_TOKEN",
        status_labels=labels,
    )
    write_export(site, tmp_path / "export.zip", old=("<p>older</p>", "<p>old</p>"))
    export = exported(tmp_path / "export.zip", url=site.url, status_labels=labels, visitors=True)
    with Client(options) as client:
        live = Confluence(options, client)
        assert rules(export) == rules(live)
        assert {i.key: i.refused for i in export.list()} == {i.key: i.refused for i in live.list()}
        ours, theirs = contents(export, tmp_path / "ours"), contents(live, tmp_path / "theirs")
    assert ours.keys() == theirs.keys()
    for key, (fetched, data) in theirs.items():
        without_zone = {name: getattr(fetched, name)[:19] for name in ("created", "modified")}
        assert ours[key] == (replace(fetched, **without_zone), data)


def test_the_end_of_cdata_in_a_text(site: Any, tmp_path: Path) -> None:
    filled(site)
    write_export(site, tmp_path / "export.zip")
    with zipfile.ZipFile(tmp_path / "export.zip") as archive:
        assert b"if x > 1:]] >" in archive.read("entities.xml")
    found = contents(exported(tmp_path / "export.zip"), tmp_path / "out")
    path = tmp_path / "x.confluence"
    path.write_bytes(next(data for fetched, data in found.values() if fetched.title == "Middle"))
    assert parse(path, IngestSettings()).text == "```\nif x > 1:\n```\n\nΔE"


def test_what_an_export_does_not_tell_is_nobodys(site: Any, tmp_path: Path) -> None:
    path = tmp_path / "export.zip"
    site.space("OPEN", groups=("physics",), anonymous=True)
    page = site.page("OPEN", "A", "<p>a</p>")
    write_export(site, path)
    assert rules(exported(path)) == {page: Access.of("physics")}
    assert rules(exported(path, visitors=True)) == {page: PUBLIC}
    site.spaces["OPEN"].groups, site.spaces["OPEN"].anonymous = set(), False
    write_export(site, path)
    assert rules(exported(path)) == rules(exported(path, readers=("atlas",))) == {page: NOBODY}
    write_export(site, path, permissions=False)
    assert rules(exported(path)) == {page: NOBODY}
    assert rules(exported(path, readers=("atlas",))) == {page: Access.of("atlas")}
    child = site.page("OPEN", "B", "<p>b</p>", parent=page)
    hidden = site.page("OPEN", "C", "<p>c</p>", parent=child)
    del site.pages[child]
    write_export(site, path, permissions=False)
    assert rules(exported(path, readers=("atlas",))) == {page: Access.of("atlas"), hidden: NOBODY}


@pytest.mark.parametrize("kind", ["", "ViewAll"])
def test_a_restriction_of_a_kind_that_is_not_known_is_one(site: Any, tmp_path: Path, kind: str) -> None:
    site.space("PHY", groups=("physics",))
    page = site.page("PHY", "A", "<p>a</p>")
    site.restrict(page, groups=("staff",))
    path = tmp_path / "export.zip"
    write_export(site, path)
    with zipfile.ZipFile(path) as archive:
        said = archive.read("entities.xml").decode()
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("entities.xml", said.replace("<![CDATA[View]]>", f"<![CDATA[{kind}]]>"))
    assert rules(exported(path)) == {page: Access((frozenset({"physics"}), frozenset({"staff"})))}


def test_a_user_whom_the_export_does_not_name_is_let_in_nowhere(site: Any, tmp_path: Path) -> None:
    site.space("PHY", groups=("physics",))
    page = site.page("PHY", "A", "<p>a</p>")
    site.restrict(page, users=("zoe",))
    write_export(site, tmp_path / "export.zip")
    _rewrite(tmp_path / "export.zip", lambda xml: xml.replace(b'<id name="key">key-zoe</id>', b'<id name="key">x</id>'))
    assert rules(exported(tmp_path / "export.zip")) == {page: NOBODY}


def test_old_pages_in_wiki_markup(site: Any, tmp_path: Path) -> None:
    site.space("PHY", groups=("physics",))
    page = site.page("PHY", "A", "h2. Field\n\nIt is *2 T*.")
    write_export(site, tmp_path / "export.zip")
    _rewrite(tmp_path / "export.zip", lambda xml: xml.replace(b'"bodyType">2', b'"bodyType">0'))
    [(key, (fetched, data))] = contents(exported(tmp_path / "export.zip"), tmp_path / "out").items()
    assert (key, fetched.path.suffix) == (page, ".jira")
    (tmp_path / "page.jira").write_bytes(data)
    assert parse(tmp_path / "page.jira", IngestSettings()).text == "## Field\n\nIt is **2 T**."


def test_control_characters_are_overlooked(site: Any, tmp_path: Path) -> None:
    site.space("PHY", groups=("physics",))
    site.page("PHY", "A", "<p>one\x0btwo</p>")
    write_export(site, tmp_path / "export.zip")
    [(_, data)] = contents(exported(tmp_path / "export.zip"), tmp_path / "out").values()
    assert data == b"<p>one two</p>"


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(path.read_bytes()[:-200]),
        lambda path: path.write_bytes(b"no zip"),
        lambda path: path.unlink(),
        lambda path: _flag(path, "entities.xml", 8, 1),
        lambda path: _flag(path, "entities.xml", 6, 99),
        lambda path: _rewrite(path, lambda xml: xml[: len(xml) // 2]),
        lambda path: _rewrite(path, lambda xml: b"<hibernate-generic></hibernate-generic>"),
        lambda path: _rewrite(path, lambda xml: b"<html><p>Log in</p></html>"),
    ],
)
def test_a_damaged_export_is_no_empty_one(site: Any, tmp_path: Path, damage: Callable[[Path], None]) -> None:
    filled(site)
    write_export(site, tmp_path / "export.zip")
    damage(tmp_path / "export.zip")
    with pytest.raises(SourceError, match="Nothing was removed"):
        rules(exported(tmp_path / "export.zip"))


def test_a_damaged_attachment_is_not_had(site: Any, tmp_path: Path) -> None:
    site.space("PHY", groups=("physics",))
    page = site.page("PHY", "A", "<p>a</p>")
    file = site.attach(page, "notes.txt", b"no compression" * 3)
    path = tmp_path / "export.zip"
    write_export(site, path)
    data = path.read_bytes()
    connector = exported(path)
    item = next(item for item in connector.list() if item.key == f"{page}/{file}")
    with zipfile.ZipFile(path) as archive:
        at = archive.getinfo(f"attachments/{page}/{file}/1").header_offset + 60
    path.write_bytes(data[:at] + bytes([data[at] ^ 255]) + data[at + 1 :])
    with pytest.raises(FetchError):
        connector.fetch(item, tmp_path)
    assert [one.name for one in tmp_path.iterdir()] == ["export.zip"]


@pytest.mark.parametrize(("at", "byte"), [(8, 1), (8, 1 << 5), (10, 9), (10, 14)])
def test_an_attachment_that_is_encrypted_or_strangely_packed_is_not_had(
    site: Any, tmp_path: Path, at: int, byte: int
) -> None:
    """By the flags of its entry, or by the number of its compression; 14 is LZMA, which the bytes are not."""
    site.space("PHY", groups=("physics",))
    page = site.page("PHY", "A", "<p>a</p>")
    file = site.attach(page, "notes.txt", b"\x09\x04\x05\x00" + b"\xff" * 30)
    path = tmp_path / "export.zip"
    write_export(site, path)
    _flag(path, f"attachments/{page}/{file}/1", at, byte)
    connector = exported(path)
    item = next(item for item in connector.list() if item.key == f"{page}/{file}")
    with pytest.raises(FetchError, match=r"notes\.txt cannot be unpacked"):
        connector.fetch(item, tmp_path)


def _flag(path: Path, member: str, at: int, byte: int) -> None:
    """Sets a byte of a member's entry in the directory of a zip."""
    data = bytearray(path.read_bytes())
    data[data.rindex(member.encode()) - 46 + at] = byte
    path.write_bytes(data)


def test_memory_does_not_grow_with_the_texts(site: Any, tmp_path: Path) -> None:
    site.space("PHY", groups=("physics",))
    keys = [site.page("PHY", f"P{n}", f"<p>{str(n) * 100_000}</p>") for n in range(100)]
    write_export(site, tmp_path / "export.zip")
    assert zipfile.ZipFile(tmp_path / "export.zip").getinfo("entities.xml").file_size > 15_000_000
    connector = exported(tmp_path / "export.zip")
    tracemalloc.start()
    try:
        items = list(connector.list())
        assert [item.key for item in items] == keys
        connector.fetch(items[50], tmp_path)
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()
    assert (tmp_path / "page.confluence").read_text() == site.pages[keys[50]].body


def test_a_library_follows_the_exports(site: Any, tmp_path: Path, desk: Callable[..., Any]) -> None:
    top = filled(site)
    path = tmp_path / "export.zip"
    write_export(site, path)
    d = desk({"kind": "confluence_export", "path": str(path)})
    d.sync()
    assert d.readable("physics") == {key for key, page in site.pages.items() if page.space == "OPEN"}
    assert d.readable("physics", "staff") == d.readable("physics") | {top, str(int(top) + 1)}
    site.edit(top, body="<p>It weighs 7100 t.</p>")
    site.restrict(top)
    site.delete(str(int(top) + 2))
    site.page("PHY", "New", "<p>New</p>")
    write_export(site, path)
    d.sync()
    assert d.text(top, "physics") == "It weighs 7100 t."
    assert d.readable("physics") == set(site.pages)
    d.like_fresh()
    before = d.contents()
    path.write_bytes(path.read_bytes()[:-100])
    d.sync()
    assert d.contents() == before


def _rewrite(path: Path, change: Callable[[bytes], bytes]) -> None:
    """The same export with another entities.xml."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, change(data) if name == "entities.xml" else data)
