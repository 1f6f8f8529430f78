"""arXiv as its manual describes it: an Atom feed with counts, sources and PDFs; with faults that can be switched on."""

from __future__ import annotations

import re
import threading
import time
from dataclasses import dataclass, field, replace
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True)
class Version:
    title: str
    updated: str
    abstract: str = "An abstract."
    authors: tuple[str, ...] = ("A. Author",)
    categories: tuple[str, ...] = ("hep-ex",)
    comment: str = ""
    journal: str = ""
    doi: str = ""
    source: bytes | None = None
    source_encoding: str = ""
    pdf: bytes | None = None


@dataclass
class Arxiv:
    """`papers` are their versions by number, the first first. `asked` holds each request: when, and what."""

    papers: dict[str, list[Version]] = field(default_factory=dict)
    asked: list[tuple[float, str]] = field(default_factory=list)
    empty_pages: int = 0
    """So many of the next pages that are not the first hold nothing, with status 200."""
    without: dict[int, tuple[str, ...]] = field(default_factory=dict)
    """Papers that the answer to a request does not know, by the request's number; -1 is for all others."""
    unavailable: int = 0
    """So many of the next requests are answered with 503."""
    retry_after: str = "0"
    announced_more: int = 0
    cut: bool = False
    login: bool = False

    def __enter__(self) -> Arxiv:
        handler = type("Handler", (_Handler,), {"arxiv": self})
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

    def publish(self, number: str, version: Version) -> None:
        self.papers.setdefault(number, []).append(version)

    def amend(self, number: str, **changes: object) -> None:
        """Metadata change without a new version, as a journal reference."""
        self.papers[number][-1] = replace(self.papers[number][-1], **changes)

    def query(self, asked: dict[str, str]) -> bytes:
        size, start = int(asked.get("max_results", "10")), int(asked.get("start", "0"))
        if size > 2000:
            return _error("max_results must be <= 2000")
        found = list(self.papers)
        if numbers := asked.get("id_list"):
            wanted = [re.sub(r"v\d+$", "", number) for number in numbers.split(",")]
            bad = [number for number in wanted if not re.fullmatch(r"\d{4}\.\d{4,5}|[a-z-]+/\d{7}", number)]
            if bad:
                return _error(f"incorrect id format for {bad[0]}")
            found = [number for number in wanted if number in self.papers]
        if query := asked.get("search_query"):
            found = [number for number in found if self._matches(number, query)]
        key = {"lastUpdatedDate": -1, "submittedDate": 0}.get(asked.get("sortBy", ""), 0)
        if not numbers:
            found.sort(key=lambda n: (self.papers[n][key].updated, n), reverse=asked.get("sortOrder") != "ascending")
        lost = self.without.get(len(self.asked), self.without.get(-1, ()))
        found = [number for number in found if number not in lost]
        total = len(found) + self.announced_more
        shown = found[start : start + size]
        if start and self.empty_pages:
            self.empty_pages -= 1
            shown = []
        entries = "".join(map(self._entry, shown))
        feed = f"""<?xml version="1.0" encoding="UTF-8"?>
<feed xmlns="http://www.w3.org/2005/Atom">
<title type="html">ArXiv Query: search_query={escape(asked.get("search_query", ""))}</title>
<opensearch:totalResults xmlns:opensearch="http://a9.com/-/spec/opensearch/1.1/">{total}</opensearch:totalResults>
<opensearch:startIndex xmlns:opensearch="http://a9.com/-/spec/opensearch/1.1/">{start}</opensearch:startIndex>
<opensearch:itemsPerPage xmlns:opensearch="http://a9.com/-/spec/opensearch/1.1/">{size}</opensearch:itemsPerPage>
{entries}</feed>"""
        return feed.encode()[: len(feed) // 2 if self.cut else None]

    def _matches(self, number: str, query: str) -> bool:
        first, last = self.papers[number][0], self.papers[number][-1]
        if period := re.search(r"submittedDate:\[(\d{12}) TO (\d{12})\]", query):
            day = re.sub(r"\D", "", first.updated)[:12]
            if not period[1] <= day <= period[2]:
                return False
        return all(category in last.categories for category in re.findall(r"cat:([\w.-]+)", query))

    def _entry(self, number: str) -> str:
        versions = self.papers[number]
        last = versions[-1]
        extra = "".join(
            f'<arxiv:{name} xmlns:arxiv="http://arxiv.org/schemas/atom">{escape(value)}</arxiv:{name}>\n'
            for name, value in (("comment", last.comment), ("journal_ref", last.journal), ("doi", last.doi))
            if value
        )
        authors = "".join(f"<author>\n<name>{escape(name)}</name>\n</author>\n" for name in last.authors)
        categories = "".join(f'<category term="{c}" scheme="http://arxiv.org/schemas/atom"/>' for c in last.categories)
        return f"""<entry>
<id>http://arxiv.org/abs/{number}v{len(versions)}</id>
<updated>{last.updated}</updated>
<published>{versions[0].updated}</published>
<title>{escape(last.title)}</title>
<summary>  {escape(last.abstract)}
</summary>
{authors}{extra}<link href="http://arxiv.org/abs/{number}v{len(versions)}" rel="alternate" type="text/html"/>
{categories}</entry>
"""


class _Handler(BaseHTTPRequestHandler):
    arxiv: Arxiv
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # or each answer waits 40 ms

    def do_GET(self) -> None:
        arxiv, url = self.arxiv, urlsplit(self.path)
        arxiv.asked.append((time.monotonic(), self.path))
        if arxiv.unavailable:
            arxiv.unavailable -= 1
            self._answer(503, "text/html", b"<html>busy</html>", {"Retry-After": arxiv.retry_after})
        elif arxiv.login:
            self._answer(200, "text/html", b"<!DOCTYPE html><html>Are you a robot?</html>")
        elif url.path == "/api/query":
            asked = {name: values[0] for name, values in parse_qs(url.query).items()}
            self._answer(200, "application/atom+xml; charset=utf-8", arxiv.query(asked))
        elif found := re.fullmatch(r"/(e-print|pdf)/(.+)v(\d+)", url.path):
            self._file(found[1], found[2], int(found[3]))
        else:
            self._answer(404, "text/html", b"")

    def _file(self, form: str, number: str, version: int) -> None:
        versions = self.arxiv.papers.get(number, [])
        paper = versions[version - 1] if version <= len(versions) else None
        body = paper and (paper.pdf if form == "pdf" else paper.source)
        if not paper or body is None:
            self._answer(404, "text/html", b"<html>No such file</html>")
        elif form == "pdf":
            self._answer(200, "application/pdf", body)
        else:
            encoding = {"Content-Encoding": paper.source_encoding} if paper.source_encoding else {}
            self._answer(200, "application/x-eprint-tar", body, encoding)

    def _answer(self, status: int, kind: str, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words: object) -> None:
        pass


def _error(what: str) -> bytes:
    """Errors are feeds with one entry, which is no paper."""
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<feed xmlns="http://www.w3.org/2005/Atom" xmlns:opensearch="http://a9.com/-/spec/opensearch/1.1/">
<opensearch:totalResults>1</opensearch:totalResults><opensearch:startIndex>0</opensearch:startIndex>
<opensearch:itemsPerPage>1</opensearch:itemsPerPage>
<entry><id>http://arxiv.org/api/errors#{escape(what.replace(" ", "_"))}</id><title>Error</title>
<summary>{escape(what)}</summary></entry></feed>""".encode()
