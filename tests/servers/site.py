"""A web site that holds pages, redirects and faults, and knows conditional requests; a real HTTP server on loopback."""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

Answer = tuple[int, dict[str, str], bytes]


@dataclass
class Page:
    body: bytes
    type: str = "text/html; charset=utf-8"
    headers: dict[str, str] = field(default_factory=dict)


class SiteServer:
    """`pages` are by path with query. `redirects` lead from a path to an address. `faults` answer in place of a path:
    a status, or a status with headers and body. `requests` are methods and paths."""

    def __init__(self) -> None:
        self.pages: dict[str, Page] = {}
        self.redirects: dict[str, str] = {}
        self.faults: dict[str, int | Answer] = {}
        self.etags = True
        self.knows_head = True
        self.requests: list[tuple[str, str]] = []
        server: Any = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        server.site = self
        self._server = server
        self._thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        self.address = f"127.0.0.1:{server.server_port}"
        self.url = f"http://{self.address}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def write(self, path: str, text: str, title: str = "", head: str = "", **headers: str) -> None:
        """A page of HTML."""
        body = (
            f"<!doctype html><html lang=en><head><title>{title or path}</title>{head}</head><body>{text}</body></html>"
        )
        self.pages[path] = Page(body.encode(), headers={k.replace("_", "-"): v for k, v in headers.items()})

    def asked(self) -> list[str]:
        """Methods and paths so far, which are then forgotten."""
        found = [f"{method} {path}" for method, path in self.requests]
        self.requests.clear()
        return found

    def answer(self, method: str, path: str, asked: Any) -> Answer:
        self.requests.append((method, path))
        if path in self.faults:
            fault = self.faults[path]
            return fault if isinstance(fault, tuple) else (fault, {}, b"")
        if path in self.redirects:
            return 302, {"Location": self.redirects[path]}, b""
        if method == "HEAD" and not self.knows_head:
            return 501, {}, b""
        page = self.pages.get(path)
        if page is None:
            return 404, {"Content-Type": "text/html"}, b"<h1>Not found</h1>"
        headers = {"Content-Type": page.type, **page.headers}
        if self.etags:
            headers["ETag"] = f'"{hashlib.sha256(page.body).hexdigest()[:12]}"'
            if asked.get("If-None-Match") == headers["ETag"]:
                return 304, headers, b""
        return 200, headers, page.body


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # or each answer waits 40 ms
    server: Any

    def do_GET(self) -> None:
        status, headers, body = self.server.site.answer(self.command, self.path, self.headers)
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if "Content-Length" not in headers:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        if "Content-Length" in headers:
            self.close_connection = True

    def do_HEAD(self) -> None:
        self.do_GET()

    def log_message(self, format: str, *arguments: Any) -> None:
        pass
