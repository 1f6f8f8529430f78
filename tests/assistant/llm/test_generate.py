"""The client against a real socket server that behaves, and against one that misbehaves in every way we know."""

from __future__ import annotations

import gzip
import json
import socket
import socketserver
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import pytest

from assistant.errors import LLMError, LLMGarbage, LLMSilent, LLMUnavailable
from assistant.llm.generate import probe, stream
from assistant.settings import LLMSettings

pytestmark = pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")

QUESTION = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "How long is the pier?"}]
STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
JSON = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n"


@dataclass
class Stub:
    """What a server on this machine does with each connection, and what it was asked and could send."""

    url: str = ""
    requests: list[bytes] = field(default_factory=list)
    sent: int = 0
    cut: threading.Event = field(default_factory=threading.Event)


Act = Callable[[socket.socket, Stub], None]


@contextmanager
def serving(act: Act) -> Iterator[Stub]:
    stub = Stub()

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with suppress(OSError):
                stub.requests.append(request(self.request))
                act(self.request, stub)
                return
            stub.cut.set()  # the client has hung up

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        block_on_close = False

    with Server(("127.0.0.1", 0), Handler) as server:
        stub.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield stub
        server.shutdown()


def request(connection: socket.socket) -> bytes:
    got = b""
    while b"\r\n\r\n" not in got:
        got += connection.recv(65536)
    head, _, body = got.partition(b"\r\n\r\n")
    length = next((int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0)
    while len(body) < length:
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body


def settings(url: str, **changes: Any) -> LLMSettings:
    """Short waits; a test that expects one to run out sets it."""
    waits = {"connect_seconds": 5.0, "token_seconds": 5.0, "answer_seconds": 10.0, "max_tokens": 50}
    return LLMSettings(url=url, **{**waits, **changes})


def answer(url: str, **changes: Any) -> str:
    return "".join(stream(QUESTION, settings(url, **changes), "small"))


def event(content: Any, finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": {"content": content}, "finish_reason": finish}
    return (
        b"data: " + json.dumps({"id": "1", "object": "chat.completion.chunk", "choices": [choice]}).encode() + b"\n\n"
    )


def says(*parts: bytes) -> Act:
    def act(connection: socket.socket, stub: Stub) -> None:
        for part in parts:
            connection.sendall(part)

    return act


def for_ever(start: bytes, again: bytes, pause: float = 0.0) -> Act:
    def act(connection: socket.socket, stub: Stub) -> None:
        connection.sendall(start)
        while True:
            connection.sendall(again)
            stub.sent += len(again)
            time.sleep(pause)

    return act


def resets(*parts: bytes) -> Act:
    def act(connection: socket.socket, stub: Stub) -> None:
        for part in parts:
            connection.sendall(part)
        time.sleep(0.1)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()

    return act


def silent(connection: socket.socket, stub: Stub) -> None:
    connection.recv(1)


def http(status: str, body: bytes, *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def models(*names: Any) -> bytes:
    return http("200 OK", json.dumps({"object": "list", "data": [{"id": name} for name in names]}).encode())


# --- a server that behaves -------------------------------------------------------------------------------------------


def test_pieces_come_as_they_are_sent() -> None:
    seen_first = threading.Event()

    def act(connection: socket.socket, stub: Stub) -> None:
        connection.sendall(STREAM + event("The pier "))
        assert seen_first.wait(4)  # a client that collects the whole answer first never gets past here
        connection.sendall(event("is 240 m") + event(" long.") + event("", "stop") + b"data: [DONE]\n\n")

    with serving(act) as stub:
        pieces = stream(QUESTION, settings(stub.url), "small")
        assert next(pieces) == "The pier "
        seen_first.set()
        assert list(pieces) == ["is 240 m", " long."]


def test_the_request_says_what_was_asked() -> None:
    with serving(says(STREAM, event("Yes."), event(None, "stop"))) as stub:
        assert answer(stub.url, api_key="geheim", temperature=0.25, max_tokens=7) == "Yes."
    head, _, body = stub.requests[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /v1/chat/completions ")
    assert b"authorization: bearer geheim" in head.lower()
    sent = json.loads(body)
    assert {key: sent[key] for key in ("model", "messages", "temperature", "max_tokens", "stream")} == {
        "model": "small",
        "messages": QUESTION,
        "temperature": 0.25,
        "max_tokens": 7,
        "stream": True,
    }


def test_every_byte_may_come_alone() -> None:
    whole = STREAM + event("Größe: ") + event("5 µm", "stop")
    with serving(says(*(whole[i : i + 1] for i in range(len(whole))))) as stub:
        assert answer(stub.url) == "Größe: 5 µm"


def test_half_a_character_is_replaced() -> None:
    half = b'data: {"choices": [{"delta": {"content": "a \\ud800 b"}, "finish_reason": "stop"}]}\n\n'
    with serving(says(STREAM, half)) as stub:
        assert answer(stub.url) == "a ? b"


def test_events_without_text_are_passed_over() -> None:
    usage = b'data: {"choices": [], "usage": {"total_tokens": 3}}\n\n'
    role = b'data: {"choices": [{"delta": {"role": "assistant"}, "finish_reason": null}]}\n\n'
    with serving(says(STREAM, b": ping\n\n", usage, role, event(""), event("Yes."), event("", "length"))) as stub:
        assert answer(stub.url) == "Yes."


def test_leaving_early_ends_the_connection() -> None:
    with serving(for_ever(STREAM, event("more "), pause=0.01)) as stub:
        pieces = stream(QUESTION, settings(stub.url), "small")
        assert next(pieces) == "more "
        pieces.close()  # type: ignore[attr-defined]
        assert stub.cut.wait(3)


def test_a_slow_reader_is_not_taken_for_a_slow_server() -> None:
    with serving(says(STREAM, event("a"), event("b"), event("c", "stop"))) as stub:
        pieces = stream(QUESTION, settings(stub.url, token_seconds=1, answer_seconds=1), "small")
        got = next(pieces)
        time.sleep(1.2)
        assert got + "".join(pieces) == "abc"


@pytest.mark.parametrize(
    ("served", "chosen"),
    [
        (("other", "SmolLM2-135M-Instruct"), "SmolLM2-135M-Instruct"),
        (("other", "third"), "other"),
        (("other",), "other"),
    ],
)
def test_probe_takes_the_configured_model_else_the_first(served: tuple[str, ...], chosen: str) -> None:
    with serving(says(models(*served))) as stub:
        assert probe(settings(stub.url)) == chosen
        assert probe(settings(stub.url + "/")) == chosen
    assert stub.requests[0].startswith(b"GET /v1/models ")


def test_no_proxy_stands_between_us_and_our_own_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with serving(says(models("small"))) as stub:
        assert probe(settings(stub.url)) == "small"
    with serving(says(STREAM, event("Yes.", "stop"))) as stub:
        assert answer(stub.url) == "Yes."


# --- servers that misbehave ------------------------------------------------------------------------------------------

HTML = b"<html><body>Please log in</body></html>\n"
DEEP = b'data: {"choices": ' + b"[" * 60_000 + b"\n\n"
STREAM_FAULTS: dict[str, tuple[Act, type[LLMError]]] = {
    "a web page": (says(http("200 OK", HTML, "Content-Type: text/html")), LLMGarbage),
    "nothing in 200": (says(http("200 OK", b"")), LLMGarbage),
    "no content": (says(http("204 No Content", b"")), LLMGarbage),
    "an answer that is not streamed": (says(JSON, b'{"choices": [{"message": {"content": "Yes."}}]}'), LLMGarbage),
    "half a line, then the end": (says(STREAM, event("The pi")[:30]), LLMGarbage),
    "half an answer, then the end": (says(STREAM, event("The pier"), event(" is 240 m")[:40]), LLMUnavailable),
    "half an answer without an end": (says(STREAM, event("The pier")), LLMUnavailable),
    "half an answer, then done": (says(STREAM, event("The pier"), b"data: [DONE]\n\n"), LLMUnavailable),
    "less than promised": (says(http("200 OK", b"x" * 50)[:-10]), LLMUnavailable),
    "a broken chunk": (
        says(STREAM[:-2] + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n" + event("x")),
        LLMUnavailable,
    ),
    "a reset": (resets(STREAM, event("The pier")), LLMUnavailable),
    "a reset at once": (resets(), LLMUnavailable),
    "the end at once": (says(), LLMUnavailable),
    "no HTTP": (says(b"SSH-2.0-OpenSSH_9.2\r\n"), LLMUnavailable),
    "a header without end": (for_ever(b"HTTP/1.1 200 OK\r\nX: ", b"y" * 4096), LLMUnavailable),
    "a line without end": (for_ever(STREAM + b"data: ", b"y" * 65536), LLMGarbage),
    "events without end": (for_ever(STREAM, event("more ")), LLMGarbage),
    "comments without end": (for_ever(STREAM, b": ping\n\n" * 999), LLMGarbage),
    "10 MB without a newline": (says(http("200 OK", b"y" * 10_000_000, "Content-Type: text/event-stream")), LLMGarbage),
    "no JSON": (says(STREAM, b"data: {hello}\n\n"), LLMGarbage),
    "no text in UTF-8": (says(STREAM, b'data: {"choices": "\xff\xfe"}\n\n'), LLMGarbage),
    "JSON without end of depth": (says(STREAM, DEEP), LLMGarbage),
    "a number of 10,000 digits": (says(STREAM, b'data: {"choices": ' + b"9" * 10_000 + b"}\n\n"), LLMGarbage),
    "a compressed answer": (
        says(http("200 OK", gzip.compress(event("Yes.", "stop")), "Content-Encoding: gzip")),
        LLMGarbage,
    ),
    "no choices": (says(STREAM, b'data: {"choices": []}\n\ndata: [DONE]\n\n'), LLMGarbage),
    "done at once": (says(STREAM, b"data: [DONE]\n\n"), LLMGarbage),
    "an empty answer": (says(STREAM, event(""), event("", "stop")), LLMSilent),
    "a blank answer": (says(STREAM, event(" \n"), event("", "stop")), LLMSilent),
    "an error in the stream": (says(STREAM, b'data: {"error": {"message": "out of memory"}}\n\n'), LLMUnavailable),
    "an error of another shape": (says(STREAM, b'data: {"error": ["out", 3]}\n\n'), LLMUnavailable),
    "500 with a message": (says(http("500 Oops", b'{"error": {"message": "engine died"}}')), LLMUnavailable),
    "500 with a web page": (says(http("500 Oops", HTML)), LLMUnavailable),
    "500 with a list": (says(http("500 Oops", b"[[]]")), LLMUnavailable),
    "500 without end": (for_ever(b"HTTP/1.1 500 Oops\r\n\r\n", b"y" * 65536), LLMGarbage),
    "400": (says(http("400 Bad Request", b'{"message": "maximum context length is 4096"}')), LLMUnavailable),
    "401": (says(http("401 Unauthorized", b'{"error": "no key"}')), LLMUnavailable),
    "404": (says(http("404 Not Found", b"")), LLMUnavailable),
    "429": (says(http("429 Too Many Requests", b"", "Retry-After: 600")), LLMUnavailable),
    "a redirect": (says(http("302 Found", b"", "Location: http://127.0.0.1:9/v1/chat/completions")), LLMUnavailable),
    "status 999": (says(http("999 What", b"")), LLMUnavailable),
    **{
        f"data: {value}": (says(STREAM, b"data: " + value.encode() + b"\n\n"), LLMGarbage)
        for value in (
            "null",
            "7",
            '"text"',
            "[1, 2]",
            "{}",
            '{"choices": 3}',
            '{"choices": "abc"}',
            '{"choices": {"0": 1}}',
            '{"choices": [7]}',
            '{"choices": [null]}',
            '{"choices": [{}]}',
            '{"choices": [{"delta": null}]}',
            '{"choices": [{"delta": "Yes."}]}',
            '{"choices": [{"delta": {"content": 5}}]}',
            '{"choices": [{"delta": {"content": ["Yes."]}}]}',
            '{"choices": [{"delta": {"content": {"text": "Yes."}}}]}',
        )
    },
}


@pytest.mark.parametrize("fault", STREAM_FAULTS)
def test_stream_turns_every_fault_into_an_llm_error(fault: str) -> None:
    act, expected = STREAM_FAULTS[fault]
    begun = time.monotonic()
    with serving(act) as stub, pytest.raises(LLMError) as caught:
        answer(stub.url)
    assert type(caught.value) is expected, caught.value
    assert stub.url in str(caught.value)
    assert time.monotonic() - begun < 5  # all end by themselves, well before a wait runs out
    assert stub.sent < 20_000_000


@pytest.mark.parametrize(
    ("act", "limit"),
    [
        (silent, {"token_seconds": 0.5}),
        (for_ever(STREAM, b""), {"token_seconds": 0.5}),
        (for_ever(STREAM, b": ping\n\n", pause=0.05), {"token_seconds": 0.5}),
        (for_ever(b"HTTP/1.1 200 OK\r\nX: ", b"y", pause=0.05), {"token_seconds": 0.5}),
        (for_ever(STREAM + b"data: ", b"y", pause=0.05), {"token_seconds": 0.5}),
        (for_ever(STREAM, event("more "), pause=0.1), {"answer_seconds": 0.7}),
        (for_ever(STREAM + event("more "), b"y", pause=0.1), {"answer_seconds": 0.7}),
    ],
    ids=["never a byte", "no body", "comments", "slow header", "slow line", "no end", "a word, then dribble"],
)
def test_stream_gives_up_in_time(act: Act, limit: dict[str, float]) -> None:
    begun = time.monotonic()
    with serving(act) as stub:
        with pytest.raises(LLMUnavailable, match=r"did not answer|broke off"):
            answer(stub.url, **limit)
        assert time.monotonic() - begun < max(limit.values()) + 1.5


def test_messages_name_what_the_server_said() -> None:
    body = b'{"error": {"message": "This model\'s maximum context length is 4096 tokens."}}'
    with serving(says(http("400 Bad Request", body))) as stub, pytest.raises(LLMUnavailable) as caught:
        answer(stub.url)
    assert "HTTP 400" in str(caught.value)
    assert "maximum context length is 4096" in str(caught.value)
    with serving(says(http("401 Unauthorized", b"{}"))) as stub, pytest.raises(LLMUnavailable, match="API_KEY"):
        answer(stub.url)


PROBE_FAULTS: dict[str, tuple[Act, type[LLMError]]] = {
    "a web page": (says(http("200 OK", HTML, "Content-Type: text/html")), LLMGarbage),
    "nothing in 200": (says(http("200 OK", b"")), LLMGarbage),
    "a list of nothing": (says(models()), LLMGarbage),
    "models without names": (says(models(3, None, "")), LLMGarbage),
    "no UTF-8": (says(http("200 OK", b"\xff\xfe\x00", "Content-Type: application/json")), LLMGarbage),
    "an unknown charset": (says(http("200 OK", b"{}", "Content-Type: application/json; charset=klingon")), LLMGarbage),
    "JSON without end of depth": (says(http("200 OK", b"[" * 100_000)), LLMGarbage),
    "bytes without end": (for_ever(JSON, b"y" * 65536), LLMGarbage),
    "500": (says(http("500 Oops", b'{"error": {"message": "engine died"}}')), LLMUnavailable),
    "404": (says(http("404 Not Found", HTML)), LLMUnavailable),
    "a redirect": (says(http("302 Found", b"", "Location: /login")), LLMUnavailable),
    "the end at once": (says(), LLMUnavailable),
    "a reset": (resets(JSON), LLMUnavailable),
    "no HTTP": (says(b"220 mail ESMTP\r\n"), LLMUnavailable),
    **{
        value: (says(http("200 OK", value.encode())), LLMGarbage)
        for value in (
            "null",
            "3",
            "[]",
            "{}",
            '{"data": 1}',
            '{"data": [1]}',
            '{"data": [{}]}',
            '{"data": {"id": "x"}}',
        )
    },
}


@pytest.mark.parametrize("fault", PROBE_FAULTS)
def test_probe_turns_every_fault_into_an_llm_error(fault: str) -> None:
    act, expected = PROBE_FAULTS[fault]
    begun = time.monotonic()
    with serving(act) as stub, pytest.raises(LLMError) as caught:
        probe(settings(stub.url))
    assert type(caught.value) is expected, caught.value
    assert stub.url in str(caught.value)
    assert time.monotonic() - begun < 5
    assert stub.sent < 20_000_000


@pytest.mark.parametrize(
    "act",
    [silent, for_ever(b"HTTP/1.1 200 OK\r\nX: ", b"y", pause=0.05), for_ever(JSON, b" ", pause=0.05)],
    ids=["never a byte", "slow header", "slow body"],
)
def test_probe_gives_up_in_time(act: Act) -> None:
    begun = time.monotonic()
    with serving(act) as stub:
        with pytest.raises(LLMUnavailable, match=r"did not answer|broke off"):
            probe(settings(stub.url, connect_seconds=0.5))
        assert time.monotonic() - begun < 2


def test_nothing_listens() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, not listening: nobody else gets the port
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
        with pytest.raises(LLMUnavailable, match=r"No LLM server listens at .*refdesk llm start"):
            probe(settings(url))
        with pytest.raises(LLMUnavailable, match=r"No LLM server listens at .*refdesk llm start"):
            answer(url)


@pytest.mark.parametrize(
    "url", ["nonsense", "http://", "ftp://127.0.0.1/v1", "http://127.0.0.1:99999/v1", "http://[::1/v1"]
)
def test_a_wrong_url_is_unavailable_not_a_traceback(url: str) -> None:
    with pytest.raises(LLMUnavailable):
        probe(settings(url))
    with pytest.raises(LLMUnavailable):
        answer(url)
