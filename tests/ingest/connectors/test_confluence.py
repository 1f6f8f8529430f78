"""Both kinds of Confluence, at a server that behaves as theirs are documented to: what is listed, for whom, and that no
fault of the server looks like something that is gone.
"""

from __future__ import annotations

import importlib.util
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from assistant.errors import FetchError, SourceError
from assistant.settings import IngestSettings
from assistant.types import PUBLIC, Access
from ingest.access import NOBODY
from ingest.connectors.confluence.site import Confluence, ConfluenceOptions
from ingest.connectors.connector import Fetched, Gone, Listed
from ingest.fetch import Client
from ingest.parse.choose import parse


def _server() -> ModuleType:
    file = Path(__file__).parents[2] / "servers" / "confluence.py"
    spec = importlib.util.spec_from_file_location("confluence_server", file)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


server = _server()
Open = Callable[..., Confluence]
STAFF, PHYSICS = frozenset({"staff"}), frozenset({"physics"})


@pytest.fixture(params=[False, True], ids=["data-center", "cloud"])
def site(request: pytest.FixtureRequest) -> Iterator[Any]:
    with server.Confluence(cloud=request.param) as running:
        yield running


@pytest.fixture
def server_site() -> Iterator[Any]:
    with server.Confluence() as running:
        yield running


@pytest.fixture
def cloud_site() -> Iterator[Any]:
    with server.Confluence(cloud=True) as running:
        yield running


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Confluence]]:
    opened: list[AbstractContextManager[Any]] = []

    def open_it(site: Any, *, secret: str = "s3cret", **more: Any) -> Confluence:
        monkeypatch.setenv("WIKI_TOKEN", secret)
        given = {"secret_env": "WIKI_TOKEN"} if secret else {}
        options = ConfluenceOptions(
            kind="confluence",
            url=site.url,
            allow=(site.host,),
            retry_seconds=0.01,
            requests_per_second=1000,
            cloud=site.cloud,
            **given,
            **more,
        )
        client = Client(options)
        opened.append(client)
        return Confluence(options, client)

    yield open_it
    for client in opened:
        client.__exit__(None, None, None)


def rules(connector: Confluence) -> dict[str, Access]:
    return {item.key: item.access for item in connector.list()}


def stamps(connector: Confluence) -> dict[str, str]:
    return {item.key: item.stamp for item in connector.list()}


def got(connector: Confluence, key: str, folder: Path) -> Fetched:
    item = next(item for item in connector.list() if item.key == key)
    into = folder / key.replace("/", "-")
    into.mkdir(exist_ok=True)
    return connector.fetch(item, into)


def user(site: Any, name: str) -> set[str]:
    return {f"user:id-{name}", f"user:{name}@example.org"} if site.cloud else {f"user:{name}"}


def test_pages_blog_posts_and_attachments_are_read(site: Any, connect: Open, tmp_path: Path) -> None:
    site.space("PHY", groups=("physics",))
    page = site.page("PHY", "Magnets & more", '<p>The field is <ac:link><ri:page ri:content-title="B"/></ac:link>.</p>')
    post = site.page("PHY", "Beam is back", "<p>Since Monday.</p>", type="blogpost")
    notes = site.attach(page, "notes.txt", b"Quench at 11850 A.\n", "text/plain")
    photo = site.attach(page, "hall.jpg", b"\xff\xd8", "image/jpeg")
    site.edit(page)
    connector = connect(site)
    listed = {item.key: item for item in connector.list()}
    assert {key: item.refused for key, item in listed.items()} == {
        page: None,
        post: None,
        f"{page}/{notes}": None,
        f"{page}/{photo}": ("unsupported", "no parser for .jpg"),
    }
    fetched = got(connector, page, tmp_path)
    assert fetched.path.read_text() == site.pages[page].body
    assert (fetched.title, fetched.revision, fetched.authors) == ("Magnets & more", f"{page} v2", ("Ada", "Bob"))
    assert fetched.url == f"{site.url}/pages/viewpage.action?pageId={page}"
    assert fetched.created.startswith(datetime.now(UTC).strftime("%Y-%m-%dT"))
    assert fetched.modified == site.pages[page].modified.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
    assert parse(fetched.path, IngestSettings()).text == "The field is B."
    file = got(connector, f"{page}/{notes}", tmp_path)
    assert (file.path.suffix, file.path.read_bytes()) == (".txt", b"Quench at 11850 A.\n")
    assert (file.title, file.url) == ("notes.txt", f"{site.url}/download/attachments/{page}/notes.txt")
    assert parse(got(connector, post, tmp_path).path, IngestSettings()).text == "Since Monday."


def test_storage_format_without_macros_keeps_all_its_text(server_site: Any, connect: Open, tmp_path: Path) -> None:
    server_site.space("PHY", groups=("physics",))
    body = (
        "<p>Short.</p><h2>Table</h2><table><tbody><tr><th>A</th><td>1&nbsp;T</td></tr></tbody></table><p>&lt;x&gt;</p>"
    )
    page = server_site.page("PHY", "Plain", body)
    text = parse(got(connect(server_site), page, tmp_path).path, IngestSettings()).text
    assert text.replace("\xa0", " ") == "Short.\n\n## Table\n\n| A   | 1 T |\n|-----|-----|\n\n\\<x\\>"


def test_what_is_not_wanted_is_not_listed(site: Any, connect: Open) -> None:
    site.space("PHY", groups=("physics",))
    site.space("HR", groups=("staff",))
    page = site.page("PHY", "A", "<p>a</p>")
    site.page("HR", "B", "<p>b</p>")
    site.page("PHY", "C", "<p>c</p>", type="blogpost")
    site.page("PHY", "D", "<p>d</p>", status="draft" if not site.cloud else "current", type="blogpost")
    site.attach(page, "x.txt", b"x")
    assert set(rules(connect(site, spaces=("PHY",), blog_posts=False, attachments=False))) == {page}
    with pytest.raises(SourceError, match="sees 2 spaces, but not OPS"):
        list(connect(site, spaces=("PHY", "OPS")).list())


def test_readers_are_those_of_the_space_and_of_every_restricted_page_above(site: Any, connect: Open) -> None:
    site.space("PHY", groups=("physics", "everyone"), users=("carl",))
    top = site.page("PHY", "Top", "<p>1</p>")
    middle = site.page("PHY", "Middle", "<p>2</p>", parent=top)
    leaf = site.page("PHY", "Leaf", "<p>3</p>", parent=middle)
    file = site.attach(leaf, "x.txt", b"x")
    space = frozenset({"physics", "group:everyone"} | user(site, "carl"))
    connector = connect(site)
    assert rules(connector) == dict.fromkeys([top, middle, leaf, f"{leaf}/{file}"], Access((space,)))

    site.restrict(top, groups=("staff",), users=("dora",))
    site.restrict(leaf, groups=("board",))
    staff, board = frozenset({"staff"} | user(site, "dora")), frozenset({"board"})
    restricted = rules(connector)
    assert set(restricted[middle].all_of) == {space, staff}
    assert set(restricted[leaf].all_of) == set(restricted[f"{leaf}/{file}"].all_of) == {space, staff, board}
    assert not restricted[leaf].allows({"physics", "board"})

    site.restrict(top)
    assert set(rules(connector)[leaf].all_of) == {space, board}


def test_restrictions_that_are_longer_than_an_answer_are_read_whole(site: Any, connect: Open) -> None:
    site.most_readers = 3
    site.space("PHY", groups=("physics",))
    page = site.page("PHY", "A", "<p>a</p>")
    child = site.page("PHY", "B", "<p>b</p>", parent=page)
    names = tuple(f"g{number}" for number in range(8))
    site.restrict(page, groups=names, users=("eve",))
    allowed = frozenset({*names, *user(site, "eve")})
    assert set(rules(connect(site))[child].all_of) == {PHYSICS, allowed}


def test_anonymous_readers_count_only_where_the_site_lets_them_in(site: Any, connect: Open) -> None:
    site.space("OPEN", groups=("physics",), anonymous=True)
    site.space("PHY", groups=("physics",))
    open_page = site.page("OPEN", "A", "<p>a</p>")
    hidden = site.page("OPEN", "B", "<p>b</p>")
    closed = site.page("PHY", "C", "<p>c</p>")
    site.restrict(hidden, groups=("staff",))
    connector = connect(site)
    physics = Access((PHYSICS,))
    assert rules(connector) == {open_page: PUBLIC, hidden: Access((STAFF,)), closed: physics}
    site.anonymous_allowed = False
    assert rules(connector)[open_page] == physics
    site.anonymous_allowed = True
    assert rules(connect(site, secret="")) == {open_page: PUBLIC}


def test_older_data_centers_tell_permissions_by_json_rpc(server_site: Any, connect: Open) -> None:
    server_site.rest_permissions = False
    server_site.space("PHY", groups=("physics",), users=("carl",))
    page = server_site.page("PHY", "A", "<p>a</p>")
    assert rules(connect(server_site)) == {page: Access.of("physics", "user:carl")}


@pytest.mark.parametrize("rest", [True, False])
def test_permissions_that_may_not_be_read(
    server_site: Any, connect: Open, caplog: pytest.LogCaptureFixture, rest: bool
) -> None:
    server_site.rest_permissions = rest
    server_site.administrator = False
    server_site.space("PHY", groups=("readers",))
    page = server_site.page("PHY", "A", "<p>a</p>")
    assert rules(connect(server_site)) == {page: NOBODY}
    assert "permissions of space PHY cannot be read" in caplog.text
    assert "Make the account an administrator" in caplog.text
    assert rules(connect(server_site, readers=("atlas",))) == {page: Access.of("atlas")}


def test_pages_that_the_account_does_not_see(server_site: Any, connect: Open) -> None:
    server_site.administrator = False
    server_site.most = 3
    server_site.space("PHY", groups=("readers",))
    keys = [server_site.page("PHY", f"P{n}", f"<p>{n}</p>") for n in range(10)]
    for key in keys[2:7]:
        server_site.restrict(key, groups=("staff",))
    assert list(rules(connect(server_site, readers=("atlas",)))) == [*keys[:2], *keys[7:]]


def test_an_ancestor_outside_the_listing_is_asked_for(cloud_site: Any, connect: Open) -> None:
    """Folders of Cloud are no pages, but can be restricted."""
    cloud_site.space("PHY", groups=("physics",))
    folder = cloud_site.page("PHY", "Folder", "", type="folder")
    top = cloud_site.page("PHY", "Root", "<p>0</p>")
    cloud_site.pages[folder].parent = top
    page = cloud_site.page("PHY", "A", "<p>a</p>", parent=folder)
    other = cloud_site.page("PHY", "B", "<p>b</p>", parent=folder)
    cloud_site.restrict(folder, groups=("staff",))
    cloud_site.restrict(top, groups=("board",))
    connector = connect(cloud_site)
    found = rules(connector)
    assert set(found[page].all_of) == set(found[other].all_of) == {PHYSICS, STAFF, frozenset({"board"})}
    assert len([path for path in cloud_site.requests if f"folders/{folder}" in path]) == 1

    cloud_site.faults = [server.Fault(f"folders/{folder}", "503", times=1)]
    assert rules(connector) == found
    cloud_site.faults = [server.Fault(f"folders/{folder}", "503")]
    with pytest.raises(FetchError, match="503"):
        rules(connector)


def test_what_the_search_does_not_know_yet_is_asked_for(cloud_site: Any, connect: Open, tmp_path: Path) -> None:
    cloud_site.space("PHY", groups=("physics",))
    page = cloud_site.page("PHY", "A", "<p>a</p>", labels=("old",))
    file = cloud_site.attach(page, "x.txt", b"x")
    cloud_site.restrict(page, groups=("staff",))
    cloud_site.unindexed = {page}
    connector = connect(cloud_site, status_labels={"old": "superseded"})
    assert rules(connector) == dict.fromkeys([page, f"{page}/{file}"], Access((PHYSICS, STAFF)))
    assert got(connector, page, tmp_path).status == "superseded"
    before = stamps(connector)[f"{page}/{file}"]
    cloud_site.unindexed = set()
    assert stamps(connector)[f"{page}/{file}"] == before


def test_listings_in_many_parts_and_requests(site: Any, connect: Open) -> None:
    site.space("PHY", groups=("physics",))
    keys = [site.page("PHY", f"Page {n}", f"<p>{n}</p>") for n in range(2000)]
    for key in keys[:30]:
        site.attach(key, "x.txt", b"x")
    connector = connect(site)
    first = stamps(connector)
    assert [key for key in first if "/" not in key] == keys
    site.requests.clear()
    assert stamps(connector) == first
    assert len(site.requests) <= len(first) / 100 + 5
    assert len([path for path in site.requests if "limit=2" in path or "search" in path]) <= len(first) / 100 + 3


def test_many_attachments_of_a_page(site: Any, connect: Open) -> None:
    site.most_children = 4
    site.space("PHY", groups=("physics",))
    page = site.page("PHY", "A", "<p>a</p>")
    files = [site.attach(page, f"{n}.txt", b"x") for n in range(11)]
    assert set(rules(connect(site))) == {page, *(f"{page}/{file}" for file in files)}


def test_stamps_change_with_what_is_said_of_an_item(site: Any, connect: Open, tmp_path: Path) -> None:
    site.space("PHY", groups=("physics",))
    page, other = site.page("PHY", "A", "<p>a</p>"), site.page("PHY", "B", "<p>b</p>")
    file = site.attach(page, "x.txt", b"x")
    connector = connect(site, status_labels={"deprecated": "superseded", "signed-off": "approved"})
    said = stamps(connector)
    changed = []
    for change in (
        lambda: site.edit(page, body="<p>aa</p>"),
        lambda: site.edit(page, title="Renamed"),
        lambda: setattr(site.pages[page], "labels", ("signed-off",)),
        lambda: site.attach(page, "x.txt", b"y"),
        lambda: setattr(site.pages[page], "labels", ("deprecated", "other")),
    ):
        change()
        now = stamps(connector)
        changed.append({key for key in now if now[key] != said[key]})
        said = now
    attached = f"{page}/{file}"
    assert changed == [{page}, {page}, {page, attached}, {attached}, {page, attached}]
    assert got(connector, page, tmp_path).status == "superseded"
    assert got(connector, other, tmp_path).status == ""
    site.spaces["PHY"].archived = True
    assert got(connector, other, tmp_path).status == "superseded"


def test_archived_pages_of_cloud_are_superseded(cloud_site: Any, connect: Open, tmp_path: Path) -> None:
    cloud_site.space("PHY", groups=("physics",))
    page = cloud_site.page("PHY", "A", "<p>a</p>", status="archived")
    assert got(connect(cloud_site), page, tmp_path).status == "superseded"


def test_pages_are_fetched_together(site: Any, connect: Open, tmp_path: Path) -> None:
    site.space("PHY", groups=("physics",))
    keys = [site.page("PHY", f"P{n}", f"<p>{n}</p>") for n in range(60)]
    keys.append(site.page("PHY", "Post", "<p>post</p>", type="blogpost"))
    site.unindexed = {keys[3]}
    connector = connect(site)
    items = list(connector.list())
    site.requests.clear()
    connector.prepare(items)
    for item in items:
        (tmp_path / item.key).mkdir()
        assert connector.fetch(item, tmp_path / item.key).path.read_text() == site.pages[item.key].body
    assert len(site.requests) == 3


LISTINGS = {
    False: {
        "contents": r"/content\?",
        "attachments": "/child/attachment",
        "spaces": r"/space\?",
        "permissions": "/permissions",
    },
    True: {
        "contents": r"/spaces/\d+/pages\?",
        "search": "/content/search",
        "attachments": r"/attachments\?",
        "spaces": r"/spaces\?",
        "permissions": "/permissions",
        "groups": r"/group\?",
    },
}


@pytest.mark.parametrize("kind", ["login", "503", "cut", "truncated"])
def test_no_fault_of_a_listing_looks_like_absence(site: Any, connect: Open, kind: str) -> None:
    """Whichever answer of whichever listing goes wrong."""
    site.most = site.most_v2 = site.most_children = 2
    for name in ("PHY", "HR", "OPS"):
        site.space(name, groups=("physics", "staff", "board"))
    keys = [site.page("PHY", f"P{number}", "<p>x</p>") for number in range(5)]
    for number in range(3):
        site.attach(keys[1], f"{number}.txt", b"x")
    connector = connect(site)
    assert len(rules(connector)) == 8
    asked = list(site.requests)
    for listing, path in LISTINGS[site.cloud].items():
        times = len([one for one in asked if re.search(path, one)])
        assert times
        if listing == "spaces":
            times //= 2  # then they are asked for as a visitor, who may be refused
        for skip in range(times):
            if kind == "truncated" and (
                listing == "permissions" or (site.cloud and listing not in ("search", "groups"))
            ):
                continue  # answers that do not tell their size
            site.faults = [server.Fault(path, kind, skip=skip)]
            with pytest.raises(SourceError):
                rules(connector)
    site.faults = []
    assert len(rules(connector)) == 8


def test_a_server_that_is_busy_is_asked_again(site: Any, connect: Open) -> None:
    site.space("PHY", groups=("physics",))
    page = site.page("PHY", "A", "<p>a</p>")
    site.faults = [server.Fault("spaces?", "429", times=2), server.Fault("content", "503", times=3)]
    assert set(rules(connect(site))) == {page}


def test_a_secret_that_is_no_longer_accepted(site: Any, connect: Open) -> None:
    site.space("OPEN", groups=("physics",), anonymous=True)
    site.space("PHY", groups=("physics",))
    site.page("OPEN", "A", "<p>a</p>")
    site.page("PHY", "B", "<p>b</p>")
    site.expired = True
    with pytest.raises(SourceError, match="does not accept the secret"):
        rules(connect(site))
    site.expired = False
    with pytest.raises(SourceError) as raised:
        rules(connect(site, secret="wrong-s3cret"))
    assert "s3cret" not in str(raised.value)
    connector = connect(site)

    def expire(path: str) -> None:
        site.expired = site.expired or "/content" in path

    site.on_request = expire
    listed: list[str] = []
    with pytest.raises(SourceError):
        listed.extend(item.key for item in connector.list())


def test_pages_deleted_while_they_are_listed_hide_no_others(server_site: Any, connect: Open) -> None:
    server_site.most = 3
    server_site.space("PHY", groups=("physics",))
    keys = [server_site.page("PHY", f"P{n}", "<p>x</p>") for n in range(9)]
    doomed = [keys[0]]

    def delete(path: str) -> None:
        if "start=2" in path and doomed:
            server_site.delete(doomed.pop())

    server_site.on_request = delete
    assert set(rules(connect(server_site))) == set(keys[1:])

    new: list[str] = []

    def insert(path: str) -> None:
        if "start=2" in path:
            new.append(server_site.page("PHY", "New", "<p>n</p>"))
            server_site.pages = dict(sorted(server_site.pages.items(), key=lambda entry: entry[0] not in new))

    server_site.on_request = insert
    with pytest.raises(SourceError, match="moved under each of 3 attempts"):
        rules(connect(server_site))


def test_a_space_that_is_closed_while_spaces_are_listed_hides_no_other(server_site: Any, connect: Open) -> None:
    server_site.most_spaces, server_site.administrator = 2, False
    pages = {key: server_site.page(server_site.space(key, groups=("readers",)).key, key, "<p>x</p>") for key in "ABCDE"}

    def close(path: str) -> None:
        if "start=2" in path:
            server_site.spaces["A"].groups = {"board"}

    server_site.on_request = close
    assert rules(connect(server_site)).keys() == {pages[key] for key in "BCDE"}


def test_a_text_that_was_written_under_other_rules_than_were_listed(site: Any, connect: Open, tmp_path: Path) -> None:
    site.space("PHY", anonymous=True)
    page = site.page("PHY", "A", "<p>Open.</p>")
    connector = connect(site)
    (item,) = connector.list()
    assert item.access == PUBLIC
    site.restrict(page, groups=("board",))
    site.edit(page, body="<p>Salaries.</p>")
    with pytest.raises(FetchError, match="edited since it was listed"):
        connector.fetch(item, tmp_path)


def test_no_other_content_has_the_same_revision(site: Any, connect: Open, tmp_path: Path) -> None:
    site.space("PHY", groups=("physics",))
    pages = [site.page("PHY", title, f"<p>{title}</p>") for title in ("A", "B")]
    connector = connect(site)
    assert len({got(connector, page, tmp_path).revision for page in pages}) == 2


def test_attachments_that_do_not_come_whole(site: Any, connect: Open, tmp_path: Path) -> None:
    site.space("PHY", groups=("physics",))
    page = site.page("PHY", "A", "<p>a</p>")
    file = site.attach(page, "x.html", b"<p>Table of runs</p>", "text/html")
    connector = connect(site)
    items = {item.key: item for item in connector.list()}
    site.faults = [server.Fault("download", "login")]
    with pytest.raises(FetchError) as raised:
        connector.fetch(items[f"{page}/{file}"], tmp_path)
    assert raised.value.reason == "not_content"
    assert list(tmp_path.iterdir()) == []
    site.faults = []
    site.delete(page)
    for item in items.values():
        with pytest.raises(FetchError) as raised:
            connector.fetch(item, tmp_path)
        assert raised.value.reason == "gone"


def test_changes(site: Any, connect: Open) -> None:
    site.zone = timedelta(hours=-12)
    site.space("PHY", groups=("physics",))
    site.space("HR", groups=("staff",))
    old = [site.page("PHY", f"Old {n}", "<p>o</p>") for n in range(5)]
    file = site.attach(old[4], "x.txt", b"x")
    yesterday = datetime.now(UTC) - timedelta(days=3)
    for page in site.pages.values():
        page.modified = yesterday
    site.pages[old[4]].files[file].when = yesterday
    connector = connect(site, spaces=("PHY",))
    since = connector.cursor()
    site.restrict(old[0], groups=("staff",))
    child = site.page("PHY", "New", "<p>n</p>", parent=old[0])
    site.edit(old[1], title="Renamed")
    site.page("HR", "Other", "<p>h</p>")
    site.delete(old[2])
    attached = site.attach(old[3], "new.txt", b"new")
    again = [old[2], old[4], f"{old[4]}/{file}", f"{old[4]}/gone"]
    found = {item.key: item for item in connector.changes(since, again)}
    assert {key for key, item in found.items() if isinstance(item, Gone)} == {old[2], f"{old[4]}/gone"}
    listed = {key: item for key, item in found.items() if isinstance(item, Listed)}
    assert set(listed) == {child, old[1], old[3], f"{old[3]}/{attached}", old[4], f"{old[4]}/{file}"}
    now = {item.key: item for item in connector.list()}
    assert {key: (item.stamp, item.access) for key, item in listed.items()} == {
        key: (now[key].stamp, now[key].access) for key in listed
    }


def downloads(site: Any) -> list[str]:
    """What was asked for to read the content of items, since the last time."""
    asked = [path for path in site.requests if "body" in path or "/download" in path]
    site.requests.clear()
    return asked


@pytest.fixture
def section(site: Any, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.setenv("WIKI_TOKEN", "s3cret")
    given = {"kind": "confluence", "url": site.url, "cloud": site.cloud, "secret_env": "WIKI_TOKEN"}
    return {**given, "allow": [site.host], "retry_seconds": 0.01, "requests_per_second": 1000}


def test_a_library_follows_the_wiki(site: Any, section: dict[str, Any], desk: Callable[..., Any]) -> None:
    site.space("PHY", groups=("physics",))
    site.space("OPEN", groups=("physics",), anonymous=True)
    top = site.page("PHY", "Detector", "<p>The detector weighs 7000 tonnes.</p>")
    child = site.page("PHY", "Magnet", "<p>The field is <strong>2 T</strong>.</p>", parent=top)
    public = site.page("OPEN", "Visits", "<p>Visits are on Saturdays.</p>")
    file = f"{child}/{site.attach(child, 'notes.txt', b'Quench at 11850 A.', 'text/plain')}"
    photo = f"{child}/{site.attach(child, 'hall.jpg', b'jpeg', 'image/jpeg')}"
    d = desk(section)
    assert d.outcomes(d.sync()) == {
        **dict.fromkeys([top, child, public, file], "new"),
        photo: "skipped unsupported",
    }
    assert d.readable() == {public}
    assert d.readable("physics") == {top, child, public, file}
    assert d.text(child, "physics") == "The field is **2 T**."
    assert d.document(file, "physics")["title"] == "notes.txt"
    downloads(site)

    assert set(d.outcomes(d.sync()).values()) <= {"skipped unsupported", "unchanged"}
    assert downloads(site) == []

    new = site.page("PHY", "Trigger", "<p>It runs at 100 kHz.</p>", parent=child)
    site.edit(top, body="<p>The detector weighs 7100 tonnes.</p>")
    site.edit(child, title="Solenoid")
    d.sync()
    assert d.text(top, "physics") == "The detector weighs 7100 tonnes."
    assert d.document(child, "physics")["title"] == "Solenoid"
    assert d.readable("physics") == {top, child, public, file, new}
    assert len(downloads(site)) <= 3
    d.like_fresh()

    site.restrict(child, groups=("magnets",))
    downloads(site)
    d.sync()
    assert downloads(site) == []
    assert d.readable("physics") == {top, public}
    assert d.readable("magnets") == {public}
    assert d.readable("physics", "magnets") == {top, child, public, file, new}
    d.like_fresh()

    site.restrict(child)
    site.delete(new)
    site.spaces["OPEN"].anonymous = False
    downloads(site)
    d.sync()
    assert downloads(site) == []
    assert d.readable() == set()
    assert d.readable("physics") == {top, child, public, file}
    d.like_fresh()

    before = d.contents()
    for fault in (server.Fault("content", "503"), server.Fault("pages|content", "login")):
        site.faults = [fault]
        d.sync()
        assert d.contents() == before
    site.faults = []
    site.expired = True
    d.sync()
    assert d.contents() == before
