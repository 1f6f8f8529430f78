"""Addresses in one spelling, and what pages say of themselves."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.connectors.web.address import Area
from ingest.connectors.web.page import read_page

HERE = "https://site.example/docs/guide/page.html"


@pytest.mark.parametrize(
    ("link", "key"),
    [
        ("other.html", "/docs/guide/other.html"),
        ("../", "/docs/"),
        ("./././a", "/docs/guide/a"),
        ("/docs/a/./b/../c", "/docs/a/c"),
        ("/docs//a", "/docs//a"),
        ("#part", "/docs/guide/page.html"),
        ("", "/docs/guide/page.html"),
        ("?page=2", "/docs/guide/page.html?page=2"),
        ("?", "/docs/guide/page.html"),
        ("/docs", "/docs"),
        ("HTTPS://SITE.example:443/docs/A", "/docs/A"),
        ("http://site.example/docs/a", "/docs/a"),
        ("http://site.example.:80/docs/a", "/docs/a"),
        ("//site.example/docs/a", "/docs/a"),
        ("/docs/a?utm_source=x&id=3&fbclid=y&gclid=z", "/docs/a?id=3"),
        ("/docs/a;jsessionid=AB12?x=1&PHPSESSID=3", "/docs/a?x=1"),
        ("/docs/%7euser/%e9", "/docs/~user/%E9"),
        ("/docs/naïve ü", "/docs/na%C3%AFve%20%C3%BC"),
        ("/docs/a%2Fb?q=a%20b&q=a+b&r=%26", "/docs/a%2Fb?q=a%20b&q=a+b&r=%26"),
        ("/docs/100%", "/docs/100%25"),
        (" a.html\n", "/docs/guide/a.html"),
        ("/documents/a", None),
        ("/", None),
        ("/docs/../secret", None),
        ("/docs/%2e%2e/secret", None),
        ("https://site.example:8443/docs/a", None),
        ("https://www.site.example/docs/a", None),
        ("https://other.example/docs/a", None),
        ("https://site.example@other.example/docs/a", None),
        ("mailto:a@site.example", None),
        ("javascript:alert(1)", None),
        ("ftp://site.example/docs/a", None),
        ("data:text/html,x", None),
        ("http://[", None),
        ("https://site.example:port/docs/a", None),
        ("/docs/" + "a" * 3000, None),
    ],
)
def test_keys(link: str, key: str | None) -> None:
    area = Area("https://site.example/docs/")
    assert area.key(link, HERE) == key
    if key:
        assert area.key(area.url(key)) == key


@pytest.mark.parametrize(
    ("url", "prefix", "start"),
    [
        ("https://site.example", "/", "/"),
        ("https://site.example/", "/", "/"),
        ("https://site.example/docs", "/docs/", "/docs"),
        ("https://site.example/docs/", "/docs/", "/docs/"),
        ("https://site.example/docs/index.html?x=1#a", "/docs/", "/docs/index.html?x=1"),
    ],
)
def test_where_a_site_begins(url: str, prefix: str, start: str) -> None:
    area = Area(url)
    assert (area.prefix, area.start) == (prefix, start)
    assert area.key(url) == start


@given(st.text(max_size=60))
def test_a_key_is_the_key_of_its_address(link: str) -> None:
    area = Area("https://site.example/docs/")
    key = area.key(link, HERE)
    if key is not None:
        assert key.isascii()
        assert key.startswith("/docs")
        assert area.key(area.url(key)) == key
        assert urlsplit(area.url(key)).hostname == "site.example"


def page(head: str = "", body: str = "", **headers: str) -> object:
    text = f"<html><head>{head}</head><body>{body}</body></html>"
    return read_page(text.encode(), HERE, {k.replace("_", "-"): v for k, v in headers.items()})


def test_links() -> None:
    body = (
        '<a href="a.html">1</a> <a href="#top">2</a> <a rel="nofollow ugc" href="ad">3</a> <a>4</a> <a href="">5</a>'
        '<area href="/map"><iframe src="frame"></iframe><a href="http://[">6</a><a href="mailto:x@y">7</a>'
    )
    found = page('<base href="/docs/other/"><meta http-equiv="refresh" content="5; URL=\'next\'">', body)
    assert found.links == (  # type: ignore[attr-defined]
        "https://site.example/docs/other/a.html",
        "",
        "mailto:x@y",
        "https://site.example/map",
        "https://site.example/docs/other/frame",
        "https://site.example/docs/other/next",
    )


@pytest.mark.parametrize(
    ("head", "header", "indexed", "followed"),
    [
        ("", "", True, True),
        ('<meta name="robots" content="noindex">', "", False, True),
        ('<meta NAME="Robots" CONTENT="NoIndex, NOFOLLOW">', "", False, False),
        ('<meta name="robots" content="none">', "", False, False),
        ('<meta name="refdesk" content="nofollow">', "", True, False),
        ('<meta name="googlebot" content="noindex">', "", True, True),
        ("", "noindex", False, True),
        ("", "refdesk: noindex", False, True),
        ("", "otherbot: noindex", True, True),
        ("", "noarchive, nofollow", True, False),
    ],
)
def test_what_robots_may(head: str, header: str, indexed: bool, followed: bool) -> None:
    found = page(head, x_robots_tag=header)
    assert (found.is_indexed, found.is_followed) == (indexed, followed)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("body", "is_login"),
    [
        ("<h1>Sign in</h1><form><input type=password></form>", True),
        ("<h1>Welcome</h1><form><legend>Please log in</legend><input TYPE='Password'></form>", True),
        ("<h1>Bitte anmelden</h1><input type=password>", True),
        ("<h1>Magnets</h1><p>They pull.</p><form>Login: <input type=password></form>", False),
        ("<h1>How to sign in</h1><p>Ask the secretariat.</p>", False),
    ],
)
def test_login_pages(body: str, is_login: bool) -> None:
    assert page(body=body).is_login == is_login  # type: ignore[attr-defined]


def test_what_a_page_is_called() -> None:
    found: object = read_page(
        b'<html lang="de_CH"><head><link rel="Canonical" href="/docs/one"><meta name=author content=" A.  Meier ">'
        b'<meta name=author content="B. Roth"><meta property="article:published_time" content="2026-03-01T10:00:00Z">'
        b'<meta property="article:modified_time" content="yesterday"></head></html>',
        HERE,
        {},
    )
    assert (found.canonical, found.language) == ("https://site.example/docs/one", "de-CH")  # type: ignore[attr-defined]
    assert (found.authors, found.created, found.modified) == (("A. Meier", "B. Roth"), "2026-03-01", "")  # type: ignore[attr-defined]


@given(st.text(max_size=200))
def test_any_text_is_read(text: str) -> None:
    found = page(body=text)
    assert isinstance(found.links, tuple)  # type: ignore[attr-defined]


@pytest.mark.parametrize("body", [b"", b" ", b"<!-- -->", b"<?xml version='1.0' encoding='latin-1'?><html/>", b"plain"])
def test_pages_with_nothing_in_them(body: bytes) -> None:
    assert read_page(body, HERE, {}).links == ()
