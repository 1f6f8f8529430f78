"""Which addresses are of the public internet, and which of a host's addresses are connected to."""

from __future__ import annotations

import ipaddress
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import httpcore2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.errors import FetchError
from ingest.fetch.connection import CheckedBackend, Deadline, addresses, is_public

PUBLIC = ["8.8.8.8", "188.184.9.235", "172.15.255.255", "172.32.0.1", "2001:1458:d00:1::100:62", "2606:2800:220:1::1"]
INSIDE = [
    "0.0.0.0",
    "0.1.2.3",
    "10.1.2.3",
    "100.64.0.1",
    "127.0.0.1",
    "127.255.255.254",
    "168.63.129.16",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.1",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::8.8.8.8",
    "64:ff9b:1::8.8.8.8",
    "100::1",
    "2001::1",
    "2001:2::1",
    "2001:10::1",
    "2001:db8::1",
    "2002:0808:0808::1",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd12:3456::1",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
]


@pytest.mark.parametrize("address", PUBLIC)
def test_public(address: str) -> None:
    assert is_public(address)
    if "." in address:
        assert is_public(f"::ffff:{address}")
        assert is_public(f"64:ff9b::{address}")


@pytest.mark.parametrize("address", INSIDE)
def test_inside(address: str) -> None:
    assert not is_public(address)
    if ":" not in address:
        for form in ("::ffff:{}", "64:ff9b::{}", "::{}", "::ffff:0:{}", "64:ff9b:1::{}"):
            assert not is_public(form.format(address))


@given(st.ip_addresses(v=4))
def test_what_is_inside_is_inside_in_every_form(address: ipaddress.IPv4Address) -> None:
    found = is_public(str(address))
    assert found <= (address.is_global and not address.is_multicast)
    assert is_public(f"::ffff:{address}") == is_public(f"64:ff9b::{address}") == found


@given(st.ip_addresses(v=6))
def test_ipv6_is_public_only_where_it_is_given_out(address: ipaddress.IPv6Address) -> None:
    if is_public(str(address)) and not address.ipv4_mapped and not str(address).startswith("64:ff9b::"):
        assert 0x2000 <= int(address) >> 112 < 0x4000
        assert address.is_global


def resolver(monkeypatch: pytest.MonkeyPatch, *found: str) -> None:
    entries = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 80)) for address in found]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *arguments, **more: entries)


def test_public_addresses_are_kept_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    resolver(monkeypatch, "8.8.8.8", "10.0.0.1", "2606:2800::1", "8.8.8.8")
    assert addresses("wiki.example", 80) == ["8.8.8.8", "2606:2800::1"]


@pytest.mark.parametrize("entry", ["wiki.example:8080", "WIKI.Example:8080"])
@pytest.mark.parametrize("host", ["wiki.example", "WIKI.EXAMPLE", "wiki.example."])
def test_a_server_that_is_allowed(monkeypatch: pytest.MonkeyPatch, host: str, entry: str) -> None:
    resolver(monkeypatch, "10.0.0.1")
    assert addresses(host, 8080, (entry,)) == ["10.0.0.1"]


@pytest.mark.parametrize("entry", ["wiki.example:80", "wiki.example", "example:8080", "*:8080", "10.0.0.1:8080", ""])
def test_a_server_that_is_not(monkeypatch: pytest.MonkeyPatch, entry: str) -> None:
    resolver(monkeypatch, "10.0.0.1")
    with pytest.raises(FetchError, match=r'allow = \["wiki\.example:8080"\]') as raised:
        addresses("wiki.example", 8080, (entry,))
    assert raised.value.reason == "blocked"


@pytest.mark.parametrize("entry", ["[::1]:8080", "::1:8080"])
@pytest.mark.parametrize("host", ["[::1]", "::1"])
def test_an_allowed_ipv6_address(monkeypatch: pytest.MonkeyPatch, host: str, entry: str) -> None:
    resolver(monkeypatch, "::1")
    assert addresses(host, 8080, (entry,)) == ["::1"]


def test_names_that_have_no_address(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(FetchError, match="no name of a server") as raised:
        addresses("a" * 64 + ".example", 80)
    assert raised.value.reason == "refused"

    def fails(*arguments: object, **more: object) -> None:
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", fails)
    with pytest.raises(FetchError, match="Temporary failure") as raised:
        addresses("wiki.example", 80)
    assert raised.value.reason == "unreachable"


def test_local_sockets_are_refused() -> None:
    with pytest.raises(FetchError, match="local socket"):
        CheckedBackend((), Deadline()).connect_unix_socket("/var/run/docker.sock")


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def test_the_next_address_is_tried(listening: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    port = listening.getsockname()[1]
    tried = []
    connect = httpcore2.SyncBackend.connect_tcp

    def watched(self: Any, host: str, *arguments: Any) -> Any:
        tried.append((host, arguments[1]))
        return connect(self, host, *arguments)

    monkeypatch.setattr(httpcore2.SyncBackend, "connect_tcp", watched)
    resolve = socket.getaddrinfo

    def resolved(host: Any, *rest: Any, **more: Any) -> Any:
        hosts = ("127.0.0.9", "127.0.0.1") if host == "wiki.example" else (host,)
        return [entry for one in hosts for entry in resolve(one, *rest, **more)]

    monkeypatch.setattr(socket, "getaddrinfo", resolved)
    deadline = Deadline()
    deadline.at = time.monotonic() + 8
    stream = CheckedBackend((f"wiki.example:{port}",), deadline).connect_tcp("wiki.example", port, 60)
    stream.close()
    assert [host for host, _ in tried] == ["127.0.0.9", "127.0.0.1"]
    assert 3 < tried[0][1] <= 4 < tried[1][1] <= 8  # the first may use half of the time


def test_a_deadline_is_of_one_thread() -> None:
    deadline = Deadline()
    deadline.at = time.monotonic() - 1
    with pytest.raises(httpcore2.ReadTimeout):
        deadline.left(5)
    seen = []
    thread = threading.Thread(target=lambda: seen.append(deadline.left(5)))
    thread.start()
    thread.join()
    assert seen == [5]
    deadline.at = time.monotonic() + 2
    assert 0 < (deadline.left(5) or 0) <= 2
    assert deadline.left(1) == 1
