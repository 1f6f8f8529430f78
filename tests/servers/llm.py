"""A language model behind an OpenAI-compatible server that says what it is told to say, and fails when it is told to.

Chats come as a stream, a word a piece. Texts are scored by `rule`, which tests can compute too. A real HTTP server on
loopback; what a server can do wrong byte by byte is in `raw.py`.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

Says = Callable[[str], str | None]
"""From the last message of a chat to what the model says; None: the server hangs up."""


class LLMServer:
    """`says` is what the model says in a chat, `writes` how it goes on with a text. `bodies` are the requests so far.

    It scores texts only with a `tokenizer`, and knows no extension of the API. `answers` is how many requests it
    answers before it hangs up on all others, `seconds` how long each takes it, and `instead` a status and a body that
    are all it ever sends. Without `echoes`, or with `tokens_more` or another `likeliest`, its scores are wrong.
    """

    def __init__(
        self,
        says: Says = lambda asked: "I do not know.",
        model: str = "stand-in",
        *,
        tokenizer: Any = None,
        answers: int = 1_000_000,
        seconds: float = 0.0,
        instead: tuple[int, str] | None = None,
        port: int = 0,
    ) -> None:
        self.says, self.model, self.tokenizer = says, model, tokenizer
        self.answers, self.seconds, self.instead = answers, seconds, instead
        self.writes, self.echoes, self.tokens_more = " B\n", True, 0
        self.likeliest: Any = -0.5
        self.bodies: list[dict[str, Any]] = []
        self.ended = threading.Event()
        server: Any = ThreadingHTTPServer(("127.0.0.1", port), _Handler)
        server.llm = self
        self._server = server
        self._thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        self.url = f"http://127.0.0.1:{server.server_port}/v1"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.ended.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @staticmethod
    def rule(token: int, place: int) -> float:
        """The log-probability of a token at a place of a prompt."""
        return -1.0 - (token * 7 + place) % 11 / 8

    @property
    def asked(self) -> list[str]:
        """The last message of each chat so far."""
        return [body["messages"][-1]["content"] for body in self.bodies if "messages" in body]

    def completion(self, body: dict[str, Any]) -> dict[str, Any]:
        """What `POST /completions` answers."""
        prompts = body["prompt"]
        texts = [self.tokenizer.encode(prompts)] if isinstance(prompts, str) else prompts
        choices = [self._choice(number, prompt, body) for number, prompt in enumerate(texts)]
        return {"choices": choices[::-1], "usage": {"prompt_tokens": sum(map(len, texts)) + self.tokens_more}}

    def _choice(self, index: int, prompt: list[int], body: dict[str, Any]) -> dict[str, Any]:
        if not body.get("echo") or not self.echoes:
            return {"index": index, "text": self.writes, "logprobs": None}
        values = [None, *(self.rule(token, place) for place, token in enumerate(prompt) if place), -0.5]
        best = [None, *({"most": self.likeliest, "this": value} for value in values[1:])]
        if self.likeliest is None:
            best = [None] * len(values)
        names = [str(token) for token in [*prompt, 0]]
        return {"index": index, "logprobs": {"token_logprobs": values, "top_logprobs": best, "tokens": names}}


class _Handler(BaseHTTPRequestHandler):
    @property
    def llm(self) -> LLMServer:
        found: LLMServer = self.server.llm  # type: ignore[attr-defined]
        return found

    def do_GET(self) -> None:
        self._json(200, {"object": "list", "data": [{"id": self.llm.model, "object": "model"}]})

    def do_POST(self) -> None:
        llm, body = self.llm, json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        llm.bodies.append(body)
        if len(llm.bodies) > llm.answers or llm.ended.wait(llm.seconds):
            self.close_connection = True
        elif self.path.endswith("/chat/completions"):
            self._chat(llm.says(llm.asked[-1]))
        elif llm.tokenizer is None:
            self._json(404, {"error": "not served"})
        elif "logprob_token_ids" in body:
            self._json(400, {"error": "unknown field logprob_token_ids"})
        else:
            self._json(200, llm.completion(body))

    def _chat(self, text: str | None) -> None:
        if text is None:
            self.close_connection = True
            return
        words = text.split(" ")
        events = []
        for number, word in enumerate(words, start=1):
            last = number == len(words)
            delta = {"content": word if last else f"{word} "}
            choice = {"index": 0, "delta": delta, "finish_reason": "stop" if last else None}
            events.append(json.dumps({"id": "1", "object": "chat.completion.chunk", "choices": [choice]}))
        self._send(200, "text/event-stream", "".join(f"data: {event}\n\n" for event in [*events, "[DONE]"]))

    def _json(self, status: int, content: Any) -> None:
        self._send(status, "application/json", json.dumps(content))

    def _send(self, status: int, kind: str, text: str) -> None:
        status, text = self.llm.instead or (status, text)
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass
