"""What a server sent: whether it is an answer at all, of a type that was asked for, whole, and small enough."""

from __future__ import annotations

import json
import time
import zlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import httpcore2
import httpx2

from assistant.errors import FetchError

JSON = ("application/json", "text/json", "application/hal+json", "application/vnd.api+json")
XML = ("application/xml", "text/xml", "application/atom+xml", "application/rss+xml")
HTML = ("text/html", "application/xhtml+xml")

_AT_FAULT = frozenset({408, 429, 500, 502, 503, 504})
_REASONS = {401: "forbidden", 403: "forbidden", 404: "gone", 410: "gone"}
_PIECE = 1 << 20


class Again(Exception):
    """An attempt failed through the server's fault, so another may not; `after` is how many seconds it asks for."""

    def __init__(self, reason: str, message: str, after: float | None = None) -> None:
        super().__init__(message)
        self.reason = reason
        self.after = after


@dataclass(frozen=True, slots=True)
class Response:
    """An answer with a status below 400, but for redirects, which were followed.

    `url` is where it came from in the end. `headers` have lower-case names. `body` is decoded from its
    content-encoding; after `download` it is empty.
    """

    url: str = field(repr=False)  # like the rest, it may hold what is secret
    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)

    @property
    def type(self) -> str:
        """The media type in lower case, without parameters."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @property
    def text(self) -> str:
        """The body in the charset that the server names, else UTF-8; what is none becomes U+FFFD."""
        _, _, named = self.headers.get("content-type", "").lower().partition("charset=")
        try:
            return self.body.decode(named.split(";")[0].strip(" \"'") or "utf-8", "replace")
        except (LookupError, ValueError):
            return self.body.decode("utf-8", "replace")

    def json(self) -> Any:
        """Raises FetchError("not_content") where the body is no JSON."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError) as error:
            raise FetchError("not_content", f"{shown(self.url)} answered with what is no JSON: {error}") from error


def shown(url: str | httpx2.URL) -> str:
    """A URL as messages may show it: without user, password, query and fragment, which may be secret."""
    try:
        parsed = httpx2.URL(url)
    except httpx2.InvalidURL:
        return "a malformed address"
    return str(parsed.copy_with(userinfo=b"", query=None, fragment=None))


def take(answer: httpx2.Response, accept: Collection[str], most_bytes: int, path: Path | None) -> Response:
    """A server's answer, its body in the file `path`, which is then whole or as it was, where one is given.

    Raises Again where the server is at fault, and FetchError where it sent no answer that can be used.
    """
    url, status, headers = str(answer.url), answer.status_code, {k.lower(): v for k, v in answer.headers.items()}
    got = Response(url, status, headers, b"")
    _check(answer, got, accept, most_bytes)
    if status == 304 or answer.request.method == "HEAD":
        return got
    pieces = _limited(_decoded(answer), most_bytes, url)
    if path is None:
        return Response(url, status, headers, b"".join(pieces))
    work = path.with_name(path.name + ".part")
    try:
        with work.open("wb") as stream:
            for piece in pieces:
                stream.write(piece)
            if not stream.tell():  # a file that was emptied looks like a server that has lost it for the moment
                raise Again("cut", f"{shown(url)} answered with nothing")
        work.replace(path)
    finally:
        work.unlink(missing_ok=True)
    return got


def _check(answer: httpx2.Response, got: Response, accept: Collection[str], most_bytes: int) -> None:
    """What the head of an answer tells."""
    url, asked = shown(got.url), answer.request.headers
    if got.status in _AT_FAULT:
        after = _retry_after(got.headers.get("retry-after", ""))
        wish = f", asking to wait {after:.0f} s" if after else ""
        raise Again("unreachable", f"{url} answered {got.status}{wish}", after)
    if got.status >= 400:
        raise FetchError(_REASONS.get(got.status, "refused"), f"{url} answered {got.status}")
    is_asked_for = {304: "if-none-match" in asked or "if-modified-since" in asked, 206: "range" in asked}
    if not is_asked_for.get(got.status, 200 <= got.status < 300):
        raise FetchError("refused", f"{url} answered {got.status}, which was not asked for")
    if accept and got.status != 304 and got.type not in accept:
        login = " (a login page?)" if got.type in HTML else ""
        raise FetchError("not_content", f"{url} answered with {got.type or 'no type'}{login}, not {', '.join(accept)}")
    announced = got.headers.get("content-length", "")
    if answer.request.method != "HEAD" and announced[:20].isdecimal() and int(announced[:20]) > most_bytes:
        raise FetchError("too_large", f"{url} has {int(announced) / 1e6:.1f} MB, allowed are {most_bytes / 1e6:g}")


def _limited(pieces: Iterator[bytes], most_bytes: int, url: str) -> Iterator[bytes]:
    size = 0
    for piece in pieces:
        size += len(piece)
        if size > most_bytes:
            raise FetchError("too_large", f"{shown(url)} is larger than the {most_bytes / 1e6:g} MB allowed")
        yield piece


def _decoded(answer: httpx2.Response) -> Iterator[bytes]:
    """The body without its content-encoding, in pieces of 1 MiB at most; raises Again where it is cut."""
    url, coding = shown(answer.url), answer.headers.get("content-encoding", "").strip().lower()
    if coding not in ("", "identity", "gzip", "x-gzip"):
        raise FetchError("not_content", f"{url} answered in the encoding {coding[:40]!r}, which was not asked for")
    try:
        if "gzip" in coding:
            yield from _unzipped(answer.iter_raw(), url)
        else:
            yield from answer.iter_raw()
    except (httpcore2.RemoteProtocolError, httpcore2.NetworkError) as error:
        raise Again("cut", f"the answer of {url} is cut ({error})") from error
    except zlib.error as error:
        raise Again("cut", f"the answer of {url} cannot be decoded ({error})") from error


def _unzipped(pieces: Iterator[bytes], url: str) -> Iterator[bytes]:
    """What one or several gzip streams hold; httpx2's own decoder does not notice that one is cut."""
    inflate = zlib.decompressobj(wbits=31)
    began = False
    for piece in pieces:
        while piece:
            if inflate.eof:
                if not piece.strip(b"\0"):
                    break  # padding
                inflate = zlib.decompressobj(wbits=31)
            began = True
            yield inflate.decompress(piece, _PIECE)
            piece = inflate.unconsumed_tail or inflate.unused_data
    if began and not inflate.eof:
        raise Again("cut", f"the answer of {url} is cut (its gzip stream does not end)")


def _retry_after(value: str) -> float | None:
    """The header `Retry-After` in seconds (RFC 9110, 10.2.3): a number, or a date; None for anything else."""
    if value.strip().isdecimal():
        return float(value)
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except (ValueError, OverflowError):
        return None
