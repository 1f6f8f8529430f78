"""A server that says what it is told to, byte by byte: no proper server can be made to do most of what goes wrong."""

from __future__ import annotations

import contextlib
import re
import socket
import struct
import threading
from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import Self

RESET = "reset"
"""Ends the connection at once, with what was not sent thrown away."""
STAY = "stay"
"""Says nothing more until the client goes."""
Step = bytes | str | float
"""Bytes to send, seconds to let pass, RESET or STAY."""
Play = Iterable[Step]


class RawServer:
    """Plays one of `plays` to each connection in turn, the last one to all that follow, and then closes it."""

    def __init__(self, plays: Sequence[Play] = ()) -> None:
        self.plays = plays
        self.requests: list[bytes] = []
        """What was asked, from the first line to the end of the body."""
        self.connections = 0
        self._ended = threading.Event()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self.address = f"127.0.0.1:{self.port}"
        self.url = f"http://{self.address}/"
        self._threads = [threading.Thread(target=self._accept)]

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        for thread in self._threads:
            thread.join()

    def _accept(self) -> None:
        while not self._ended.is_set():
            try:
                client, _ = self._socket.accept()
            except OSError:
                return
            play = self.plays[min(self.connections, len(self.plays) - 1)] if self.plays else ()
            self.connections += 1
            self._threads.append(threading.Thread(target=self._serve, args=(client, play)))
            self._threads[-1].start()

    def _serve(self, client: socket.socket, play: Play) -> None:
        with client, contextlib.suppress(OSError):
            client.settimeout(0.05)
            request = b""
            while not _is_whole(request) and not self._ended.is_set():
                with contextlib.suppress(TimeoutError):
                    request += client.recv(65536)
            self.requests.append(request)
            client.settimeout(10)
            for step in play:
                if isinstance(step, bytes):
                    client.sendall(step)
                elif isinstance(step, float):
                    self._ended.wait(step)
                elif step == RESET:
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    return
                else:
                    self._stay(client)
                if self._ended.is_set():
                    return

    def _stay(self, client: socket.socket) -> None:
        client.settimeout(0.05)
        while not self._ended.is_set():
            with contextlib.suppress(TimeoutError):
                if not client.recv(1):
                    return


def _is_whole(request: bytes) -> bool:
    head, end, body = request.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)^content-length: *(\d+)", head, re.M)
    return bool(end) and len(body) >= int(length[1] if length else 0)
