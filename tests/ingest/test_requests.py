"""How often each source is asked in a run in which nothing changed: at most once for every 100 items, where its
protocol allows that.

The first run lists everything, but refuses each item instead of reading it, so that it is quick: an item's stamp is
kept all the same. Then nothing may be fetched any more, and a change at the source must still be seen.
"""

from __future__ import annotations

import gzip
import importlib.util
import logging
import os
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from assistant.errors import ParseError
from assistant.settings import Settings
from ingest.connectors.connector import Connector, Fetched, Listed
from ingest.sources import Source, sources_of
from ingest.sync import sync_sources

if TYPE_CHECKING:
    from collections.abc import Sequence

    from assistant.types import FloatArray

_log = logging.getLogger(__name__)
SERVERS = Path(__file__).parents[1] / "servers"
LONG_AGO = "2021-01-05T00:00:00Z"
DAY = 24 * 3600


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"requests_{name}", SERVERS / f"{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[f"requests_{name}"] = module
    spec.loader.exec_module(module)
    return module


class Same:
    """An embedder for which all texts are the same: what they mean does not matter here."""

    name, fingerprint, dimensions, max_tokens = "same", "same", 8, 256

    def embed_passages(self, texts: Sequence[str]) -> FloatArray:
        return np.stack([self.embed_query(text) for text in texts])

    def embed_query(self, text: str) -> FloatArray:
        return np.full(8, 8**-0.5, dtype=np.float32)

    def token_starts(self, text: str) -> Sequence[int]:
        return []


@dataclass
class Place:
    """A source of `items` items: its section of the settings, and what changes one of them.

    `listing` and `changes` are how many requests a run may make that lists everything, and one that asks for changes;
    None is one for every 100 items.
    """

    section: dict[str, Any]
    items: int
    touch: Callable[[], object]
    listing: int | None = None
    changes: int | None = None
    asked: Callable[[], int] | None = None
    """Conversations that the server counts, where there are no requests."""


@contextmanager
def mediawiki(count: int, folder: Path) -> Iterator[Place]:
    servers = load("mediawiki")
    if not servers.installed():
        pytest.skip("MediaWiki is not installed: tests/servers/mediawiki.sh does it")
    with servers.MediaWikiServer(folder / "wiki") as wiki:
        # One is there from the start, and so new that it is looked at again.
        wiki.import_pages((f"Page {n}", f"One of many, {n}.") for n in range(count - 1))
        section = {"kind": "mediawiki", "url": wiki.url}
        yield Place(section, count, lambda: wiki.edit("Page 1", "Another one."), changes=4)


@contextmanager
def confluence(count: int, folder: Path) -> Iterator[Place]:
    with load("confluence").Confluence() as site:
        place = _confluence(site, count)
        # Each of its answers of 200 begins with the last page of the one before. Six more are for the sign-in, spaces,
        # permissions and blog posts, however many pages there are: this is too much for 1,000, but not for 2,000.
        place.listing = 6 + -(-count // 199)
        yield place


@contextmanager
def confluence_cloud(count: int, folder: Path) -> Iterator[Place]:
    with load("confluence").Confluence(cloud=True) as site:
        place = _confluence(site, count)
        # Its lists, by 250, have no restrictions, and its search, by 200, may lag behind: both are needed. Seven more
        # are for the sign-in, spaces, permissions and blog posts, however many pages there are: 97 for 10,000.
        place.listing = 7 + -(-count // 250) + -(-count // 200)
        yield place


def _confluence(site: Any, count: int) -> Place:
    site.space("PHY", groups=("physics",))
    pages = [site.page("PHY", f"Page {n}", f"<p>One of many, {n}.</p>") for n in range(count)]
    section = {
        "kind": "confluence",
        "url": site.url,
        "cloud": site.cloud,
        "secret_env": "CONFLUENCE_TOKEN",
    }
    return Place(section, count, lambda: site.edit(pages[1]))


@contextmanager
def foswiki(count: int, folder: Path) -> Iterator[Place]:
    with _twiki(count, folder, "foswiki") as place:
        yield place


@contextmanager
def twiki(count: int, folder: Path) -> Iterator[Place]:
    with _twiki(count, folder, "twiki") as place:
        yield place


@contextmanager
def foswiki_with_rules(count: int, folder: Path) -> Iterator[Place]:
    """The rules of a topic stand in its text only, so that each one that has some is asked for by itself."""
    with _twiki(count, folder, "foswiki", with_rules=20) as place:
        place.listing = 4 + 20
        yield place


@contextmanager
def _twiki(count: int, folder: Path, engine: str, with_rules: int = 0) -> Iterator[Place]:
    with load("twiki").TwikiServer(folder) as server:
        web = server.data / "Physics"
        web.mkdir(parents=True)

        def put(name: str, text: str, version: int = 1) -> None:
            date = 1_700_000_000 + version
            info = f'%META:TOPICINFO{{author="AdaLovelace" date="{date}" format="1.1" version="{version}"}}%'
            (web / f"{name}.txt").write_text(f"{info}\n{text}\n")

        put("WebPreferences", "   * Set ALLOWWEBVIEW = PhysicsGroup")
        for number in range(count):
            rule = "\n   * Set ALLOWTOPICVIEW = AdminGroup" if number < with_rules else ""
            put(f"Topic{number}", f"One of many, {number}.{rule}")
        section = {
            "kind": "twiki",
            "engine": engine,
            "admin_group": "AdminGroup",
            "url": server.url,
            "webs": ["Physics"],
        }
        yield Place(section, count, lambda: put("Topic50", "Another one.", 2), listing=4)


@contextmanager
def webdav(count: int, folder: Path) -> Iterator[Place]:
    with _webdav(count, folder, folders=1) as (place, _):
        yield place


@contextmanager
def webdav_nested(count: int, folder: Path) -> Iterator[Place]:
    with _webdav(count, folder, folders=50) as (place, _):
        yield place


@contextmanager
def webdav_numbered(count: int, folder: Path) -> Iterator[Place]:
    """With numbers for files, the etag of the uppermost folder tells whether anything below it changed."""
    with _webdav(count, folder, folders=50, numbered=True) as (place, _):
        place.changes = 1
        yield place


@contextmanager
def webdav_finite(count: int, folder: Path) -> Iterator[Place]:
    """A server that does not list folders in folders is asked for each folder."""
    with _webdav(count, folder, folders=50) as (place, server):
        server.mode = "finite"
        place.listing = 50 + 3  # and the uppermost folder, three times
        yield place


@contextmanager
def _webdav(count: int, folder: Path, folders: int, *, numbered: bool = False) -> Iterator[tuple[Place, Any]]:
    def put(number: int, text: str, when: float) -> None:
        where = folder / f"part{number % folders}" if folders > 1 else folder
        where.mkdir(exist_ok=True)
        (where / f"note{number}.md").write_text(text)
        os.utime(where / f"note{number}.md", (when, when))

    # Written a day ago, or nobody could be sure that they did not change within the same second since.
    for number in range(count):
        put(number, f"One of many, {number}.", time.time() - DAY)
    with load("dav").DavServer(folder, numbered=numbered) as server:
        section = {"kind": "webdav", "url": server.url, "readers": ["atlas"]}
        yield Place(section, count, lambda: put(1, "Another one.", time.time())), server


@contextmanager
def oai(count: int, folder: Path) -> Iterator[Place]:
    with _oai(count, "persistent") as place:
        place.changes = 3
        yield place


@contextmanager
def oai_without_deletions(count: int, folder: Path) -> Iterator[Place]:
    """A server that forgets deletions is to be listed; how many records an answer holds is for it to say."""
    with _oai(count, "no") as place:
        yield place


@contextmanager
def _oai(count: int, deletions: str) -> Iterator[Place]:
    servers = load("oai")
    repository = servers.Repository()
    repository.deletions = deletions
    for number in range(count):
        described = {"title": [f"Paper {number}"], "identifier": [f"https://lib.example.org/{number}"]}
        repository.records[f"oai:lib:{number}"] = servers.Entry(dc=described)
    repository.prefixes = ["oai_dc"]
    server = servers.OAIServer(repository, batch=100)
    with servers.running(server):
        section = {"kind": "oai", "url": f"{server.home}/oai2d"}
        described = {"title": ["Another paper"], "identifier": ["https://lib.example.org/1"]}
        yield Place(section, count, lambda: repository.put("oai:lib:1", dc=described), listing=count // 100 + 2)


@contextmanager
def inspire(count: int, folder: Path) -> Iterator[Place]:
    with load("inspire").Inspire() as server:
        for number in range(1, count + 1):
            server.put(number, LONG_AGO[:10], titles=[{"title": f"Jets {number}"}])
        section = {
            "kind": "inspire",
            "full_hours": 168,
            "url": f"http://{server.address}",
            "query": "t jets",
            "readers": ["atlas"],
        }
        today = datetime.now(UTC).date().isoformat()
        # That nothing was found is believed only when it was said three times.
        yield Place(section, count, lambda: server.put(1, today, titles=[{"title": "Other jets"}]), changes=3)


@contextmanager
def arxiv(count: int, folder: Path) -> Iterator[Place]:
    with _arxiv(count) as place:
        place.changes = 1
        yield place


@contextmanager
def arxiv_by_numbers(count: int, folder: Path) -> Iterator[Place]:
    with _arxiv(count) as place:
        del place.section["query"]
        place.section["ids"] = [f"2101.{number:05}" for number in range(count)]
        yield place


@contextmanager
def _arxiv(count: int) -> Iterator[Place]:
    servers = load("arxiv")
    with servers.Arxiv() as server:

        def publish(number: int, day: str) -> None:
            text = rb"\documentclass{article}\begin{document}One of many.\end{document}"
            server.publish(f"2101.{number:05}", servers.Version(f"Paper {number}", day, source=gzip.compress(text)))

        for number in range(count):
            publish(number, LONG_AGO)
        section = {"kind": "arxiv", "url": f"http://{server.address}", "query": "cat:hep-ex", "readers": ["atlas"]}
        yield Place(section, count, lambda: publish(1, datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")))


@contextmanager
def web_by_sitemap(count: int, folder: Path) -> Iterator[Place]:
    with _web(count, LONG_AGO[:10]) as place:
        place.listing = 2
        yield place


@contextmanager
def web_by_sitemap_without_dates(count: int, folder: Path) -> Iterator[Place]:
    """Then only each page itself says whether it changed. It is a request for each page, so there are fewer."""
    with _web(count // 10, "") as place:
        place.listing = 2 + place.items
        yield place


@contextmanager
def web_by_links(count: int, folder: Path) -> Iterator[Place]:
    """Only each page itself says where it leads. It is a request for each page, so there are fewer."""
    with _web(count // 10, "") as place:
        del place.section["sitemap"]
        place.section["max_pages"] = place.items + 1
        place.listing = 1 + place.items
        yield place


@contextmanager
def _web(count: int, date: str) -> Iterator[Place]:
    servers = load("site")
    with servers.SiteServer() as server:
        names = ["", *(f"page{number}" for number in range(1, count))]

        def publish(changed: str) -> None:
            entries = "".join(
                f"<url><loc>{server.url}/docs/{name}</loc>"
                + (
                    f"<lastmod>{'2022-02-02' if changed and name == changed else date}</lastmod></url>"
                    if date
                    else "</url>"
                )
                for name in names
            )
            whole = f'<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{entries}</urlset>'
            server.pages["/map.xml"] = servers.Page(whole.encode(), "text/xml")
            for name in [changed] if changed else names[1:]:
                server.write(f"/docs/{name}", f"<p>{name} says what one of many pages says. {changed}</p>")

        links = " ".join(f"<a href={name}>{name}</a>" for name in names[1:])
        server.write("/docs/", f"<p>These are the pages.</p>{links}")
        publish("")
        section = {
            "kind": "web",
            "url": f"{server.url}/docs/",
            "sitemap": f"{server.url}/map.xml",
            "readers": ["atlas"],
        }
        yield Place(section, count, lambda: publish("page1"))


@contextmanager
def indico(count: int, folder: Path, site: Any) -> Iterator[Place]:
    """It takes much longer for an event than others for a page, so there are fewer.

    Answers with what belongs to events are of 100 events at most, visitors are told other things than the account, and
    no list of events says how many there are; so it is asked for the last years one by one.
    """
    place = _indico(site, count // 20)
    place.section["secret_env"] = "INDICO_TOKEN"
    place.listing = 2 * (7 + -(-place.items // 100))
    yield place


@contextmanager
def indico_for_visitors(count: int, folder: Path, site: Any) -> Iterator[Place]:
    place = _indico(site, count // 20)
    place.listing = 7 + -(-place.items // 100)
    yield place


def _indico(site: Any, events: int) -> Place:
    category = site("category", "Weekly meetings")
    site("events", category, events - 1, site.admin)
    event = site("event", category, "One more", "<p>x</p>", site.admin)
    section = {"kind": "indico", "url": site.url, "categories": [category]}
    return Place(section, events, lambda: site("change", "event", event, {"description": "<p>Another one.</p>"}))


@contextmanager
def git(count: int, folder: Path) -> Iterator[Place]:
    """It has no requests, but conversations."""
    servers = load("git")
    repository = servers.Repository(folder / "notes")
    for number in range(count):
        repository.put(f"part{number % 50}/note{number}.md", f"One of many, {number}.")
    repository.commit()
    daemon = servers.GitDaemon(folder)

    def touch() -> None:
        repository.put("part1/note1.md", "Another one.")
        repository.commit()

    with servers.running(daemon):
        section = {"kind": "git", "url": daemon.url("notes"), "branch": "main", "readers": ["atlas"]}
        yield Place(section, count, touch, listing=1, asked=lambda: daemon.conversations)


PLACES = [
    arxiv, arxiv_by_numbers, confluence, confluence_cloud, foswiki, foswiki_with_rules, git, indico,
    indico_for_visitors, inspire, mediawiki, oai, oai_without_deletions, twiki, web_by_links, web_by_sitemap,
    web_by_sitemap_without_dates, webdav, webdav_finite, webdav_nested, webdav_numbered,
]  # fmt: skip


@dataclass(frozen=True)
class Run:
    """What a run did: how many items had which outcome, which were fetched, how many requests it made."""

    outcomes: dict[str, int]
    fetched: list[str]
    requests: int
    seconds: float


def sync(place: Place, library: Path, *, refuse: bool = False, **options: Any) -> Run:
    """A run; with `refuse`, each item is refused instead of read."""
    section = {**place.section, "allow": [re.sub(r"^\w+://|/.*", "", place.section["url"])]}
    if section["kind"] != "git":
        section |= {"retry_seconds": 0.001, "requests_per_second": 100_000}
    settings = Settings(sources={"site": section})
    (source,) = sources_of(settings)
    asked = place.asked or (lambda: 0)
    before, started = asked(), time.perf_counter()
    fetched: list[str] = []
    watched = Source(source.name, source.options, _watched(source.connector, fetched, refuse=refuse))
    report = sync_sources([watched], library, settings=settings, embedder=Same(), **options)
    (found,) = report.sources
    assert found.error == ""
    outcomes = {outcome: number for outcome, number in found.counts.items() if number}
    requests = asked() - before if place.asked else found.requests
    return Run(outcomes, fetched, requests, time.perf_counter() - started)


def _watched(connector: Any, keys: list[str], *, refuse: bool) -> type[Connector]:
    """The connector, which writes down the keys of what it fetches."""

    class Watched(connector):  # type: ignore[misc]
        def prepare(self, items: Sequence[Listed]) -> None:
            if not refuse:
                super().prepare(items)

        def fetch(self, item: Listed, folder: Path) -> Fetched:
            keys.append(item.key)
            if refuse:
                raise ParseError("unsupported", "it is not to be read this time")
            fetched: Fetched = super().fetch(item, folder)
            return fetched

    return Watched


@pytest.fixture(scope="module")
def indico_site() -> Iterator[Any]:
    """One for both, for it takes long to start: each has a category of its own."""
    servers = load("indico")
    if not servers.PYTHON.exists():
        pytest.skip("Indico is not installed: tests/servers/indico.sh does it")
    with servers.Indico() as site:
        yield site


@pytest.fixture(params=PLACES, ids=lambda place: place.__name__)
def make(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("CONFLUENCE_TOKEN", "s3cret")
    if request.param not in (indico, indico_for_visitors):
        return request.param
    site = request.getfixturevalue("indico_site")
    monkeypatch.setenv("INDICO_TOKEN", site.token)
    return partial(request.param, site=site)


@pytest.mark.parametrize("count", [500, pytest.param(10_000, marks=pytest.mark.long)])
def test_a_run_without_changes_makes_at_most_one_request_per_100_items(make: Any, count: int, tmp_path: Path) -> None:
    site = tmp_path / "site"
    site.mkdir()
    library = tmp_path / "library"
    with make(count, site) as place:
        first = sync(place, library, refuse=True)
        assert first.outcomes == {"skipped": place.items}
        second = sync(place, library)
        full = sync(place, library, full=True)
        assert (second.fetched, full.fetched) == ([], [])
        assert full.outcomes == first.outcomes
        place.touch()
        third = sync(place, library)
        for name, run in (("first", first), ("second", second), ("full", full)):
            _log.info("%s, %d items: %d requests in %.2f s", name, place.items, run.requests, run.seconds)
        assert len(third.fetched) == 1
        one_per_100 = place.items // 100
        assert second.requests <= (place.changes or place.listing or one_per_100)
        assert full.requests <= (place.listing or one_per_100)
