"""What an HTML page says of itself besides its text: where it leads, what it is called, whether it wants to be read."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin, urlsplit

from ingest.parse.decode import decode

_LOGIN = re.compile(
    r"\b(log|sign)[ -]?(in|on)\b|\banmeld|\bconnexion\b|\bse connecter\b|\bauthenti|\bsingle sign", re.I
)
_LOGIN_PATH = re.compile(r"/(\w*log[-_]?in|sign[-_]?in|sso|auth\w*|session/new)\b", re.I)
_LOGIN_HOST = re.compile(r"(accounts?|adfs|auth\w*|cas|idp|log-?in|sign-?in|sso)\b", re.I)
_LINKS = (("a", "href"), ("area", "href"), ("frame", "src"), ("iframe", "src"))
_OURS = ("robots", "refdesk")


@dataclass(frozen=True, slots=True)
class Page:
    """`links` and `canonical` are absolute addresses; `canonical` is "" where the page names none. `is_login` is true
    for a page that wants a password and says so. The rest is "" where the page does not say."""

    links: tuple[str, ...]
    canonical: str
    is_indexed: bool
    is_followed: bool
    is_login: bool
    language: str
    authors: tuple[str, ...]
    created: str
    modified: str


def read_page(body: bytes, url: str, headers: Mapping[str, str]) -> Page:
    """What the page at `url` says; `headers` are those of the answer, with lower-case names."""
    from lxml import etree, html

    parser = html.HTMLParser(encoding="utf-8")
    try:
        root = html.document_fromstring(re.sub(r"^\s*<\?xml[^>]*\?>", "", decode(body)).encode(), parser=parser)
    except etree.ParserError:  # nothing in it
        root = html.document_fromstring("<html></html>")
    base = next((urljoin(url, found) for tag in root.iter("base") if (found := tag.get("href"))), url)
    metas = list(_metas(root))
    refreshed = (re.search(r"url\s*=\s*[\"']?([^\"']+)", value, re.I) for name, value in metas if name == "refresh")
    robots = _words(headers.get("x-robots-tag", ""), *(value for name, value in metas if name in _OURS))
    canonical = next((link.get("href", "") for link in root.iter("link") if "canonical" in _rel(link)), "")
    authors = [value for name, value in metas if name in ("author", "citation_author", "dc.creator") and value]
    return Page(
        links=(*_links(root, base), *(_joined(base, found[1].strip()) for found in refreshed if found)),
        canonical=_joined(base, canonical) if canonical else "",
        is_indexed=not robots & {"noindex", "none"},
        is_followed=not robots & {"nofollow", "none"},
        is_login=_is_login(root, url),
        language=_language(root.get("lang") or root.get("{http://www.w3.org/XML/1998/namespace}lang") or ""),
        authors=tuple(dict.fromkeys(authors)),
        created=_date(metas, "article:published_time", "citation_publication_date", "dc.date.created"),
        modified=_date(metas, "article:modified_time", "last-modified", "dc.date.modified"),
    )


def is_login_path(url: str) -> bool:
    """Whether an address is that of a page for signing in, by its name."""
    return bool(_LOGIN_PATH.search(urlsplit(url).path))


def is_login_elsewhere(url: str) -> bool:
    """Whether the address of another server is one for signing in, by its name or that of the page."""
    return is_login_path(url) or bool(_LOGIN_HOST.match(urlsplit(url).hostname or ""))


def _metas(root: Any) -> Iterator[tuple[str, str]]:
    for meta in root.iter("meta"):
        name = meta.get("name") or meta.get("property") or meta.get("http-equiv") or ""
        yield name.strip().lower(), " ".join(meta.get("content", "").split())


def _words(*values: str) -> set[str]:
    """The rules for robots, without the name of the robot before them if it is ours."""
    words = {word.strip().lower() for value in values for word in value.split(",")}
    return {word.removeprefix("refdesk:").strip() for word in words}


def _rel(element: Any) -> set[str]:
    return set(element.get("rel", "").lower().split())


def _links(root: Any, base: str) -> Iterator[str]:
    for tag, attribute in _LINKS:
        for element in root.iter(tag):
            link = element.get(attribute, "").strip()
            if link and not link.startswith("#") and "nofollow" not in _rel(element):
                yield _joined(base, link)


def _joined(base: str, link: str) -> str:
    try:
        return urljoin(base, link)
    except ValueError:  # a bracket that does not close
        return ""


def _is_login(root: Any, url: str) -> bool:
    if not root.xpath("//input[translate(@type, 'PASWORD', 'pasword') = 'password']"):
        return False
    said = root.xpath("//title|//h1|//h2|//legend")
    return is_login_path(url) or any(_LOGIN.search(element.text_content()) for element in said)


def _language(tag: str) -> str:
    tag = tag.strip().replace("_", "-")
    return tag if re.fullmatch(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*", tag) else ""


def _date(metas: list[tuple[str, str]], *names: str) -> str:
    """The first date of these names that is one, as its day."""
    found = {name: value for name, value in reversed(metas) if re.match(r"\d{4}[-/]\d{2}[-/]\d{2}", value)}
    return next((found[name][:10].replace("/", "-") for name in names if name in found), "")
