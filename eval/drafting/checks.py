"""What a library says to a draft: whether its answer stands there, in one way only, and whether it is asked twice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from assistant.answering import EVIDENCE
from assistant.library.view import Filter, View
from assistant.search import search
from assistant.text import terms
from assistant.text.statements import statements
from eval.drafting.acronyms import from_acronyms
from eval.drafting.cloze import from_sentences
from eval.drafting.draft import BLANK, Draft, plain
from eval.drafting.figures import from_figures
from eval.drafting.prose import sentences
from eval.drafting.tables import from_tables
from eval.metrics.text import contains, normalized

if TYPE_CHECKING:
    from assistant.embed import Embedder
    from assistant.settings import SearchSettings
    from assistant.types import Document, FloatArray, Passage

DEEPEST = 20
"""So many passages are looked at, for the rank of the document and for other answers."""
SAME_SENTENCE = 0.8
"""From this share of common content words (Jaccard) on, two sentences are taken to say one thing, of one thing."""
ABOUT_IT = 0.6
"""So much of a free question's content must stand in the statement with its answer, the one before it, or the title."""
SAME_QUESTION = 0.96
"""From this cosine on, two questions are taken for one."""


def drafts_of(document: Document) -> list[Draft]:
    """All drafts that need no language model, of tables first."""
    ways = (from_tables, from_acronyms, from_figures, from_sentences)
    return [draft for way in ways for draft in way(document)]


def unanswered(draft: Draft) -> str:
    """Why the evidence does not hold the answer, or the question gives it away; empty if all is well."""
    held = normalized(plain(f"{draft.evidence.header}\n{draft.evidence.text}"))
    if not any(contains(held, [answer]) for answer in draft.answers):
        return f"“{draft.answers[0]}” does not stand in the text that it was drafted from"
    if any(contains(draft.question, [answer]) for answer in draft.answers):
        return f"the question holds its answer “{draft.answers[0]}”"
    return ""


def unsupported(draft: Draft) -> str:
    """Why the statement that holds a free question's answer is not about what the question asks; empty if it may be."""
    text, wanted = draft.evidence.text, terms.question_stems(draft.question)
    found = statements(text)
    best = 0.0
    for before, one in zip((None, *found), found, strict=False):
        if contains(plain(text[one.start : one.end]), draft.answers):
            spans = [(one.start, one.end), *one.lead, *([(before.start, before.end)] if before else [])]
            held = terms.stems(" ".join([draft.evidence.title, *(text[a:b] for a, b in spans)]))
            best = max(best, terms.coverage(wanted, set(held)))
    if best >= ABOUT_IT:
        return ""
    return f"of what it asks only {best:.0%} stands where its answer “{draft.answers[0]}” does"


class Searched:
    """A library as it looks to the questions: what is found for each, and what the documents found say."""

    def __init__(self, view: View, embedder: Embedder, settings: SearchSettings) -> None:
        self._view, self._embedder, self._settings = view, embedder, settings
        self._drafts: dict[tuple[str, str], list[Draft]] = {}
        self._asking: dict[tuple[str, ...], list[Draft]] = {}

    def read(self, source: str, key: str) -> list[Draft]:
        """The drafts of a document, which is read once."""
        if (source, key) not in self._drafts:
            document = self._view.document(source, key)
            self._drafts[source, key] = drafts_of(document) if document else []
            for draft in self._drafts[source, key]:
                self._asking.setdefault(draft.asks, []).append(draft)
        return self._drafts[source, key]

    def passages(self, question: str) -> list[Passage]:
        """What our search finds for a question, the best first."""
        wanted = Filter(chunk_kinds=EVIDENCE)
        asked = question.replace(BLANK, " ")
        return search(self._view, self._embedder, asked, self._settings, k=DEEPEST, wanted=wanted)

    def ranked(self, draft: Draft, found: Sequence[Passage]) -> Draft:
        """The draft with every document that is known to give the same answer, and the rank of the first of them."""
        same = [other for other in self._asking_the_same(draft, found) if _agree(draft, other)]
        documents = tuple(dict.fromkeys([*draft.documents, *(other.evidence.key for other in same)]))
        ranks = (passage.rank for passage in found if passage.key in documents)
        return replace(draft, documents=documents, rank=next(ranks, None))

    def contradicted(self, draft: Draft, found: Sequence[Passage]) -> str:
        """Where a document gives another answer to the same question; empty if none does."""
        for other in self._asking_the_same(draft, found):
            if not _agree(draft, other):
                return f"{other.evidence.key} answers “{other.answers[0]}”"
        return _said_otherwise(draft, found) if draft.kind == "cloze" else ""

    def _asking_the_same(self, draft: Draft, found: Sequence[Passage]) -> list[Draft]:
        """Of all documents that have been read, those found for the question among them."""
        for place in dict.fromkeys((one.source, one.key) for one in found):
            self.read(*place)
        return self._asking.get(draft.asks, []) if draft.asks else []


def _agree(one: Draft, other: Draft) -> bool:
    if one.kind == "acronym":  # "certificate authorities", "Certificate Authority"
        return terms.stems(one.answers[0]) == terms.stems(other.answers[0])
    return bool({normalized(answer) for answer in one.answers} & {normalized(answer) for answer in other.answers})


def _said_otherwise(draft: Draft, found: Sequence[Passage]) -> str:
    """A sentence found that says nearly the same, but without the answer: an older page, say."""
    asked = set(terms.stems(draft.question.replace(BLANK, " ")))
    for passage in found:
        for *_, sentence in sentences(passage.text):
            words = set(terms.stems(sentence))
            alike = len(asked & words) / len(asked | words) if words else 0.0
            if alike >= SAME_SENTENCE and not contains(sentence, draft.answers):
                return f"{passage.key} says “{sentence}”"
    return ""


class Asked:
    """The questions that were kept, to find those that ask the same again."""

    def __init__(self, embed: Callable[[list[str]], FloatArray]) -> None:
        self._embed = embed
        self._known: dict[str, str] = {}
        self._rows: list[FloatArray] = []

    def duplicate(self, draft: Draft) -> str:
        """The question kept before that this one repeats; empty, and the draft is kept, if there is none."""
        if before := self._known.get(normalized(draft.question)):
            return f"it repeats “{before}”"
        (row,) = self._embed([draft.question])
        for question, kept in zip(self._known.values(), self._rows, strict=True):
            if (cosine := float(row @ kept)) >= SAME_QUESTION:
                return f"it is nearly “{question}” (cosine {cosine:.3f})"
        self._known[normalized(draft.question)] = draft.question
        self._rows.append(row)
        return ""
