"""The only HTTP client: every connection is checked, every answer has limits, no secret gets out.

    with Client(options, per_second=5) as client:
        answer = client.get("https://wiki.example.org/w/api.php", {"action": "query"}, accept=JSON)

A request is repeated, with growing pauses or as long as the server asks, where the server is at fault (429, 502, 503,
504, no answer, a cut one) and asking again does no harm.
"""

from __future__ import annotations

import json
import random
import ssl
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import httpcore2
import httpx2

from assistant.errors import FetchError
from ingest.connection import CheckedBackend, Deadline
from ingest.connectors.options import WebOptions
from ingest.pace import Pace
from ingest.secret import secret_of

JSON = ("application/json", "text/json", "application/hal+json", "application/vnd.api+json")
XML = ("application/xml", "text/xml", "application/atom+xml", "application/rss+xml")
HTML = ("text/html", "application/xhtml+xml")

_AGENT = "refdesk/0.1"
_REPEATS = 3
_LONGEST_PAUSE = 300.0
"""Seconds; a server that asks for more is left alone until the next run."""
_AT_FAULT = frozenset({429, 500, 502, 503, 504})
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MOST_REDIRECTS = 5
_HARMLESS = frozenset({"GET", "HEAD", "PROPFIND", "REPORT", "OPTIONS"})
_NO_ANSWER = (httpcore2.NetworkError, httpcore2.TimeoutException, httpcore2.RemoteProtocolError, httpcore2.ProxyError)


@dataclass(frozen=True, slots=True)
class Response:
    """An answer with a status below 400, but for redirects, which were followed.

    `url` is where it came from in the end. `headers` have lower-case names. `body` is decoded from its
    content-encoding; after `download` it is empty.
    """

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes

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
        except LookupError:
            return self.body.decode("utf-8", "replace")

    def json(self) -> Any:
        """Raises FetchError("not_content") where the body is no JSON."""
        try:
            return json.loads(self.body)
        except ValueError as error:
            raise FetchError("not_content", f"{shown(self.url)} answered with what is no JSON: {error}") from error


class Client:
    """Asks one source. Safe to use from several threads; a context manager that closes its connections.

    In the long run it makes `per_second` requests, at most `burst` at once, unless the options say another pace; no
    answer may be larger than `max_mb`. The secret of the options goes to the server of `options.url` and to no other;
    with `sign_in` False it is not sent with each request, but `secret` holds it for a connector that signs in itself.
    """

    def __init__(
        self,
        options: WebOptions,
        *,
        per_second: float = 5.0,
        burst: int = 5,
        max_mb: float = 100,
        sign_in: bool = True,
    ) -> None:
        self.user = options.user
        self.secret = secret_of(options)
        self.requests = 0
        """How many were made."""
        self._home = _origin(httpx2.URL(options.url))
        self._auth = self._authorization() if sign_in else {}
        self._timeout = options.timeout_seconds
        self._first_pause = options.retry_seconds
        self._most_bytes = int(max_mb * 1e6)
        self._pace = Pace(options.requests_per_second or per_second, burst if not options.requests_per_second else 1)
        self._deadline = Deadline()
        self._http = httpx2.Client(
            transport=_CheckedTransport(CheckedBackend(options.allow, self._deadline)),
            headers={"User-Agent": _AGENT, "Accept-Encoding": "gzip"},
            follow_redirects=False,
            timeout=self._timeout,
            trust_env=False,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def get(
        self,
        url: str,
        params: Mapping[str, str | int] | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        accept: Collection[str] = (),
    ) -> Response:
        """The answer to a GET; `params` are added to the URL. 304 is an answer if `headers` ask for it.

        Raises FetchError with the reasons: unreachable, forbidden (401, 403), gone (404, 410), too_large, blocked,
        not_content (a media type that is not in `accept`, where that is given: most often a login page), refused.
        """
        return self.send("GET", url, params=params, headers=headers, accept=accept)

    def send(
        self,
        method: str,
        url: str,
        *,
        params: Mapping[str, str | int] | None = None,
        form: Mapping[str, str | int] | None = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        accept: Collection[str] = (),
    ) -> Response:
        """The answer to any request, as `get`; `form` or `content` is its body. A POST is not repeated."""
        extra = {"params": dict(params) if params else None, "data": dict(form) if form else None, "content": content}
        return self._repeatedly(method, url, {k: v for k, v in extra.items() if v is not None}, headers, accept, None)

    def download(
        self,
        url: str,
        path: Path,
        params: Mapping[str, str | int] | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        accept: Collection[str] = (),
    ) -> Response:
        """As `get`, with the body in the file `path`, which is whole or not there."""
        return self._repeatedly("GET", url, {"params": dict(params)} if params else {}, headers, accept, path)

    def _authorization(self) -> dict[str, str]:
        if not self.secret:
            return {}
        if not self.user:
            return {"Authorization": f"Bearer {self.secret}"}
        request = next(httpx2.BasicAuth(self.user, self.secret).auth_flow(httpx2.Request("GET", "http://x")))
        return {"Authorization": request.headers["Authorization"]}

    def _repeatedly(
        self,
        method: str,
        url: str,
        extra: dict[str, Any],
        headers: Mapping[str, str] | None,
        accept: Collection[str],
        path: Path | None,
    ) -> Response:
        pause = self._first_pause
        for attempt in range(_REPEATS + 1):
            try:
                return self._once(method, url, extra, headers or {}, accept, path)
            except _Again as again:
                asked = again.after
                if attempt == _REPEATS or method not in _HARMLESS or (asked or 0) > _LONGEST_PAUSE:
                    raise FetchError("unreachable", str(again)) from again
            if asked:
                self._pace.hold(asked)
            else:
                time.sleep(pause * random.uniform(1, 1.5))
            pause *= 2
        raise AssertionError("the last attempt returns or raises")

    def _once(
        self,
        method: str,
        url: str,
        extra: dict[str, Any],
        headers: Mapping[str, str],
        accept: Collection[str],
        path: Path | None,
    ) -> Response:
        """One attempt, with its redirects, within the time that one answer may take. Raises _Again."""
        target = httpx2.URL(url)
        self._deadline.at = None
        try:
            for _ in range(_MOST_REDIRECTS + 1):
                self._pace.wait()
                self._deadline.at = time.monotonic() + self._timeout
                request = self._http.build_request(method, target, headers=self._headers(target, headers), **extra)
                self.requests += 1
                with self._answer(request) as answer:
                    if answer.status_code not in _REDIRECTS or "location" not in answer.headers:
                        return self._taken(answer, accept, path)
                    target = _next(method, request.url, answer.headers["location"])
                extra = {
                    k: v for k, v in extra.items() if k != "params"
                }  # the location has them, or does not want them
            raise FetchError("refused", f"{shown(url)} leads from redirect to redirect, more than {_MOST_REDIRECTS}")
        except _NO_ANSWER as error:
            raise _Again(f"{shown(target)} gave no answer ({type(error).__name__}: {error})", None) from error
        except (httpx2.InvalidURL, httpx2.UnsupportedProtocol, httpcore2.UnsupportedProtocol) as error:
            raise FetchError("refused", f"{shown(target)} is no address that can be asked: {error}") from error
        except httpx2.DecodingError as error:
            raise FetchError("not_content", f"the answer of {shown(target)} cannot be decoded: {error}") from error
        finally:
            self._deadline.at = None

    def _headers(self, target: httpx2.URL, headers: Mapping[str, str]) -> dict[str, str]:
        return {**headers, **(self._auth if _origin(target) == self._home else {})}

    @contextmanager
    def _answer(self, request: httpx2.Request) -> Iterator[httpx2.Response]:
        if request.url.scheme not in ("http", "https") or not request.url.host:
            raise FetchError("refused", f"{shown(request.url)} is no http or https address")
        answer = self._http.send(request, stream=True)
        try:
            yield answer
        finally:
            answer.close()

    def _taken(self, answer: httpx2.Response, accept: Collection[str], path: Path | None) -> Response:
        """The body of an answer that is one, of a type that was asked for."""
        url, status = shown(answer.url), answer.status_code
        if status in _AT_FAULT:
            raise _Again(f"{url} answered {status}", _retry_after(answer.headers.get("retry-after", "")))
        if status >= 400:
            reason = {401: "forbidden", 403: "forbidden", 404: "gone", 410: "gone"}.get(status, "refused")
            raise FetchError(reason, f"{url} answered {status}")
        got = Response(str(answer.url), status, {k.lower(): v for k, v in answer.headers.items()}, b"")
        if accept and status == 200 and got.type not in accept:
            login = " (a login page?)" if got.type in HTML else ""
            raise FetchError("not_content", f"{url} answered with {got.type or 'no type'}{login}, not {accept}")
        with ExitStack() as opened:
            if path is None:
                return Response(got.url, status, got.headers, b"".join(self._pieces(answer)))
            work = path.with_name(path.name + ".part")
            opened.callback(work.unlink, missing_ok=True)
            with work.open("wb") as stream:
                self._write(answer, stream)
            work.replace(path)
        return got

    def _write(self, answer: httpx2.Response, stream: IO[bytes]) -> None:
        for piece in self._pieces(answer):
            stream.write(piece)

    def _pieces(self, answer: httpx2.Response) -> Iterator[bytes]:
        size = 0
        for piece in answer.iter_bytes():
            size += len(piece)
            if size > self._most_bytes:
                most = self._most_bytes / 1e6
                raise FetchError("too_large", f"{shown(answer.url)} is larger than the {most:g} MB allowed")
            yield piece


def shown(url: str | httpx2.URL) -> str:
    """A URL as messages may show it: without user, password, query and fragment, which may be secret."""
    try:
        parsed = httpx2.URL(url)
    except httpx2.InvalidURL:
        return "a malformed address"
    return str(parsed.copy_with(userinfo=b"", query=None, fragment=None))


class _Again(Exception):
    """This attempt failed through the server's fault; `after` is how many seconds it asks for."""

    def __init__(self, message: str, after: float | None) -> None:
        super().__init__(message)
        self.after = after


class _CheckedTransport(httpx2.BaseTransport):
    """httpx2's transport takes no network backend, so this one stands in for it."""

    def __init__(self, backend: CheckedBackend) -> None:
        self._pool = httpcore2.ConnectionPool(
            ssl_context=ssl.create_default_context(), network_backend=backend, max_connections=20, keepalive_expiry=30
        )

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        url = request.url
        target = httpcore2.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path)
        answer = self._pool.handle_request(
            httpcore2.Request(
                request.method,
                target,
                headers=request.headers.raw,
                content=request.stream,
                extensions=request.extensions,
            )
        )
        return httpx2.Response(answer.status, headers=answer.headers, stream=_Stream(answer))

    def close(self) -> None:
        self._pool.close()


class _Stream(httpx2.SyncByteStream):
    def __init__(self, answer: httpcore2.Response) -> None:
        self._answer = answer

    def __iter__(self) -> Iterator[bytes]:
        yield from self._answer.iter_stream()

    def close(self) -> None:
        self._answer.close()


def _origin(url: httpx2.URL) -> tuple[str, str, int]:
    return url.scheme, url.host.lower(), url.port or {"http": 80, "https": 443}.get(url.scheme, 0)


def _next(method: str, here: httpx2.URL, location: str) -> httpx2.URL:
    """Where a redirect leads; raises FetchError where it must not be followed."""
    there = here.join(location)
    if here.scheme == "https" and there.scheme != "https":
        raise FetchError("blocked", f"{shown(here)} leads from https to {shown(there)}")
    if method not in ("GET", "HEAD") and _origin(here) != _origin(there):
        raise FetchError("refused", f"{shown(here)} leads to another server, {shown(there)}")
    return there


def _retry_after(value: str) -> float | None:
    """The header `Retry-After` in seconds (RFC 9110, 10.2.3): a number, or a date."""
    if value.strip().isdecimal():
        return float(value)
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except ValueError:
        return None
