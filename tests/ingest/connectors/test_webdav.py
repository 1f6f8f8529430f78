"""WebDAV, against a real server: what is listed and fetched, what a sync does, and what must not look like absence."""

from __future__ import annotations

import itertools
import os
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from assistant.errors import FetchError, SourceError
from assistant.types import PUBLIC
from ingest.connectors.connector import Gone, Listed
from ingest.connectors.webdav.answer import entries_of, plain, quoted
from ingest.connectors.webdav.files import WebDav, WebDavOptions
from ingest.fetch import Client

if TYPE_CHECKING:
    from conftest import Desk  # type: ignore[import-not-found]


def load(name: str) -> Any:
    spec = spec_from_file_location(f"{name}_server", Path(__file__).parents[2] / f"servers/{name}.py")
    assert spec
    assert spec.loader
    module = module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


dav = load("dav")

FILES = {
    "magnets.md": "# Magnets\n\nThe solenoid gives 2 tesla.\n",
    "minutes/2026/november.txt": "The choir rehearses on Thursdays.\n",
    "minutes/2026/é & 100% +.md": "# Accents\n\nA name with accents, a sign and a space.\n",
    "minutes/private/salaries.md": "# Salaries\n\nNobody knows.\n",
    "minutes/film.mp4": "not really",
    "README": "no suffix",
}
READ = sorted(name for name in FILES if name.endswith((".md", ".txt")))


_hours = itertools.count()


def write(path: Path, text: str | bytes) -> None:
    """A file that was changed some time ago, each an hour after the last."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    when = 1_750_000_000 + 3600 * next(_hours)
    os.utime(path, (when, when))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "documents"
    for name, text in FILES.items():
        write(root / name, text)
    (root / "empty/deeper").mkdir(parents=True)
    return root


@pytest.fixture
def serve(folder: Path) -> Iterator[Callable[..., Any]]:
    started = []

    def start(**more: Any) -> Any:
        started.append(dav.DavServer(folder, **more))
        return started[-1].__enter__()

    yield start
    for server in started:
        server.__exit__(None, None, None)


def section(server: Any, **more: Any) -> dict[str, Any]:
    fast = {"requests_per_second": 1000, "retry_seconds": 0.01, "timeout_seconds": 10}
    return {"kind": "webdav", "url": server.url, "readers": ["atlas"], "allow": [server.address], **fast, **more}


@pytest.fixture
def connect() -> Iterator[Callable[..., WebDav]]:
    clients = []

    def make(server: Any, **more: Any) -> WebDav:
        options = WebDavOptions(**section(server, **more))
        clients.append(Client(options, max_mb=1))
        return WebDav(options, clients[-1])

    yield make
    for client in clients:
        client.__exit__(None, None, None)


def listed(connector: WebDav) -> dict[str, Listed]:
    items = list(connector.list())
    assert len({item.key for item in items}) == len(items)
    return {item.key: item for item in items}


@pytest.mark.parametrize("mount", ["", "/remote/dav files"])
@pytest.mark.parametrize("mode", ["infinity", "finite", "silent"])
def test_every_file_is_listed(serve: Callable[..., Any], connect: Callable[..., WebDav], mode: str, mount: str) -> None:
    server = serve(mount=mount)
    server.mode = mode
    server.url = server.url.replace(" ", "%20")
    connector = connect(server)
    found = listed(connector)
    assert set(found) == set(FILES)
    assert connector.root == f"webdav {server.url}"
    assert {item.access for item in found.values()} == {PUBLIC}
    assert {key for key, item in found.items() if item.refused} == {"minutes/film.mp4", "README"}
    assert len({item.stamp for item in found.values()} - {""}) == len(FILES)
    depths = [depth for _, depth in server.asked("PROPFIND")]
    empty_folders = 1  # "empty/deeper": whether it is, is asked once more
    assert (
        depths
        == {
            "infinity": ["infinity"] + ["1"] * empty_folders,
            "finite": ["infinity"] + ["1"] * 6,
            "silent": ["infinity"] + ["1"] * 5,
        }[mode]
    )


def test_what_an_item_is(
    serve: Callable[..., Any], connect: Callable[..., WebDav], folder: Path, tmp_path: Path
) -> None:
    os.utime(folder / "magnets.md", (1_790_000_000, 1_790_000_000))
    connector = connect(serve())
    for key in READ:
        item = listed(connector)[key]
        work = tmp_path / f"work-{len(list(tmp_path.iterdir()))}"
        work.mkdir()
        fetched = connector.fetch(item, work)
        assert fetched.path.read_text() == FILES[key]
        assert fetched.path.suffix == Path(key).suffix
        if key == "magnets.md":
            assert fetched.modified == "2026-09-21T14:13:20Z"
            assert fetched.url == connector.root.removeprefix("webdav ") + "magnets.md"
            assert len(fetched.revision) == 16


def test_patterns_and_folders_that_are_not_looked_into(
    serve: Callable[..., Any], connect: Callable[..., WebDav], folder: Path
) -> None:
    server = serve()
    for mode in ("infinity", "finite", "silent"):
        server.mode = mode
        found = listed(connect(server, include=["*.md", "*.txt"], exclude=["private/", "magnets.*"]))
        assert set(found) == {"minutes/2026/november.txt", "minutes/2026/é & 100% +.md"}
        assert "/minutes/private/" not in {path for path, depth in server.asked("PROPFIND") if depth == "1"}


def test_large_files_are_not_fetched(serve: Callable[..., Any], connect: Callable[..., WebDav], folder: Path) -> None:
    write(folder / "large.txt", b"x" * 1_000_001)
    refused = listed(connect(serve()))["large.txt"].refused
    assert refused == ("too_large", "1.0 MB, allowed are 1")


def test_a_password(
    serve: Callable[..., Any], connect: Callable[..., WebDav], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    server = serve(locked=True)
    with pytest.raises(FetchError) as raised:
        listed(connect(server))
    assert raised.value.reason == "forbidden"
    monkeypatch.setenv("DAV_PASSWORD", dav.PASSWORD)
    connector = connect(server, user=dav.USER, secret_env="DAV_PASSWORD")
    assert set(listed(connector)) == set(FILES)
    assert connector.fetch(listed(connector)["magnets.md"], tmp_path).path.read_text() == FILES["magnets.md"]


def test_a_public_link(
    serve: Callable[..., Any], connect: Callable[..., WebDav], monkeypatch: pytest.MonkeyPatch
) -> None:
    server = serve(locked=True)
    monkeypatch.setenv("DAV_LINK", dav.TOKEN)
    assert set(listed(connect(server, public_link=True, secret_env="DAV_LINK"))) == set(FILES)
    with pytest.raises(FetchError) as raised:
        listed(connect(server, secret_env="DAV_LINK"))
    assert raised.value.reason == "forbidden"


LOGIN = b"<!DOCTYPE html><title>Sign in</title>"
BOMB = b"<!DOCTYPE d [<!ENTITY a '%s'>%s]><multistatus xmlns='DAV:'>&a5;</multistatus>" % (
    b"x" * 1000,
    b"".join(b"<!ENTITY a%d '%s'>" % (i, (b"&a%d;" % (i - 1) if i else b"&a;") * 100) for i in range(6)),
)
FAULTS: dict[str, Callable[[str, bytes], tuple[str, bytes]]] = {
    "cut": lambda status, body: (status, body[: len(body) // 2]),
    "empty": lambda status, body: (status, b""),
    "a login page": lambda status, body: ("200 OK", LOGIN),
    "a login page with the status of an answer": lambda status, body: (status, LOGIN),
    "no such status": lambda status, body: ("200 OK", body),
    "an error": lambda status, body: ("500 Internal Server Error", b""),
    "forbidden": lambda status, body: ("403 Forbidden", b""),
    "gone": lambda status, body: ("404 Not Found", b""),
    "nothing in it": lambda status, body: (status, b'<d:multistatus xmlns:d="DAV:"/>'),
    "another document": lambda status, body: (status, b'<d:error xmlns:d="DAV:"/>'),
    "a name twice": lambda status, body: (status, body.replace(b"magnets.md", b"README").replace(b"2026", b"private")),
    "a way out": lambda status, body: (status, body.replace(b"magnets.md", b"../x").replace(b"2026", b"..")),
    "another folder": lambda status, body: (status, body.replace(b"href>/", b"href>/other/")),
    "a file that may not be seen": lambda status, body: (status, body.replace(b"200 OK", b"403 Forbidden")),
    "a bomb": lambda status, body: (status, BOMB),
    "a file of this machine": lambda status, body: (
        status,
        b'<!DOCTYPE d [<!ENTITY a SYSTEM "file:///etc/passwd">]><multistatus xmlns="DAV:"><response><href>&a;</href>'
        b"</response></multistatus>",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("path", ["/", "/minutes/"])
def test_what_is_no_listing_raises(
    serve: Callable[..., Any], connect: Callable[..., WebDav], fault: str, path: str
) -> None:
    server = serve()
    server.mode = "finite"
    connector = connect(server)
    server.fault[path] = FAULTS[fault]
    with pytest.raises(SourceError):
        listed(connector)


def test_what_may_be_a_folder_is_not_taken_for_a_file() -> None:
    def told(href: str, status: str) -> str:
        folder = "<d:prop><d:resourcetype><d:collection/></d:resourcetype></d:prop>"
        kind = f"{folder}<d:status>HTTP/1.1 {status}</d:status>"
        tag = "<d:prop><d:getetag>x</d:getetag></d:prop><d:status>HTTP/1.1 200 OK</d:status>"
        blocks = f"<d:propstat>{kind}</d:propstat><d:propstat>{tag}</d:propstat>"
        return f"<d:response><d:href>{href}</d:href>{blocks}</d:response>"

    answer = '<d:multistatus xmlns:d="DAV:">{}</d:multistatus>'
    entries = entries_of(answer.format(told("/", "200 OK") + told("/minutes/", "200 OK")).encode(), "/", "")
    assert [entry.is_folder for entry in entries] == [True, True]
    with pytest.raises(SourceError, match="whether /minutes/ is a folder"):
        entries_of(answer.format(told("/", "200 OK") + told("/minutes/", "500 Oops")).encode(), "/", "")


def test_a_folder_that_vanished_while_it_was_listed_raises(
    serve: Callable[..., Any], connect: Callable[..., WebDav]
) -> None:
    server = serve()
    server.mode = "silent"
    server.fault["/minutes/"] = FAULTS["gone"]
    with pytest.raises(FetchError):
        listed(connect(server))


def test_a_file_that_is_not_the_one_listed(
    serve: Callable[..., Any], connect: Callable[..., WebDav], tmp_path: Path, folder: Path
) -> None:
    write(folder / "paper.pdf", LOGIN)
    server = serve()
    connector = connect(server)
    found = listed(connector)
    server.fault["/magnets.md"] = lambda status, body: (status, body + b"more")
    for key, reason in (("magnets.md", "not_content"), ("paper.pdf", "not_content")):
        with pytest.raises(FetchError) as raised:
            connector.fetch(found[key], tmp_path)
        assert raised.value.reason == reason
    (folder / "paper.pdf").unlink()
    with pytest.raises(FetchError) as raised:
        connector.fetch(found["paper.pdf"], tmp_path)
    assert raised.value.reason == "gone"


def test_an_address_that_leads_elsewhere(serve: Callable[..., Any], connect: Callable[..., WebDav]) -> None:
    server = serve(mount="/dav")
    server.url = server.url.rstrip("/") + "/minutes"
    assert "2026/november.txt" in listed(connect(server))
    server.url = server.url + "/nowhere/"
    with pytest.raises(FetchError) as raised:
        listed(connect(server))
    assert raised.value.reason == "gone"


def test_servers_that_number_their_files_say_that_nothing_changed(
    serve: Callable[..., Any], connect: Callable[..., WebDav], folder: Path
) -> None:
    server = serve(numbered=True, mount="/remote.php/dav/files/reader")
    connector = connect(server)
    cursor = connector.cursor()
    assert cursor
    found = listed(connector)
    server.asked("PROPFIND")
    assert list(connector.changes(cursor, ()) or ["all"]) == []
    assert server.asked("PROPFIND") == []  # it was asked when the cursor was
    again = list(connector.changes(cursor, ["magnets.md", "nothing.md", "minutes/2026/é & 100% +.md"]) or [])
    assert again == [found["magnets.md"], Gone("nothing.md"), found["minutes/2026/é & 100% +.md"]]
    write(folder / "minutes/2026/november.txt", "changed\n")
    assert connector.cursor() != cursor
    assert connector.changes(cursor, ()) is None
    url = connector._url(found["magnets.md"].hint)
    assert url == f"http://{server.address}/index.php/f/{(folder / 'magnets.md').stat().st_ino}"


class _Bytes(BaseHTTPRequestHandler):
    """A folder with one file, whose name is no UTF-8; the server above cannot have such."""

    def do_PROPFIND(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        kind = "<d:collection/>" if self.path == "/" else ""
        tags = f"<d:resourcetype>{kind}</d:resourcetype><d:getetag>x</d:getetag><o:fileid>7</o:fileid>"
        told = f"<d:propstat><d:prop>{tags}</d:prop><d:status>HTTP/1.1 200 OK</d:status></d:propstat>"
        body = (
            '<d:multistatus xmlns:d="DAV:" xmlns:o="http://owncloud.org/ns"><d:response>'
            f"<d:href>{self.path}</d:href>{told}</d:response></d:multistatus>"
        ).encode()
        self.send_response(207 if self.path in ("/", "/caf%E9%20%C3%A9.md") else 404)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words: object) -> None:
        pass


def test_a_name_that_is_no_utf_8_is_asked_for_as_it_is(connect: Callable[..., WebDav]) -> None:
    assert quoted(plain("/caf%E9%20%C3%A9%5Cx.md")) == "/caf%E9%20%C3%A9%5Cx.md"
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Bytes)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        address = f"127.0.0.1:{server.server_port}"
        connector = connect(SimpleNamespace(url=f"http://{address}/", address=address))
        (item,) = connector.changes(connector.cursor(), ["caf\\xe9 é.md"]) or ()
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert isinstance(item, Listed)
    assert item.key == "caf\\xe9 é.md"


def test_servers_that_do_not_are_listed_each_time(serve: Callable[..., Any], connect: Callable[..., WebDav]) -> None:
    assert connect(serve()).cursor() == ""


def test_what_was_changed_just_now_is_looked_at_again(
    serve: Callable[..., Any], connect: Callable[..., WebDav], folder: Path
) -> None:
    """Another change in the same second, to a text of the same length, could not be seen."""
    (folder / "magnets.md").write_text("now")
    assert listed(connect(serve()))["magnets.md"].stamp == ""
    assert listed(connect(serve(numbered=True)))["magnets.md"].stamp != ""  # its etags change each time


def outcomes(site: Desk) -> dict[str, str]:
    """What one sync does; the files that nobody reads are told each time."""
    told = site.outcomes(site.sync())
    return {key: outcome for key, outcome in told.items() if outcome != "skipped unsupported"}


@pytest.mark.parametrize("numbered", [False, True])
def test_each_change_takes_one_sync(
    desk: Callable[[dict[str, Any]], Desk], serve: Callable[..., Any], folder: Path, numbered: bool
) -> None:
    server = serve(numbered=numbered)
    site = desk(section(server))
    assert outcomes(site) == dict.fromkeys(READ, "new")
    assert site.readable("atlas") == set(READ)
    assert site.readable("cms") == set()
    assert sorted(path for path, _ in server.asked("GET")) == [f"/{key}" for key in READ]
    server.requests.clear()
    assert outcomes(site) == {}
    assert server.asked("GET") == []
    assert len(server.asked("PROPFIND")) <= 3

    write(folder / "magnets.md", "# Magnets\n\nThe solenoid gives 4 tesla.\n")
    write(folder / "minutes/new.md", "# New\n\nA new page.\n")
    (folder / "minutes/2026/november.txt").rename(folder / "minutes/november.txt")
    (folder / "minutes/private/salaries.md").unlink()
    assert outcomes(site) == {
        "magnets.md": "changed",
        "minutes/new.md": "new",
        "minutes/november.txt": "moved",
        "minutes/private/salaries.md": "removed",
    }
    assert sorted(path for path, _ in server.asked("GET")) == [
        "/magnets.md",
        "/minutes/new.md",
        "/minutes/november.txt",
    ]
    assert "4 tesla" in site.text("magnets.md", "atlas")
    site.like_fresh()

    (folder / "minutes").rename(folder / "notes")
    report = site.sync()
    assert {line.outcome for line in report.lines} <= {"moved", "skipped", "removed"}
    assert site.readable("atlas") == {"magnets.md", "notes/new.md", "notes/november.txt", "notes/2026/é & 100% +.md"}
    site.like_fresh()

    before = site.contents()
    for fault in ("cut", "an error", "a login page", "forbidden", "nothing in it"):
        server.fault["/"] = FAULTS[fault]
        (failed,) = site.sync().sources
        assert failed.error
        assert site.contents() == before
    server.fault.clear()
    site.section["readers"] = ["cms"]
    assert site.sync().sources[0].access_changed == 6  # with the two that nobody reads
    assert site.readable("atlas") == set()
    site.like_fresh()
