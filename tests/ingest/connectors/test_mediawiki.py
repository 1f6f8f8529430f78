"""A real MediaWiki, as Debian has it: what is listed, what changes, who may read, and what a fault leads to."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest

from assistant.errors import FetchError, SettingsError, SourceError
from assistant.types import PUBLIC, Access
from ingest.access import NOBODY
from ingest.connectors.connector import Fetched, Gone, Listed
from ingest.connectors.mediawiki.wiki import MediaWiki, MediaWikiOptions
from ingest.fetch import Client

_FILE = Path(__file__).parents[2] / "servers" / "mediawiki.py"
_spec = spec_from_file_location("servers_mediawiki", _FILE)
assert _spec
assert _spec.loader
servers = module_from_spec(_spec)
_spec.loader.exec_module(servers)

pytestmark = pytest.mark.skipif(
    not servers.installed(), reason="MediaWiki is not installed: tests/servers/mediawiki.sh does it"
)

Read = Callable[..., MediaWiki]


@pytest.fixture(scope="module")
def open_wiki(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with servers.MediaWikiServer(tmp_path_factory.mktemp("mediawiki") / "wiki") as wiki:
        yield wiki


@pytest.fixture(scope="module")
def closed_wiki(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with servers.MediaWikiServer(tmp_path_factory.mktemp("mediawiki") / "wiki", private=True) as wiki:
        wiki.edit("Salaries", "They rise by 3 %.")
        yield wiki


@pytest.fixture
def wiki(open_wiki: Any) -> Iterator[Any]:
    """The open wiki; what a test leaves there, and what settings it makes, is gone afterwards."""
    yield open_wiki
    open_wiki.fault = ""
    open_wiki.settings("")


@pytest.fixture(scope="module")
def thousand(open_wiki: Any) -> None:
    """Makes the open wiki so large that it is listed in several answers."""
    open_wiki.import_pages((f"Many {n}", "One of many.") for n in range(1000))


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> Iterator[Read]:
    clients: list[Client] = []

    def opened(wiki: Any, **more: Any) -> MediaWiki:
        if more.get("user"):
            monkeypatch.setenv("WIKI_PASSWORD", more.pop("password", servers.BOT_PASSWORD))
            more["secret_env"] = "WIKI_PASSWORD"
        options = MediaWikiOptions(
            kind="mediawiki",
            url=wiki.url,
            allow=(f"127.0.0.1:{wiki.port}",),
            retry_seconds=0.01,
            requests_per_second=1000,
            **more,
        )
        client = Client(options, sign_in=MediaWiki.sign_in)
        clients.append(client)
        return MediaWiki(options, client)

    yield opened
    for client in clients:
        client.__exit__(None, None, None)


def listed(connector: MediaWiki) -> dict[str, Listed]:
    found = list(connector.list())
    assert len({item.key for item in found}) == len(found)
    return {item.key: item for item in found}


def changed(connector: MediaWiki, since: str, again: tuple[str, ...] = ()) -> dict[str, Listed | Gone]:
    found = connector.changes(since, again)
    assert found is not None
    return {item.key: item for item in found}


def fetched(connector: MediaWiki, item: Any, folder: Path) -> tuple[Fetched, str]:
    folder.mkdir(exist_ok=True, parents=True)
    got = connector.fetch(item, folder)
    return got, got.path.read_text()


def test_a_page_has_its_text_and_what_the_wiki_says_of_it(wiki: Any, read: Read, tmp_path: Path) -> None:
    number = wiki.edit("Barrel/Calorimeter ü", "It weighs '''2900''' tonnes.")
    connector = read(wiki)
    item = listed(connector)[str(number)]
    assert (item.access, item.refused) == (PUBLIC, None)
    got, text = fetched(connector, item, tmp_path)
    assert text == "It weighs '''2900''' tonnes."
    assert got.path.suffix == ".mediawiki"
    assert (got.title, got.authors, got.language) == ("Barrel/Calorimeter ü", ("Admin",), "en")
    assert got.url == f"{wiki.address}/index.php/Barrel/Calorimeter_%C3%BC"
    assert item.stamp.startswith(f"{got.revision} ")
    assert got.modified.endswith("Z")


def test_only_content_is_listed(wiki: Any, read: Read) -> None:
    page, note = wiki.edit("Kept", "A page."), wiki.edit("Notes:Kept", "A note.")
    talk = wiki.edit("Talk:Kept", "Chatter.")
    redirect = wiki.edit("Also kept", "#REDIRECT [[Kept]]")
    script = wiki.edit("User:Admin/common.js", "alert(1)")
    found = listed(read(wiki))
    assert {str(page), str(note)} <= set(found)
    assert not {str(talk), str(redirect), str(script)} & set(found)
    assert set(listed(read(wiki, namespaces=(1,)))) == {str(talk)}
    assert listed(read(wiki, namespaces=(2,)))[str(script)].refused == (
        "unsupported",
        "its content is javascript, not wikitext",
    )
    with pytest.raises(SourceError, match=r"has no namespaces \[77\]"):
        listed(read(wiki, namespaces=(0, 77)))


def test_changes_are_what_a_fresh_listing_shows(wiki: Any, read: Read) -> None:
    """Edits, moves within and between namespaces, redirects, deletions, restorations."""
    names = ["edited", "moved", "moved away", "moved in", "made a redirect", "deleted", "restored", "over", "model"]
    ids = {name: str(wiki.edit(f"C {name}" if name != "moved in" else "Talk:C moved in", "Old.")) for name in names}
    connector = read(wiki)
    before, since = listed(connector), connector.cursor()
    assert since.endswith(" public 0,3000")

    ids["new"] = str(wiki.edit("C new", "New."))
    wiki.edit("C edited", "New.")
    wiki.move("C moved", "C renamed")
    wiki.move("C moved away", "Talk:C moved away", noredirect="1")
    wiki.move("Talk:C moved in", "C moved in")
    wiki.edit("C made a redirect", "#REDIRECT [[C edited]]")
    wiki.delete("C deleted")
    wiki.delete("C restored")
    wiki.restore("C restored")
    wiki.delete("C over")
    wiki.move("C renamed", "C over")
    wiki.edit("C model", "Plain.", contentmodel="text")

    connector = read(wiki)
    changes, now = changed(connector, since), listed(read(wiki))
    merged = dict(before)
    for key, item in changes.items():
        if isinstance(item, Gone):
            merged.pop(key, None)
        else:
            merged[key] = item
    assert merged == now
    assert {ids[name] for name in ("moved away", "made a redirect", "deleted", "over")}.isdisjoint(now)
    assert now[ids["moved"]].stamp.endswith("/index.php/C_over")
    assert now[ids["model"]].refused == ("unsupported", "its content is text, not wikitext")
    assert {ids["new"], ids["edited"], ids["moved in"], ids["restored"]} <= set(now)


def test_a_change_in_the_second_of_the_cursor_is_seen(wiki: Any, read: Read) -> None:
    connector = read(wiki)
    page = str(wiki.edit("Quick", "One."))
    since = connector.cursor()
    wiki.edit("Quick", "Two.")
    item = changed(connector, since)[page]
    assert isinstance(item, Listed)
    assert item == listed(read(wiki))[page]


def test_an_entry_of_the_log_that_hides_its_page_asks_for_a_listing(wiki: Any, read: Read) -> None:
    wiki.edit("Hidden affair", "Gone soon.")
    since = read(wiki).cursor()
    wiki.delete("Hidden affair")

    def hide(level: int) -> None:
        with closing(sqlite3.connect(wiki.folder / "db/wiki.sqlite")) as database, database:
            database.execute("UPDATE logging SET log_deleted = ? WHERE log_title = 'Hidden_affair'", (level,))
            database.execute("UPDATE recentchanges SET rc_deleted = ? WHERE rc_title = 'Hidden_affair'", (level,))

    hide(1)
    connector = read(wiki)
    assert connector.changes(since, ()) is None
    assert listed(connector)
    hide(0)
    assert connector.changes(since, ()) is not None


def test_keys_that_are_asked_for_again(wiki: Any, read: Read) -> None:
    page = str(wiki.edit("Again", "Text."))
    connector = read(wiki, files=True)
    found = changed(connector, connector.cursor(), (page, "999999", "file/No_such.txt"))
    assert found["999999"] == Gone("999999")
    assert found["file/No_such.txt"] == Gone("file/No_such.txt")
    assert found[page] == listed(read(wiki))[page]


def test_old_cursors_and_other_options_ask_for_a_listing(wiki: Any, read: Read) -> None:
    connector = read(wiki)
    since = connector.cursor()
    assert connector.changes("2001-01-01T00:00:00Z public 0,3000", ()) is None
    assert read(wiki, namespaces=(0,)).changes(since, ()) is None
    assert read(wiki, files=True).changes(since, ()) is None
    assert read(wiki, user="Reader@refdesk", readers=("atlas",)).changes(since, ()) is None
    assert read(wiki).changes(since, ()) is not None


def test_files(wiki: Any, read: Read, tmp_path: Path) -> None:
    wiki.upload("Menu of today.txt", b"Soup and bread.")
    wiki.upload("Old name.txt", b"Names change.")
    wiki.upload("Dot.png", bytes.fromhex("89504e470d0a1a0a0000000d4948445200000001000000010806000000"))
    connector = read(wiki, files=True)
    since, before = connector.cursor(), listed(connector)
    item = before["file/Menu_of_today.txt"]
    got, text = fetched(connector, item, tmp_path / "a")
    assert (text, got.title, got.authors, got.path.suffix) == (
        "Soup and bread.",
        "Menu of today.txt",
        ("Admin",),
        ".txt",
    )
    assert got.url == f"{wiki.address}/index.php/File:Menu_of_today.txt"
    assert before["file/Dot.png"].refused == ("unsupported", "image/png holds no text")
    assert not any(key.startswith("file/") for key in listed(read(wiki)))

    wiki.upload("Menu of today.txt", b"Bread and soup.")
    wiki.move("File:Old name.txt", "File:New name.txt", noredirect="1")
    wiki.delete("File:Dot.png")
    changes, now = changed(connector, since), listed(read(wiki, files=True))
    assert changes["file/Dot.png"] == Gone("file/Dot.png")
    assert changes["file/Old_name.txt"] == Gone("file/Old_name.txt")
    moved = changes["file/New_name.txt"]
    assert isinstance(moved, Listed)
    assert moved.renamed_from == "file/Old_name.txt"
    assert changes["file/Menu_of_today.txt"] == now["file/Menu_of_today.txt"] != item
    assert fetched(connector, changes["file/Menu_of_today.txt"], tmp_path / "b")[1] == "Bread and soup."


def test_texts_are_loaded_fifty_at_a_time(wiki: Any, read: Read, tmp_path: Path) -> None:
    wiki.import_pages((f"Batch {n}", f"Text {n}.") for n in range(60))
    connector = read(wiki)
    items = list(listed(connector).values())
    before = connector._client.requests
    connector.prepare(items)
    needed = -(-len(items) // 50)
    assert connector._client.requests - before == needed
    texts = {fetched(connector, item, tmp_path / item.key)[0].title for item in items}
    assert {f"Batch {n}" for n in range(60)} <= texts
    assert connector._client.requests - before == needed


def test_an_answer_that_the_wiki_cuts_is_put_together(wiki: Any, read: Read, tmp_path: Path) -> None:
    """The wiki may send less than was asked for, so that texts come in several answers."""
    pages = {str(wiki.edit(f"Long {n}", f"{n}" * 30_000)): f"{n}" * 30_000 for n in range(5)}
    wiki.settings("$wgAPIMaxResultSize = 70000;")
    connector = read(wiki)
    items = listed(connector)
    connector.prepare([items[key] for key in pages])
    before = connector._client.requests
    assert {key: fetched(connector, items[key], tmp_path / key)[1] for key in pages} == pages
    assert connector._client.requests == before


def test_a_page_that_vanished(wiki: Any, read: Read, tmp_path: Path) -> None:
    page = str(wiki.edit("Here", "and gone."))
    connector = read(wiki)
    item = listed(connector)[page]
    wiki.delete("Here")
    with pytest.raises(FetchError, match="no longer") as error:
        connector.fetch(item, tmp_path)
    assert error.value.reason == "gone"


class TestClosedWiki:
    def test_nobody_reads_it_unless_readers_are_named(self, closed_wiki: Any, read: Read, tmp_path: Path) -> None:
        connector = read(closed_wiki, user="Reader@refdesk")
        items = listed(connector)
        assert {item.access for item in items.values()} == {NOBODY}
        for_staff = listed(read(closed_wiki, user="Reader@refdesk", readers=("staff",)))
        assert {item.access for item in for_staff.values()} == {Access.of("staff")}
        texts = {fetched(connector, item, tmp_path / key)[1] for key, item in items.items()}
        assert "They rise by 3 %." in texts

    def test_it_is_not_read_without_a_user(self, closed_wiki: Any, read: Read) -> None:
        with pytest.raises(SourceError, match="set user and secret_env"):
            listed(read(closed_wiki))

    def test_a_wrong_password_is_told_but_not_shown(self, closed_wiki: Any, read: Read) -> None:
        with pytest.raises(SourceError, match="does not let Reader@refdesk in") as error:
            listed(read(closed_wiki, user="Reader@refdesk", password="swordfish"))
        assert "swordfish" not in str(error.value)

    def test_a_session_that_ends_is_begun_again(self, closed_wiki: Any, read: Read, tmp_path: Path) -> None:
        connector = read(closed_wiki, user="Reader@refdesk")
        items = listed(connector)
        since = connector.cursor()
        closed_wiki.forget_sessions()
        assert listed(connector) == items
        closed_wiki.forget_sessions()
        assert changed(connector, since) is not None

    def test_files_are_fetched_with_the_session(self, closed_wiki: Any, read: Read, tmp_path: Path) -> None:
        closed_wiki.upload("Payroll.txt", b"Ada: 3 %.")
        connector = read(closed_wiki, user="Reader", password=servers.READER_PASSWORD, files=True)
        assert fetched(connector, listed(connector)["file/Payroll.txt"], tmp_path)[1] == "Ada: 3 %."
        connector = read(closed_wiki, user="Reader@refdesk", files=True)
        with pytest.raises(FetchError, match="a bot password opens no files") as error:
            connector.fetch(listed(connector)["file/Payroll.txt"], tmp_path)
        assert error.value.reason == "forbidden"


def test_an_open_wiki_is_read_as_anybody_though_there_is_a_user(wiki: Any, read: Read) -> None:
    """So what is public is public for certain: pages that only the user sees are not even listed."""
    assert {item.access for item in listed(read(wiki, user="Reader@refdesk")).values()} == {PUBLIC}
    theirs = listed(read(wiki, user="Reader@refdesk", readers=("staff",)))
    assert {item.access for item in theirs.values()} == {Access.of("staff")}


def test_a_secret_needs_a_user(wiki: Any, read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WIKI_PASSWORD", "x")
    with pytest.raises(SettingsError, match="no user"):
        read(wiki, secret_env="WIKI_PASSWORD")


def test_more_rights_larger_batches(closed_wiki: Any, read: Read) -> None:
    assert read(closed_wiki, user="Reader@refdesk")._site().most == 50
    closed_wiki.settings("$wgGroupPermissions['user']['apihighlimits'] = true;")
    assert read(closed_wiki, user="Reader@refdesk")._site().most == 500
    closed_wiki.settings("")


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("login-page", "a login page"),
        ("cut", "no JSON"),
        ("unavailable", "503"),
        ("error", "500"),
        ("maxlag", "too busy"),
        ("no-batchcomplete", "before it was complete"),
        ("same-continue", "again and again"),
    ],
)
def test_a_fault_is_never_an_absence(wiki: Any, read: Read, fault: str, said: str) -> None:
    wiki.edit("Still here", "Yes.")
    connector = read(wiki)
    since = connector.cursor()
    wiki.fault = fault
    with pytest.raises(SourceError, match=said):
        list(connector.list())
    if "c" not in fault[2:]:  # these two are faults of a sweep
        with pytest.raises(SourceError, match=said):
            list(connector.changes(since, ("1",)) or ())
    with pytest.raises(SourceError):
        list(read(wiki).list())


def test_a_busy_wiki_is_waited_for(wiki: Any, read: Read) -> None:
    expected = listed(read(wiki))
    wiki.fault = "maxlag 3"
    assert listed(read(wiki)) == expected
    wiki.fault = "unavailable 2"
    assert listed(read(wiki)) == expected


def test_a_page_that_is_moved_while_it_is_listed_is_not_missed(wiki: Any, thousand: None, read: Read) -> None:
    page = str(wiki.edit("Zebra", "It runs to the front."))
    connector = read(wiki, namespaces=(0,))
    found = {}
    for item in connector.list():
        if not found:
            wiki.move("Zebra", "Aardvark", noredirect="1")
        found[item.key] = item
    assert found[page].stamp.endswith("/Aardvark")


def _requests(wiki: Any, read: Read, pages: int) -> tuple[int, int]:
    """How many requests an unchanged wiki costs: listed whole, and asked for changes."""
    connector = read(wiki)
    since = connector.cursor()
    before = connector._client.requests
    assert len(listed(connector)) >= pages
    whole, before = connector._client.requests - before, connector._client.requests
    changed(connector, since)
    return whole, connector._client.requests - before


def test_a_thousand_unchanged_pages_cost_few_requests(wiki: Any, thousand: None, read: Read) -> None:
    whole, changes = _requests(wiki, read, 1000)
    assert whole <= 10
    assert changes <= 10


@pytest.mark.long
def test_ten_thousand_unchanged_pages(tmp_path: Path, read: Read) -> None:
    with servers.MediaWikiServer(tmp_path / "wiki") as wiki:
        wiki.import_pages((f"Many {n}", "One of many.") for n in range(10_000))
        whole, changes = _requests(wiki, read, 10_000)
        assert whole <= 25  # 21 of them for the pages, 500 each
        assert changes <= 4


def test_a_desk_follows_the_wiki(tmp_path: Path, desk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Created, edited, renamed, deleted, closed to the public and opened again; nothing is fetched twice."""
    monkeypatch.setenv("WIKI_PASSWORD", servers.BOT_PASSWORD)
    with servers.MediaWikiServer(tmp_path / "wiki") as wiki:
        d = desk(
            {
                "kind": "mediawiki",
                "url": wiki.url,
                "allow": [f"127.0.0.1:{wiki.port}"],
                "user": "Reader@refdesk",
                "secret_env": "WIKI_PASSWORD",
                "files": True,
                "retry_seconds": 0.01,
                "requests_per_second": 1000,
            }
        )
        heavy = str(wiki.edit("Calorimeter", "It weighs 2900 tonnes."))
        river = str(wiki.edit("River", "The gauge stands at the mill."))
        wiki.upload("Choir.txt", b"The choir rehearses on Thursdays.")
        d.sync()
        everything = {"1", heavy, river, "file/Choir.txt"}
        assert d.readable() == everything
        d.like_fresh()

        unchanged = d.sync()
        assert d.outcomes(unchanged) == {}
        assert unchanged.sources[0].requests <= 7

        wiki.edit("Calorimeter", "It weighs 3100 tonnes.")
        wiki.move("River", "Stream")
        new = str(wiki.edit("New page", "Written today."))
        wiki.upload("Choir.txt", b"The choir rehearses on Mondays.")
        report = d.sync()
        assert d.outcomes(report) == {heavy: "changed", river: "moved", new: "new", "file/Choir.txt": "changed"}
        assert "3100" in d.text(heavy)
        assert "Mondays" in d.text("file/Choir.txt")
        assert (d.document(river)["title"], d.document(river)["url"]) == ("Stream", f"{wiki.address}/index.php/Stream")
        d.like_fresh()

        wiki.delete("Stream")
        wiki.move("File:Choir.txt", "File:Singers.txt", noredirect="1")
        d.sync()
        assert d.readable() == {"1", heavy, new, "file/Singers.txt"}
        d.like_fresh()
        wiki.restore("Stream")
        d.sync()
        assert d.readable() == {"1", heavy, new, river, "file/Singers.txt"}
        d.like_fresh()

        wiki.settings("$wgGroupPermissions['*']['read'] = false;")
        closed = d.sync()
        assert closed.embedded == 0
        assert d.readable("atlas") == set()
        wiki.settings("")
        d.sync()
        assert d.readable() == {"1", heavy, new, river, "file/Singers.txt"}
        d.like_fresh()

        wiki.fault = "login-page"
        assert d.sync().sources[0].error
        assert d.sync(full=True).sources[0].error
        assert d.readable() == {"1", heavy, new, river, "file/Singers.txt"}
