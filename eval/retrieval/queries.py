"""What is asked, and which documents are relevant.

Relevant documents are named by key, as in question files. Where several sources have a document of that key, it is the
one of them that is found first.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from eval.metrics.ranking import Wording
from eval.questions import Question

if TYPE_CHECKING:
    from assistant.library.view import DocumentSummary
    from ingest.beir import Judgement

_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Query:
    """`relevant`: key -> relevance, 1 or more. `sources` and `kinds` are those of the relevant documents."""

    id: str
    text: str
    relevant: dict[str, int]
    wording: Wording
    sources: tuple[str, ...]
    kinds: tuple[str, ...]

    @property
    def group(self) -> str:
        """Source and kind of what is to be found: "wiki, pdf"; "several kinds" where one answer is in many places."""
        return f"{self._source}, {self._kind}"

    @property
    def wider(self) -> tuple[str, str]:
        """The source with all its kinds, and the kind at all sources: "wiki, all kinds" and "all sources, pdf"."""
        return f"{self._source}, all kinds", f"all sources, {self._kind}"

    @property
    def _source(self) -> str:
        return self.sources[0] if len(self.sources) == 1 else "several sources"

    @property
    def _kind(self) -> str:
        return self.kinds[0] if len(self.kinds) == 1 else "several kinds"


def of_beir(
    texts: Mapping[str, str], judgements: Sequence[Judgement], split: str, documents: Sequence[DocumentSummary]
) -> tuple[list[Query], list[str]]:
    """The judged queries that have a relevant document, by id, and what was left out.

    Raises ValueError for a judged query that has no text, a relevant document that is not in the library, and where no
    query is left.
    """
    relevant: dict[str, dict[str, int]] = {}
    for judged in judgements:
        relevant.setdefault(judged.query, {})[judged.document] = judged.relevance
    if unknown := sorted(relevant.keys() - texts.keys()):
        raise ValueError(f"queries.jsonl lacks {len(unknown)} queries of split {split!r}, {unknown[0]!r} first.")
    wanted = {query: {key: n for key, n in relevant[query].items() if n > 0} for query in sorted(relevant)}
    by_key = _by_key(documents)
    queries = [_query(id_, texts[id_], keys, "", by_key) for id_, keys in wanted.items() if keys]
    _require(queries, by_key.keys(), f"the qrels of split {split!r}")
    without = len(wanted) - len(queries)
    return queries, [f"{without} judged queries have no relevant document and are left out."] if without else []


def of_questions(questions: Sequence[Question], documents: Sequence[DocumentSummary]) -> tuple[list[Query], list[str]]:
    """The questions that the library can answer, in order, and what was left out.

    A follow-up is asked with the questions that it follows. Raises ValueError for an answerable question that names no
    document, a document that is not in the library, and where no question is left.
    """
    answerable = [question for question in questions if question.answerable]
    if unnamed := [question.id for question in answerable if not question.documents]:
        raise ValueError(
            f"{len(unnamed)} answerable questions name no document that holds the answer: {_some(unnamed)}. Add "
            "'documents', without which nothing can be said of retrieval."
        )
    by_key = _by_key(documents)
    queries = [_query(one.id, one.asked, dict.fromkeys(one.documents, 1), _wording(one), by_key) for one in answerable]
    _require(queries, by_key.keys(), "the questions")
    without = len(questions) - len(queries)
    return queries, [f"{without} unanswerable questions have nothing to find and are left out."] if without else []


def _wording(question: Question) -> Wording:
    """A tag "paraphrase" says as much as the key."""
    return question.wording or ("paraphrase" if "paraphrase" in question.tags else "")


def _by_key(documents: Sequence[DocumentSummary]) -> dict[str, list[DocumentSummary]]:
    found: dict[str, list[DocumentSummary]] = {}
    for document in documents:
        found.setdefault(document.key, []).append(document)
    return found


def _query(
    id_: str, text: str, relevant: Mapping[str, int], wording: Wording, by_key: Mapping[str, Sequence[DocumentSummary]]
) -> Query:
    found = [document for key in relevant for document in by_key.get(key, ())]
    sources = sorted({document.source for document in found})
    kinds = sorted({document.kind for document in found})
    return Query(id_, text, dict(relevant), wording, tuple(sources), tuple(kinds))


def _require(queries: Sequence[Query], keys: Collection[str], where: str) -> None:
    if not queries:
        raise ValueError(f"No query of {where} has a relevant document, so neither nDCG nor recall is defined.")
    missing = {key: query.id for query in queries for key in query.relevant if key not in keys}
    if missing:
        named = _some([f"{key!r} (query {query!r})" for key, query in missing.items()])
        looks = f"Keys look like {_some([repr(key) for key in sorted(keys)])}" if keys else "It shows no document"
        raise ValueError(
            f"{len(missing)} documents of {where} are not in the library, or not for who asks (--as): {named}. {looks}."
        )


def _some(named: Sequence[str]) -> str:
    return ", ".join(named[:_SHOWN]) + (", ..." if len(named) > _SHOWN else "")
