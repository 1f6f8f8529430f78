"""Text from a language model behind any OpenAI-compatible server.

Whatever stands behind the URL, these functions raise only the two classes of LLMError, in bounded time and memory.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from assistant.errors import LLMGarbage, LLMSilent, LLMUnavailable
from assistant.settings import LLMSettings

if TYPE_CHECKING:
    import httpx2
    from openai.types.chat import ChatCompletionMessageParam

START = "Start one with `refdesk llm start`, or set the URL of another (REFDESK_LLM__URL)."
_LIST_BYTES = 1_000_000
_EVENT_BYTES = 4_000
"""Generous: one event of a stream carries about one token in 300 bytes."""


def probe(settings: LLMSettings) -> str:
    """The id of the model to use at `settings.url`: the configured one if it is served, else the first that is.

    Takes at most `settings.connect_seconds`. Raises LLMUnavailable when no server answers, or with an HTTP error, and
    LLMGarbage when what answers is not an OpenAI-compatible server.
    """
    import httpx2  # noqa: F401  (here, so that the slow import does not count as the server's silence)

    from assistant.llm.bounded import within

    body = "".join(
        within(lambda: _get_models(settings), settings.url, settings.connect_seconds, settings.connect_seconds)
    )
    try:
        models = [entry["id"] for entry in json.loads(body)["data"]]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise LLMGarbage(
            f"{settings.url}/models is not the list of models of an OpenAI-compatible server: {excerpt(body)}. {START}"
        ) from error
    names = [model for model in models if isinstance(model, str) and model]
    if not names:
        raise LLMGarbage(f"The server at {settings.url} lists no model. {START}")
    return settings.model if settings.model in names else names[0]


def _get_models(settings: LLMSettings) -> Iterator[str]:
    import httpx2

    from assistant.llm.bounded import client

    seconds = settings.connect_seconds
    headers = {"Authorization": f"Bearer {settings.api_key}"}
    try:
        with client(settings.url, _LIST_BYTES, seconds, seconds) as http:
            response = http.get(f"{settings.url.rstrip('/')}/models", headers=headers)
            if not response.is_success:
                raise LLMUnavailable(
                    f"The LLM server at {settings.url} refused to list its models: HTTP {response.status_code}, "
                    f"{excerpt(response.text)}. {advice(response.status_code)}"
                )
            yield response.text
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise lost(settings.url, error) from error


def stream(messages: Sequence[dict[str, str]], settings: LLMSettings, model: str) -> Iterator[str]:
    """Yields the answer to `messages` (OpenAI roles and contents) piece by piece, as the server sends it.

    At least one piece holds more than blanks. Raises LLMUnavailable when the server cannot be reached, answers with an
    HTTP error, is silent for `settings.token_seconds`, needs more than `settings.answer_seconds`, or breaks off;
    LLMGarbage when it sends something else than a streamed chat completion, and LLMSilent for one without text.
    """
    import openai  # noqa: F401  (here, so that the slow import does not count as the server's silence)

    from assistant.llm.bounded import client, within

    most_bytes = 100_000 + _EVENT_BYTES * settings.max_tokens
    with closing(client(settings.url, most_bytes, settings.connect_seconds, settings.token_seconds)) as http:
        answer = partial(_complete, http, messages, settings, model)
        yield from within(answer, settings.url, settings.token_seconds, settings.answer_seconds)


def _complete(
    http: httpx2.Client, messages: Sequence[dict[str, str]], settings: LLMSettings, model: str
) -> Iterator[str]:
    import httpx2
    import openai

    url, said, finished = settings.url, False, False
    try:
        server = openai.OpenAI(base_url=url, api_key=settings.api_key, max_retries=0, http_client=http)
        answer = server.chat.completions.create(
            model=model,
            messages=cast("list[ChatCompletionMessageParam]", list(messages)),
            max_tokens=settings.max_tokens,
            temperature=settings.temperature,
            stream=True,
        )
        for event in answer:
            piece, finished = _read(event, url)
            said = said or bool(piece.strip())
            if piece:
                yield piece
            if finished:
                break
    except openai.APIStatusError as error:
        raise LLMUnavailable(
            f"The LLM server at {url} refused the question: HTTP {error.status_code}, {excerpt(error.message)}. "
            f"{advice(error.status_code)}"
        ) from error
    except (openai.APIError, httpx2.HTTPError, httpx2.StreamError, httpx2.InvalidURL) as error:
        raise lost(url, error.__cause__ or error) from error
    except (ValueError, RecursionError) as error:  # not UTF-8, not JSON, or JSON without end of depth
        raise LLMGarbage(f"The server at {url} sent a stream that is not JSON: {_reason(error)}.") from error
    if finished and not said:
        raise LLMSilent(f"The language model {model} at {url} ended its answer before it had said a word.")
    if said and not finished:
        raise LLMUnavailable(f"The LLM server at {url} broke off in the middle of its answer. {START}")
    if not said:
        raise LLMGarbage(f"The server at {url} sent no text: it may be no OpenAI-compatible server.")


def _read(event: Any, url: str) -> tuple[str, bool]:
    """The text of one event, and whether it is the last. The client builds events without checking their types."""
    try:
        if not event.choices:  # such as the event that carries the usage
            return "", False
        content, reason = event.choices[0].delta.content, event.choices[0].finish_reason
    except (AttributeError, TypeError, LookupError) as error:
        raise LLMGarbage(
            f"The server at {url} sent an event without `choices[0].delta`: {excerpt(str(event))}."
        ) from error
    if not isinstance(content, str | None):
        raise LLMGarbage(f"The server at {url} sent an event whose text is no text: {excerpt(str(event))}.")
    # JSON can spell half of a surrogate pair ("\ud800"), which is no character and cannot be embedded or printed.
    return (content or "").encode(errors="replace").decode(), reason is not None


def lost(url: str, error: BaseException) -> LLMUnavailable:
    """What to say of a request that got no answer, or not all of it."""
    import httpx2

    if isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout):
        return LLMUnavailable(f"No LLM server listens at {url} ({_reason(error)}). {START}")
    if isinstance(error, httpx2.InvalidURL | httpx2.UnsupportedProtocol | httpx2.LocalProtocolError):
        return LLMUnavailable(f"No LLM server can be reached at {url}: {_reason(error)}. Set REFDESK_LLM__URL.")
    return LLMUnavailable(f"The LLM server at {url} broke off: {_reason(error)}. {START}")


def advice(status: int) -> str:
    """What to do about an HTTP error."""
    if status in (401, 403):
        return "Set the key that it wants as REFDESK_LLM__API_KEY."
    if status == 404:
        return "The URL should be the base of the API, mostly ending in /v1, and the model one that it serves."
    return "Its log says more; `refdesk llm status` names the log of a server that Refdesk started."


def _reason(error: BaseException) -> str:
    return str(error).rstrip(".") or type(error).__name__


def excerpt(text: str) -> str:
    """The beginning of what a server sent, on one line, for a message."""
    line = " ".join(text[:400].split())
    return repr(line if len(line) <= 120 else line[:117] + "...") if line else "nothing"
