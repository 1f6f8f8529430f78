"""A real Indico with its database: what is listed, for whom, as it changes."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from threading import Thread
from types import ModuleType
from typing import Any

import pytest

from assistant.errors import FetchError, SourceError
from assistant.types import PUBLIC, Access
from ingest.access import NOBODY
from ingest.connectors.connector import Listed
from ingest.connectors.indico.events import Indico, IndicoOptions
from ingest.connectors.indico.export import Window, split, windows
from ingest.fetch import Client

Open = Callable[..., Indico]


def _server() -> ModuleType:
    file = Path(__file__).parents[2] / "servers" / "indico.py"
    spec = importlib.util.spec_from_file_location("server_indico", file)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


server = _server()


@pytest.fixture(scope="module")
def site() -> Iterator[Any]:
    running = server.Indico()
    try:
        running.__enter__()
    except server.CannotRun as reason:
        pytest.skip(str(reason))
    yield running
    running.__exit__()


@pytest.fixture(scope="module")
def member(site: Any) -> Any:
    """Who belongs to the group "staff" and manages nothing."""
    made = site("user", "mia", "mia@example.org")
    site("join", made["id"], "staff")
    return made


@pytest.fixture
def connect(site: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Open]:
    opened: list[Client] = []

    def open_it(category: int, token: str, **more: Any) -> Indico:
        monkeypatch.setenv("INDICO_TOKEN", token)
        given = {"url": site.url, "allow": (site.host,), **more}
        secret = {"secret_env": "INDICO_TOKEN"} if token else {}
        options = IndicoOptions(
            kind="indico", categories=(category,), retry_seconds=0.01, requests_per_second=1000, **secret, **given
        )
        client = Client(options)
        opened.append(client)
        return Indico(options, client)

    yield open_it
    for client in opened:
        client.__exit__(None, None, None)


def rules(connector: Indico) -> dict[str, Access]:
    return {item.key: item.access for item in connector.list()}


def items(connector: Indico) -> dict[str, Listed]:
    return {item.key: item for item in connector.list()}


def test_an_event_with_its_minutes_and_attachments(site: Any, connect: Open, tmp_path: Path) -> None:
    category = site("category", "Weekly meetings")
    below = site("category", "Magnets", category)
    event = site("event", below, "Quench & recovery", "<p>About <b>magnets</b>.</p>", site.admin)
    talk = site("contribution", event, "First results", "The field was $2\\,T$.\n\nIt held.")
    site("minutes", "event", event, "<p>We agreed.</p><ul><li>Ramp to 11850 A</li></ul>", site.admin)
    site("minutes", "contribution", talk, "<p>Discussed.</p>", site.admin)
    slides = site("attach", "contribution", talk, "notes.txt", "Quench at 11850 A.", site.admin)
    photo = site("attach", "event", event, "hall.jpg", "jpeg", site.admin)
    connector = connect(category, site.token)
    listed = items(connector)
    assert {key: (item.access, item.refused) for key, item in listed.items()} == {
        f"{event}": (PUBLIC, None),
        f"{event}/minutes": (PUBLIC, None),
        f"{event}/minutes/contribution-{talk}": (PUBLIC, None),
        f"{event}/attachment-{slides}": (PUBLIC, None),
        f"{event}/attachment-{photo}": (PUBLIC, ("unsupported", "no parser for .jpg")),
    }
    got = {}
    for key, item in listed.items():
        (tmp_path / key.replace("/", "-")).mkdir()
        got[key] = connector.fetch(item, tmp_path / key.replace("/", "-"))
    page = got[f"{event}"]
    assert (page.title, page.url) == ("Quench & recovery", f"{site.url}/event/{event}/")
    assert page.path.read_text() == (
        "<h1>Quench &amp; recovery</h1>\n<p>2026-05-01 09:00 UTC</p>\n<p>About <b>magnets</b>.</p>\n"
        "<h2>First results</h2>\n<p>2026-05-01 09:00 UTC</p>\n<p>The field was $2\\,T$.</p>\n<p>It held.</p>"
    )
    note = got[f"{event}/minutes"]
    assert note.title == "Minutes: Quench & recovery"
    assert note.url == f"{site.url}/event/{event}/note/"
    assert note.modified.startswith(f"{date.today().year}-")
    file = got[f"{event}/attachment-{slides}"]
    assert (file.path.suffix, file.path.read_text(), file.title) == (".txt", "Quench at 11850 A.", "notes.txt")
    assert rules(connect(category, site.token, contributions=False, attachments=False)) == {
        f"{event}": PUBLIC,
        f"{event}/minutes": PUBLIC,
    }


def test_readers_as_managers_are_told_and_as_members_see(site: Any, member: Any, connect: Open) -> None:
    category = site("category", "Protected")
    site("protect", "category", category, "protected", [member["id"]], ["staff"])
    closed = site("event", category, "Closed", "<p>c</p>", site.admin)
    site("minutes", "event", closed, "<p>m</p>", site.admin)
    file = site("attach", "event", closed, "x.txt", "x", site.admin)
    opened = site("event", category, "Open all the same", "<p>o</p>", site.admin)
    site("protect", "event", opened, "public", [], [])
    hidden = site("event", category, "Not for Mia", "<p>h</p>", site.admin)
    other = site("user", "otto", "otto@example.org")
    site("protect", "event", hidden, "protected", [other["id"]], [])

    mia, otto = Access.of("user:mia@example.org"), Access.of("user:otto@example.org")
    told = {f"{closed}": mia, f"{closed}/minutes": mia, f"{closed}/attachment-{file}": NOBODY}
    assert rules(connect(category, site.token)) == {**told, f"{opened}": PUBLIC, f"{hidden}": otto}
    staff = Access.of("staff")
    seen = {f"{closed}": staff, f"{closed}/minutes": staff, f"{closed}/attachment-{file}": staff, f"{opened}": PUBLIC}
    assert rules(connect(category, member["token"], readers=("staff",))) == seen
    nobody = {key: rule if rule == PUBLIC else NOBODY for key, rule in seen.items()}
    assert rules(connect(category, member["token"])) == nobody
    assert rules(connect(category, "")) == {f"{opened}": PUBLIC}

    site("protect", "attachment", file, "protected", [other["id"]], [])
    assert f"{closed}/attachment-{file}" not in rules(connect(category, member["token"], readers=("staff",)))


def test_protected_parts_of_a_public_event(
    site: Any, member: Any, connect: Open, caplog: pytest.LogCaptureFixture
) -> None:
    category = site("category", "Conference")
    event = site("event", category, "Conference", "<p>all</p>", site.admin)
    talk = site("contribution", event, "Open talk", "<p>open</p>")
    closed = site("contribution", event, "Closed talk", "<p>closed</p>")
    site("minutes", "contribution", closed, "<p>closed minutes</p>", site.admin)
    site("protect", "contribution", closed, "protected", [member["id"]], [])
    public = site("attach", "contribution", talk, "open.txt", "open", site.admin)
    private = site("attach", "contribution", talk, "closed.txt", "closed", site.admin)
    inside = site("attach", "contribution", closed, "inside.txt", "inside", site.admin)
    site("protect", "attachment", private, "protected", [member["id"]], [])
    connector = connect(category, site.token)
    mia = Access.of("user:mia@example.org")
    assert rules(connector) == {
        f"{event}": PUBLIC,
        f"{event}/contribution-{closed}": mia,
        f"{event}/minutes/contribution-{closed}": mia,
        f"{event}/attachment-{public}": PUBLIC,
        f"{event}/attachment-{private}": NOBODY,
        f"{event}/attachment-{inside}": NOBODY,
    }
    assert "2 items are nobody's" in caplog.text
    page = items(connector)[f"{event}"].hint.html
    assert "<h2>Open talk</h2>" in page
    assert "closed" not in page.lower()

    # The interface shows a closed talk to everyone, a visitor too; Indico's own pages do not.
    nora = site("user", "nora", "nora@example.org")
    staff = Access.of("staff")
    assert rules(connect(category, nora["token"], readers=("staff",))) == {
        f"{event}": PUBLIC,
        f"{event}/contribution-{closed}": NOBODY,
        f"{event}/minutes/contribution-{closed}": NOBODY,
        f"{event}/attachment-{public}": PUBLIC,
    }
    assert rules(connect(category, member["token"], readers=("staff",))) == {
        f"{event}": PUBLIC,
        f"{event}/contribution-{closed}": staff,
        f"{event}/minutes/contribution-{closed}": staff,
        f"{event}/attachment-{public}": PUBLIC,
        f"{event}/attachment-{private}": staff,
        f"{event}/attachment-{inside}": staff,
    }


def test_contributions_that_are_not_published(site: Any, member: Any, connect: Open) -> None:
    category = site("category", "Planned")
    event = site("event", category, "Planned", "<p>all</p>", site.admin)
    talk = site("contribution", event, "Draft talk", "<p>draft</p>")
    loose = site("contribution", event, "Loose talk", "<p>loose</p>", False)
    nobodys = {f"{event}/contribution-{loose}": NOBODY}
    assert rules(connect(category, site.token)) == {f"{event}": PUBLIC, **nobodys}
    site("publish", event, False)
    assert rules(connect(category, site.token)) == {
        f"{event}": PUBLIC,
        f"{event}/contribution-{talk}": NOBODY,
        **nobodys,
    }
    seen = items(connect(category, member["token"], readers=("staff",)))
    assert {key: item.access for key, item in seen.items()} == {f"{event}": PUBLIC}
    assert "Draft" not in seen[f"{event}"].hint.html


def test_a_token_that_is_no_longer_good(site: Any, connect: Open, tmp_path: Path) -> None:
    category = site("category", "Tokens")
    site("event", category, "Public", "<p>p</p>", site.admin)
    user = site("user", "tim", "tim@example.org")
    connector = connect(category, user["token"])
    assert len(rules(connector)) == 1
    site("revoke", user["id"])
    with pytest.raises(SourceError) as raised:
        rules(connector)
    assert user["token"] not in str(raised.value)


def test_an_attachment_that_is_replaced_or_gone_meanwhile(site: Any, connect: Open, tmp_path: Path) -> None:
    category = site("category", "Races")
    event = site("event", category, "Race", "<p>r</p>", site.admin)
    file = site("attach", "event", event, "x.txt", "one", site.admin)
    connector = connect(category, site.token)
    item = items(connector)[f"{event}/attachment-{file}"]
    site("replace", file, "two", site.admin)
    with pytest.raises(FetchError, match="checksum"):
        connector.fetch(item, tmp_path)
    assert list(tmp_path.iterdir()) == []
    now = items(connector)[f"{event}/attachment-{file}"]
    assert now.stamp != item.stamp
    assert connector.fetch(now, tmp_path).path.read_text() == "two"
    site("delete", "attachment", file)
    with pytest.raises(FetchError):
        connector.fetch(now, tmp_path)


def test_events_of_all_times_and_since_a_day(site: Any, connect: Open) -> None:
    category = site("category", "Times")
    year = date.today().year
    starts = ["1995-03-01T09:00", f"{year - 4}-12-31T23:30", f"{year}-06-01T09:00", f"{year + 5}-01-01T09:00"]
    events = [str(site("event", category, f"Event {start}", "<p>x</p>", site.admin, start)) for start in starts]
    assert set(rules(connect(category, site.token))) == set(events)
    assert set(rules(connect(category, site.token, since=f"{year - 3}-01-01"))) == set(events[1:])
    assert set(rules(connect(category, site.token, since=f"{year}-06-02"))) == set(events[3:])


def test_requests_of_a_listing(site: Any, member: Any, connect: Open) -> None:
    category = site("category", "Many")
    site("events", category, 120, site.admin)
    connector = connect(category, member["token"])
    assert len(rules(connector)) == 120
    # Seven times, and an answer for each 100 events; for the account and for a visitor.
    assert connector._client.requests == 2 * (7 + 2)


def test_windows_leave_no_day_out() -> None:
    today = date(2026, 5, 1)
    for since in (None, date(2026, 3, 1), date(2023, 7, 1), date(2030, 1, 1)):
        parts = list(windows(since, today))
        assert (parts[0][0], parts[-1][1]) == (since, None)
        assert_adjacent(parts)
    for window in ((None, date(2020, 1, 1)), (date(2027, 1, 1), None), (date(2026, 1, 1), date(2026, 1, 2))):
        parts = split(window)
        assert (parts[0][0], parts[-1][1]) == window
        assert_adjacent(parts)
    assert split((date(2026, 1, 1), date(2026, 1, 1))) == []


def assert_adjacent(parts: list[Window]) -> None:
    for (_, end), (start, _) in pairwise(parts):
        assert end
        assert start
        assert end + timedelta(1) == start


@pytest.mark.parametrize(
    "answer",
    [
        b'{"count": 2, "results": [{"id": "1"}]}',
        b'{"count": 2, "results": [{"id": "1"}, {"id": "1"}]}',
        b'{"count": 1, "results": [{"id": "1"}], "complete": false}',
        b'{"count": 1, "results": [{"id": "1"}]',
        b'{"error": "x"}',
        b'[{"id": "1"}]',
        b'{"count": 1, "results": [{"id": "1"}]}',
    ],
)
def test_an_answer_that_is_not_whole(connect: Open, answer: bytes) -> None:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            pass

    broken = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=broken.serve_forever, args=(0.01,))
    thread.start()
    try:
        host = f"127.0.0.1:{broken.server_port}"
        with pytest.raises(FetchError) as raised:
            rules(connect(1, "t", url=f"http://{host}", allow=(host,)))
        assert raised.value.reason == "not_content"
    finally:
        broken.shutdown()
        broken.server_close()
        thread.join()


def test_a_library_follows_the_events(
    site: Any, member: Any, desk: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INDICO_TOKEN", member["token"])
    category = site("category", "Run meetings")
    event = site("event", category, "Run meeting", "<p>The shift starts at 7:00.</p>", site.admin)
    site("minutes", "event", event, "<p>We ramp to 11850 A.</p>", site.admin)
    file = f"{event}/attachment-{site('attach', 'event', event, 'x.txt', 'The pump is leaking.', site.admin)}"
    page, minutes = f"{event}", f"{event}/minutes"
    section = {"kind": "indico", "url": site.url, "categories": [category], "secret_env": "INDICO_TOKEN"}
    d = desk({**section, "readers": ["staff"], "allow": [site.host], "requests_per_second": 1000})
    assert d.outcomes(d.sync()) == dict.fromkeys([page, minutes, file], "new")
    assert d.readable() == set()  # the settings ask for staff besides
    assert d.readable("staff") == {page, minutes, file}
    assert "The shift starts at 7:00." in d.text(page, "staff")
    d.like_fresh()

    site("change", "event", event, {"title": "Shift meeting"})
    site("minutes", "event", event, "<p>We ramp to 11900 A.</p>", site.admin)
    site("protect", "category", category, "protected", [], ["staff"])
    other = str(site("event", category, "Other", "<p>Another meeting.</p>", site.admin))
    changed = d.outcomes(d.sync())
    assert {key for key, outcome in changed.items() if outcome != "unchanged"} == {page, minutes, other}
    assert "11900 A" in d.text(minutes, "staff")
    d.like_fresh()

    before = d.contents()
    site("protect", "event", event, "protected", [], ["board"])
    d.sync()
    assert d.readable("staff") == {other}
    d.like_fresh()
    site("protect", "event", event, "inheriting", [], [])
    d.sync()
    assert d.contents() == before
    site("delete", "event", int(other))
    d.sync()
    assert d.readable("staff") == {page, minutes, file}
    d.like_fresh()
