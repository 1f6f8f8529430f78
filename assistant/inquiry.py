"""One question with what was found for it, and the two ways to an answer: quoting the library, or letting an LLM write.

Both end in the check (`assistant.check.cite`) and may end in a refusal; the notes of an answer say what happened.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from assistant.check import extract
from assistant.check.cite import Checked, check
from assistant.check.confidence import confidence
from assistant.llm.generate import probe, stream
from assistant.llm.prompts import REFUSAL, messages
from assistant.text.terms import question_stems
from assistant.types import Answer, Mode, Passage

if TYPE_CHECKING:
    from assistant.embed import Embedder
    from assistant.library.view import View
    from assistant.rerank import Reranker
    from assistant.settings import Settings


@dataclass(frozen=True, slots=True)
class Inquiry:
    """`ranked` is the evidence of all passages, best first; `confidence` (0..1) that they hold the answer."""

    question: str
    passages: tuple[Passage, ...]
    ranked: tuple[extract.Evidence, ...]
    confidence: float
    generation: int
    embedder: Embedder
    settings: Settings
    reranker: Reranker | None

    @classmethod
    def begin(
        cls,
        question: str,
        passages: Sequence[Passage],
        view: View,
        embedder: Embedder,
        settings: Settings,
        reranker: Reranker | None,
    ) -> Inquiry:
        """Weighs the passages against the question."""
        ranked = extract.rank(question, passages, embedder.embed_passages, view.idf)
        # A question of stop words or signs alone asks for nothing, so no passage can lack what it asks for.
        asks = bool(question_stems(question)) or any(map(str.isdigit, question))
        sure = confidence(question, passages, ranked) if asks else 0.0
        return cls(question, tuple(passages), tuple(ranked), sure, view.generation, embedder, settings, reranker)

    @property
    def hopeless(self) -> bool:
        """Whether the passages most likely do not hold the answer, so that it is refused without a draft."""
        return self.confidence < self.settings.answer.min_confidence

    def answer(self, mode: Mode | None) -> Iterator[str | Answer]:
        """The pieces of a draft, if any, then the answer or refusal. Raises LLMError unless `mode` is extract."""
        if self.hopeless:
            yield self.refused(mode or "extract", "The nearest passages do not seem to hold the answer.")
        elif mode == "extract":
            yield self.extracted()
        else:
            yield from self.generated()

    def refused(self, mode: Mode, *notes: str, llm: str = "") -> Answer:
        return self._answer(Checked("", (), (), refused=True), mode, llm, notes)

    def extracted(self, *notes: str) -> Answer:
        """Quotes the statements that best answer the question."""
        chosen = extract.choose(self.ranked, self.settings.answer.sentences)
        checked = extract.answer(chosen, self.passages, self.settings.answer.min_support, self.question)
        return self._answer(checked, "extract", "", notes)

    def generated(self) -> Iterator[str | Answer]:
        """The pieces of the LLM's draft, then the checked answer.

        A draft of which nothing passes the check gives way to the extracted answer. Raises LLMError.
        """
        model = probe(self.settings.llm)
        limits = self.settings.llm
        told = messages(self.question, self.passages, self.ranked, limits)
        pieces: list[str] = []
        for piece in stream(told, limits, model):
            pieces.append(piece)
            yield piece
        checked = check(
            "".join(pieces),
            self.passages,
            self.settings.answer.min_support,
            self.embedder.embed_passages,
            self.question,
        )
        dropped = [f"Dropped by the check: “{one.sentence}”, because {one.reason}." for one in checked.dropped]
        if checked.text:
            yield self._answer(checked, "generate", model, dropped)
        elif checked.refused:
            yield self.refused("generate", f"The language model {model} found no answer in the passages.", llm=model)
        else:
            said = (
                f"Nothing that the language model {model} wrote passed the check, so this quotes the library instead."
            )
            yield self.extracted(said, *dropped)

    def _answer(self, checked: Checked, mode: Mode, llm: str, notes: Sequence[str]) -> Answer:
        return Answer(
            question=self.question,
            text=checked.text or REFUSAL,
            answered=bool(checked.text),
            confidence=round(self.confidence, 4),
            mode=mode,
            citations=checked.citations,
            passages=self.passages,
            generation=self.generation,
            models=search_models(self.embedder, self.reranker) | ({"llm": llm} if llm else {}),
            notes=(*notes, *_worth(checked)),
        )


def search_models(embedder: Embedder, reranker: Reranker | None) -> dict[str, str]:
    """What finds passages, by name and fingerprint, as an answer records it."""
    models = {"embedder": f"{embedder.name} ({embedder.fingerprint})"}
    return models | ({"reranker": f"{reranker.name} ({reranker.fingerprint})"} if reranker else {})


def _worth(checked: Checked) -> list[str]:
    """What the sources say against the documents that are cited."""
    doubtful = {(c.number, c.title, c.status) for c in checked.citations if c.status not in ("", "approved")}
    return [f"[{number}] {title}: its source says that it is {status}." for number, title, status in sorted(doubtful)]
