"""HTTP that no server can hold for ever or flood: answers of a bounded size, read within a bounded time."""

from __future__ import annotations

import ipaddress
import queue
import threading
import time
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import httpx2

from assistant.errors import LLMError, LLMGarbage, LLMUnavailable


class _Limited(httpx2.SyncByteStream):
    def __init__(self, stream: httpx2.SyncByteStream, url: str, most_bytes: int) -> None:
        self._stream, self._url, self._most_bytes = stream, url, most_bytes

    def __iter__(self) -> Iterator[bytes]:
        size = 0
        for part in self._stream:
            size += len(part)
            if size > self._most_bytes:
                raise LLMGarbage(
                    f"{self._url} sent more than {self._most_bytes:,} bytes for one answer; stopped reading."
                )
            yield part

    def close(self) -> None:
        self._stream.close()


def client(url: str, most_bytes: int, connect_seconds: float, read_seconds: float) -> httpx2.Client:
    """A client for the server at `url` that reads at most `most_bytes` of one answer and follows no redirect.

    Beyond that, or when an answer is compressed (and so could grow without bound), reading raises LLMGarbage.
    An address of this machine is never asked through the proxy that the environment may name.
    """

    def limit(response: httpx2.Response) -> None:
        if response.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise LLMGarbage(f"{url} sent a compressed answer although it was asked not to.")
        assert isinstance(response.stream, httpx2.SyncByteStream)
        response.stream = _Limited(response.stream, url, most_bytes)

    return httpx2.Client(
        timeout=httpx2.Timeout(read_seconds, connect=connect_seconds),
        headers={"Accept-Encoding": "identity"},
        event_hooks={"response": [limit]},
        trust_env=not is_local(url),
    )


def is_local(url: str) -> bool:
    """Whether `url` names this machine by a loopback address or as `localhost`."""
    try:
        host = urlsplit(url).hostname or ""
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:  # a name, or no URL at all
        return False


def within(pieces: Callable[[], Iterator[str]], url: str, silence: float, total: float) -> Iterator[str]:
    """Yields what `pieces()` yields, read by a thread of its own, so that time is bounded whatever the server does.

    A server that sends one byte of a header every minute never runs into a socket's timeout. Raises LLMUnavailable when
    no piece comes for `silence` seconds or the last has not come after `total`; LLMErrors of `pieces` are passed on.
    """
    inbox: queue.SimpleQueue[str | LLMError | None] = queue.SimpleQueue()

    def read() -> None:
        try:
            for piece in pieces():
                inbox.put(piece)
            inbox.put(None)
        except LLMError as error:
            inbox.put(error)
        finally:  # read only after a fault of our own, which the thread has reported
            inbox.put(LLMGarbage(f"The answer of {url} could not be read."))

    end = time.monotonic() + total
    threading.Thread(target=read, name=f"reader of {url}", daemon=True).start()
    while True:
        left = end - time.monotonic()
        try:
            piece = inbox.get(timeout=max(0.0, min(silence, left)))
        except queue.Empty:
            waited = f"for {silence:g} s" if silence < left else f"to the end within {total:g} s"
            raise LLMUnavailable(f"The LLM server at {url} did not answer {waited}.") from None
        if piece is None:
            return
        if isinstance(piece, LLMError):
            raise piece
        yield piece
