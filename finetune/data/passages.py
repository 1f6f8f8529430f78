"""From places in documents to chunks of a library, and what its search finds besides: hard negatives."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from assistant.search import search
from assistant.types import Chunk, Passage
from finetune.data.asked import Asked, Key, Place, wording
from finetune.data.example import Text

if TYPE_CHECKING:
    from assistant.embed import Embedder
    from assistant.library.view import View
    from assistant.settings import SearchSettings

_FOUND = 100
"""Passages that are looked through for hard negatives; those of documents in other parts are passed over."""


@dataclass(frozen=True, slots=True)
class Searched:
    """A library as somebody may see it, and what it is searched with."""

    view: View
    embedder: Embedder
    settings: SearchSettings

    def passages(
        self, one: Asked, allowed: Callable[[Passage], bool], others: int
    ) -> tuple[tuple[Text, ...], tuple[Text, ...]] | None:
        """The relevant passages of a question, and at most `others` hard negatives; None where the library has nothing
        of a document that it concerns.

        Hard negatives are the first passages of a search that are `allowed`, are not relevant, in these or other words,
        and do not hold an accepted answer. Where nobody said where in a document the answer stands, its best passage by
        this search is relevant, and none of the others is a negative.
        """
        found = search(self.view, self.embedder, one.question, self.settings, k=_FOUND, stage="fused")
        relevant: list[Text] = []
        for key in sorted(one.documents):
            texts = self._relevant(one, key, found)
            if not texts:
                return None
            relevant += texts
        taken = {" ".join(text.text.split()) for text in relevant}
        wrong = [
            Text(f"{passage.source}/{passage.key}", passage.title, passage.section, passage.text)
            for passage in found
            if allowed(passage) and not _may_answer(one, passage) and " ".join(passage.text.split()) not in taken
        ]
        return tuple(relevant), tuple(wrong[:others])

    def _relevant(self, one: Asked, key: Key, found: Sequence[Passage]) -> list[Text]:
        """The chunks of a document that hold an answer, with its spans; the best one where no more is known."""
        whole = self.view.with_chunks(*key)
        if whole is None:
            return []
        document, chunks = whole
        answered = _in(one.answered_at, key)
        chosen = [chunk for chunk in chunks if _meets(answered, chunk)]
        if not answered:
            about = _in(one.about, key)
            ranks = {passage.start: passage.rank for passage in found if (passage.source, passage.key) == key}
            near = [chunk for chunk in chunks if _meets(about, chunk)]
            chosen = sorted(near, key=lambda chunk: (ranks.get(chunk.start, _FOUND + 1), chunk.start))[:1]
        return [
            Text("/".join(key), document.title, chunk.section, chunk.text, _spans(answered, chunk)) for chunk in chosen
        ]


def _in(places: Iterable[Place], key: Key) -> list[Place]:
    return [place for place in places if (place.source, place.key) == key]


def _meets(places: Iterable[Place], chunk: Chunk) -> bool:
    return any(place.start < chunk.end and chunk.start < place.end for place in places)


def _spans(places: Iterable[Place], chunk: Chunk) -> tuple[tuple[int, int], ...]:
    """The places that lie in a chunk whole, in its own offsets."""
    whole = {(place.start, place.end) for place in places if chunk.start <= place.start and place.end <= chunk.end}
    return tuple(sorted((start - chunk.start, end - chunk.start) for start, end in whole))


def _may_answer(one: Asked, passage: Passage) -> bool:
    """Whether a passage that nobody judged may answer: it holds an accepted answer, or stands in a document that
    concerns the question and of which not all is known."""
    key = (passage.source, passage.key)
    if key in one.documents and (not one.answers or not _in(one.answered_at, key)):
        return True
    return any(wording(answer).search(passage.text) for answer in one.answers)
