"""A TWiki and a Foswiki over HTTP, by a stand-in for their scripts: listing, rules, sign-in, faults."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest

from assistant.errors import FetchError, SourceError
from assistant.types import PUBLIC, Access
from ingest.connectors.connector import Listed
from ingest.connectors.twiki.site import Twiki, TwikiOptions
from ingest.fetch import Client

_FILE = Path(__file__).parents[2] / "servers" / "twiki.py"
_spec = spec_from_file_location("servers_twiki", _FILE)
assert _spec
assert _spec.loader
servers = module_from_spec(_spec)
_spec.loader.exec_module(servers)

Read = Callable[..., Twiki]
WEBS = ("Main", "Physics", "Physics/Higgs")


def put(server: Any, name: str, text: str, *, version: int = 1, date: int = 1_700_000_000, meta: str = "") -> None:
    path = server.data / f"{name}.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    info = f'%META:TOPICINFO{{author="AdaLovelace" date="{date}" format="1.1" version="{version}"}}%'
    path.write_text(f"{info}\n{text}\n{meta}")


def attach(server: Any, name: str, text: str) -> str:
    path = server.pub / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return f'%META:FILEATTACHMENT{{name="{path.name}" attr="" date="1700000001" user="BobBurns" version="1"}}%\n'


def rule(name: str, value: str) -> str:
    return f'%META:PREFERENCE{{name="{name}" title="{name}" type="Set" value="{value}"}}%\n'


@pytest.fixture(params=["foswiki", "twiki"])
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Any]:
    with servers.TwikiServer(tmp_path / "wiki") as server:
        filled(server)
        yield server


def filled(server: Any) -> None:
    put(server, "Main/WebPreferences", "Settings.")
    put(server, "Main/WebHome", "---+ Welcome\n\nTo the wiki.")
    put(server, "Main/WebStatistics", "Numbers.")
    put(server, "Physics/WebPreferences", "   * Set ALLOWWEBVIEW = PhysicsGroup")
    put(server, "Physics/WebHome", "Physics is here.")
    file = attach(server, "Physics/Calorimeter/report.txt", "The tubes number 9852.")
    put(server, "Physics/Calorimeter", "---+ Calorimeter\n\nIt weighs 2900 tonnes.", meta=file)
    put(server, "Physics/Salaries", "They rise by 3 %.", meta=rule("ALLOWTOPICVIEW", "Main.BoardGroup"))
    put(server, "Physics/Open", "Anybody may.", meta=rule("ALLOWTOPICVIEW", "*"))
    put(server, "Physics/Higgs/WebPreferences", "   * Set DENYWEBVIEW = EveEvil")
    put(server, "Physics/Higgs/Couplings", "Couplings are measured.")


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> Iterator[Read]:
    clients: list[Client] = []

    def opened(server: Any, engine: str = "foswiki", **more: Any) -> Twiki:
        if more.get("user"):
            monkeypatch.setenv("WIKI_PASSWORD", more.pop("password", "tea & biscuits"))
            more["secret_env"] = "WIKI_PASSWORD"
        section = {"webs": WEBS, "admin_group": "AdminGroup", "retry_seconds": 0.01, "requests_per_second": 1000}
        section |= {"url": server.url, "allow": (server.host,), "engine": engine, **more}
        options = TwikiOptions(kind="twiki", **section)
        clients.append(Client(options, sign_in=Twiki.sign_in))
        return Twiki(options, clients[-1])

    yield opened
    for client in clients:
        client.__exit__(None, None, None)


def listed(connector: Twiki) -> dict[str, Listed]:
    found = list(connector.list())
    assert len({item.key for item in found}) == len(found)
    return {item.key: item for item in found}


PHYSICS = Access.of("AdminGroup", "PhysicsGroup")


def test_topics_their_rules_and_their_text(site: Any, read: Read, engine: str, tmp_path: Path) -> None:
    connector = read(site, engine)
    found = listed(connector)
    assert {key: item.access for key, item in found.items()} == {
        "Main/WebHome": PUBLIC,
        "Physics/WebHome": PHYSICS,
        "Physics/Calorimeter": PHYSICS,
        "Physics/Salaries": Access.of("AdminGroup", "BoardGroup"),
        "Physics/Open": PUBLIC,
        "Physics/Higgs/Couplings": Access(PHYSICS.all_of, frozenset({"user:EveEvil"})),
    }
    got = connector.fetch(found["Physics/Calorimeter"], tmp_path)
    assert got.path.name == "Calorimeter.twiki"
    assert got.path.read_bytes() == (site.data / "Physics/Calorimeter.txt").read_bytes()
    assert (got.url, got.authors) == (f"{site.url}/view/Physics/Calorimeter", ("AdaLovelace",))


def test_attachments(site: Any, read: Read, engine: str, tmp_path: Path) -> None:
    connector = read(site, engine, files=True)
    item = listed(connector)["Physics/Calorimeter/report.txt"]
    assert item.access == PHYSICS
    got = connector.fetch(item, tmp_path)
    assert got.path.read_text() == "The tubes number 9852."
    assert (got.title, got.authors, got.path.suffix) == ("report.txt", ("BobBurns",), ".txt")
    assert got.url == f"{site.url}/viewfile/Physics/Calorimeter?filename=report.txt"


def test_a_suffix_as_long_as_a_file_name_may_be(site: Any, read: Read, engine: str, tmp_path: Path) -> None:
    name = "a." + "x" * 253
    file = attach(site, f"Physics/Calorimeter/{name}", "Text.")
    put(site, "Physics/Calorimeter", "It weighs 2900 tonnes.", meta=file)
    connector = read(site, engine, files=True)
    got = connector.fetch(listed(connector)[f"Physics/Calorimeter/{name}"], tmp_path)
    assert (got.path.read_text(), got.title) == ("Text.", name)


def test_a_stamp_changes_with_the_topic_only(site: Any, read: Read, engine: str) -> None:
    before = listed(read(site, engine))
    put(site, "Physics/Calorimeter", "It weighs 3100 tonnes.", date=1_700_000_500)
    after = listed(read(site, engine))
    assert {key for key in after if after[key].stamp != before[key].stamp} == {"Physics/Calorimeter"}


def test_a_topic_that_the_user_may_not_view_is_not_there(site: Any, read: Read, engine: str) -> None:
    site.hidden = {"Physics/Salaries", "Physics/WebHome"}
    assert set(listed(read(site, engine))).isdisjoint(site.hidden)
    site.hidden = {"Physics/WebPreferences"}
    with pytest.raises(SourceError, match="answered 403"):
        listed(read(site, engine))


def test_rules_that_the_search_overlooks_are_found_when_the_topic_is_fetched(
    site: Any, read: Read, engine: str, tmp_path: Path
) -> None:
    site.fault = "blind"
    connector = read(site, engine)
    item = listed(connector)["Physics/Salaries"]
    with pytest.raises(FetchError, match="does not find") as error:
        connector.fetch(item, tmp_path)
    assert error.value.reason == "forbidden"  # so it becomes nobody's


def test_a_topic_that_gets_rules_between_the_two_searches(site: Any, read: Read, engine: str) -> None:
    connector = read(site, engine, webs=("Physics",))

    def meanwhile(pattern: str) -> None:
        if "!" in pattern:
            put(site, "Physics/Calorimeter", "Closed now.", meta=rule("ALLOWTOPICVIEW", "BoardGroup"))

    site.before_search = meanwhile
    assert listed(connector)["Physics/Calorimeter"].access == Access.of("AdminGroup", "BoardGroup")


@pytest.mark.parametrize("login", ["basic", "form"])
def test_sign_in(tmp_path: Path, read: Read, engine: str, login: str) -> None:
    with servers.TwikiServer(tmp_path / "closed", sign_in=login) as server:
        filled(server)
        connector = read(server, engine, user="reader", login=login)
        item = listed(connector)["Physics/Salaries"]
        assert "3 %" in connector.fetch(item, tmp_path).path.read_text()
        for options in ({}, {"user": "reader", "login": login, "password": "swordfish"}):
            with pytest.raises(SourceError) as error:
                listed(read(server, engine, **options))
            assert "swordfish" not in str(error.value)


@pytest.mark.parametrize("login", ["basic", "form"])
def test_what_the_web_server_shows_to_members_only_is_not_public(
    tmp_path: Path, read: Read, engine: str, login: str
) -> None:
    with servers.TwikiServer(tmp_path / "closed", sign_in=login) as server:
        filled(server)
        connector = read(server, engine, user="reader", login=login)
        members = Access.of("signed-in")
        rules = {key: item.access for key, item in listed(connector).items()}
        assert rules["Main/WebHome"] == rules["Physics/Open"] == members
        assert rules["Physics/WebHome"] == PHYSICS
        server.members_only = {"Main/WebHome"}
        rules = {key: item.access for key, item in listed(connector).items()}
        assert (rules["Main/WebHome"], rules["Physics/Open"]) == (members, PUBLIC)


def test_visitors_are_asked_for_at_the_pace_of_the_source(
    tmp_path: Path, desk: Any, engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WIKI_PASSWORD", "tea & biscuits")
    with servers.TwikiServer(tmp_path / "closed", sign_in="basic") as server:
        filled(server)
        section = {"kind": "twiki", "engine": engine, "admin_group": "AdminGroup", "url": server.url}
        section |= {"webs": list(WEBS), "user": "reader", "secret_env": "WIKI_PASSWORD", "allow": [server.host]}
        report = desk({**section, "retry_seconds": 0.01, "requests_per_second": 1000}).sync()
        assert report.sources[0].requests == len(server.asked)


def test_a_form_that_is_shown_again_is_a_fault(tmp_path: Path, read: Read, engine: str) -> None:
    with servers.TwikiServer(tmp_path / "half", sign_in="form") as server:
        filled(server)
        server.members_only = {"Physics/Salaries"}  # a visitor would be listed the rest
        assert "Physics/Salaries" in listed(read(server, engine, user="reader", login="form"))
        with pytest.raises(SourceError, match="does not let reader in"):
            listed(read(server, engine, user="reader", login="form", password="swordfish"))


@pytest.mark.parametrize(
    ("fault", "engines", "said"),
    [
        ("login-page", "foswiki twiki", "login page"),
        ("unavailable", "foswiki twiki", "503"),
        ("cut", "foswiki twiki", "is cut"),
        ("short", "foswiki", "no whole feed"),
        ("no-dates", "foswiki", "no whole feed"),
        ("sixteen", "foswiki", "takes no limit"),
    ],
)
def test_a_fault_is_never_an_absence(site: Any, read: Read, fault: str, engines: str, said: str) -> None:
    for engine in engines.split():
        connector = read(site, engine)
        site.fault = ""
        listed(connector)
        site.fault = fault
        with pytest.raises(SourceError, match=said):
            listed(connector)


def test_an_empty_web_is_no_listing(site: Any, read: Read, engine: str) -> None:
    site.hidden = {f"Main/{path.stem}" for path in (site.data / "Main").glob("*.txt")} - {"Main/WebPreferences"}
    assert "Main/WebHome" not in listed(read(site, engine))
    site.hidden |= {"Physics/Higgs/Couplings"}
    (site.data / "Main/WebPreferences.txt").rename(site.data / "Main/Elsewhere.txt")
    with pytest.raises(SourceError, match="404"):
        listed(read(site, engine))


def test_ten_thousand_unchanged_topics(tmp_path: Path, read: Read) -> None:
    with servers.TwikiServer(tmp_path / "large") as server:
        filled(server)
        for number in range(10_000):
            put(server, f"Main/Topic{number}", f"Text {number}.")
        assert len(listed(read(server))) == 10_006
        assert len(server.asked) == 14  # for each of three webs its rules and three searches; two topics with rules


def test_a_desk_follows_the_site(tmp_path: Path, desk: Any, engine: str) -> None:
    with servers.TwikiServer(tmp_path / "site") as server:
        filled(server)
        d = desk(
            {
                "kind": "twiki",
                "engine": engine,
                "admin_group": "AdminGroup",
                "url": server.url,
                "webs": list(WEBS),
                "files": True,
                "allow": [server.host],
                "retry_seconds": 0.01,
                "requests_per_second": 1000,
            }
        )
        d.sync()
        assert d.readable() == {"Main/WebHome", "Physics/Open"}
        physics = {
            "Physics/WebHome",
            "Physics/Calorimeter",
            "Physics/Calorimeter/report.txt",
            "Physics/Higgs/Couplings",
        }
        assert d.readable("PhysicsGroup") == d.readable() | physics
        assert d.readable("PhysicsGroup", "user:EveEvil") == d.readable() | physics - {"Physics/Higgs/Couplings"}
        d.like_fresh()
        assert d.outcomes(d.sync()) == {}
        d.like_fresh()

        put(server, "Physics/Calorimeter", "It weighs 3100 tonnes.", date=1_700_000_500)
        put(server, "Main/New", "Written today.", date=1_700_000_600)
        (server.data / "Physics/Higgs/Couplings.txt").rename(server.data / "Physics/Higgs/Rates.txt")
        d.sync()
        assert "3100" in d.text("Physics/Calorimeter", "PhysicsGroup")
        assert d.readable("AdminGroup") == {
            "Main/WebHome",
            "Main/New",
            "Physics/Open",
            "Physics/Salaries",
            "Physics/WebHome",
            "Physics/Calorimeter",
            "Physics/Higgs/Rates",
        }
        d.like_fresh()

        put(server, "Physics/WebPreferences", "   * Set ALLOWWEBVIEW = OtherGroup", date=1_700_000_700)
        put(server, "Main/New", "Written today.", date=1_700_000_800, meta=rule("ALLOWTOPICVIEW", "BoardGroup"))
        report = d.sync()
        assert report.embedded == 0
        assert "Physics/Calorimeter" in d.readable("OtherGroup")
        assert "Physics/Calorimeter" not in d.readable("PhysicsGroup")
        assert "Main/New" not in d.readable()
        d.like_fresh()

        server.fault = "login-page"
        assert d.sync().sources[0].error
        assert len(d.readable("AdminGroup")) == 7
