"""The API of one MediaWiki: it signs in, waits where the wiki asks for it, and follows a query to its end.

https://www.mediawiki.org/wiki/API:Main_page
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import quote_plus

from assistant.errors import FetchError, SourceError
from ingest.fetch import JSON, Client

Parameters = Mapping[str, str | int]

_MAXLAG = 5
"""Seconds that the copies of the wiki's database may lag behind; a wiki that is busier asks to wait."""
_WAIT = frozenset({"maxlag", "ratelimited"})
_SIGNED_OUT = frozenset({"assertuserfailed", "assertnameduserfailed", "readapidenied"})
_REPEATS = 5
_LONGEST_URL = 6000
"""Characters of the values in one request; servers refuse addresses above 8 kB."""


class Refused(SourceError):
    """The wiki answered with an error; `code` is its name for it."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Api:
    """Asks one wiki. `pause` is how many seconds to wait where the wiki does not say. Safe to use from several threads.

    Until `sign_in` it asks as anybody; after it, an answer that was made for anybody is an error.
    """

    def __init__(self, client: Client, url: str, pause: float) -> None:
        self._client = client
        self._url = url
        self._pause = pause
        self._signed_in = 0  # how often
        self._lock = threading.Lock()

    def ask(self, parameters: Parameters) -> dict[str, Any]:
        """The answer to one request. Raises Refused, and FetchError as Client does."""
        again = False
        for attempt in range(_REPEATS + 1):
            times = self._signed_in
            fixed: dict[str, str | int] = {"format": "json", "formatversion": 2, "maxlag": _MAXLAG}
            fixed |= {"assert": "user"} if times else {}
            answer = self._client.get(self._url, {**parameters, **fixed}, accept=JSON)
            body = self._body(answer.json())
            code = body["error"]["code"] if "error" in body else ""
            if not code:
                return body
            if code in _SIGNED_OUT and times and not again:  # the session has ended
                again = True
                self._sign_in(times)
            elif code in _WAIT and attempt < _REPEATS:
                asked = answer.headers.get("retry-after", "")
                time.sleep(min(float(asked) if asked.isdecimal() else self._pause * 2**attempt, 60.0))
            else:
                break
        said = body["error"].get("info", "")
        raise Refused(code, f"{self._url} refused {parameters.get('action')}: {code} ({said}).{_advice(code)}")

    def query(self, parameters: Parameters) -> Iterator[dict[str, Any]]:
        """What `action=query` finds, in batches, each whole: a page or list that the wiki cut is put together.

        Raises SourceError where it ends before the wiki has said that it is complete, or goes round in a circle.
        """
        follow: dict[str, Any] = {}
        seen: set[str] = set()
        batch: dict[str, Any] = {}
        while True:
            answer = self.ask({"action": "query", **parameters, **follow})
            _merge(batch, answer.get("query", {}))
            if answer.get("batchcomplete"):
                yield batch
                batch = {}
            if "continue" not in answer:
                break
            follow = answer["continue"]
            mark = json.dumps(follow, sort_keys=True)
            if mark in seen:
                raise SourceError(f"{self._url} lists the same again and again (at {mark}). Nothing was removed.")
            seen.add(mark)
        if not answer.get("batchcomplete"):
            raise SourceError(f"{self._url} ended a list before it was complete. Nothing was removed; try again later.")

    def sign_in(self) -> None:
        """Signs in as the user of the client; raises SourceError where the wiki does not let them in."""
        self._sign_in(self._signed_in)

    def _sign_in(self, times: int) -> None:
        """Signs in, unless another thread has done so since `times`."""
        with self._lock:
            if self._signed_in != times:
                return
            ask: dict[str, str | int] = {
                "action": "query",
                "meta": "tokens",
                "type": "login",
                "format": "json",
                "formatversion": 2,
            }
            body = self._body(self._client.get(self._url, ask, accept=JSON).json())
            try:
                token = body["query"]["tokens"]["logintoken"]
            except KeyError:
                raise SourceError(f"{self._url} gives no token to sign in with: {body.get('error')}") from None
            form = {
                "action": "login",
                "lgname": self._client.user,
                "lgpassword": self._client.secret,
                "lgtoken": token,
                "format": "json",
                "formatversion": 2,
            }
            body = self._body(self._client.send("POST", self._url, form=form, accept=JSON).json())
            found = body.get("login", body.get("error", {}))
            if found.get("result") != "Success":
                raise SourceError(
                    f"{self._url} does not let {self._client.user} in: {found.get('reason') or found.get('info')}. "
                    "The user is best the name of a bot password (Special:BotPasswords), such as Reader@refdesk."
                )
            self._signed_in += 1

    def _body(self, found: Any) -> dict[str, Any]:
        if not isinstance(found, dict):
            raise FetchError("not_content", f"{self._url} is no MediaWiki API: it answered {str(found)[:80]!r}")
        return found


def batches(values: Iterable[str], most: int) -> Iterator[str]:
    """`values` joined by `|`, at most so many at a time, and no more than an address can hold."""
    batch: list[str] = []
    size = 0
    for value in values:
        length = len(quote_plus(value)) + 3
        if batch and (len(batch) == most or size + length > _LONGEST_URL):
            yield "|".join(batch)
            batch, size = [], 0
        batch.append(value)
        size += length
    if batch:
        yield "|".join(batch)


def _merge(batch: dict[str, Any], found: dict[str, Any]) -> None:
    """Adds an answer to what was found of the same batch before."""
    for name, value in found.items():
        if name == "pages":
            pages = batch.setdefault("pages", {})
            for page in value:
                _merge(pages.setdefault(page.get("pageid", page.get("title")), {}), page)
        elif isinstance(value, list):
            batch[name] = [*batch.get(name, ()), *value]
        else:
            batch[name] = value


def _advice(code: str) -> str:
    if code in _SIGNED_OUT:
        return (
            " Nobody but people who signed in may read this wiki: set user and secret_env, with a bot password"
            " (Special:BotPasswords) that has the basic rights."
        )
    return " The wiki is too busy; try again later." if code in _WAIT else ""
