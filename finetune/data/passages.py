"""From places in documents to chunks of a library, and what its search finds besides: hard negatives."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from assistant.search import search
from assistant.types import Chunk, Document, Passage
from finetune.data.asked import Asked, Place
from finetune.data.example import Example, Text
from ingest.split import split

if TYPE_CHECKING:
    from assistant.embed import Embedder
    from assistant.library.view import View
    from assistant.settings import SearchSettings
    from finetune.data.deal import Key

_FOUND = 100
"""Passages that are looked through for hard negatives; those of documents in other parts are passed over."""


@dataclass(frozen=True, slots=True)
class Searched:
    """A library as somebody may see it, and what it is searched with."""

    view: View
    embedder: Embedder
    settings: SearchSettings


@dataclass(frozen=True, slots=True)
class _Cut:
    """A document with the chunks that the library has of it."""

    document: Document
    chunks: tuple[Chunk, ...]


def examples(
    asked: Iterable[Asked], library: Searched, allowed: Callable[[Asked, Key], bool], others: int, origin: str
) -> Iterator[Example]:
    """An example for each question, in order; one on a document that the library does not show is passed over.

    It has at most `others` hard negatives: the first passages of a search that are not relevant, do not hold an
    accepted answer, and whose document is `allowed` for this question. Where nobody said where in a document the answer
    stands, its best passage by this search is relevant, and none of the others is a negative.
    """

    @lru_cache(maxsize=512)
    def cut(key: Key) -> _Cut | None:
        document = library.view.document(*key)
        if document is None:
            return None
        chunks = split(document, library.embedder.token_starts, library.embedder.max_tokens)
        return _Cut(document, tuple(chunks))

    for one in asked:
        documents = {key: cut(key) for key in sorted(one.documents)}
        known = {key: found for key, found in documents.items() if found}
        if len(known) < len(documents):
            continue
        found = search(library.view, library.embedder, one.question, library.settings, k=_FOUND, stage="fused")
        relevant = _relevant(one, known, found)
        taken = {(text.document, text.text) for text in relevant}
        wrong = [
            text
            for passage in found
            if allowed(one, (passage.source, passage.key)) and not _may_answer(one, passage)
            if ((text := _read(passage)).document, text.text) not in taken
        ]
        yield Example(one.id, one.question, one.answers, one.answerable, relevant, tuple(wrong[:others]), origin)


def _relevant(one: Asked, known: Mapping[Key, _Cut], found: Sequence[Passage]) -> tuple[Text, ...]:
    """The chunks that hold an answer, with its spans, and the best of each document of which no more is known."""
    texts = []
    for key, cut in known.items():
        answered = [place for place in one.answered_at if (place.source, place.key) == key]
        for chunk in cut.chunks:
            if spans := _spans(answered, chunk):
                texts.append(Text("/".join(key), cut.document.title, chunk.section, chunk.text, spans))
        if not answered:
            about = [place for place in one.about if (place.source, place.key) == key]
            chunk = _best([chunk for chunk in cut.chunks if _spans(about, chunk)], key, found)
            texts.append(Text("/".join(key), cut.document.title, chunk.section, chunk.text))
    return tuple(texts)


def _spans(places: Iterable[Place], chunk: Chunk) -> tuple[tuple[int, int], ...]:
    """What of the places lies in a chunk, in its own offsets."""
    met = {(max(place.start, chunk.start), min(place.end, chunk.end)) for place in places}
    return tuple(sorted((start - chunk.start, end - chunk.start) for start, end in met if start < end))


def _best(chunks: Sequence[Chunk], key: Key, found: Sequence[Passage]) -> Chunk:
    """The first of these chunks by a search; the first of the document if it found none of them."""
    ranks = {passage.start: passage.rank for passage in found if (passage.source, passage.key) == key}
    return min(chunks, key=lambda chunk: (ranks.get(chunk.start, _FOUND + 1), chunk.start))


def _may_answer(one: Asked, passage: Passage) -> bool:
    """Whether a passage that nobody judged may answer: it holds an accepted answer, or stands in a document that
    concerns the question, of which only some places are known."""
    if (passage.source, passage.key) in one.documents and not one.answers:
        return True
    text = " ".join(passage.text.split()).casefold()
    accepted = [" ".join(answer.split()).casefold() for answer in one.answers]
    return any(re.search(rf"(?<!\w){re.escape(answer)}(?!\w)", text) for answer in accepted)


def _read(passage: Passage) -> Text:
    return Text(f"{passage.source}/{passage.key}", passage.title, passage.section, passage.text)
