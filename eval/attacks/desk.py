"""A temporary library, made by `ingest` of files as a user would make it, and questions to it in either mode."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assistant.check.drafts import MARKER
from assistant.errors import RefdeskError
from assistant.types import Answer, Mode
from eval.answers.systems import completed

if TYPE_CHECKING:
    from assistant import Assistant
    from assistant.embed import Embedder
    from assistant.settings import Settings


@dataclass(frozen=True, slots=True)
class Asked:
    """An answer, and the draft that it was made of: "" where no language model was asked."""

    answer: Answer
    draft: str

    @property
    def text(self) -> str:
        """What the answer says, without the numbers of its passages; "" for a refusal."""
        return MARKER.sub("", self.answer.text) if self.answer.answered else ""

    @property
    def shown(self) -> str:
        """All that is put before a reader as an answer: its text and its quotes."""
        quotes = [citation.quote for citation in self.answer.citations]
        return "\n".join([self.answer.text, *quotes]) if self.answer.answered else ""

    @property
    def known(self) -> str:
        """What was asked, and what the library said."""
        return "\n".join([self.answer.question, *(passage.text for passage in self.answer.passages)])

    @property
    def detail(self) -> dict[str, Any]:
        """For people who want to know how it came to this; `eval.runs.details` says under which names."""
        answer = self.answer
        return {
            "question": answer.question,
            "answer": answer.text if answer.answered else "",
            "mode": answer.mode,
            "confidence": answer.confidence,
            "draft": self.draft,
            "notes": list(answer.notes),
            "citations": [asdict(one) for one in answer.citations],
            "passages": [asdict(one) for one in answer.passages],
        }


class Desk:
    """Answers from `documents` (file name -> Markdown), which may be changed."""

    def __init__(self, folder: Path, documents: Mapping[str, str], settings: Settings, embedder: Embedder) -> None:
        self._files, self._library = folder / "documents", folder / "library"
        self._settings, self._embedder = settings, embedder
        self._files.mkdir(parents=True)
        self.put(documents)
        self._assistant = self._open(len(documents))

    def put(self, documents: Mapping[str, str]) -> None:
        """Writes files anew, and brings the library up to date."""
        from ingest import build_library

        for key, text in documents.items():
            (self._files / key).write_text(text, encoding="utf-8")
        report = build_library([self._files], self._library, settings=self._settings, embedder=self._embedder)
        if wrong := [line for line in report.lines if line.outcome in ("failed", "skipped")]:
            raise RefdeskError(f"{wrong[0].key} could not be read into the library: {wrong[0].detail}")

    def ask(self, question: str, mode: Mode) -> Asked:
        """Raises LLMError where a language model was to write and failed; one that says nothing has not."""
        inquiry = self._assistant.inquire(question)
        pieces, answer = completed(inquiry, inquiry.answer(mode))
        return Asked(answer, "".join(pieces))

    def _open(self, expected: int) -> Assistant:
        from assistant import Assistant
        from assistant.library import Library

        assistant = Assistant(Library.open(self._library), self._embedder, self._settings)
        assert len(assistant.documents()) == expected
        return assistant
