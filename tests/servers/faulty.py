"""A proxy on loopback that stands before any server and makes its answers wrong, in all the ways that are known."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

LOGIN = b"<!doctype html><html><title>Sign in</title><form method=post><input type=password name=p></form></html>"
METADATA = "http://169.254.169.254/latest/meta-data/"

Answer = tuple[int, str, bytes]
"""Status, media type, body."""


class Trap:
    """Listens on loopback where nobody may ever connect; `sprung` counts who did."""

    def __init__(self) -> None:
        trap = self
        self.sprung = 0

        class Handler(BaseHTTPRequestHandler):
            def handle(self) -> None:
                trap.sprung += 1

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()


class FaultyProxy:
    """Hands requests on to `upstream` (host:port), whose address it replaces by its own in what comes back.

    `fault` names what is done instead with the requests whose number, counted from 1 since `arm`, `hits`.
    """

    def __init__(self, upstream: str, trap: str) -> None:
        self.upstream, self.trap = upstream, trap
        self._lock = threading.Lock()
        self.arm("", lambda number: False)
        proxy = self

        class Handler(_Handler):
            site = proxy

        self._server = _Server(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.address = f"127.0.0.1:{self._server.server_port}"

    def arm(self, fault: str, hits: Callable[[int], bool]) -> None:
        self.fault, self.hits, self.number, self.hit = fault, hits, 0, 0

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def next_fault(self) -> str:
        with self._lock:
            self.number += 1
            if not self.hits(self.number):
                return ""
            self.hit += 1
            return self.fault


class _Server(ThreadingHTTPServer):
    def handle_error(self, *_: object) -> None:
        """A client that hangs up is no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # or each answer waits 40 ms
    site: FaultyProxy

    def log_message(self, *_: object) -> None:
        pass

    def _any(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        fault = self.site.next_fault()
        if not fault:
            self._send(*self._upstream(body))
        elif fault in _INSTEAD:
            self._send(*_INSTEAD[fault])
        elif fault in _REDIRECTS:
            self._redirect(_REDIRECTS[fault].format(trap=self.site.trap, here=self.site.address, path=self.path))
        else:
            getattr(self, "_" + fault.replace("-", "_"))(*self._upstream(body))

    do_GET = do_POST = do_HEAD = do_PROPFIND = do_OPTIONS = _any  # noqa: N815

    def _upstream(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        asked = http.client.HTTPConnection(self.site.upstream, timeout=30)
        headers = {name: value for name, value in self.headers.items() if name.lower() not in ("host", "connection")}
        headers["Accept-Encoding"] = "identity"
        asked.request(self.command, self.path, body or None, {**headers, "Host": self.site.upstream})
        answer = asked.getresponse()
        data = answer.read().replace(self.site.upstream.encode(), self.site.address.encode())
        kept = [
            (name, value.replace(self.site.upstream, self.site.address))
            for name, value in answer.getheaders()
            if name.lower() not in ("content-length", "transfer-encoding", "connection", "date", "server")
        ]
        asked.close()
        return answer.status, kept, data

    def _send(self, status: int, headers: list[tuple[str, str]], body: bytes, *, announced: int | None = None) -> None:
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        if status != 304:
            self.send_header("Content-Length", str(len(body) if announced is None else announced))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _redirect(self, location: str) -> None:
        self._send(302, [("Location", location)], b"")

    def _cut(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        """Less than was announced."""
        self._send(status, headers, body[: len(body) // 2], announced=len(body) + 1)
        self.close_connection = True

    def _cut_in_a_chunk(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self.send_response(status)
        for name, value in [*headers, ("Transfer-Encoding", "chunked")]:
            self.send_header(name, value)
        self.end_headers()
        half = body[: len(body) // 2] or b"x"
        self.wfile.write(b"%x\r\n%s\r\n" % (len(half), half))
        self.close_connection = True

    def _halved(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        """Half, announced as if it were all."""
        self._send(status, headers, body[: len(body) // 2])

    def _emptied(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self._send(status, headers, b"")

    def _garbled(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self._send(status, headers, bytes(byte ^ 0xA5 for byte in body))

    def _hung_up(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self.close_connection = True

    def _dripped(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        """A byte now and then, for longer than anybody should wait."""
        self.close_connection = True
        self.send_response(status)
        self.send_header("Content-Length", str(len(body) + 1000))
        self.end_headers()
        for _ in range(40):
            self.wfile.write(b" ")
            self.wfile.flush()
            time.sleep(0.05)

    def _mistyped(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        kept = [(name, value) for name, value in headers if name.lower() != "content-type"]
        self._send(status, [*kept, ("Content-Type", "application/octet-stream")], body)


def _said(status: int, kind: str, body: bytes, *more: tuple[str, str]) -> tuple[int, list[tuple[str, str]], bytes]:
    return status, [("Content-Type", kind), *more], body


_INSTEAD = {
    "bad-request": _said(400, "text/plain", b"no"),
    "unauthorized": _said(401, "text/plain", b"no"),
    "forbidden": _said(403, "text/plain", b"no"),
    "not-found": _said(404, "text/plain", b"no"),
    "gone": _said(410, "text/plain", b"no"),
    "too-many": _said(429, "text/plain", b"no", ("Retry-After", "99999")),
    "internal": _said(500, "text/plain", b"no"),
    "bad-gateway": _said(502, "text/plain", b"no"),
    "unavailable": _said(503, "text/plain", b"no"),
    "back-tomorrow": _said(503, "text/plain", b"no", ("Retry-After", "86400")),
    "login-page": _said(200, "text/html", LOGIN),
    "login-page-as-json": _said(200, "application/json", LOGIN),
    "login-page-as-xml": _said(200, "text/xml", LOGIN),
    "login-page-as-text": _said(200, "text/plain", LOGIN),
    "json-object": _said(200, "application/json", b"{}"),
    "json-list": _said(200, "application/json", b"[]"),
    "json-null": _said(200, "application/json", b"null"),
    "json-no-results": _said(200, "application/json", b'{"results": [], "size": 0, "hits": {"hits": [], "total": 0}}'),
    "xml": _said(200, "text/xml", b"<?xml version='1.0'?><answer/>"),
    "xml-bomb": _said(
        200, "text/xml", b"<!DOCTYPE a [<!ENTITY b 'cc'><!ENTITY d '&b;&b;'>]><a>&d;</a>"
    ),
    "nothing": _said(204, "text/plain", b""),
}  # fmt: skip
_REDIRECTS = {
    "to-metadata": METADATA,
    "to-metadata-in-decimal": "http://2852039166/",
    "to-mapped-metadata": "http://[::ffff:169.254.169.254]/",
    "to-another-port": "http://{trap}/login",
    "to-localhost": "http://localhost:22/",
    "to-a-file": "file:///etc/passwd",
    "in-a-circle": "http://{here}{path}",
}
FAULTS = (
    *_INSTEAD,
    *_REDIRECTS,
    "cut",
    "cut-in-a-chunk",
    "halved",
    "emptied",
    "garbled",
    "hung-up",
    "dripped",
    "mistyped",
)
