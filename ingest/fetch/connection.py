"""Where a connection may lead: the host is resolved once, its addresses are checked, and one that passed is connected
to, so that no name, redirect or second look-up leads into a network that the source was not given.
"""

from __future__ import annotations

import ipaddress
import socket
import threading
import time
from collections.abc import Collection, Iterable
from typing import Any

import httpcore2

from assistant.errors import FetchError

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_TRANSLATED = ipaddress.ip_network("64:ff9b::/96")
_UNICAST = ipaddress.ip_network("2000::/3")
"""All of IPv6 that is given out to be reached from anywhere."""
_REFUSED = tuple(
    map(
        ipaddress.ip_network,
        (
            "192.0.0.0/24",  # for protocols, and some clouds' metadata
            "168.63.129.16/32",  # a cloud's own services, at an address that looks public
            "192.88.99.0/24",  # the way into 6to4
            "2001::/32",  # Teredo, with an IPv4 address inside
            "2002::/16",  # 6to4, likewise
            "3fff::/20",  # for documentation
        ),
    )
)
_MOST_ADDRESSES = 4
"""Of a host, that are tried."""
_NO_BRACKETS = str.maketrans("", "", "[]")


def is_public(address: str) -> bool:
    """Whether an IP address belongs to the public internet: not private, loopback, link-local (where clouds keep their
    metadata), shared, reserved or multicast, nor one of these written inside an IPv6 address."""
    found: _Address = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped:
            return is_public(str(found.ipv4_mapped))
        if found in _TRANSLATED:
            return is_public(str(ipaddress.IPv4Address(int(found) & 0xFFFF_FFFF)))
        if found not in _UNICAST:
            return False
    if any(found in network for network in _REFUSED):
        return False
    return found.is_global and not found.is_multicast and not found.is_reserved


def addresses(host: str, port: int, allow: Collection[str] = ()) -> list[str]:
    """The IP addresses at which `host` may be connected to, in the order of the resolver.

    `allow` holds `host:port` of servers that may have any address. Raises FetchError: "blocked" where no address is
    allowed, "unreachable" where there is none, "refused" where the name cannot be one.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError as error:
        raise FetchError("refused", f"{host[:100]} is no name of a server ({error})") from error
    except OSError as error:
        raise FetchError(
            "unreachable", f"{host} has no address ({error}). Is its name right, and is there a network?"
        ) from error
    resolved = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    named = f"{host.strip('[]').lower().rstrip('.')}:{port}"
    if named in {entry.lower().translate(_NO_BRACKETS) for entry in allow}:
        return resolved
    public = [address for address in resolved if is_public(address)]
    if not public:
        raise FetchError(
            "blocked",
            f"{host} has the address {resolved[0]}, which is not of the public internet. If it is a server that this "
            f'source is meant to read, say so in its settings: allow = ["{named}"]',
        )
    return public


class Deadline(threading.local):
    """Until when the request of this thread must be answered, in seconds of `time.monotonic`."""

    at: float | None = None

    def left(self, timeout: float | None) -> float | None:
        """`timeout` cut to the time that is left; raises httpcore2.ReadTimeout where none is."""
        if self.at is None:
            return timeout
        left = self.at - time.monotonic()
        if left <= 0:
            raise httpcore2.ReadTimeout("the whole answer took too long")
        return left if timeout is None else min(timeout, left)


class CheckedBackend(httpcore2.NetworkBackend):
    """Connects to checked addresses only, and lets no answer outlast the deadline, however slowly it drips."""

    def __init__(self, allow: Collection[str], deadline: Deadline) -> None:
        self._allow = frozenset(allow)
        self._deadline = deadline
        self._sockets = httpcore2.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.NetworkStream:
        try:
            found = addresses(host, port, self._allow)[:_MOST_ADDRESSES]
        except FetchError as error:
            if error.reason == "unreachable":  # a fault that may pass, like those of connections
                raise httpcore2.ConnectError(error.detail) from error
            raise
        failed: Exception | None = None
        for untried, address in zip(range(len(found), 0, -1), found, strict=True):
            left = self._deadline.left(timeout)
            share = left and left / untried  # one that does not answer leaves time for the next
            try:
                stream = self._sockets.connect_tcp(address, port, share, local_address, socket_options)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failed = error
                continue
            return _TimedStream(stream, self._deadline)
        raise failed or httpcore2.ConnectError(f"no address of {host} answered")

    def connect_unix_socket(self, *arguments: Any, **options: Any) -> httpcore2.NetworkStream:
        raise FetchError("blocked", "A source is never read through a local socket.")

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


class _TimedStream(httpcore2.NetworkStream):
    def __init__(self, stream: httpcore2.NetworkStream, deadline: Deadline) -> None:
        self._stream = stream
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, self._deadline.left(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, self._deadline.left(timeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: Any, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.NetworkStream:
        secured = self._stream.start_tls(ssl_context, server_hostname, self._deadline.left(timeout))
        return _TimedStream(secured, self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
