"""Which documents are read, which drafts are taken of each kind and document in turn, what is dropped and why."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

from eval.drafting.checks import Asked, Searched, unanswered, unsupported
from eval.drafting.draft import Draft, Dropped, Evidence, Filter, Kind, number_of
from eval.drafting.free import Malformed, Writer
from eval.drafting.free import passages as passages_of
from eval.drafting.relevance import irrelevant
from eval.drafting.unanswerable import exchanged, mentioned

if TYPE_CHECKING:
    from assistant.embed import Embedder
    from assistant.library.view import DocumentSummary, View
    from assistant.progress import Progress
    from assistant.settings import SearchSettings
    from assistant.types import Document

UNANSWERABLE = 0.25
"""The share of drafts that the library cannot answer."""
TEMPLATES: tuple[Kind, ...] = ("cell", "figure", "superlative", "acronym", "cloze")
_DOCUMENTS_A_DRAFT = 20
_UNANSWERABLE_OF_ONE = 2
_TRIES = 4  # passages shown to a language model for one free question
_LEAST_OF_ONE = 3  # drafts that one document may give, however many documents there are
T = TypeVar("T")


@dataclass(slots=True)
class Made:
    """What a drafting has come to. It grows, so that what was made before a language model fails is not lost.

    `documents` counts those that were read, `drafted` the drafts that the filters have looked at, by kind.
    """

    documents: int = 0
    drafted: Counter[Kind] = field(default_factory=Counter)
    kept: list[Draft] = field(default_factory=list)
    dropped: list[Dropped] = field(default_factory=list)

    def drop(self, draft: Draft, filter: Filter, reason: str) -> None:
        self.dropped.append(Dropped(draft.kind, draft.question, draft.evidence.key, filter, reason))


class Drafting:
    """The making of drafts from what one caller may read of a library, always the same for the same `seed`."""

    def __init__(self, view: View, embedder: Embedder, settings: SearchSettings, seed: int, progress: Progress) -> None:
        self.made = Made()
        self._view, self._seed, self._progress = view, seed, progress
        self._searched = Searched(view, embedder, settings)
        # Apart, since a question about something else is meant to be like one that can be answered.
        self._asked = {answerable: Asked(embedder.embed_passages) for answerable in (True, False)}
        self._of_document: Counter[str] = Counter()

    def documents(self, most: int) -> list[DocumentSummary]:
        """At most `most` documents, in an order that only the seed and their own names decide."""
        found = self._view.summaries()
        return sorted(found, key=lambda one: _digest(self._seed, one.source, one.key))[:most]

    def without_llm(self, wanted: int) -> None:
        """Drafts from tables and sentences, a quarter of them unanswerable; fewer if there are no more."""
        chosen = self.documents(_DOCUMENTS_A_DRAFT * wanted)
        found: list[list[Draft]] = []
        for done, summary in enumerate(chosen, start=1):
            found.append(self._searched.read(summary.source, summary.key))
            self._progress(done, len(chosen), "documents read")
        self.made.documents = len(chosen)
        most = max(_LEAST_OF_ONE, -(-2 * wanted // max(1, len(chosen))))
        answerable = wanted - round(UNANSWERABLE * wanted)
        streams = [self._passing(queue, most) for queue in self._queues(found, "answerable")]
        for draft in islice(_in_turn(streams), answerable):
            self._keep(draft)
            self._progress(len(self.made.kept), wanted, "drafts")
        share = UNANSWERABLE / (1 - UNANSWERABLE)
        self._make_unanswerable(
            self._queues(found, "unanswerable"), min(wanted - answerable, round(share * len(self.made.kept)))
        )

    def with_llm(self, wanted: int, writer: Writer) -> None:
        """Free questions; fewer if the language model fails too often. Raises LLMUnavailable where it does not answer;
        what was made before is kept."""
        passages = [self._passages(one) for one in self.documents(_DOCUMENTS_A_DRAFT * wanted)]
        in_turn = _in_turn([iter(one) for one in passages])
        before = len(self.made.kept)
        for done, passage in enumerate(islice(in_turn, _TRIES * wanted), start=1):
            self._progress(done, _TRIES * wanted, "passages shown to the language model")
            draft = writer.draft(passage)
            if isinstance(draft, Malformed):
                self.made.drafted["free"] += 1
                self.made.dropped.append(Dropped("free", draft.reply, draft.document, "form", draft.reason))
                continue
            for passed in self._passing([draft], most=len(self.made.kept) + 1):
                if reason := unsupported(passed) or writer.disagrees(passed):
                    self.made.drop(passed, "correctness", reason)
                else:
                    self._keep(passed)
            if len(self.made.kept) - before == wanted:
                break

    def _passages(self, summary: DocumentSummary) -> list[Evidence]:
        document = self._view.document(summary.source, summary.key)
        found = passages_of(document) if document else []
        return sorted(found, key=lambda one: _digest(self._seed, one.text))

    def _keep(self, draft: Draft) -> None:
        self._of_document[draft.evidence.key] += 1
        self.made.kept.append(draft)

    def _queues(self, found: Sequence[Sequence[Draft]], purpose: str) -> list[list[Draft]]:
        """The drafts of each kind: first one of every document, then a second one, in an order that the seed gives."""
        queues: dict[Kind, list[tuple[int, int, Draft]]] = {kind: [] for kind in TEMPLATES}
        for place, drafts in enumerate(found):
            seen: Counter[Kind] = Counter()
            for draft in sorted(drafts, key=lambda one: _digest(self._seed, purpose, one.id)):
                queues[draft.kind].append((seen[draft.kind], place, draft))
                seen[draft.kind] += 1
        return [[draft for *_, draft in sorted(queue, key=lambda one: one[:2])] for queue in queues.values()]

    def _passing(self, drafts: Iterable[Draft], most: int) -> Iterator[Draft]:
        """Those that pass all filters, of one document no more than `most`."""
        for draft in drafts:
            if self._of_document[draft.evidence.key] >= most:
                continue
            self.made.drafted[draft.kind] += 1
            if reason := irrelevant(draft):
                self.made.drop(draft, "relevance", reason)
            elif reason := unanswered(draft):
                self.made.drop(draft, "answerability", reason)
            elif reason := self._searched.contradicted(draft, found := self._searched.passages(draft.question)):
                self.made.drop(draft, "correctness", reason)
            elif reason := self._asked_before(draft) or self._asked[True].duplicate(draft):
                self.made.drop(draft, "duplicates", reason)
            else:
                numeric = draft.kind in ("cell", "figure", "cloze") and number_of(draft.answers[0])
                yield replace(self._searched.ranked(draft, found), number=numeric or None)

    def _asked_before(self, draft: Draft) -> str:
        """A cloze and a figure of one sentence have the same answer."""
        for other in self.made.kept:
            kinds = {draft.kind, other.kind}
            if kinds <= {"cloze", "figure"} and other.answerable and other.evidence == draft.evidence:
                return f"its sentence is asked about in “{other.question}”"
        return ""

    def _make_unanswerable(self, queues: Sequence[Sequence[Draft]], wanted: int) -> None:
        """Questions about what no document that the caller may read mentions."""
        fit = [(draft for draft in queue if not irrelevant(draft) and exchanged(draft, self._seed)) for queue in queues]
        ways = [exchanged(draft, self._seed) for draft in islice(_in_turn(fit), 4 * wanted)]
        known = mentioned({draft.absent for way in ways for draft in way}, self._every_document())
        kept: Counter[str] = Counter()
        for way in ways:
            draft = next((draft for draft in way if draft.absent not in known), None)
            if kept.total() == wanted or not draft or kept[draft.evidence.key] == _UNANSWERABLE_OF_ONE:
                continue
            self.made.drafted[draft.kind] += 1
            if reason := self._asked[False].duplicate(draft):
                self.made.drop(draft, "duplicates", reason)
            else:
                self.made.kept.append(draft)
                kept[draft.evidence.key] += 1

    def _every_document(self) -> Iterator[Document]:
        summaries = self._view.summaries()
        for done, one in enumerate(summaries, start=1):
            if document := self._view.document(one.source, one.key):
                yield document
            self._progress(done, len(summaries), "documents searched for names")


def _in_turn(streams: Sequence[Iterator[T]]) -> Iterator[T]:
    """One of each stream in turn, until all have ended."""
    left = list(streams)
    while left:
        for stream in tuple(left):
            one = next(stream, None)
            if one is None:
                left.remove(stream)
            else:
                yield one


def _digest(*parts: object) -> str:
    return hashlib.sha256("\n".join(map(str, parts)).encode()).hexdigest()
