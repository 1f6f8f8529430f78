"""A library of two documents, and a stand-in for a server of a language model, at the edge of its socket."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from assistant import Assistant
from assistant.settings import LLMSettings, Settings
from eval.questions import Question
from ingest import build_library

Says = Callable[[str], str | None]
"""From what the user says to what the model says; None: the server dies."""


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory, model_cache: Path) -> Path:
    folder = tmp_path_factory.mktemp("answers")
    (folder / "docs").mkdir()
    (folder / "docs/pump.md").write_text("# The pump\n\nThe pump of hall 4 moves 70 litres per second.\n")
    (folder / "docs/valve.md").write_text("# The valve\n\nThe valve of hall 4 closes in 3 seconds.\n")
    build_library([folder / "docs"], folder / "library")
    return folder / "library"


@pytest.fixture(scope="session")
def assistant(library: Path) -> Assistant:
    return Assistant.open(library)


@pytest.fixture(scope="session")
def pump() -> Question:
    return Question(
        "1", "How much does the pump of hall 4 move?", ("70 litres per second", "70 l/s"), ("pump.md",), True
    )


@pytest.fixture(scope="session")
def unknown() -> Question:
    return Question("2", "How heavy is the magnet?", (), (), False)


def settings_for(url: str, tmp_path: Path) -> Settings:
    limits = LLMSettings(url=url, connect_seconds=5, token_seconds=5, answer_seconds=10)
    found = Settings(llm=limits)
    return found.model_copy(update={"eval": found.eval.model_copy(update={"runs": str(tmp_path / "runs")})})


@dataclass
class Served:
    """What the stand-in was asked: the last message of each chat."""

    url: str
    asked: list[str] = field(default_factory=list)


@contextmanager
def serving(says: Says, model: str) -> Iterator[Served]:
    """Chats as an OpenAI-compatible server streams them, a word a piece. It tells no probabilities."""
    served = Served("")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._json(200, {"object": "list", "data": [{"id": model}]})

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if not self.path.endswith("/chat/completions"):
                self._json(404, {"error": "not served"})
                return
            served.asked.append(body["messages"][-1]["content"])
            if (text := says(served.asked[-1])) is None:
                self.close_connection = True
                return
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.send_header("Connection", "close")
            self.end_headers()
            words = text.split(" ")
            for number, word in enumerate(words):
                last = number == len(words) - 1
                choice = {"index": 0, "delta": {"content": word if last else f"{word} "}, "finish_reason": None}
                if last:
                    choice["finish_reason"] = "stop"
                event = {"id": "1", "object": "chat.completion.chunk", "choices": [choice]}
                self.wfile.write(b"data: " + json.dumps(event).encode() + b"\n\n")

        def _json(self, status: int, content: Any) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(json.dumps(content).encode())

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        served.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield served
        server.shutdown()


@pytest.fixture
def model() -> str:
    """The stand-in's name, which no other test has: results are cached by it."""
    return f"stand-in-{uuid4()}"


@pytest.fixture
def serve(model: str) -> Callable[[Says], Any]:
    return lambda says: serving(says, model)


@pytest.fixture
def with_server(tmp_path: Path) -> Callable[[str], Settings]:
    """Settings whose language model is at a URL, and whose runs are kept in the test's folder."""
    return lambda url: settings_for(url, tmp_path)
