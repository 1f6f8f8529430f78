"""What a result tells people: question, accepted answers, the system's answer, and what it rests on.

Each evaluation puts into `Result.detail` what it has; these are the names under which it is understood everywhere.

    question    what was asked
    accepted    the answers that count as right, best first
    answer      what the system said; "" for a refusal
    documents   keys of the documents that hold the answer
    citations   what the answer cites   } objects with `source` and `key`, and where there are any `title`, `revision`,
    passages    what the system was shown } `start`, `end` and `quote` or `text`: `Citation` and `Passage` as JSON

A multiple choice has `choices`, and numbers of them as `answer` and `prediction`; a task of lm-evaluation-harness has
`responses`, and what is right as `answer`. Whatever else there is, is shown as it stands.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from eval.metric import Result

_NAMED = ("question", "accepted", "answer", "documents", "citations", "passages")


@dataclass(frozen=True, slots=True)
class Details:
    """`documents` are keys; `citations` and `passages` are as they were kept; `more` is everything else, by name."""

    question: str
    accepted: tuple[str, ...]
    answer: str
    documents: tuple[str, ...]
    citations: tuple[dict[str, Any], ...]
    passages: tuple[dict[str, Any], ...]
    more: dict[str, Any]

    def evidence(self) -> Iterator[dict[str, Any]]:
        """Whatever names a document, wherever it stands."""
        yield from self.citations
        yield from self.passages
        yield from _naming_documents(self.more)


def details(result: Result) -> Details:
    named, more = _understood(result.detail)
    return Details(
        question=str(named.get("question", "")),
        accepted=tuple(map(str, named.get("accepted", ()))),
        answer=str(named.get("answer") or ""),
        documents=tuple(map(str, named.get("documents", ()))),
        citations=tuple(map(_evidence, named.get("citations", ()))),
        passages=tuple(map(_evidence, named.get("passages", ()))),
        more=more,
    )


def _understood(detail: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What has a name that is understood, and the rest."""
    if "choices" in detail:
        said = {name: _choice(detail["choices"], detail.get(name)) for name in ("answer", "prediction")}
        named = {**detail, "accepted": [said["answer"]], "answer": said["prediction"]}
        own = {"prediction"}
    elif "responses" in detail:
        texts = [one for one in detail["responses"] if isinstance(one, str)]
        named = {**detail, "accepted": [detail.get("answer", "")], "answer": " / ".join(texts)}
        own = {"responses"} if texts else set()
    else:
        named, own = detail, set()
    return named, {name: value for name, value in named.items() if name not in {*_NAMED, *own}}


def _evidence(one: Any) -> dict[str, Any]:
    """What does not say which document it is from, is from none that anybody may read."""
    return dict(one) if isinstance(one, Mapping) else {"source": "", "key": str(one)}


def _choice(choices: list[str], number: Any) -> str:
    """With its letter, as it is asked for."""
    return f"{chr(ord('A') + number)}. {choices[number]}" if isinstance(number, int) else ""


def _naming_documents(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, Mapping):
        if "key" in value:
            yield dict(value)
        inner: Any = value.values()
    else:
        inner = value if isinstance(value, list | tuple) else ()
    for one in inner:
        yield from _naming_documents(one)
