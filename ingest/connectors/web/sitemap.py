"""Sitemaps (sitemaps.org): what pages a site has, and when they changed."""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterator
from urllib.parse import urlsplit

from assistant.errors import FetchError, SourceError
from ingest.fetch import HTML, Client, shown

_MOST_BYTES = 200_000_000
"""Of one sitemap, unpacked; the protocol allows 50 MB."""
_MOST_MAPS = 5000


def pages_of(client: Client, url: str) -> Iterator[tuple[str, str]]:
    """The address and the date of change ("" where there is none) of each page that a sitemap lists, also through
    others that it names.

    Raises SourceError where one of them cannot be had, is cut, is none, or is empty.
    """
    seen, waiting = {url}, [url]
    while waiting:
        here = waiting.pop(0)
        found = 0
        for tag, location, changed in _entries(_read(client, here), here):
            found += 1
            if tag == "url":
                yield location, changed
            elif location not in seen:
                if urlsplit(location).hostname != urlsplit(here).hostname:
                    raise SourceError(f"The sitemap {shown(here)} names one of another server, {shown(location)}.")
                seen.add(location)
                waiting.append(location)
        if not found:
            raise SourceError(f"The sitemap {shown(here)} is empty. Nothing was removed.")
        if len(seen) > _MOST_MAPS:
            raise SourceError(f"The sitemap {shown(url)} names more than {_MOST_MAPS} others.")


def _read(client: Client, url: str) -> bytes:
    answer = client.get(url)
    if answer.type in HTML:
        raise FetchError("not_content", f"{shown(url)} is HTML, not a sitemap. Is it a login page?")
    if not answer.body.startswith(b"\x1f\x8b"):
        return answer.body
    inflate = zlib.decompressobj(wbits=31)
    try:
        body = inflate.decompress(answer.body, _MOST_BYTES)
    except zlib.error as error:
        raise SourceError(f"The sitemap {shown(url)} cannot be unpacked ({error}). Nothing was removed.") from error
    if not inflate.eof:
        raise SourceError(f"The sitemap {shown(url)} is cut, or larger than {_MOST_BYTES / 1e6:g} MB.")
    return body


def _entries(body: bytes, url: str) -> Iterator[tuple[str, str, str]]:
    """Whether it is a page or a sitemap ("url", "sitemap"), where it is, and when it changed."""
    from lxml import etree

    try:
        events = etree.iterparse(io.BytesIO(body), events=("end",), resolve_entities=False, no_network=True)
        for _, element in events:
            tag = etree.QName(element).localname if isinstance(element.tag, str) else ""
            if tag in ("url", "sitemap"):
                said = {etree.QName(c).localname: (c.text or "").strip() for c in element if isinstance(c.tag, str)}
                if not said.get("loc"):
                    raise SourceError(f"The sitemap {shown(url)} has an entry without an address.")
                yield tag, said["loc"], said.get("lastmod", "")
                element.clear()
        if etree.QName(events.root).localname not in ("urlset", "sitemapindex"):
            raise SourceError(f"{shown(url)} is XML, but not a sitemap: <{events.root.tag}>.")
    except etree.XMLSyntaxError as error:
        raise SourceError(f"The sitemap {shown(url)} is cut or broken ({error}). Nothing was removed.") from error
