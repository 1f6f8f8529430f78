"""Stands in for the scripts of a TWiki or Foswiki over a real data folder, as they are documented to answer.

`view` gives raw topics and the RSS feed of a web (as Foswiki's WebRssBase makes it), `search` formatted results (as
TWiki's FormattedSearch makes them), `viewfile` attachments, `login` a session. Whom a rule lets in is not worked out
here: `hidden` names the topics that the one user may not view.
"""

from __future__ import annotations

import base64
import html
import re
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import parse_qs, unquote, urlsplit

LOGIN = "<html><form action='/bin/login'><input name='username'><input type=\"password\" name='password'></form></html>"
RSS = (
    '<?xml version="1.0" encoding="utf-8" ?><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" '
    'xmlns="http://purl.org/rss/1.0/" xmlns:dc="http://purl.org/dc/elements/1.1/">\n'
)


class TwikiServer:
    """Serves `folder/data` and `folder/pub`.

    `sign_in` is "", "basic" or "form", for the user reader with the password "tea & biscuits"; visitors see nothing
    then, or all but `members_only`, if that is a set. `fault` is what the server does instead of its work: login-page,
    unavailable, cut, short (an item of a feed is missing), no-dates,
    sixteen (a feed takes no limit), blind (a search does not look at META lines).
    """

    def __init__(self, folder: Path, *, sign_in: str = "") -> None:
        self.data, self.pub = folder / "data", folder / "pub"
        self.sign_in = sign_in
        self.hidden: set[str] = set()
        self.members_only: set[str] | None = None
        self.fault = ""
        self.before_search: Callable[[str], object] = lambda pattern: None
        """Called with the pattern of each search, before it is made."""
        self.asked: list[str] = []
        """The path and query of every request."""
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # or each answer waits 40 ms

            def do_GET(self) -> None:
                server._get(self)

            def do_POST(self) -> None:
                server._post(self)

            def log_message(self, *_: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            def handle_error(self, *_: object) -> None:
                """A client that hangs up is no news."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.host = f"127.0.0.1:{self._server.server_port}"
        self.url = f"http://{self.host}/bin"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _get(self, handler: BaseHTTPRequestHandler) -> None:
        self.asked.append(handler.path)
        parts = urlsplit(handler.path)
        query = {name: values[-1] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
        script, _, rest = unquote(parts.path).removeprefix("/bin/").partition("/")
        web, _, topic = rest.rpartition("/")
        if self.fault == "unavailable":
            return self._send(handler, 503, "text/plain", b"busy")
        hidden = self.hidden
        if self.members_only is not None and not self._let_in(handler):
            hidden = hidden | self.members_only
        elif self.fault == "login-page" or not self._let_in(handler):
            status = 401 if self.sign_in == "basic" and self.fault != "login-page" else 200
            return self._send(handler, status, "text/html", LOGIN.encode())
        if script == "view" and topic == "WebRss":
            return self._send(handler, 200, "text/xml", self._rss(web, query, hidden).encode())
        if script == "search":
            return self._send(handler, 200, "text/html", self._formatted(web, query, hidden).encode())
        if f"{web}/{topic}" in hidden:
            return self._send(handler, 403, "text/html", LOGIN.encode())
        if script == "view" and query.get("raw") == "all":
            file, kind = self.data / f"{web}/{topic}.txt", "text/plain"
        else:
            file, kind = self.pub / web / topic / query.get("filename", ""), "application/octet-stream"
        if script not in ("view", "viewfile") or not file.is_file():
            return self._send(handler, 404, "text/html", b"<html>NOTE: This topic does not exist</html>")
        return self._send(handler, 200, kind, file.read_bytes())

    def _post(self, handler: BaseHTTPRequestHandler) -> None:
        self.asked.append(handler.path)
        form = parse_qs(handler.rfile.read(int(handler.headers["Content-Length"])).decode())
        good = form.get("username") == ["reader"] and form.get("password") == ["tea & biscuits"]
        cookie = {"Set-Cookie": "FOSWIKISID=opened; path=/; HttpOnly"} if good else {}
        self._send(handler, 200, "text/html", b"<html>Welcome</html>" if good else LOGIN.encode(), cookie)

    def _let_in(self, handler: BaseHTTPRequestHandler) -> bool:
        if self.sign_in == "basic":
            expected = base64.b64encode(b"reader:tea & biscuits").decode()
            return handler.headers.get("Authorization") == f"Basic {expected}"
        return self.sign_in != "form" or "FOSWIKISID=opened" in handler.headers.get("Cookie", "")

    def _found(self, web: str, query: dict[str, str], hidden: set[str]) -> list[tuple[str, str, str]]:
        """Name, revision and date of the topics that match a regular expression search, the latest first."""
        self.before_search(query["search"])
        tokens = query["search"].split(";")
        found = []
        for file in (self.data / web).glob("*.txt"):
            text = file.read_text()
            searched = re.sub(r"^%META.*$", "", text, flags=re.M) if self.fault == "blind" else text
            wanted = all(
                not re.search(token[1:], searched) if token.startswith("!") else re.search(token, searched)
                for token in tokens
            )
            info = re.search(r'%META:TOPICINFO\{author="\w+" date="(\d+)" format="1.1" version="(\d+)"', text)
            if wanted and info and file.stem != "WebStatistics" and f"{web}/{file.stem}" not in hidden:
                date = datetime.fromtimestamp(int(info[1]), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
                found.append((file.stem, info[2], date))
        found.sort(key=lambda entry: (entry[2], entry[0]), reverse=True)
        limit = query.get("limit", "16" if "format" not in query else "all")
        limit = "16" if self.fault == "sixteen" else limit
        return found[: int(limit)] if limit.isdecimal() else found

    def _rss(self, web: str, query: dict[str, str], hidden: set[str]) -> str:
        found = self._found(web, query, hidden)
        links = "".join(f'<rdf:li rdf:resource="{self.url}/view/{web}/{name}" />\n' for name, _, _ in found)
        items = "".join(
            f'<item rdf:about="{self.url}/view/{web}/{name}">\n<title>{name}</title>\n'
            f"<description>Text of {name} (last changed by Somebody)</description>\n"
            f"<dc:date>{'' if self.fault == 'no-dates' else date}</dc:date>\n</item>\n"
            for name, _, date in (found[:-1] if self.fault == "short" else found)
        )
        whole = (
            f'{RSS}<channel rdf:about="{self.url}/view/{web}"><title>The {web} web</title>\n<items><rdf:Seq>\n{links}'
            f"</rdf:Seq></items></channel>\n{items}</rdf:RDF>"
        )
        return whole[:-40] if self.fault == "cut" else whole

    def _formatted(self, web: str, query: dict[str, str], hidden: set[str]) -> str:
        found = self._found(web, query, hidden)
        lines = [
            query["format"]
            .replace("$topic", name)
            .replace("$rev", revision)
            .replace("$isodate", date)
            .replace("$web", web)
            for name, revision, date in found
        ]
        head = [query.get("header", "")] if found else []
        search = html.escape(query["search"])
        page = "\n".join(["<html><body>", f"<input name='search' value='{search}'>", *head, *lines, "</body></html>"])
        return page[:-30] if self.fault == "cut" else page

    def _send(
        self,
        handler: BaseHTTPRequestHandler,
        status: int,
        kind: str,
        body: bytes,
        headers: dict[str, str] | None = None,
    ) -> None:
        handler.send_response(status)
        handler.send_header("Content-Type", f"{kind}; charset=utf-8")
        handler.send_header("Content-Length", str(len(body)))
        for name, value in (headers or {}).items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body)
