"""A web site, by its sitemap and by its links, against a real server."""

from __future__ import annotations

import gzip
import sys
import time
from collections.abc import Callable, Iterator
from email.utils import formatdate
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from assistant.errors import FetchError, ParseError, SourceError
from assistant.types import PUBLIC
from ingest.access import NOBODY
from ingest.connectors.connector import Fetched, Listed
from ingest.connectors.web.site import Site, SiteOptions
from ingest.fetch import Client

if TYPE_CHECKING:
    from conftest import Desk  # type: ignore[import-not-found]

DATA = Path(__file__).parents[3] / "ingest/demo/documents"


def load(name: str) -> Any:
    spec = spec_from_file_location(f"{name}_server", Path(__file__).parents[2] / f"servers/{name}.py")
    assert spec
    assert spec.loader
    module = module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


site_server = load("site")
TEXT = "<h1>{}</h1><p>The {} stands in the hall beside the river, and is looked after by the group for {}.</p>"
LOGIN = "<h1>Sign in</h1><form><input name=user><input type=password></form>"
NOT_THERE = (404, {}, b"")


def text(name: str, links: str = "") -> str:
    return TEXT.format(name, name, name) + "".join(f'<a href="{link}">{link}</a> ' for link in links.split())


@pytest.fixture
def server() -> Iterator[Any]:
    with site_server.SiteServer() as started:
        yield started


def section(server: Any, **more: Any) -> dict[str, Any]:
    fast = {"requests_per_second": 2000, "retry_seconds": 0.01, "timeout_seconds": 10}
    url = server.url + "/docs/"
    return {"kind": "web", "url": url, "readers": ["everyone"], "allow": [server.address], **fast, **more}


@pytest.fixture
def connect(server: Any) -> Iterator[Callable[..., Site]]:
    clients = []

    def make(**more: Any) -> Site:
        options = SiteOptions(**section(server, **more))
        clients.append(Client(options, max_mb=5))
        return Site(options, clients[-1])

    yield make
    for client in clients:
        client.__exit__(None, None, None)


def listed(connector: Site) -> dict[str, Listed]:
    items = list(connector.list())
    assert len({item.key for item in items}) == len(items)
    return {item.key: item for item in items}


def fetch(connector: Site, item: Listed, tmp_path: Path) -> Fetched:
    work = tmp_path / f"work-{len(list(tmp_path.iterdir()))}"
    work.mkdir()
    return connector.fetch(item, work)


def sitemap(*entries: tuple[str, str], tag: str = "url") -> bytes:
    said = "".join(
        f"<{tag}><loc>{loc.replace('&', '&amp;')}</loc>{f'<lastmod>{date}</lastmod>' if date else ''}</{tag}>"
        for loc, date in entries
    )
    root = "urlset" if tag == "url" else "sitemapindex"
    return f'<?xml version="1.0"?><{root} xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{said}</{root}>'.encode()


def put_map(server: Any, path: str, body: bytes, type: str = "application/xml") -> str:
    server.pages[path] = site_server.Page(body, type)
    return str(server.url + path)


# By links


def test_pages_and_documents_that_links_lead_to(server: Any, connect: Callable[..., Site], tmp_path: Path) -> None:
    server.write("/docs/", text("hall", "magnets.html deep/ paper.pdf image.png /elsewhere http://other.example/docs/"))
    server.write("/docs/magnets.html", text("magnet", "./ magnets.html?utm_source=x#part missing.html report"))
    server.write("/docs/deep/", text("deep", "../magnets.html page?b=2&a=1"), head="<base href='/docs/deep/'>")
    server.write("/docs/deep/page?b=2&a=1", text("query"))
    pdf = next(DATA.rglob("*.pdf")).read_bytes()
    server.pages["/docs/paper.pdf"] = site_server.Page(pdf, "application/pdf")
    server.pages["/docs/report"] = site_server.Page(pdf, "application/pdf")
    server.write("/elsewhere", text("elsewhere"))
    connector = connect()
    found = listed(connector)
    pages = {"/docs/", "/docs/magnets.html", "/docs/deep/", "/docs/deep/page?b=2&a=1"}
    assert set(found) == {*pages, "/docs/paper.pdf", "/docs/report"}
    assert {item.access for item in found.values()} == {PUBLIC}
    assert all(item.stamp for item in found.values())
    assert sorted(server.asked()) == sorted(
        ["GET /robots.txt", "HEAD /docs/paper.pdf", "GET /docs/report", "GET /docs/missing.html"]
        + [f"GET {key}" for key in pages]
    )
    for key, item in found.items():
        fetched = fetch(connector, item, tmp_path)
        assert fetched.path.read_bytes() == server.pages[key].body
        assert fetched.path.suffix == (".pdf" if key in ("/docs/paper.pdf", "/docs/report") else ".html")
        assert fetched.url == server.url + key
        assert fetched.language == ("en" if key in pages else "")
    assert server.asked() == ["GET /docs/paper.pdf"]  # all else was had by listing


def test_copies_are_one_item(server: Any, connect: Callable[..., Site], tmp_path: Path) -> None:
    server.write("/docs/", text("start", "a?print=1 a?view=2 x y z"))
    for view in ("a?print=1", "a?view=2"):
        server.write(f"/docs/{view}", text("a"), head="<link rel=canonical href=/docs/a?utm_medium=mail>")
    server.write("/docs/a", text("a"), head="<link rel=canonical href=/docs/a>")
    server.write("/docs/x", text("x"), head="<link rel=canonical href=/docs/y>")  # x and y say each other
    server.write("/docs/y", text("x"), head="<link rel=canonical href=/docs/x>")
    server.write("/docs/z", text("z"), head="<link rel=canonical href=http://other.example/z>")
    connector = connect()
    found = listed(connector)
    assert set(found) == {"/docs/", "/docs/a", "/docs/z", "/docs/y"}
    assert fetch(connector, found["/docs/z"], tmp_path).url == server.url + "/docs/z"


def test_redirects(server: Any, connect: Callable[..., Site]) -> None:
    server.write("/docs/", text("start", "old moved out"))
    server.redirects.update({"/docs/old": "/docs/new", "/docs/moved": "new", "/docs/out": server.url + "/other/"})
    server.write("/docs/new", text("new"))
    server.write("/other/", text("other"))
    found = listed(connect())
    assert set(found) == {"/docs/", "/docs/new", "/docs/out"}
    assert (found["/docs/out"].access, found["/docs/out"].refused) == (
        NOBODY,
        ("outside_root", f"it leads to {server.url}/other/"),
    )


def test_robots_are_respected(server: Any, connect: Callable[..., Site]) -> None:
    server.pages["/robots.txt"] = site_server.Page(
        b"User-agent: *\nDisallow: /docs/private/\nAllow: /docs/private/open\nDisallow: /*.cgi$\n", "text/plain"
    )
    links = "private/a private/open run.cgi run.cgi?x=1 quiet dead"
    server.write("/docs/", text("start", links) + "<a rel=nofollow href=ad>ad</a>")
    for name in ("private/a", "private/open", "run.cgi", "run.cgi?x=1", "ad", "after-dead", "after-quiet"):
        server.write(f"/docs/{name}", text(name))
    server.write("/docs/quiet", text("quiet", "after-quiet"), head="<meta name=robots content=noindex>")
    server.write("/docs/dead", text("dead", "after-dead"), X_Robots_Tag="nofollow")
    expected = {"/docs/", "/docs/private/open", "/docs/run.cgi?x=1", "/docs/dead", "/docs/after-quiet"}
    assert set(listed(connect())) == expected
    server.pages["/robots.txt"] = site_server.Page(b"User-agent: refdesk\nDisallow: /docs/", "text/plain")
    with pytest.raises(SourceError, match=r"robots\.txt"):
        listed(connect())


def test_the_delay_that_robots_ask_for(server: Any, connect: Callable[..., Site]) -> None:
    server.pages["/robots.txt"] = site_server.Page(b"User-agent: *\nCrawl-delay: 0.2\n", "text/plain")
    server.write("/docs/", text("start", "a b c"))
    for name in "abc":
        server.write(f"/docs/{name}", text(name))
    began = time.monotonic()
    assert len(listed(connect())) == 4
    assert time.monotonic() - began >= 4 * 0.2


@pytest.mark.parametrize("status", [500, 503])
def test_robots_that_cannot_be_had_forbid_all(server: Any, connect: Callable[..., Site], status: int) -> None:
    server.write("/docs/", text("start"))
    server.faults["/robots.txt"] = status
    with pytest.raises(FetchError) as raised:
        listed(connect())
    assert raised.value.reason == "unreachable"
    server.faults["/robots.txt"] = 403
    assert set(listed(connect())) == {"/docs/"}


def test_depth_and_patterns(server: Any, connect: Callable[..., Site]) -> None:
    for i in range(6):
        server.write(f"/docs/{i}", text(str(i), f"{i + 1} {i}.pdf"))
    url = server.url + "/docs/0"
    area = {"url": server.url + "/docs/", "max_depth": 3}
    server.write("/docs/", text("start", "0"))
    assert set(listed(connect(**area))) == {"/docs/", "/docs/0", "/docs/1", "/docs/2"}
    assert set(listed(connect(include=["[24]"]))) == {"/docs/2", "/docs/4"}
    assert set(listed(connect(exclude=["/docs/3"]))) == {"/docs/", "/docs/0", "/docs/1", "/docs/2"}
    assert set(listed(connect(url=url))) == {"/docs/0"}  # all others lie outside


def test_a_site_without_end_is_not_read(server: Any, connect: Callable[..., Site]) -> None:
    server.write("/docs/", text("start", "calendar?day=0 a"))
    for i in range(50):
        server.write(f"/docs/calendar?day={i}", text(f"day {i}", f"calendar?day={i + 1}"))
    server.write("/docs/a", text("a"))
    with pytest.raises(SourceError, match="max_pages = 20"):
        listed(connect(max_pages=20))
    assert set(listed(connect(max_pages=20, exclude=["calendar*"]))) == {"/docs/", "/docs/a"}


def whole(server: Any) -> None:
    server.write("/docs/", text("start", "a b"))
    server.write("/docs/a", text("a", "below-a"))
    server.write("/docs/b", text("b"))
    server.write("/docs/below-a", text("below"))


HTML_HEAD = {"Content-Type": "text/html"}
STARTS: dict[str, Any] = {
    "an error": 503,
    "gone": 404,
    "forbidden": 403,
    "a bad request": 400,
    "cut": (200, {**HTML_HEAD, "Content-Length": "9999"}, b"<html>"),
    "a login page": (200, HTML_HEAD, LOGIN.encode()),
    "a redirect to a login page": (302, {"Location": "/docs/login"}, b""),
    "a redirect out": (302, {"Location": "/out"}, b""),
    "another type": (200, {"Content-Type": "application/json"}, b"{}"),
    "no type": (200, {}, b"<html>"),
    "another encoding": (200, {**HTML_HEAD, "Content-Encoding": "br"}, b"?"),
}


@pytest.mark.parametrize("fault", STARTS)
def test_a_first_page_that_is_none(server: Any, connect: Callable[..., Site], fault: str) -> None:
    whole(server)
    server.write("/docs/login", LOGIN)
    server.write("/out", text("out"))
    server.faults["/docs/"] = STARTS[fault]
    with pytest.raises(SourceError):
        listed(connect())


@pytest.mark.parametrize("fault", ["an error", "cut"])
def test_a_page_that_may_come_back_ends_the_listing(server: Any, connect: Callable[..., Site], fault: str) -> None:
    whole(server)
    server.faults["/docs/a"] = STARTS[fault]
    with pytest.raises(FetchError):
        listed(connect())


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("forbidden", "forbidden"),
        ("a login page", "forbidden"),
        ("a redirect to a login page", "forbidden"),
        ("a bad request", "refused"),
        ("too large", "too_large"),
        ("another type", "not_content"),
        ("no type", "not_content"),
        ("another encoding", "not_content"),
    ],
)
def test_a_page_that_cannot_be_had_is_listed(
    server: Any, connect: Callable[..., Site], fault: str, reason: str, tmp_path: Path
) -> None:
    whole(server)
    server.write("/docs/login", LOGIN)
    large = (200, HTML_HEAD, b"<html>" + b" " * 6_000_000)
    server.faults["/docs/a"] = large if fault == "too large" else STARTS[fault]
    connector = connect()
    found = listed(connector)
    assert set(found) == {"/docs/", "/docs/a", "/docs/b"}
    assert found["/docs/a"].stamp == ""
    with pytest.raises(FetchError) as raised:
        fetch(connector, found["/docs/a"], tmp_path)
    assert raised.value.reason == reason


@pytest.mark.parametrize("type", ["image/png", "application/zip"])
def test_a_file_that_is_called_like_a_page_is_no_item(server: Any, connect: Callable[..., Site], type: str) -> None:
    whole(server)
    server.pages["/docs/a"] = site_server.Page(b"no page", type)
    assert set(listed(connect())) == {"/docs/", "/docs/b"}


def test_a_page_for_signing_in_is_no_item(server: Any, connect: Callable[..., Site]) -> None:
    server.write("/docs/", text("start", "login members"))
    server.write("/docs/login", LOGIN)
    server.redirects["/docs/members"] = "/docs/login?next=members"
    server.write("/docs/login?next=members", LOGIN)
    found = listed(connect())
    assert {key: item.hint.error is not None for key, item in found.items()} == {"/docs/": False, "/docs/members": True}


# By a sitemap


def test_a_sitemap_with_dates_costs_one_request(server: Any, connect: Callable[..., Site], tmp_path: Path) -> None:
    entries = [(f"{server.url}/docs/page-{i}", f"2026-03-{i % 28 + 1:02}") for i in range(3000)]
    address = put_map(server, "/map.xml", sitemap(*entries, (server.url + "/other/", "2026-01-01")))
    server.write("/docs/page-7", text("seven"), Last_Modified="Sun, 06 Nov 1994 08:49:37 GMT")
    connector = connect(sitemap=address)
    found = listed(connector)
    assert {key: item.stamp for key, item in found.items()} == {
        f"/docs/page-{i}": f"2026-03-{i % 28 + 1:02}" for i in range(3000)
    }
    assert server.asked() == ["GET /robots.txt", "GET /map.xml"]
    fetched = fetch(connector, found["/docs/page-7"], tmp_path)
    assert fetched.path.read_bytes() == server.pages["/docs/page-7"].body
    assert (fetched.url, fetched.modified) == (server.url + "/docs/page-7", "1994-11-06T08:49:37Z")


def test_a_hundred_thousand_pages_in_packed_sitemaps_that_name_each_other(
    server: Any, connect: Callable[..., Site]
) -> None:
    names = [f"{server.url}/map-{i}.xml.gz" for i in range(2)]
    index = [(name, "") for name in [*names, f"{server.url}/map.xml", f"{server.url}/deeper.xml"]]
    address = put_map(server, "/map.xml", sitemap(*index, tag="sitemap"))
    put_map(server, "/deeper.xml", sitemap((f"{server.url}/map.xml", ""), (names[0], ""), tag="sitemap"))
    for i in range(2):
        pages = [(f"{server.url}/docs/{i}/{n}?a=1&b=2", "2026-03-01T10:00:00+01:00") for n in range(50_000)]
        put_map(server, f"/map-{i}.xml.gz", gzip.compress(sitemap(*pages)), "application/gzip")
    keys = {item.key for item in connect(sitemap=address).list()}
    assert keys == {f"/docs/{i}/{n}?a=1&b=2" for i in range(2) for n in range(50_000)}
    assert len(server.asked()) == 5


def test_without_dates_pages_are_asked_for_their_heads(server: Any, connect: Callable[..., Site]) -> None:
    now = time.time()
    server.write("/docs/tagged", text("tagged"))
    server.write("/docs/gone", text("gone"))
    today = time.strftime("%Y-%m-%d", time.gmtime(now))
    entries = [("tagged", ""), ("gone", ""), ("today", today), ("odd", "last week"), ("locked", "")]
    address = put_map(server, "/map.xml", sitemap(*((f"{server.url}/docs/{name}", date) for name, date in entries)))
    for name in ("today", "odd"):
        server.write(f"/docs/{name}", text(name))
    del server.pages["/docs/gone"]
    server.faults["/docs/locked"] = 401
    found = listed(connect(sitemap=address))
    assert set(found) == {"/docs/tagged", "/docs/today", "/docs/odd", "/docs/locked"}
    assert found["/docs/tagged"].stamp.startswith('"')
    assert found["/docs/today"].stamp.startswith('"')  # the day may still last
    assert found["/docs/locked"].hint.error.reason == "forbidden"
    server.etags = False
    server.write("/docs/odd", text("odd"), Last_Modified="Sun, 06 Nov 1994 08:49:37 GMT")
    server.write("/docs/today", text("today"), Last_Modified=formatdate(now, usegmt=True))
    found = listed(connect(sitemap=address))
    assert [found[f"/docs/{name}"].stamp for name in ("tagged", "odd", "today")] == [
        "",
        "Sun, 06 Nov 1994 08:49:37 GMT",
        "",
    ]
    server.knows_head = False
    assert {item.stamp for item in listed(connect(sitemap=address)).values()} == {""}
    server.faults["/docs/odd"] = 503
    with pytest.raises(FetchError):
        listed(connect(sitemap=address))


MAPS: dict[str, tuple[bytes, str]] = {
    "empty": (sitemap(), "application/xml"),
    "no bytes": (b"", "application/xml"),
    "cut": (sitemap(("http://x/docs/a", ""), ("http://x/docs/b", ""))[:-30], "application/xml"),
    "cut between entries": (sitemap(("http://x/docs/a", ""))[: -len("</urlset>")], "application/xml"),
    "packed and cut": (gzip.compress(sitemap(("http://x/docs/a", "")))[:-9], "application/gzip"),
    "packed, with a wrong checksum": (
        gzip.compress(sitemap(("http://x/docs/a", "")))[:-8] + bytes(8),
        "application/gzip",
    ),
    "a login page": (LOGIN.encode(), "text/html"),
    "HTML as XML": (b"<html><body>Sign in</body></html>", "application/xml"),
    "an entry without an address": (b"<urlset><url><lastmod>2026-01-01</lastmod></url></urlset>", "text/xml"),
    "only pages elsewhere": (sitemap(("http://other.example/docs/a", "")), "application/xml"),
    "an index to another server": (sitemap(("http://other.example/map.xml", ""), tag="sitemap"), "application/xml"),
    "a file of this machine": (
        b'<!DOCTYPE u [<!ENTITY f SYSTEM "file:///etc/passwd">]><urlset><url><loc>&f;</loc></url></urlset>',
        "text/xml",
    ),
    "a bomb": (gzip.compress(b"<urlset>" + b" " * 210_000_000, 1), "application/gzip"),
}


@pytest.mark.parametrize("fault", MAPS)
def test_a_sitemap_that_is_none(server: Any, connect: Callable[..., Site], fault: str) -> None:
    address = put_map(server, "/map.xml", *MAPS[fault])
    good = put_map(server, "/good.xml", sitemap((server.url + "/docs/a", "2026-01-01")))
    with pytest.raises(SourceError):
        listed(connect(sitemap=address))
    index = put_map(server, "/index.xml", sitemap((good, ""), (address, ""), tag="sitemap"))
    if fault != "only pages elsewhere":
        with pytest.raises(SourceError):
            listed(connect(sitemap=index))


def test_what_pages_of_a_sitemap_turn_out_to_be(server: Any, connect: Callable[..., Site], tmp_path: Path) -> None:
    names = ["a", "copy", "quiet", "locked", "outside", "picture", "missing", "film.mp4"]
    address = put_map(server, "/map.xml", sitemap(*((f"{server.url}/docs/{name}", "2026-01-01") for name in names)))
    server.write("/docs/a", text("a"))
    server.write("/docs/copy", text("a"), head=f"<link rel=canonical href='{server.url}/docs/a'>")
    server.write("/docs/quiet", text("quiet"), head="<meta name=robots content=noindex>")
    server.write("/docs/locked", LOGIN)
    server.redirects["/docs/outside"] = "/elsewhere"
    server.write("/elsewhere", text("elsewhere"))
    server.pages["/docs/picture"] = site_server.Page(b"\x89PNG", "image/png")
    connector = connect(sitemap=address)
    found = listed(connector)
    assert found["/docs/film.mp4"].refused == ("unsupported", "no parser for .mp4")

    def reason(name: str) -> str:
        with pytest.raises((ParseError, FetchError)) as raised:
            fetch(connector, found[f"/docs/{name}"], tmp_path)
        return raised.value.reason

    assert fetch(connector, found["/docs/a"], tmp_path).url == server.url + "/docs/a"
    assert {name: reason(name) for name in names[1:-1]} == {
        "copy": "unsupported",
        "quiet": "unsupported",
        "locked": "forbidden",
        "outside": "outside_root",
        "picture": "unsupported",
        "missing": "gone",
    }


# In a sync


def test_each_change_takes_one_sync_by_links(desk: Callable[[dict[str, Any]], Desk], server: Any) -> None:
    server.write("/docs/", text("hall", "magnets gauges choir"))
    for name in ("magnets", "gauges", "choir"):
        server.write(f"/docs/{name}", text(name))
    site = desk(section(server))
    assert set(site.outcomes(site.sync()).values()) == {"new"}
    assert site.readable() == {"/docs/", "/docs/magnets", "/docs/gauges", "/docs/choir"}
    assert site.outcomes(site.sync()) == {}

    server.write("/docs/", text("hall", "magnets barometers film"))
    server.write("/docs/magnets", text("new magnet"))
    server.pages["/docs/barometers"] = server.pages.pop("/docs/gauges")
    server.write("/docs/film", text("film"))
    assert site.outcomes(site.sync()) == {
        "/docs/": "changed",
        "/docs/magnets": "changed",
        "/docs/barometers": "moved",
        "/docs/film": "new",
        "/docs/choir": "removed",
    }
    assert "new magnet" in site.text("/docs/magnets")
    site.like_fresh()

    before = site.contents()
    for fault in STARTS.values():
        server.faults["/docs/"] = fault
        assert site.sync().sources[0].error
        assert site.contents() == before
    server.faults = {"/docs/film": 403}
    site.sync()
    assert "/docs/film" not in site.readable()
    server.faults.clear()
    site.sync()
    assert "/docs/film" in site.readable()
    site.like_fresh()


def test_each_change_takes_one_sync_by_a_sitemap(desk: Callable[[dict[str, Any]], Desk], server: Any) -> None:
    dates = {"magnets": "2026-01-01", "gauges": "2026-01-02", "choir": "2026-01-03"}

    def publish() -> str:
        return put_map(server, "/map.xml", sitemap(*((f"{server.url}/docs/{n}", d) for n, d in dates.items())))

    for name in dates:
        server.write(f"/docs/{name}", text(name))
    site = desk(section(server, sitemap=publish()))
    assert site.outcomes(site.sync()) == dict.fromkeys([f"/docs/{name}" for name in dates], "new")
    server.asked()
    assert site.outcomes(site.sync()) == {}
    assert server.asked() == ["GET /robots.txt", "GET /map.xml"]

    server.write("/docs/magnets", text("new magnet"))
    server.write("/docs/film", text("film"))
    dates.update(magnets="2026-02-01", film="2026-02-01")
    del dates["choir"]
    publish()
    assert site.outcomes(site.sync()) == {
        "/docs/magnets": "changed",
        "/docs/film": "new",
        "/docs/choir": "removed",
    }
    fetched = [line for line in server.asked() if "/docs/" in line]
    assert sorted(fetched) == ["GET /docs/film", "GET /docs/magnets"]
    site.like_fresh()
    before = site.contents()
    for body, type in MAPS.values():
        put_map(server, "/map.xml", body, type)
        assert site.sync().sources[0].error
        assert site.contents() == before


@pytest.mark.parametrize("by_links", [False, True])
def test_pages_that_lead_to_sign_in_elsewhere_are_kept_for_nobody(
    desk: Callable[[dict[str, Any]], Desk], server: Any, by_links: bool
) -> None:
    names = ["", "magnets", "gauges", "choir"]
    address = put_map(server, "/map.xml", sitemap(*((f"{server.url}/docs/{name}", "") for name in names)))
    server.write("/docs/", text("hall", " ".join(names)))
    for name in names[1:]:
        server.write(f"/docs/{name}", text(name))
    site = desk(section(server, **({} if by_links else {"sitemap": address})))
    site.sync()
    before = site.readable()
    server.write("/sso/authorize", LOGIN)
    server.redirects = {f"/docs/{name}": "/sso/authorize" for name in names[1:]}
    site.sync()
    assert site.readable() == {"/docs/"}
    assert len(site.contents()["documents"]) == len(names)
    server.redirects = {}
    assert site.sync().embedded == 0
    assert site.readable() == before
    site.like_fresh()
