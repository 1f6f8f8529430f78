"""INSPIRE's literature API as documented: searches by page, 10,000 results at most, 15 requests in 5 s; with faults."""

from __future__ import annotations

import json
import re
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass
class Inspire:
    """`records` are metadata by number, `dates` when each was created and updated, `files` bodies by path."""

    records: dict[int, dict[str, Any]] = field(default_factory=dict)
    dates: dict[int, tuple[str, str]] = field(default_factory=dict)
    merged: dict[int, int] = field(default_factory=dict)
    files: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    asked: list[tuple[float, str]] = field(default_factory=list)
    most: int = 10_000
    limit: tuple[int, float] | None = None
    """So many requests in so many seconds are answered, the others with 429."""
    refused: int = 0
    unavailable: int = 0
    announced_more: int = 0
    empty_pages: int = 0
    login: bool = False
    lost: set[int] = field(default_factory=set)
    """Records that are counted but stay away when a search is for a period."""

    def __enter__(self) -> Inspire:
        handler = type("Handler", (_Handler,), {"inspire": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._server.server_port}"

    def put(self, number: int, day: str, created: str = "", **metadata: Any) -> None:
        """Adds or updates a record on a day."""
        self.records[number] = {"control_number": number, "_collections": ["Literature"], **metadata}
        self.dates[number] = (self.dates.get(number, (created or day, ""))[0], day)

    def delete(self, number: int, into: int | None = None) -> None:
        """Deletes a record, or merges it into another: searches no longer find it."""
        del self.records[number]
        if into:
            self.merged[number] = into

    def search(self, asked: dict[str, str]) -> tuple[int, Any]:
        size, page = int(asked.get("size", "10")), int(asked.get("page", "1"))
        if size > 1000:
            return 400, {"status": 400, "message": "Maximum search page size of `1000` results exceeded."}
        if size * page > self.most:
            return 400, {"status": 400, "message": f"Maximum number of {self.most} results have been reached."}
        query = asked.get("q", "")
        found = [number for number in sorted(self.records, reverse=True) if self._matches(number, query)]
        if " da " in query:
            found = [number for number in found if number not in self.lost]
        shown = found[(page - 1) * size : page * size]
        if page > 1 and self.empty_pages:
            self.empty_pages -= 1
            shown = []
        wanted = asked["fields"].split(",") if "fields" in asked else None
        total = len(found) + self.announced_more
        return 200, {"hits": {"hits": [self._hit(number, wanted) for number in shown], "total": total}, "links": {}}

    def _matches(self, number: int, query: str) -> bool:
        """The words of our tests: `t WORD`, `recid N or recid M`, `du >= DAY`, `da DAY->DAY`."""
        created, updated = self.dates[number]
        word, numbers = re.search(r"\bt (\w+)", query), re.findall(r"recid (\d+)", query)
        since, period = re.search(r"du >= ([\d-]+)", query), re.search(r"da ([\d-]+)->([\d-]+)", query)
        return (
            (not word or word[1].lower() in self.records[number]["titles"][0]["title"].lower())
            and (not numbers or str(number) in numbers)
            and (not since or updated >= since[1])
            and (not period or period[1] <= created <= period[2])
        )

    def _hit(self, number: int, wanted: list[str] | None) -> dict[str, Any]:
        metadata = dict(self.records[number])
        if wanted is not None:
            metadata = {name: metadata[name] for name in {w.partition(".")[0] for w in wanted} if name in metadata}
            metadata["control_number"] = number
        created, updated = self.dates[number]
        times = {"created": f"{created}T00:00:00+00:00", "updated": f"{updated}T10:00:00.123456+00:00"}
        return {"id": str(number), **times, "links": {}, "metadata": metadata}


class _Handler(BaseHTTPRequestHandler):
    inspire: Inspire
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # or each answer waits 40 ms

    def do_GET(self) -> None:
        inspire, url, now = self.inspire, urlsplit(self.path), time.monotonic()
        inspire.asked.append((now, self.path))
        record = re.fullmatch(r"/api/literature/(\d+)", url.path)
        if inspire.limit:
            recent = [at for at, _ in inspire.asked if at > now - inspire.limit[1]]
            if len(recent) > inspire.limit[0]:
                inspire.refused += 1
                self._answer(429, "text/plain", b"Too Many Requests", {"Retry-After": "0", "X-Retry-In": "1s"})
                return
        if inspire.unavailable:
            inspire.unavailable -= 1
            self._answer(502, "text/html", b"<html>Bad gateway</html>")
        elif inspire.login:
            self._answer(200, "text/html", b"<html>Sign in</html>")
        elif url.path == "/api/literature":
            status, body = inspire.search({name: values[0] for name, values in parse_qs(url.query).items()})
            self._json(status, body)
        elif record and (into := inspire.merged.get(int(record[1]))):
            self._answer(301, "text/html", b"", {"Location": f"/api/literature/{into}"})
        elif record and int(record[1]) in inspire.records:
            self._json(200, inspire._hit(int(record[1]), None))
        elif record and int(record[1]) in inspire.dates:
            self._json(410, {"status": 410, "message": "PID has been deleted."})
        elif url.path in inspire.files:
            self._answer(200, *inspire.files[url.path])
        else:
            self._json(404, {"status": 404, "message": "PID does not exist."})

    def _json(self, status: int, body: Any) -> None:
        self._answer(status, "application/json", json.dumps(body).encode())

    def _answer(self, status: int, kind: str, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words: object) -> None:
        pass
