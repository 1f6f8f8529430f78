"""The HTTP client against servers that break, lie, dawdle and lead astray: every row of `faults.py`, and secrets."""

from __future__ import annotations

import gzip
import logging
import socket
import ssl
import subprocess
import sys
import threading
import time
import traceback
import tracemalloc
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest

from assistant.errors import FetchError, SettingsError
from ingest.connectors.options import WebOptions
from ingest.fetch import JSON, Client, Response, shown

TESTS = Path(__file__).parents[1]
SECRET = "correct-horse-battery"


def load(name: str, file: Path) -> Any:
    spec = spec_from_file_location(name, file)
    assert spec
    assert spec.loader
    module = module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


faults = load("faults", TESTS / "ingest/faults.py")
raw = load("raw", TESTS / "servers/raw.py")
TABLE = [fault for name, table in vars(faults).items() if name.isupper() and isinstance(table, list) for fault in table]
FAULTS = [fault for fault in TABLE if isinstance(fault, faults.Fault)]


def options(server: Any, **more: Any) -> WebOptions:
    given = {"kind": "test", "url": server.url, "allow": (server.address,), "requests_per_second": 1000}
    return WebOptions(**{**given, "retry_seconds": 0.01, "timeout_seconds": 5, **more})


@pytest.fixture
def serve() -> Iterator[Callable[..., Any]]:
    """Starts raw servers and ends them."""
    started = []

    def start(*plays: Any) -> Any:
        started.append(raw.RawServer(plays))
        return started[-1].__enter__()

    yield start
    for server in started:
        server.__exit__(None, None, None)


@pytest.fixture
def connections(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """Where this process connects to; a connection that leaves this machine is noted and then refused."""
    made: list[tuple[str, int]] = []
    connect = socket.socket.connect

    def watched(self: socket.socket, address: Any) -> None:
        made.append(address[:2])
        if address[0] not in ("127.0.0.1", "::1"):
            raise ConnectionRefusedError("tests do not leave this machine")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", watched)
    return made


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[list[str]]]:
    """A name server: for each name, what it answers the first, second, ... time, the last for ever."""
    known: dict[str, list[list[str]]] = {}
    resolve = socket.getaddrinfo

    def answers(host: Any, port: Any, *arguments: Any, **more: Any) -> Any:
        found = known.get(str(host).lower().rstrip("."))
        if found is None:
            if str(host).endswith(".example"):
                raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
            return resolve(host, port, *arguments, **more)
        now = found.pop(0) if len(found) > 1 else found[0]
        if not now:
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return [entry for address in now for entry in resolve(address, port, *arguments, **more)]

    monkeypatch.setattr(socket, "getaddrinfo", answers)
    return known


def test_the_table_is_whole() -> None:
    assert len(FAULTS) > 90
    assert len({fault.name for fault in FAULTS}) == len(FAULTS)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_faults(fault: Any, serve: Callable[..., Any], tmp_path: Path) -> None:
    server = serve(*fault.plays)
    dawdles = fault in faults.SLOW or (fault.reason == "unreachable" and fault in faults.NO_ANSWER)
    began = time.monotonic()
    path = tmp_path / "body"
    with Client(options(server, timeout_seconds=0.3 if dawdles else 5), max_mb=1) as client:
        if fault.reason:
            with pytest.raises(FetchError) as raised:
                client.download(server.url, path, accept=JSON)
            assert raised.value.reason == fault.reason, raised.value
            assert not list(tmp_path.iterdir())
        else:
            client.download(server.url, path, accept=JSON)
            assert path.read_bytes() == faults.BODY
        assert client.requests == fault.asked
    assert time.monotonic() - began < 100  # each of those that dawdle would go on for ever


def test_a_wait_that_is_asked_for_is_kept(serve: Callable[..., Any]) -> None:
    server = serve(faults.answer(b"429 Too Many Requests", b"Retry-After: 1"), faults.GOOD)
    with Client(options(server)) as client:
        began = time.monotonic()
        assert client.get(server.url, accept=JSON).json() == {"answer": 42}
        assert time.monotonic() - began >= 1


def test_a_post_is_not_repeated(serve: Callable[..., Any]) -> None:
    server = serve(faults.BUSY, faults.GOOD)
    with Client(options(server)) as client:
        with pytest.raises(FetchError, match="503"):
            client.send("POST", server.url, form={"a": 1})
        assert client.requests == 1


def test_a_form_and_what_it_leads_to(serve: Callable[..., Any]) -> None:
    server = serve(faults.answer(b"303 See Other", b"Location: /done"), faults.GOOD)
    with Client(options(server)) as client:
        assert client.send("POST", server.url + "form", form={"name": "a b"}).status == 200
    assert server.requests[0].startswith(b"POST /form ")
    assert b"name=a+b" in server.requests[0]
    assert server.requests[1].startswith(b"GET /done ")
    assert b"Content-Length" not in server.requests[1]


def test_a_server_that_is_not_there(serve: Callable[..., Any]) -> None:
    server = serve()
    server.__exit__(None, None, None)
    with Client(options(server)) as client:
        with pytest.raises(FetchError) as raised:
            client.get(server.url)
        assert (raised.value.reason, client.requests) == ("unreachable", 4)


def test_a_name_that_cannot_be_resolved_for_a_while(serve: Callable[..., Any], names: dict[str, Any]) -> None:
    server = serve(faults.GOOD)
    url = f"http://wiki.example:{server.port}/"
    names["wiki.example"] = [[], [], ["127.0.0.1"]]
    with Client(options(server, allow=(f"wiki.example:{server.port}",))) as client:
        assert client.get(url).status == 200
        assert client.requests == 3
        with pytest.raises(FetchError, match=r"nobody\.example has no address") as raised:
            client.get("http://nobody.example/")
        assert raised.value.reason == "unreachable"


def test_a_bomb_does_not_fill_the_memory(serve: Callable[..., Any]) -> None:
    (fault,) = [fault for fault in faults.TOO_LARGE if fault.name == "packed"]
    bomb = b"".join(fault.plays[0])
    assert len(bomb) < 2_000_000
    server = serve((bomb,))
    with Client(options(server), max_mb=10) as client:
        tracemalloc.start()
        with pytest.raises(FetchError, match="larger than the 10 MB"):
            client.get(server.url)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < 30_000_000


@pytest.mark.parametrize(
    "zipped",
    [faults.ZIPPED, gzip.compress(b'{"ans') + gzip.compress(b'wer": 42}') + bytes(9)],
    ids=["one member", "two members"],
)
@pytest.mark.parametrize("coding", [b"gzip", b"x-gzip"])
def test_packed_answers(serve: Callable[..., Any], zipped: bytes, coding: bytes) -> None:
    pieces = [faults.start(b"Transfer-Encoding: chunked", b"Content-Encoding: " + coding)]
    pieces += [faults.chunk(zipped[i : i + 1]) for i in range(len(zipped))] + [b"0\r\n\r\n"]
    server = serve(pieces)
    with Client(options(server)) as client:
        assert client.get(server.url, accept=JSON).json() == {"answer": 42}


def test_a_large_packed_answer_is_whole(serve: Callable[..., Any]) -> None:
    body = bytes(range(256)) * 20_000
    server = serve(faults.answer(b"200 OK", faults.GZIP, body=gzip.compress(body)))
    with Client(options(server)) as client:
        assert client.get(server.url).body == body


def test_not_modified_and_head(serve: Callable[..., Any], tmp_path: Path) -> None:
    head = (b"HTTP/1.1 200 OK\r\nContent-Length: 9999999999\r\nContent-Encoding: gzip\r\n\r\n",)
    server = serve(faults.answer(b"304 Not Modified"), head, faults.answer(b"304 Not Modified"))
    with Client(options(server)) as client:
        assert client.get(server.url, headers={"If-None-Match": '"1"'}, accept=JSON).status == 304
        assert client.send("HEAD", server.url).headers["content-length"] == "9999999999"
        path = tmp_path / "page"
        path.write_text("as it was")
        assert client.download(server.url, path, headers={"If-Modified-Since": "x"}).status == 304
        assert path.read_text() == "as it was"


def test_parameters_are_added(serve: Callable[..., Any]) -> None:
    server = serve(faults.GOOD)
    with Client(options(server)) as client:
        client.get(server.url + "?a=1&b=2", {"b": "ä b", "c": 3})
    assert server.requests[0].startswith(b"GET /?a=1&b=%C3%A4+b&c=3 HTTP/1.1\r\n")


@pytest.mark.parametrize(
    "url", ["", "wiki", "http://", "http://[::1", "http://a:b/", "http://a\0b/", "/etc/passwd", "file:///x"]
)
def test_addresses_that_are_none(serve: Callable[..., Any], url: str) -> None:
    server = serve()
    with Client(options(server)) as client, pytest.raises(FetchError) as raised:
        client.get(url)
    assert raised.value.reason == "refused"
    assert server.connections == 0
    with pytest.raises(SettingsError):
        Client(options(server, url=url))


def test_texts_and_what_is_no_json() -> None:
    def text(charset: str, body: bytes) -> str:
        return Response("http://x/", 200, {"content-type": f"text/html; charset={charset}"}, body).text

    assert text("ISO-8859-1", b"caf\xe9") == "café"
    assert text('"utf-8"; x=y', "é".encode()) == "é"
    for charset in ("", "klingon", "idna", "undefined", "zip", "a\0b"):
        assert text(charset, "é".encode()) == "é"
    for body in (b"", b"<html>", b"[" * 200_000, b"\xff", b"1" * 5000):
        with pytest.raises(FetchError, match="no JSON"):
            Response("http://x/", 200, {}, body).json()


# Where connections lead


@pytest.mark.parametrize("location", faults.METADATA)
def test_metadata_of_clouds(
    location: str, serve: Callable[..., Any], connections: list[Any], names: dict[str, Any]
) -> None:
    names["metadata.example"] = [["169.254.169.254"]]
    names["both.example"] = [["169.254.169.254", "::ffff:169.254.169.254"]]
    server = serve(faults.to(location))
    with Client(options(server)) as client:
        for url in (server.url, location if location.startswith("http") else f"http:{location}"):
            with pytest.raises(FetchError) as raised:
                client.get(url)
            assert raised.value.reason in ("blocked", "unreachable", "refused"), raised.value
            assert raised.value.reason != "unreachable" or "has no address" in str(raised.value)
    assert set(connections) == {("127.0.0.1", server.port)}


@pytest.mark.parametrize("location", faults.CANARY)
@pytest.mark.parametrize("status", [b"301 Moved", b"307 Temporary"])
def test_a_server_inside_that_the_source_was_not_given(
    location: str, status: bytes, serve: Callable[..., Any], connections: list[Any], names: dict[str, Any]
) -> None:
    names["inside.example"] = [["127.0.0.1"]]
    canary = serve(faults.GOOD)
    server = serve(())
    there = location.format(port=canary.port, home=server.address)
    server.plays = [faults.answer(status, b"Location: " + there.encode())]
    with Client(options(server)) as client, pytest.raises(FetchError) as raised:
        client.get(server.url)
    assert raised.value.reason in ("blocked", "unreachable", "refused"), raised.value
    assert canary.connections == 0
    assert set(connections) == {("127.0.0.1", server.port)}


def test_a_name_that_is_public_first_and_private_later(
    serve: Callable[..., Any], connections: list[Any], names: dict[str, Any]
) -> None:
    canary = serve(faults.GOOD)
    with Client(options(canary, allow=(), url="http://rebind.example/")) as client:
        names["rebind.example"] = [["93.184.216.34"], ["127.0.0.1"]]
        with pytest.raises(FetchError) as raised:
            client.get(f"http://rebind.example:{canary.port}/")
    assert raised.value.reason == "blocked"  # the second attempt, which resolved it again
    assert connections == [("93.184.216.34", canary.port)]
    assert canary.connections == 0


def test_what_was_resolved_is_what_is_connected_to(serve: Callable[..., Any], names: dict[str, Any]) -> None:
    """Also where a name has public and private addresses, and where it is asked for again on the same connection."""
    server = serve(faults.GOOD)
    names["wiki.example"] = [["127.0.0.1"], ["192.0.2.1"]]
    with Client(options(server, allow=(f"wiki.example:{server.port}",))) as client:
        assert client.get(f"http://WIKI.example:{server.port}/").status == 200
    assert names["wiki.example"] == [["192.0.2.1"]]


def test_only_public_addresses_of_a_name_are_tried(connections: list[Any], names: dict[str, Any]) -> None:
    names["mixed.example"] = [["10.0.0.1", "93.184.216.34", "127.0.0.1", "2606:2800::1", "fe80::1"]]
    settings = WebOptions(kind="test", url="http://mixed.example/", retry_seconds=0)
    with Client(settings, per_second=1000) as client, pytest.raises(FetchError, match="do not leave"):
        client.get("http://mixed.example/")
    assert connections == [("93.184.216.34", 80), ("2606:2800::1", 80)] * 4


def test_proxies_of_the_environment_are_not_used(serve: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    proxy, server = serve(faults.GOOD), serve(faults.GOOD)
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, proxy.url)
    with Client(options(server)) as client:
        assert client.get(server.url).status == 200
    assert proxy.connections == 0


# Secrets


class Site(BaseHTTPRequestHandler):
    """Sends a cookie, redirects where `to` says, and remembers the headers that it got."""

    protocol_version = "HTTP/1.1"
    server: Any

    def do_GET(self) -> None:
        self.server.got.append((self.path, dict(self.headers)))
        target = self.server.to.pop(self.path.partition("?")[0], "")
        self.send_response(302 if target else self.server.status)
        self.send_header("Set-Cookie", "session=very-secret-session; Path=/")
        if target:
            self.send_header("Location", target)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_PROPFIND = do_POST = do_GET  # noqa: N815

    def log_message(self, format: str, *arguments: Any) -> None:
        pass


@pytest.fixture
def sites() -> Iterator[list[Any]]:
    made: list[Any] = []
    for _ in range(2):
        server: Any = ThreadingHTTPServer(("127.0.0.1", 0), Site)
        server.got, server.to, server.status = [], {}, 200
        server.address = f"127.0.0.1:{server.server_port}"
        server.url = f"http://{server.address}/"
        threading.Thread(target=server.serve_forever, args=(0.02,)).start()
        made.append(server)
    yield made
    for server in made:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize("user", ["", "reader"])
def test_secrets_go_home_only(sites: list[Any], user: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WIKI_SECRET", SECRET)
    home, other = sites
    home.to["/away"] = other.url + "there"
    other.to["/there"] = home.url + "back"
    settings = options(home, allow=(home.address, other.address), secret_env="WIKI_SECRET", user=user)
    private = {"X-Api-Key": SECRET, "Proxy-Authorization": SECRET, "If-None-Match": '"1"'}
    with Client(settings) as client:
        client.get(home.url)
        client.get(home.url + "away", headers=private)
        client.get(other.url + "direct", headers={**private, "Authorization": SECRET})
    scheme = "Basic" if user else "Bearer"
    assert [path for path, _ in home.got] == ["/", "/away", "/back"]
    assert all(headers["Authorization"].startswith(scheme) for _, headers in home.got)
    assert "very-secret-session" in home.got[2][1]["Cookie"]
    assert [path for path, _ in other.got] == ["/there", "/direct"]
    for _, headers in other.got:
        assert set(headers) <= {"Host", "User-Agent", "Accept", "Accept-Encoding", "If-None-Match"}
        assert headers["If-None-Match"] == '"1"'


def test_a_redirect_does_not_carry_the_secret_in_its_address(sites: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WIKI_SECRET", "a secret+word")
    home, other = sites
    home.to["/away"] = other.url + "?token=a%20secret%2Bword"
    home.to["/in-name"] = f"http://a%20secret%2Bword@{other.address}/"
    settings = options(home, allow=(home.address, other.address), secret_env="WIKI_SECRET", user="x")
    with Client(settings) as client:
        with pytest.raises(FetchError, match="would carry the secret") as raised:
            client.get(home.url + "away")
        assert client.get(home.url + "in-name").status == 200
    assert "secret%2Bword" not in str(raised.value)
    assert [set(headers) & {"Authorization", "Cookie"} for _, headers in other.got] == [set()]


def test_what_is_forbidden_elsewhere_says_where_the_secret_goes(
    sites: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WIKI_SECRET", SECRET)
    home, other = sites
    home.to["/"], other.status = other.url, 401
    settings = options(home, allow=(home.address, other.address), secret_env="WIKI_SECRET")
    with Client(settings) as client, pytest.raises(FetchError, match=f"the secret goes to {home.url[:-1]} only"):
        client.get(home.url)


def test_a_body_is_not_carried_to_another_server(sites: list[Any]) -> None:
    home, other = sites
    home.to["/"] = other.url
    with Client(options(home, allow=(home.address, other.address))) as client:
        for method in ("POST", "PROPFIND"):
            home.to["/"] = other.url
            with pytest.raises(FetchError, match="leads to another server"):
                client.send(method, home.url, content=b"secret")
    assert other.got == []


def test_nothing_secret_is_logged_or_said(
    sites: list[Any], serve: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("WIKI_SECRET", SECRET)
    caplog.set_level(logging.DEBUG)  # of the root, and so of all that say nothing else
    home, other = sites
    said = []
    basic = __import__("base64").b64encode(f"reader:{SECRET}".encode()).decode()
    for user in ("", "reader"):
        with Client(options(home, secret_env="WIKI_SECRET", user=user, allow=(home.address,))) as client:
            said += [repr(client), repr(client.get(home.url, {"token": SECRET}, headers={"X-Key": SECRET}))]
            for status in (401, 404, 503):
                home.status = status
                with pytest.raises(FetchError) as raised:
                    client.get(home.url + "page", {"token": SECRET})
                said += ["".join(traceback.format_exception(raised.value)), repr(raised.value), str(raised.value)]
            home.status = 200
            for target in (
                other.url,
                f"http://{SECRET}@{other.address}/",
                f"http://x:{SECRET}@[::1/",
                "ftp://" + SECRET,
            ):
                home.to["/page"] = target
                with pytest.raises(FetchError) as raised:
                    client.get(home.url + "page", {"token": SECRET}, headers={"X-Key": SECRET})
                said += [str(raised.value), repr(raised.value)]
            with pytest.raises(FetchError) as raised:
                client.get(home.url, headers={"X-Key": SECRET + "\r\nX: y"})
            said += [str(raised.value), repr(raised.value)]
    broken = serve((b"nonsense",), faults.GOOD)
    with Client(options(broken, secret_env="WIKI_SECRET")) as client:
        client.get(broken.url, {"token": SECRET})
    text = "\n".join([*said, caplog.text, *(repr(vars(record)) for record in caplog.records)])
    assert "503" in text
    for word in (SECRET, basic, "very-secret-session"):
        assert word not in text


def test_addresses_are_shown_without_what_may_be_secret() -> None:
    assert shown("https://user:word@wiki.example:8443/a/b?token=1#x") == "https://wiki.example:8443/a/b"
    assert shown("http://user:wo/rd@wiki/") == "a malformed address"


def test_a_password_in_the_address_is_refused(serve: Callable[..., Any]) -> None:
    server = serve()
    with pytest.raises(SettingsError, match="secret_env") as raised:
        Client(options(server, url=f"http://reader:{SECRET}@{server.address}/"))
    assert SECRET not in str(raised.value)


def test_a_password_is_no_token(serve: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WIKI_SECRET", "pässword")
    server = serve(faults.GOOD)
    with pytest.raises(SettingsError, match="ASCII"):
        Client(options(server, secret_env="WIKI_SECRET"))
    with Client(options(server, secret_env="WIKI_SECRET", user="reader")) as client:
        assert client.get(server.url).status == 200


# TLS


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("tls")
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    command += ["-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem")]
    subprocess.run(command, check=True, capture_output=True)
    return folder / "cert.pem", folder / "key.pem"


@pytest.fixture
def secure(sites: list[Any], certificate: tuple[Path, Path]) -> Any:
    """The first of the sites, over TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    site = sites[0]
    site.socket = context.wrap_socket(site.socket, server_side=True)
    site.address = f"localhost:{site.server_port}"
    site.url = f"https://{site.address}/"
    return site


def test_tls_is_verified_and_never_left(
    secure: Any, sites: list[Any], certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    with Client(options(secure)) as client, pytest.raises(FetchError, match="certificate verify failed"):
        client.get(secure.url)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    monkeypatch.setenv("WIKI_SECRET", SECRET)
    plain = sites[1]
    allow = (secure.address, plain.address, f"127.0.0.1:{secure.server_port}")
    with Client(options(secure, allow=allow, secret_env="WIKI_SECRET")) as client:
        assert client.get(secure.url).status == 200
        assert secure.got[-1][1]["Authorization"] == f"Bearer {SECRET}"
        secure.to["/down"] = plain.url
        with pytest.raises(FetchError, match="from https to"):
            client.get(secure.url + "down")
        with pytest.raises(FetchError, match="certificate verify failed"):
            client.get(f"https://127.0.0.1:{secure.server_port}/")  # another name than the certificate's
    assert plain.got == []
    with Client(options(plain, url=f"http://{secure.address}/", allow=allow, secret_env="WIKI_SECRET")) as client:
        plain.to["/up"] = secure.url
        client.get(plain.url + "up")
        client.get(secure.url)
    assert "Authorization" not in secure.got[-1][1]  # home is the same name and port, but without TLS
