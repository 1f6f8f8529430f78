"""What is asked: the assistant in both of its modes, and a language model without a library."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from assistant.check.drafts import is_refusal
from assistant.errors import LLMSilent
from assistant.llm.generate import stream
from assistant.llm.prompts import messages
from assistant.types import Answer, Citation, Mode, Passage
from eval.weights import served

if TYPE_CHECKING:
    from assistant import Assistant
    from assistant.inquiry import Inquiry
    from assistant.settings import LLMSettings, Settings

NAMES = ("extract", "generate", "closed-book")
CLOSED_BOOK = 'Answer the question in one short sentence. If you do not know the answer, say exactly "I do not know."'


@dataclass(frozen=True, slots=True)
class Reply:
    """What a system said to a question.

    `drafted` is what it would have said without a threshold of confidence:
    the same where it answered, None where even then it would not. `confidence` (0..1) is None for a system that has
    none. `mode` says how the text was made in the end. `seconds` is the time until the whole answer was there, `tokens`
    the number of pieces in which the language model's draft came (vLLM sends a token a piece), None without a draft.
    `told` is what the model was, or would have been, shown; empty for a system without one.
    """

    text: str
    answered: bool
    drafted: str | None
    confidence: float | None
    mode: str
    citations: tuple[Citation, ...]
    passages: tuple[Passage, ...]
    notes: tuple[str, ...]
    seconds: float
    tokens: int | None
    told: tuple[dict[str, str], ...]


class System(Protocol):
    """`settings` is all that its answers depend on beside the library, as JSON says it."""

    @property
    def name(self) -> str: ...

    @property
    def settings(self) -> dict[str, Any]: ...

    def ask(self, question: str) -> Reply:
        """Raises LLMError where the language model fails: what it would have said is not known then."""
        ...


@dataclass(frozen=True, slots=True)
class AssistantSystem:
    """The assistant as people use it, but for one thing: where the language model's server fails, that is an error."""

    assistant: Assistant
    mode: Mode
    settings: dict[str, Any]
    limits: LLMSettings

    @property
    def name(self) -> str:
        return self.mode

    def ask(self, question: str) -> Reply:
        started = time.perf_counter()
        inquiry = self.assistant.inquire(question)
        pieces, answer = completed(inquiry, inquiry.answer(self.mode))
        seconds = time.perf_counter() - started
        written = self.mode == "generate"
        return Reply(
            answer.text,
            answer.answered,
            _text(self._unbounded(inquiry) if inquiry.hopeless else answer),
            answer.confidence,
            answer.mode,
            answer.citations,
            answer.passages,
            answer.notes,
            seconds,
            len(pieces) if written and not inquiry.hopeless else None,
            tuple(messages(question, inquiry.passages, inquiry.ranked, self.limits)) if written else (),
        )

    def _unbounded(self, inquiry: Inquiry) -> Answer:
        """What it would have said if it had not been too unsure to try."""
        if self.mode == "extract":
            return inquiry.extracted()
        return completed(inquiry, inquiry.generated())[1]


@dataclass(frozen=True, slots=True)
class ClosedBook:
    """The language model alone: what it says must come from what it was trained on. It has no confidence to report."""

    limits: LLMSettings
    model: str
    settings: dict[str, Any]
    name: str = "closed-book"

    def ask(self, question: str) -> Reply:
        told = ({"role": "system", "content": CLOSED_BOOK}, {"role": "user", "content": question})
        started = time.perf_counter()
        try:
            pieces = list(stream(told, self.limits, self.model))
        except LLMSilent:
            pieces = []
        seconds = time.perf_counter() - started
        text = "".join(pieces).strip()
        answered = bool(text) and not is_refusal(text)
        drafted = text if answered else None
        notes = () if answered else (f"The language model said: {text or 'nothing'}",)
        return Reply(text, answered, drafted, None, "closed-book", (), (), notes, seconds, len(pieces), told)


def completed(inquiry: Inquiry, coming: Iterable[str | Answer]) -> tuple[list[str], Answer]:
    """The pieces of the draft and the answer; where the language model says nothing, what the assistant says then."""
    try:
        *pieces, answer = coming
    except LLMSilent as error:
        return [], inquiry.extracted(f"Extracted without a language model: {error}")
    assert isinstance(answer, Answer)
    return list(map(str, pieces)), answer


def _text(answer: Answer) -> str | None:
    return answer.text if answer.answered else None


def open_systems(names: Sequence[str], assistant: Assistant, settings: Settings, model: str) -> list[System]:
    """The systems of those names, in that order. `model` is the language model that the server at `settings.llm.url`
    answers with; "extract" needs none. Raises ValueError for an unknown name."""
    llm = {**settings.llm.model_dump(include={"max_tokens", "precision", "temperature"}), **served(settings.llm, model)}
    shown = settings.llm.model_dump(include={"context_tokens", "evidence_tokens"})
    reading = {**assistant.models, "search": settings.search.model_dump(), "answer": settings.answer.model_dump()}
    found: list[System] = []
    for name in names:
        if name == "closed-book":
            found.append(ClosedBook(settings.llm, model, {"llm": llm, "prompt": CLOSED_BOOK}))
        elif name == "extract":
            found.append(AssistantSystem(assistant, "extract", reading, settings.llm))
        elif name == "generate":
            found.append(AssistantSystem(assistant, "generate", {**reading, "llm": llm | shown}, settings.llm))
        else:
            raise ValueError(f"There is no system {name!r}; there are: {', '.join(NAMES)}.")
    return found
