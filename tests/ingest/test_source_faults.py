"""Every source that is read over HTTP, behind a proxy that makes its answers wrong in every way that is known.

After each faulty sync, all that was in the library still is, nobody may read more than before or now, and no address
was connected to but the source's own. The list of faults is `tests/servers/faulty.py`.
"""

from __future__ import annotations

import gzip
import importlib.util
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest

from assistant.library import Library
from assistant.library.catalog import access_from_json
from assistant.settings import Settings
from assistant.types import Access
from ingest.access import NOBODY
from ingest.report import Report
from ingest.sources import sources_of
from ingest.sync import sync_sources

if TYPE_CHECKING:
    from assistant.embed import Embedder

SERVERS = Path(__file__).parents[1] / "servers"


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"fault_{name}", SERVERS / f"{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[f"fault_{name}"] = module
    spec.loader.exec_module(module)
    return module


faulty = load("faulty")


@dataclass(frozen=True)
class Place:
    """A source: where its server is, its section of the settings below a URL, and how one of its items is changed."""

    upstream: str
    section: Callable[[str], dict[str, Any]]
    touch: Callable[[int], object]


@contextmanager
def webdav(folder: Path) -> Iterator[Place]:
    (folder / "minutes").mkdir()
    for name in ("magnets.md", "choir.md", "minutes/one.md", "minutes/two.md"):
        (folder / name).write_text(f"# {name}\n\nSomething stands in {name}.\n")
    with load("dav").DavServer(folder) as server:
        yield Place(
            server.address,
            lambda here: {"kind": "webdav", "url": f"http://{here}/", "readers": ["atlas"]},
            lambda n: (folder / "magnets.md").write_text(f"# Magnets\n\nThe field is {n} tesla.\n"),
        )


@contextmanager
def confluence(folder: Path, *, cloud: bool = False) -> Iterator[Place]:
    with load("confluence").Confluence(cloud=cloud) as site:
        site.space("PHY", groups=("physics",))
        top = site.page("PHY", "Detector", "<p>It has a barrel and two end-caps.</p>")
        child = site.page("PHY", "Magnets", "<p>The field is 2 T.</p>", parent=top)
        site.restrict(top, groups=("physics", "board"))
        site.attach(child, "notes.txt", b"Quench at 11850 A.", "text/plain")
        yield Place(
            site.host,
            lambda here: {
                "kind": "confluence",
                "url": f"http://{here}{site.context}",
                "cloud": cloud,
                "secret_env": "CONFLUENCE_TOKEN",
            },
            lambda n: site.edit(child, body=f"<p>The field is {n} T.</p>"),
        )


@contextmanager
def confluence_cloud(folder: Path) -> Iterator[Place]:
    with confluence(folder, cloud=True) as place:
        yield place


@contextmanager
def oai(folder: Path) -> Iterator[Place]:
    servers = load("oai")
    repository = servers.Repository()
    for number in range(1, 8):
        repository.records[f"oai:lib:{number}"] = servers.Entry(
            marc=servers.marc(("245__", f"$aPaper {number}"), ("980__", "$aARTICLE"), _001=str(number)),
            dc={"title": [f"Paper {number}"], "identifier": [f"https://lib.example.org/{number}"]},
        )
    server = servers.OAIServer(repository)
    with servers.running(server):
        yield Place(
            f"127.0.0.1:{server.port}",
            lambda here: {"kind": "oai", "url": f"http://{here}/oai2d"},
            lambda n: repository.put(
                "oai:lib:1", marc=servers.marc(("245__", f"$aPaper 1, version {n}"), ("980__", "$aARTICLE"), _001="1")
            ),
        )


@contextmanager
def inspire(folder: Path) -> Iterator[Place]:
    with load("inspire").Inspire() as server:
        for number in (100, 200, 300):
            server.put(number, "2021-01-05", titles=[{"title": f"Jets {number}"}])
        yield Place(
            server.address,
            lambda here: {
                "kind": "inspire",
                "url": f"http://{here}",
                "full_texts": False,
                "query": "t jets",
                "readers": ["atlas"],
            },
            lambda n: server.put(
                100, (date(2100, 1, 1) + timedelta(n)).isoformat(), titles=[{"title": f"Jets 100, {n}"}]
            ),
        )


@contextmanager
def twiki(folder: Path) -> Iterator[Place]:
    with load("twiki").TwikiServer(folder) as server:
        (server.data / "Physics").mkdir(parents=True)
        topic = '%META:TOPICINFO{{author="AdaLovelace" date="{date}" format="1.1" version="{version}"}}%\n{text}\n'

        def put(name: str, text: str, version: int = 1) -> None:
            said = topic.format(date=1_700_000_000 + version, version=version, text=text)
            (server.data / f"Physics/{name}.txt").write_text(said)

        put("WebPreferences", "   * Set ALLOWWEBVIEW = PhysicsGroup")
        put("WebHome", "Physics is here.")
        put("Calorimeter", "It weighs 2900 tonnes.")
        yield Place(
            server.host,
            lambda here: {
                "kind": "twiki",
                "engine": "foswiki",
                "admin_group": "AdminGroup",
                "url": f"http://{here}/bin",
                "webs": ["Physics"],
            },
            lambda n: put("Calorimeter", f"It weighs {n} tonnes.", version=n),
        )


@contextmanager
def mediawiki(folder: Path) -> Iterator[Place]:
    servers = load("mediawiki")
    if not servers.installed():
        pytest.skip("real server not installed: MediaWiki")
    with servers.MediaWikiServer(folder / "wiki") as wiki:
        for title in ("Calorimeter", "Magnets", "Choir"):
            wiki.edit(title, f"Something stands in {title}.")
        yield Place(
            f"127.0.0.1:{wiki.port}",
            lambda here: {"kind": "mediawiki", "url": f"http://{here}/api.php"},
            lambda n: wiki.edit("Magnets", f"The field is {n} tesla."),
        )


@contextmanager
def arxiv(folder: Path) -> Iterator[Place]:
    servers = load("arxiv")
    with servers.Arxiv() as server:

        def publish(number: str, said: str) -> None:
            source = rb"\documentclass{article}\begin{document}%s\end{document}" % said.encode()
            day = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            server.publish(number, servers.Version(f"Paper {number}", day, source=gzip.compress(source)))

        for number in ("2101.00001", "2101.00002", "2101.00003"):
            publish(number, f"What stands in {number}.")
        yield Place(
            server.address,
            lambda here: {"kind": "arxiv", "url": f"http://{here}", "query": "cat:hep-ex", "readers": ["atlas"]},
            lambda n: publish("2101.00001", f"The field is {n} tesla."),
        )


def _pages(server: Any) -> None:
    text = "<h1>{0}</h1><p>The {0} stands in the hall beside the river, and is looked after by the group for {0}.</p>"
    server.write("/docs/", "<h1>Documents</h1><p>These are the documents.</p><a href=magnets>M</a> <a href=choir>C</a>")
    for name in ("magnets", "choir"):
        server.write(f"/docs/{name}", text.format(name))


@contextmanager
def web_by_links(folder: Path) -> Iterator[Place]:
    with load("site").SiteServer() as server:
        _pages(server)
        yield Place(
            server.address,
            lambda here: {"kind": "web", "url": f"http://{here}/docs/", "readers": ["atlas"]},
            lambda n: server.write("/docs/magnets", f"<h1>Magnets</h1><p>The field of the magnets is {n} tesla.</p>"),
        )


@contextmanager
def web_by_sitemap(folder: Path) -> Iterator[Place]:
    servers = load("site")
    with servers.SiteServer() as server:
        _pages(server)

        def publish(n: int) -> None:
            entries = "".join(
                f"<url><loc>http://{server.address}/docs/{name}</loc><lastmod>{day}</lastmod></url>"
                for name, day in (("", "2026-01-01"), ("magnets", _day(n)), ("choir", "2026-01-01"))
            )
            whole = f'<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{entries}</urlset>'
            server.pages["/map.xml"] = servers.Page(whole.encode(), "text/xml")
            server.write("/docs/magnets", f"<h1>Magnets</h1><p>The field of the magnets is {n} tesla.</p>")

        publish(0)
        yield Place(
            server.address,
            lambda here: {
                "kind": "web",
                "url": f"http://{here}/docs/",
                "sitemap": f"http://{here}/map.xml",
                "readers": ["atlas"],
            },
            publish,
        )


def _day(n: int) -> str:
    """A day of its own for each change, long ago."""
    return (date(2000, 1, 1) + timedelta(n)).isoformat()


PLACES = [arxiv, confluence, confluence_cloud, inspire, mediawiki, oai, twiki, web_by_links, web_by_sitemap, webdav]
CANNOT_BE_TOLD = {"json-no-results", "halved", "mistyped"}
"""An INSPIRE says the first where nothing has changed; half a page of HTML, announced as all, is a page; and what a
paper's source is, is seen from its content, so that its type does not matter."""
Documents = dict[str, tuple[str, Access]]


@pytest.fixture(params=PLACES, ids=lambda place: place.__name__, scope="module")
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with ExitStack() as opened:
        patched = opened.enter_context(pytest.MonkeyPatch.context())
        patched.setenv("CONFLUENCE_TOKEN", "s3cret")
        yield opened.enter_context(request.param(tmp_path_factory.mktemp("site")))


@dataclass
class Site:
    """The library of one place behind its proxy."""

    proxy: Any
    library: Path
    sync: Callable[..., Report]
    touch: Callable[[int], object]
    rules: dict[str, Access] = field(default_factory=dict)
    """Who may read each document where nothing is wrong."""

    def documents(self) -> Documents:
        """Key -> text and rule, whoever may read it."""
        with Library.open(self.library)._connection() as connection:
            rows = connection.execute(
                "SELECT key, text, access FROM document JOIN shelf ON shelf.id = shelf WHERE died IS NULL"
            ).fetchall()
        return {key: (text, access_from_json(access)) for key, text, access in rows}


@pytest.fixture(scope="module")
def site(place: Place, tmp_path_factory: pytest.TempPathFactory, embedder: Embedder) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("library")
    with faulty.Trap() as trap, faulty.FaultyProxy(place.upstream, trap.address) as proxy:

        def sync(library: str = "library", more: Any = None, **options: Any) -> Report:
            fast = {"allow": [proxy.address], "retry_seconds": 0.001, "requests_per_second": 5000}
            section = {**place.section(proxy.address), **fast, "timeout_seconds": 1.0, **(more or {})}
            settings = Settings(sources={"site": section})
            return sync_sources(sources_of(settings), folder / library, settings=settings, embedder=embedder, **options)

        report = sync()
        assert report.sources[0].error == ""
        assert report.count("new") >= 2
        made = Site(proxy, folder / "library", sync, place.touch)
        made.rules |= {key: rule for key, (_, rule) in made.documents().items()}
        yield made
        proxy.arm("", lambda number: False)
        sync()
        sync("fresh")
        assert trap.sprung == 0, "a redirect to another server of this machine was followed"
        assert made.documents() == Site(proxy, folder / "fresh", sync, place.touch).documents()


def fails_safely(site: Site, fault: str, hits: Callable[[int], bool], version: int, **options: Any) -> None:
    before = site.documents()
    site.touch(version)
    site.proxy.arm(fault, hits)
    report = site.sync(**options)
    hit = site.proxy.hit
    site.proxy.arm("", lambda number: False)
    after = site.documents()
    assert before.keys() <= after.keys(), f"{fault} removed {sorted(before.keys() - after.keys())}"
    for key, (_, rule) in before.items() if fault != "halved" else ():  # half a list of rules is one, too
        assert after[key][1] in (rule, NOBODY, site.rules.get(key))
    assert hit or not hits(10_000), "there were fewer requests than that"
    if hits(10_000) and fault not in CANNOT_BE_TOLD:
        assert not report.sources[0].trusted or report.count("failed")


def test_readers_are_restricted_and_let_in_again(site: Site) -> None:
    """By the settings, which narrow the rules of any source; the next sync moves all of it without embedding."""
    board = frozenset({"board"})
    before = site.documents()
    narrowed = site.sync(more={"readers": ["board"]})
    restricted = site.documents()
    assert (narrowed.embedded, narrowed.sources[0].error) == (0, "")
    assert {key: text for key, (text, _) in restricted.items()} == {key: text for key, (text, _) in before.items()}
    assert all(board in rule.all_of for _, rule in restricted.values())
    site.sync("fresh-restricted", more={"readers": ["board"]})
    assert Site(site.proxy, site.library.with_name("fresh-restricted"), site.sync, site.touch).documents() == restricted
    assert site.sync().embedded == 0
    assert site.documents() == before


@pytest.mark.parametrize("fault", faulty.FAULTS)
def test_a_source_that_only_answers_wrongly(site: Site, fault: str) -> None:
    fails_safely(site, fault, lambda number: True, version=faulty.FAULTS.index(fault) + 10)


@pytest.mark.parametrize("fault", faulty.FAULTS)
def test_a_source_that_answers_wrongly_in_the_middle(site: Site, fault: str) -> None:
    number = faulty.FAULTS.index(fault)
    fails_safely(site, fault, lambda n: n > 1, version=number + 100, full=number % 2 == 0)


@pytest.mark.long
@pytest.mark.parametrize("once", range(1, 13))
@pytest.mark.parametrize("fault", faulty.FAULTS)
def test_a_source_that_answers_wrongly_once(site: Site, fault: str, once: int) -> None:
    number = faulty.FAULTS.index(fault) * 13 + once
    fails_safely(site, fault, lambda n: n == once, version=number + 1000, full=number % 2 == 0)
