"""One reply beside what is known of its question: the values that metrics are made of, and what one would look at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from assistant.types import Citation, Passage
from eval.answers.systems import Reply
from eval.metric import Result
from eval.metrics import abstention, citations, numbers, overlap, text
from eval.questions import Question

if TYPE_CHECKING:
    from assistant import Assistant
    from eval.metrics.overlap import Meteor


def result(question: Question, reply: Reply, verbatim: Sequence[bool], meteor: Meteor | None) -> Result:
    """The result of one reply; `verbatim` tells for each citation whether its quote stands at its place.

    A refusal has no text to compare, so it scores 0 against the accepted answers of an answerable question.
    """
    said = text.without_markers(reply.text) if reply.answered else ""
    drafted = None if reply.drafted is None else text.without_markers(reply.drafted)
    values = abstention.abstention_values(question, reply.answered, said, reply.confidence, drafted)
    if question.answerable:
        values |= _against(said, question, meteor)
        if reply.answered and question.documents:
            values |= citations.citation_values(_lines(reply), reply.citations, question)
    if reply.citations:
        values |= {"quotes": float(len(verbatim)), "quotes_verbatim": float(sum(verbatim))}
    values["seconds"] = reply.seconds
    if reply.tokens is not None:
        values["tokens"] = float(reply.tokens)
        if reply.answered and reply.mode in ("generate", "extract"):
            values["written"] = float(reply.mode == "generate")
    return Result(question.id, question.group, values, _detail(question, reply, verbatim))


def are_verbatim(found: Sequence[Citation], assistant: Assistant) -> list[bool]:
    """For each citation, whether its quote stands at its span of its document, read anew."""
    same = []
    for one in found:
        document = assistant.document(one.source, one.key)
        same.append(
            document is not None
            and document.revision == one.revision
            and document.text[one.start : one.end] == one.quote
        )
    return same


def _against(said: str, question: Question, meteor: Meteor | None) -> dict[str, float]:
    values = {
        "exact_match": text.exact_match(said, question.answers),
        "f1": text.token_f1(said, question.answers),
        "contains": text.contains(said, question.answers),
        **overlap.bleu_counts(said, question.answers),
        **overlap.rouge(said, question.answers),
    }
    if question.number:
        values["number_match"] = numbers.number_match(said, question.number)
    if meteor:
        values["meteor"] = meteor.score(said, question.answers)
    return values


def _lines(reply: Reply) -> str:
    """The statements of an answer, one a line: the check writes them so; anything else is one statement."""
    return reply.text if reply.citations else " ".join(reply.text.split())


def _detail(question: Question, reply: Reply, verbatim: Sequence[bool]) -> dict[str, Any]:
    judged = bool(question.answerable and question.documents)
    return {
        "question": question.question,
        "before": list(question.before),
        "answerable": question.answerable,
        "accepted": list(question.answers),
        "number": asdict(question.number) if question.number else None,
        "documents": list(question.documents),
        "needs": question.needs,
        "tags": list(question.tags),
        "wording": question.wording,
        "split": question.split,
        "answer": reply.text if reply.answered else "",
        "answered": reply.answered,
        "drafted": reply.drafted,
        "mode": reply.mode,
        "confidence": reply.confidence,
        "citations": [
            {**as_json(one), "verbatim": same, "right": citations.is_right(one, question) if judged else None}
            for one, same in zip(reply.citations, verbatim, strict=True)
        ],
        "passages": [as_json(one) for one in reply.passages],
        "notes": list(reply.notes),
        "seconds": reply.seconds,
        "tokens": reply.tokens,
    }


def as_json(one: Citation | Passage) -> dict[str, Any]:
    """As JSON has it, which knows no tuples."""
    return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(one).items()}
