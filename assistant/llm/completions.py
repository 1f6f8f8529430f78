"""Raw completions of any OpenAI-compatible server: prompts are token ids, and nothing is added to them.

What measures a language model needs this, as the log-probability of a text depends on each token before it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from operator import itemgetter
from typing import Any

from assistant.errors import LLMGarbage, LLMUnavailable
from assistant.llm.generate import advice, excerpt, lost
from assistant.settings import LLMSettings

_BYTES_A_TOKEN = 1_000
"""Generous: a token with its log-probability and those of its rivals takes about 200."""


def complete(
    prompts: Sequence[Sequence[int]] | str, settings: LLMSettings, model: str, max_tokens: int, **asked: Any
) -> tuple[list[dict[str, Any]], int]:
    """`POST /completions` at temperature 0: one choice for each prompt in their order, and the tokens of the prompts.

    `prompts` are token ids, or one text, which the server makes into tokens. `asked` is sent with them, such as `echo`,
    `logprobs`, `stop`. Raises LLMUnavailable when no server answers within `settings.answer_seconds`, or with an HTTP
    error, and LLMGarbage for what is no answer to the request.
    """
    import httpx2  # noqa: F401  (here, so that the slow import does not count as the server's silence)

    from assistant.llm.bounded import within

    body = {"model": model, "prompt": prompts, "max_tokens": max_tokens, "temperature": 0.0, **asked}
    number = 1 if isinstance(prompts, str) else len(prompts)
    tokens = sum(map(len, prompts)) + number * max_tokens
    seconds = settings.answer_seconds
    answer = "".join(
        within(lambda: _post(body, settings, 100_000 + _BYTES_A_TOKEN * tokens), settings.url, seconds, seconds)
    )
    try:
        found = json.loads(answer)
        choices = sorted(found["choices"], key=itemgetter("index"))
        read = int(found["usage"]["prompt_tokens"])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise LLMGarbage(f"{settings.url}/completions did not answer with completions: {excerpt(answer)}.") from error
    if [choice["index"] for choice in choices] != list(range(number)):
        raise LLMGarbage(f"{settings.url}/completions was sent {number} prompts and answered {len(choices)}.")
    return choices, read


def _post(body: dict[str, Any], settings: LLMSettings, most_bytes: int) -> Iterator[str]:
    import httpx2

    from assistant.llm.bounded import client

    url = settings.url
    headers = {"Authorization": f"Bearer {settings.api_key}"}
    try:
        with client(url, most_bytes, settings.connect_seconds, settings.answer_seconds) as http:
            response = http.post(f"{url.rstrip('/')}/completions", headers=headers, json=body)
            if not response.is_success:
                raise LLMUnavailable(
                    f"The LLM server at {url} refused a completion: HTTP {response.status_code}, "
                    f"{excerpt(response.text)}. {advice(response.status_code)}"
                )
            yield response.text
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise lost(url, error) from error
