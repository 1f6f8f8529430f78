"""The only HTTP client: every connection is checked, every answer has limits, no secret gets out.

    with Client(options, per_second=5) as client:
        answer = client.get("https://wiki.example.org/w/api.php", {"action": "query"}, accept=JSON)

A request is repeated, with growing pauses or as long as the server asks, where the server is at fault (429, 500, 502,
503, 504, no answer, a cut one) and asking again does no harm.
"""

from __future__ import annotations

import copy
import logging
import random
import ssl
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Any, Self
from urllib.parse import unquote

import httpcore2
import httpx2

from assistant.errors import FetchError, SettingsError
from ingest.connectors.options import WebOptions
from ingest.fetch.answer import HTML, JSON, XML, Again, Response, shown, take
from ingest.fetch.connection import CheckedBackend, Deadline
from ingest.fetch.pace import Pace
from ingest.fetch.secret import secret_of

__all__ = ["HTML", "JSON", "XML", "Client", "Response", "shown"]

_USUAL = {"User-Agent": "refdesk/0.1", "Accept": "*/*", "Accept-Encoding": "gzip"}
_REPEATS = 3
_LONGEST_PAUSE = 300.0
"""Seconds; a server that asks for more is left alone until the next run."""
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MOST_REDIRECTS = 5
_HARMLESS = frozenset({"GET", "HEAD", "PROPFIND"})
_NO_SECRETS = frozenset({"accept", "accept-language", "depth", "if-modified-since", "if-none-match", "range"})
"""Headers of a request that go to any server; all others go to the source's own only."""
_NO_ANSWER = (httpcore2.NetworkError, httpcore2.TimeoutException, httpcore2.RemoteProtocolError, httpcore2.ProxyError)

# At DEBUG it writes down the headers of answers, and with them the cookies of a session.
logging.getLogger("httpcore2").setLevel(logging.INFO)


class Client:
    """Asks one source. Safe to use from several threads; a context manager that closes its connections.

    In the long run it makes `per_second` requests, at most `burst` at once, unless the options say another pace; no
    answer may be larger than `max_mb`. The secret of the options, cookies, and headers that may hold a secret go to the
    server of `options.url` and to no other, which is also one of another port or scheme; with `sign_in` False the
    secret is not sent with each request, but `secret` holds it for a connector that signs in itself.

    Raises SettingsError where the URL is none, or holds a password, or the secret cannot be had.
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
        self._home = _home(options.url)
        self._auth = self._authorization(options) if sign_in else {}
        self._timeout = options.timeout_seconds
        self._first_pause = options.retry_seconds
        self.most_bytes = int(max_mb * 1e6)
        """The largest answer."""
        self._pace = Pace(options.requests_per_second or per_second, burst if not options.requests_per_second else 1)
        self._deadline = Deadline()
        self._cookies = httpx2.Cookies()
        self._allow = options.allow
        self._pools: dict[str, httpcore2.ConnectionPool] = {}
        self._making = Lock()

    def anonymous(self) -> Client:
        """A second client for the same server, at the same pace, without secret and cookies: to see what a visitor
        sees. A context manager of its own."""
        other = copy.copy(self)
        other.user = other.secret = ""
        other._auth, other._cookies = {}, httpx2.Cookies()
        other._pools = {}
        return other

    @property
    def requests(self) -> int:
        """How many were made, those of `anonymous` included."""
        return self._pace.passed

    def _pool(self, scheme: str) -> httpcore2.ConnectionPool:
        """Connections of one scheme, made when they are needed: to read the system's certificates takes longer than to
        ask a server, and http needs none."""
        with self._making:
            if scheme not in self._pools:
                self._pools[scheme] = httpcore2.ConnectionPool(
                    ssl_context=ssl.create_default_context() if scheme == "https" else None,
                    network_backend=CheckedBackend(self._allow, self._deadline),
                    max_connections=20,
                    keepalive_expiry=30,
                )
            return self._pools[scheme]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for pool in self._pools.values():
            pool.close()

    def get(
        self,
        url: str,
        params: Mapping[str, str | int] | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        accept: Collection[str] = (),
    ) -> Response:
        """The answer to a GET; `params` are added to the URL. 304 is an answer if `headers` ask for it.

        Raises FetchError with the reasons: unreachable, forbidden (401, 403), gone (404, 410), too_large, cut,
        blocked, not_content (a media type that is not in `accept`, where that is given: most often a login page),
        refused.
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
        body = {"data": dict(form)} if form is not None else {"content": content} if content is not None else {}
        return self._repeatedly(method, _address(url, params), body, headers or {}, accept, None)

    def download(
        self,
        url: str,
        path: Path,
        params: Mapping[str, str | int] | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        accept: Collection[str] = (),
    ) -> Response:
        """As `get`, with the body in the file `path`, which is whole or not there; one without a byte is "cut"."""
        return self._repeatedly("GET", _address(url, params), {}, headers or {}, accept, path)

    def slow_to(self, seconds: float) -> None:
        """From now on, at least so much time between requests: the server asks for it."""
        self._pace.slow_to(seconds)

    def _authorization(self, options: WebOptions) -> dict[str, str]:
        if not self.secret:
            return {}
        if basic := options.basic(self.secret):
            signed = next(httpx2.BasicAuth(*basic).auth_flow(httpx2.Request("GET", "http://x")))
            return {"Authorization": signed.headers["Authorization"]}
        if not self.secret.isascii():
            raise SettingsError("A token has ASCII characters only, but this secret has others. Is it a password?")
        return {"Authorization": f"Bearer {self.secret}"}

    def _repeatedly(
        self,
        method: str,
        target: httpx2.URL,
        body: dict[str, Any],
        headers: Mapping[str, str],
        accept: Collection[str],
        path: Path | None,
    ) -> Response:
        pause = self._first_pause
        for attempt in range(_REPEATS + 1):
            try:
                return self._once(method, target, body, headers, accept, path)
            except Again as again:
                asked = again.after
                if attempt == _REPEATS or method not in _HARMLESS or (asked or 0) > _LONGEST_PAUSE:
                    raise FetchError(again.reason, str(again)) from again
            if asked:
                self._pace.hold(asked)
            else:
                time.sleep(pause * random.uniform(1, 1.5))
            pause *= 2
        raise AssertionError("the last attempt returns or raises")

    def _once(
        self,
        method: str,
        target: httpx2.URL,
        body: dict[str, Any],
        headers: Mapping[str, str],
        accept: Collection[str],
        path: Path | None,
    ) -> Response:
        """One attempt, with its redirects, each within the time that one answer may take. Raises Again."""
        first = target
        try:
            for _ in range(_MOST_REDIRECTS + 1):
                with self._answer(self._request(method, target, headers, body)) as answer:
                    if answer.status_code not in _REDIRECTS or "location" not in answer.headers:
                        return take(answer, accept, self.most_bytes, path)
                    there = _next(method, target, answer.headers["location"])
                    if method == "POST" and answer.status_code in (301, 302, 303):
                        method, body = "GET", {}  # as browsers do after a form
                    target = there
            raise FetchError("refused", f"{shown(first)} leads from redirect to redirect, more than {_MOST_REDIRECTS}")
        except FetchError as error:
            if error.reason == "forbidden" and self.secret and _origin(target) != self._home:
                raise FetchError("forbidden", f"{error}; the secret goes to {_named(self._home)} only") from error
            raise
        except _NO_ANSWER as error:
            raise Again("unreachable", f"{shown(target)} gave no answer ({type(error).__name__}: {error})") from error
        except httpcore2.LocalProtocolError as error:
            raise FetchError("refused", f"{shown(target)} cannot be asked with such headers") from error
        finally:
            self._deadline.at = None

    def _request(
        self, method: str, target: httpx2.URL, headers: Mapping[str, str], body: dict[str, Any]
    ) -> httpx2.Request:
        """A request, with what may be secret only where it goes home; raises FetchError where it must not be made."""
        if target.scheme not in ("http", "https") or not target.host or not 0 < (target.port or 80) < 65536:
            raise FetchError("refused", f"{shown(target)} is no address of a web server")
        at_home = _origin(target) == self._home
        if not at_home and len(self.secret) > 5 and self.secret in unquote(str(target)):
            raise FetchError("blocked", f"a redirect would carry the secret to {shown(target)}")
        kept = {k: v for k, v in headers.items() if at_home or k.lower() in _NO_SECRETS}
        timeouts = dict.fromkeys(("connect", "read", "write", "pool"), self._timeout)
        return httpx2.Request(
            method,
            target,
            headers={**_USUAL, **kept, **(self._auth if at_home else {})},
            cookies=self._cookies if at_home else None,
            extensions={"timeout": timeouts},
            **body,
        )

    @contextmanager
    def _answer(self, request: httpx2.Request) -> Iterator[httpx2.Response]:
        """What a server sends, from when the pace allows to ask until the deadline of one answer."""
        self._deadline.at = None
        pool = self._pool(request.url.scheme)
        self._pace.wait()
        self._deadline.at = time.monotonic() + self._timeout
        url = request.url
        got = pool.handle_request(
            httpcore2.Request(
                request.method,
                httpcore2.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
                headers=request.headers.raw,
                content=request.stream,
                extensions=request.extensions,
            )
        )
        try:
            answer = httpx2.Response(got.status, headers=got.headers, stream=_Stream(got), request=request)
            if _origin(url) == self._home:
                self._cookies.extract_cookies(answer)
            yield answer
        finally:
            got.close()


class _Stream(httpx2.SyncByteStream):
    def __init__(self, answer: httpcore2.Response) -> None:
        self._answer = answer

    def __iter__(self) -> Iterator[bytes]:
        yield from self._answer.iter_stream()


def _home(url: str) -> tuple[str, str, int]:
    try:
        found = httpx2.URL(url)
    except httpx2.InvalidURL:
        raise SettingsError("The url of a source is malformed.") from None  # its parts may be a password's
    if found.userinfo:
        raise SettingsError(f"The url {shown(found)} holds a user or password. Say user and secret_env instead.")
    if found.scheme not in ("http", "https") or not found.host:
        raise SettingsError(f"The url {shown(found)} of a source does not begin with https:// and a server's name.")
    return _origin(found)


def _address(url: str, params: Mapping[str, str | int] | None) -> httpx2.URL:
    """A URL with more parameters, and without user and password, which would be sent."""
    try:
        found = httpx2.URL(url)
    except httpx2.InvalidURL:
        raise FetchError("refused", "a malformed address cannot be asked") from None
    found = found.copy_with(userinfo=b"") if found.userinfo else found
    return found.copy_merge_params(dict(params)) if params else found


def _origin(url: httpx2.URL) -> tuple[str, str, int]:
    return url.scheme, url.host.lower(), url.port or {"http": 80, "https": 443}.get(url.scheme, 0)


def _named(origin: tuple[str, str, int]) -> str:
    scheme, host, port = origin
    return f"{scheme}://{host}:{port}"


def _next(method: str, here: httpx2.URL, location: str) -> httpx2.URL:
    """Where a redirect leads; raises FetchError where it must not be followed."""
    try:
        there = _address(str(here.join(location)), None)
    except (httpx2.InvalidURL, ValueError):  # urljoin raises ValueError on brackets that do not close
        raise FetchError("refused", f"{shown(here)} leads to a malformed address") from None
    if there.scheme not in ("http", "https"):
        raise FetchError("blocked", f"{shown(here)} leads to an address of the kind {there.scheme[:20]}:")
    if here.scheme == "https" and there.scheme != "https":
        raise FetchError("blocked", f"{shown(here)} leads from https to {shown(there)}")
    if method not in ("GET", "HEAD") and _origin(here) != _origin(there):
        raise FetchError("refused", f"{shown(here)} leads to another server, {shown(there)}")
    return there
