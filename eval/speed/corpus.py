"""A corpus of any size, made of real sentences: documents of chunks of about 165 words, and their embeddings.

A chunk is a real passage of which some sentences are exchanged for those of another one, so words and topics hang
together as in real text; each tenth document is an edited copy of another one, as wikis have. Nothing is kept: a
document is made from its number, so a million chunks take no more memory than one.

The embedding of a chunk is the mean of the real embeddings of its sentences, plus noise that its text decides: a
function of the text alone, as that of a model, but a thousand times as fast. Its neighbours are many and close.
"""

from __future__ import annotations

import random
import re
import time
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from assistant.types import PUBLIC, Access, Chunk, Document, Section
from eval.speed.texts import Texts

if TYPE_CHECKING:
    from assistant.types import FloatArray

READERS = "staff"
"""The group that may read every shelf."""
SOURCE = "corpus"
CHUNKS_PER_DOCUMENT = 10
_EXCHANGED = 0.3
"""Share of a passage's sentences that come from another one."""
_EDITED = 0.1
"""Share of the sentences of a copy that were written anew."""
_NOISE = 0.2
"""Length of the noise, where that of the mean of the sentences is 1."""


@dataclass(frozen=True, slots=True)
class Corpus:
    """`chunks` chunks in documents of `CHUNKS_PER_DOCUMENT` (the last may have fewer), dealt out to `shelves`."""

    texts: Texts
    chunks: int
    shelves: int = 1
    seed: int = 0

    @property
    def documents(self) -> int:
        return -(-self.chunks // CHUNKS_PER_DOCUMENT)

    @property
    def name(self) -> str:
        """Differs for corpora that differ."""
        texts = zlib.crc32(self.texts.vectors.tobytes())
        return f"library-{self.chunks}-{self.shelves}-{self.seed}-{texts:08x}"

    def document(self, number: int, revision: int = 0) -> tuple[Document, list[Chunk]]:
        """The document of a number from 0, with its chunks. Each revision above 0 is another edit of it."""
        copied = number % 10 == 9
        draw = random.Random(f"{self.seed}/{number - 5 if copied else number}")
        passages = self.texts.passages
        first = draw.randrange(len(passages))
        size = min(CHUNKS_PER_DOCUMENT, self.chunks - number * CHUNKS_PER_DOCUMENT)
        bodies = [self._body(draw, passages[(first + n) % len(passages)]) for n in range(size)]
        if copied or revision:
            edit = random.Random(f"{self.seed}/{number}/{revision}")
            bodies = [self._edited(edit, body) for body in bodies]
        words = self.texts.sentences[bodies[0][0]].split()[:6]
        title = f"{'ABCDEFGH'[number % 8]}N-{2000 + number % 25}-{number:06d} {' '.join(words)}"
        return self._written(
            number, revision, title, ["\n".join(map(self.texts.sentences.__getitem__, b)) for b in bodies]
        )

    def _body(self, draw: random.Random, passage: Sequence[int]) -> list[int]:
        other = self.texts.passages[draw.randrange(len(self.texts.passages))]
        return [other[draw.randrange(len(other))] if draw.random() < _EXCHANGED else sentence for sentence in passage]

    def _edited(self, edit: random.Random, body: list[int]) -> list[int]:
        count = len(self.texts.sentences)
        return [edit.randrange(count) if edit.random() < _EDITED else sentence for sentence in body]

    def _written(self, number: int, revision: int, title: str, bodies: list[str]) -> tuple[Document, list[Chunk]]:
        text = "\n\n".join(bodies)
        chunks = []
        start = 0
        for body in bodies:
            chunks.append(Chunk(start, start + len(body), body, (), None))
            start += len(body) + 2
        document = Document(
            source=SOURCE,
            key=f"{number:08d}.md",
            revision=str(revision),
            title=title,
            url=f"https://corpus.example/{number}",
            kind="markdown",
            text=text,
            sections=(Section(0, len(text), ()),),
            access=PUBLIC if self.shelves == 1 else Access.of(READERS, f"shelf-{number % self.shelves}"),
        )
        return document, chunks

    def all_documents(self) -> Iterator[tuple[Document, list[Chunk]]]:
        return (self.document(number) for number in range(self.documents))


class SentenceMeans:
    """An `Embedder`: the mean of the vectors of the lines that it knows, plus noise; see the module.

    `seconds` is the time that it has taken so far, and `texts_embedded` how many texts it embedded.
    """

    name = "means of sentences"
    max_tokens = 254

    def __init__(self, texts: Texts) -> None:
        import numpy as np

        self._numbers = {sentence: number for number, sentence in enumerate(texts.sentences)}
        self._vectors = texts.vectors
        self.dimensions: int = texts.vectors.shape[1]
        self.fingerprint = f"sentence-means-{zlib.crc32(texts.vectors.tobytes()):08x}"
        self.seconds = 0.0
        self.texts_embedded = 0
        rng = np.random.default_rng(0)
        noise = rng.standard_normal((4096, self.dimensions), dtype=np.float32)
        self._noise = noise * (_NOISE / 2**0.5 / np.linalg.norm(noise, axis=1, keepdims=True))

    def embed_passages(self, texts: Sequence[str]) -> FloatArray:
        import numpy as np

        started = time.perf_counter()
        known = [[n for line in text.split("\n") if (n := self._numbers.get(line)) is not None] for text in texts]
        rows = np.zeros((len(texts), self.dimensions), dtype=np.float32)
        for row, numbers in zip(rows, known, strict=True):
            if numbers:
                self._vectors[numbers].sum(axis=0, out=row)
        rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-6)
        digests = np.fromiter((zlib.crc32(text.encode()) for text in texts), np.int64, len(texts))
        rows += self._noise[digests % 4096] + self._noise[digests // 4096 % 4096][:, ::-1]
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        self.seconds += time.perf_counter() - started
        self.texts_embedded += len(texts)
        return rows

    def embed_query(self, text: str) -> FloatArray:
        row: FloatArray = self.embed_passages([text])[0]
        return row

    def token_starts(self, text: str) -> Sequence[int]:
        """As if each word and each mark were a token, about as many as WordPiece makes of English."""
        return [match.start() for match in re.finditer(r"\w{1,6}|[^\w\s]", text)]
