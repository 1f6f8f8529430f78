"""Addresses of one web site in one spelling: what is the same page has the same key, what lies outside has none."""

from __future__ import annotations

import re
from urllib.parse import quote, unquote, urljoin, urlsplit

_TRACKING = re.compile(
    r"utm_\w+|[a-z]*clid|mc_[ce]id|_ga|_gl|_hs\w+|mkt_tok|igshid|phpsessid|jsessionid|sessionid|sid|cfid|cftoken", re.I
)
"""Parameters that say who came from where, not what is wanted."""
_SESSION = re.compile(r";(jsessionid|phpsessid|sid)=[^/?]*", re.I)
_LONGEST = 2000
_PORTS = {"http": 80, "https": 443}


class Area:
    """The pages of a site at and below one URL.

    A key is the path with its query, "/docs/a?page=2": percent signs only where they are needed, no dots, no fragment,
    no parameters that track people. http and https are the same, as the area's own.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._origin = f"{parts.scheme}://{parts.netloc.lower()}"
        self._server = _server(url)
        path = _path(parts.path)
        folder, _, last = path.rpartition("/")
        self.prefix = f"{folder}/" if "." in last or not last else f"{path}/"
        """The path that all others begin with."""
        self.start = path + (f"?{query}" if (query := _query(parts.query)) else "")
        """The key of the URL itself."""

    def url(self, key: str) -> str:
        return self._origin + key

    def key(self, link: str, base: str = "") -> str | None:
        """The key of an address, which may be relative to `base`; None where it lies outside or is none."""
        try:
            url = urljoin(base, link.strip())
            parts, server = urlsplit(url), _server(url)
        except ValueError:
            return None
        if parts.scheme not in _PORTS or server != self._server or len(url) > _LONGEST:
            return None
        path = _path(parts.path)
        if path != self.prefix.rstrip("/") and not path.startswith(self.prefix):
            return None
        query = _query(parts.query)
        return f"{path}?{query}" if query else path


def _server(url: str) -> tuple[str, int | None]:
    """Host and port; None for the usual port of either scheme."""
    parts = urlsplit(url)
    port = parts.port or _PORTS.get(parts.scheme)
    return (parts.hostname or "").lower().rstrip("."), None if port == _PORTS.get(parts.scheme) else port


def _path(path: str) -> str:
    kept: list[str] = []
    segments = _SESSION.sub("", _spelled(path, "/:@!$&'()*+,;=~")).split("/")
    for segment in segments[1:]:
        if segment == "..":
            del kept[-1:]
        elif segment != ".":
            kept.append(segment)
    if segments[-1] in (".", ".."):
        kept.append("")
    return "/" + "/".join(kept)


def _query(query: str) -> str:
    kept = [part for part in query.split("&") if part and not _TRACKING.fullmatch(part.partition("=")[0])]
    return _spelled("&".join(kept), "/:@!$'()*+,;=~?&")


def _spelled(text: str, safe: str) -> str:
    """Percent signs only before what is neither a letter, a digit nor one of `safe`, or was written so."""
    pieces = re.split(r"(%[0-9A-Fa-f]{2})", text)
    for i in range(1, len(pieces), 2):
        plain = unquote(pieces[i])
        pieces[i] = plain if re.fullmatch(r"[A-Za-z0-9._~-]", plain) else pieces[i].upper()
    return "".join(piece if i % 2 else quote(piece, safe=safe) for i, piece in enumerate(pieces))
