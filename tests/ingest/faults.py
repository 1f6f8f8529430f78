"""Everything that is known to go wrong between a client and a web server, and what must come of it.

One row each: a name, what the server says to the first, second, ... request (the last also to all that follow), why the
client gives up ("" where it gets its answer in the end), and how often it has asked by then. A server that is at fault
is asked four times; a server that says no is asked once.
"""

from __future__ import annotations

import gzip
import itertools
import zlib
from collections.abc import Iterable
from dataclasses import dataclass

Step = bytes | str | float


def answer(status: bytes, *headers: bytes, body: bytes = b"", type: bytes = b"application/json") -> tuple[bytes]:
    """One whole answer."""
    fixed = (b"Content-Type: " + type, b"Content-Length: %d" % len(body), b"Connection: close")
    return (b"\r\n".join([b"HTTP/1.1 " + status, *fixed, *headers, b"", body]),)


def start(*headers: bytes) -> bytes:
    """The head of an answer that is then up to no good."""
    return b"\r\n".join([b"HTTP/1.1 200 OK", b"Content-Type: application/json", *headers, b"", b""])


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def to(location: str) -> tuple[bytes]:
    return answer(b"302 Found", b"Location: " + location.encode())


class _Forever:
    """The same steps again and again, for as many connections as there are."""

    def __init__(self, first: Iterable[Step], *steps: Step) -> None:
        self._first, self._steps = tuple(first), steps

    def __iter__(self) -> itertools.chain[Step]:
        return itertools.chain(self._first, itertools.cycle(self._steps))


class _Bomb:
    """A gigabyte of zeros in a megabyte of gzip."""

    def __iter__(self) -> Iterable[Step]:  # type: ignore[override]
        packer = zlib.compressobj(wbits=31)
        yield start(b"Content-Encoding: gzip", b"Connection: close")
        for _ in range(1000):
            yield packer.compress(bytes(1_000_000))
        yield packer.flush()


BODY = b'{"answer": 42}'
GOOD = answer(b"200 OK", body=BODY)
ZIPPED = gzip.compress(BODY)
GZIP = b"Content-Encoding: gzip"
LOGIN = b"<!doctype html><title>Sign in</title><form method=post><input type=password></form>"


@dataclass(frozen=True)
class Fault:
    name: str
    plays: tuple[Iterable[Step], ...]
    reason: str
    asked: int


def _f(name: str, *plays: Iterable[Step], reason: str = "", asked: int = 1) -> Fault:
    return Fault(name, plays, reason, asked)


def _wait(value: bytes) -> tuple[bytes]:
    return answer(b"503 Service Unavailable", b"Retry-After: " + value)


BUSY = answer(b"503 Service Unavailable")

SERVER_AT_FAULT = [
    _f("503 once", BUSY, GOOD, asked=2),
    _f("503 three times", BUSY, BUSY, BUSY, GOOD, asked=4),
    _f("503 for ever", BUSY, reason="unreachable", asked=4),
    _f("429 once", answer(b"429 Too Many Requests"), GOOD, asked=2),
    _f("500 once", answer(b"500 Internal Server Error"), GOOD, asked=2),
    _f("502 once", answer(b"502 Bad Gateway"), GOOD, asked=2),
    _f("504 once", answer(b"504 Gateway Timeout"), GOOD, asked=2),
    _f("408 once", answer(b"408 Request Timeout"), GOOD, asked=2),
    _f("503, come back at once", _wait(b"0"), GOOD, asked=2),
    _f("503, come back in a second", _wait(b"1"), GOOD, asked=2),
    _f("503, come back at a date that is past", _wait(b"Sun, 06 Nov 1994 08:49:37 GMT"), GOOD, asked=2),
    _f("503, come back in a day", _wait(b"86400"), reason="unreachable"),
    _f("503, come back in 10^30 seconds", _wait(b"1" + b"0" * 30), reason="unreachable"),
    _f("503, come back in 10^5000 seconds", _wait(b"1" + b"0" * 5000), reason="unreachable"),
    _f("503, come back in the year 9999", _wait(b"Fri, 31 Dec 9999 23:59:59 GMT"), reason="unreachable"),
    _f("503, come back at a date that does not exist", _wait(b"Fri, 31 Feb 2026 25:61:61 GMT"), GOOD, asked=2),
    _f("503, come back in the year 10^20", _wait(b"Fri, 31 Dec 1" + b"0" * 20 + b" 23:59:59 GMT"), GOOD, asked=2),
    _f("503, come back in a negative time", _wait(b"-5"), GOOD, asked=2),
    _f("503, come back soon", _wait(b"soon"), GOOD, asked=2),
    _f("503, come back in 1e3", _wait(b"1e3"), GOOD, asked=2),
    _f("503, come back in nothing", _wait(b""), GOOD, asked=2),
    _f("429, come back in a day", answer(b"429 Too Many", b"Retry-After: 86400"), reason="unreachable"),
]

SERVER_SAYS_NO = [
    _f("400", answer(b"400 Bad Request"), reason="refused"),
    _f("401", answer(b"401 Unauthorized"), reason="forbidden"),
    _f("403", answer(b"403 Forbidden"), reason="forbidden"),
    _f("404", answer(b"404 Not Found"), reason="gone"),
    _f("405", answer(b"405 Method Not Allowed"), reason="refused"),
    _f("407", answer(b"407 Proxy Authentication Required"), reason="refused"),
    _f("410", answer(b"410 Gone"), reason="gone"),
    _f("451", answer(b"451 Unavailable For Legal Reasons"), reason="refused"),
    _f("501", answer(b"501 Not Implemented"), reason="refused"),
    _f("304 although nothing is known", answer(b"304 Not Modified"), reason="refused"),
    _f("206 although the whole was asked for", answer(b"206 Partial Content"), reason="refused"),
    _f("300 without a location", answer(b"300 Multiple Choices"), reason="refused"),
    _f("302 without a location", answer(b"302 Found"), reason="refused"),
    _f("a status that does not exist", answer(b"299 Fine", body=BODY)),
]

NO_ANSWER = [
    _f("the connection is closed", (), GOOD, asked=2),
    _f("the connection is closed for ever", (), reason="unreachable", asked=4),
    _f("the connection is reset", ("reset",), GOOD, asked=2),
    _f("silence", ("stay",), reason="unreachable", asked=4),
    _f("not HTTP", (b"220 ftp.example.org ready\r\n",), reason="unreachable", asked=4),
    _f("HTTP/0.9", (BODY,), reason="unreachable", asked=4),
    _f("a status that is no number", (b"HTTP/1.1 OK\r\n\r\n",), reason="unreachable", asked=4),
    _f("a header that is none", (b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",), reason="unreachable", asked=4),
    _f("a zero byte in a header", (start(b"X: a\0b"),), reason="unreachable", asked=4),
    _f("a header of a megabyte", (start(b"X: " + b"y" * 1_000_000),), reason="unreachable", asked=4),
    _f("endless headers", _Forever([b"HTTP/1.1 200 OK\r\n"], b"X: y\r\n" * 100), reason="unreachable", asked=4),
    _f("endless interim answers", _Forever([], b"HTTP/1.1 100 Continue\r\n\r\n", 0.01), reason="unreachable", asked=4),
    _f("a length that is negative", (start(b"Content-Length: -1"),), reason="unreachable", asked=4),
    _f("a length that is no number", (start(b"Content-Length: ten"),), reason="unreachable", asked=4),
    _f("two lengths", (start(b"Content-Length: 2", b"Content-Length: 3"), b"{}"), reason="unreachable", asked=4),
]

SLOW = [
    _f("the status drips", _Forever([b"HTTP"], b"/", 0.05), reason="unreachable", asked=4),
    _f("headers drip", _Forever([b"HTTP/1.1 200 OK\r\nX: "], b"y", 0.05), reason="unreachable", asked=4),
    _f("the body drips", _Forever([start(b"Content-Length: 999")], b" ", 0.05), reason="unreachable", asked=4),
    _f(
        "chunks drip",
        _Forever([start(b"Transfer-Encoding: chunked")], chunk(b" "), 0.05),
        reason="unreachable",
        asked=4,
    ),
    _f("the body stops", (start(b"Content-Length: 99"), b"{", "stay"), reason="unreachable", asked=4),
]

CUT = [
    _f("cut by its length", (start(b"Content-Length: 99"), BODY), reason="cut", asked=4),
    _f("cut by its length, whole the next time", (start(b"Content-Length: 99"), BODY), GOOD, asked=2),
    _f("cut and reset", (start(b"Content-Length: 99"), BODY, 0.05, "reset"), GOOD, asked=2),
    _f("cut between chunks", (start(b"Transfer-Encoding: chunked"), chunk(BODY)), reason="cut", asked=4),
    _f("cut in a chunk", (start(b"Transfer-Encoding: chunked"), b"99\r\n" + BODY), reason="cut", asked=4),
    _f("a chunk of no size", (start(b"Transfer-Encoding: chunked"), b"zz\r\n" + BODY), reason="cut", asked=4),
    _f("gzip cut in its data", answer(b"200 OK", GZIP, body=ZIPPED[:-12]), reason="cut", asked=4),
    _f("gzip cut in its checksum", answer(b"200 OK", GZIP, body=ZIPPED[:-1]), reason="cut", asked=4),
    _f("gzip cut in its head", answer(b"200 OK", GZIP, body=ZIPPED[:5]), reason="cut", asked=4),
    _f(
        "gzip with a wrong checksum",
        answer(b"200 OK", GZIP, body=ZIPPED[:-8] + bytes(8)),
        reason="cut",
        asked=4,
    ),
    _f("gzip that is none", answer(b"200 OK", GZIP, body=BODY), reason="cut", asked=4),
    _f("gzip cut, whole the next time", answer(b"200 OK", GZIP, body=ZIPPED[:-9]), GOOD, asked=2),
    _f("two gzips, the second cut", answer(b"200 OK", GZIP, body=ZIPPED + ZIPPED[:-3]), reason="cut", asked=4),
]
NOT_CONTENT = [
    _f("a login page", answer(b"200 OK", body=LOGIN, type=b"text/html; charset=utf-8"), reason="not_content"),
    _f(
        "a redirect to a login page",
        to("/login"),
        answer(b"200 OK", body=LOGIN, type=b"text/html"),
        reason="not_content",
        asked=2,
    ),
    _f("another type", answer(b"200 OK", body=b"\x89PNG", type=b"image/png"), reason="not_content"),
    _f("no type", (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",), reason="not_content"),
    _f("no content", (b"HTTP/1.1 204 No Content\r\n\r\n",), reason="not_content"),
    _f("an encoding that was not asked for", (start(b"Content-Encoding: br"), b"abc"), reason="not_content"),
    _f("encodings one in the other", (start(b"Content-Encoding: gzip, gzip"), ZIPPED), reason="not_content"),
]

TOO_LARGE = [
    _f("announced", (start(b"Content-Length: 2000000"), b" " * 1000), reason="too_large"),
    _f("announced, absurdly", (start(b"Content-Length: 99999999999999999999"), b" "), reason="too_large"),
    _f("with an end", answer(b"200 OK", body=b" " * 1_000_001), reason="too_large"),
    _f("without an end", _Forever([start(b"Connection: close")], b" " * 10_000), reason="too_large"),
    _f("in chunks", _Forever([start(b"Transfer-Encoding: chunked")], chunk(b" " * 10_000)), reason="too_large"),
    _f("packed", _Bomb(), reason="too_large"),  # type: ignore[arg-type]
]

REDIRECTED = [
    _f("five times", *[to(f"/{i}") for i in range(5)], GOOD, asked=6),
    _f("six times", *[to(f"/{i}") for i in range(6)], GOOD, reason="refused", asked=6),
    _f("to itself", to(""), reason="refused", asked=6),
    _f("round in a ring", *[to("/a"), to("/b")] * 4, reason="refused", asked=6),
    _f("to a bracket that does not close", to("http://[::1/"), reason="refused"),
    _f("to a port that is no number", to("http://example.org:port/"), reason="refused"),
    _f("to a port that does not exist", to("http://example.org:65536/"), reason="refused"),
    _f("to no server, which is the same one", to("http:///etc/passwd"), reason="refused", asked=6),
    _f("with slashes that are none, so the same one", to("http:\\\\169.254.169.254\\"), reason="refused", asked=6),
    _f("to a name of more than one's length", to(f"http://{'a' * 64}.example/"), reason="refused", asked=2),
    _f("to an endless address", to("http://example.org/" + "a" * 66_000), reason="refused"),
    _f("to a file", to("file:///etc/passwd"), reason="blocked"),
    _f("to a file of another server", to("file://localhost/etc/passwd"), reason="blocked"),
    _f("to FTP", to("ftp://127.0.0.1/"), reason="blocked"),
    _f("to gopher", to("gopher://127.0.0.1:6379/_FLUSHALL"), reason="blocked"),
    _f("to a local socket", to("unix:///var/run/docker.sock"), reason="blocked"),
    _f("to a local socket over HTTP", to("http+unix://%2Fvar%2Frun%2Fdocker.sock/"), reason="blocked"),
    _f("to data", to("data:application/json,{}"), reason="blocked"),
    _f("to a script", to("javascript:alert(1)"), reason="blocked"),
    _f("to a directory", to("ldap://127.0.0.1/"), reason="blocked"),
]

METADATA = [
    "http://169.254.169.254/latest/meta-data/",
    "http://169.254.169.254:80/",
    "http://169.254.169.254./",
    "//169.254.169.254/",
    "http://2852039166/",
    "http://0251.0376.0251.0376/",
    "http://0xa9.0xfe.0xa9.0xfe/",
    "http://0xa9fea9fe/",
    "http://025177524776/",
    "http://169.254.43518/",
    "http://169.16689662/",
    "http://[::ffff:169.254.169.254]/",
    "http://[::ffff:a9fe:a9fe]/",
    "http://[0:0:0:0:0:ffff:a9fe:a9fe]/",
    "http://[::169.254.169.254]/",
    "http://[::ffff:0:a9fe:a9fe]/",
    "http://[64:ff9b::169.254.169.254]/",
    "http://[64:ff9b:1::169.254.169.254]/",
    "http://[2002:a9fe:a9fe::1]/",
    "http://[2001:0:a9fe:a9fe::1]/",
    "http://[fd00:ec2::254]/",
    "http://[fe80::1]/",
    "http://168.63.129.16/",
    "http://100.100.100.200/",
    "http://192.0.0.192/",
    "http://good.example@169.254.169.254/",
    "http://good.example:80@169.254.169.254/",
    "http://good.example%2F@169.254.169.254/",
    "http://169.254.169.254#@good.example/",
    "http://169.254.169.254?@good.example/",
    "http://metadata.example/",
    "http://METADATA.example./",
    "http://both.example/",
]
"""Where clouds tell anything that runs in them its credentials, in every disguise; `metadata.example` is resolved to
it, and `both.example` to it and its IPv6 form."""

CANARY = [
    "http://127.0.0.1:{port}/",
    "//127.0.0.1:{port}/",
    "http://127.1:{port}/",
    "http://2130706433:{port}/",
    "http://0177.0.0.1:{port}/",
    "http://0x7f.1:{port}/",
    "http://0:{port}/",
    "http://0.0.0.0:{port}/",
    "http://127.0.0.2:{port}/",
    "http://127.0.0.1.:{port}/",
    "http://localhost:{port}/",
    "http://LOCALHOST.:{port}/",
    "http://[::1]:{port}/",
    "http://[::]:{port}/",
    "http://[::ffff:127.0.0.1]:{port}/",
    "http://[::ffff:7f00:1]:{port}/",
    "http://[64:ff9b::127.0.0.1]:{port}/",
    "http://good.example@127.0.0.1:{port}/",
    "http://{home}@127.0.0.1:{port}/",
    "http://127.0.0.1:{port}#@{home}/",
    "http://inside.example:{port}/",
]
"""A server on this machine that the source was not given, at `{port}`; `inside.example` is resolved to it."""
