"""Embeddings that were made before, by the hash of their text, so that unchanged text is never embedded twice.

They stand in the segments: those that the catalog names, those that this run has written, and those that a run which
was stopped has left.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

import xxhash

from assistant.embed import Embedder
from assistant.errors import LibraryDamaged

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from assistant.library.segment import Segment

    Halves = NDArray[np.float16]
    Hashes = NDArray[np.uint64]


def text_hashes(texts: Sequence[str]) -> Hashes:
    """(len(texts), 2): 128 bits for each text."""
    import numpy as np

    digests = b"".join(xxhash.xxh3_128_digest(text.encode()) for text in texts)
    return np.frombuffer(digests, np.uint64).reshape(-1, 2)


class KnownVectors:
    """The vectors of one library and its embedder, in half precision, which changes a cosine by about 1e-5."""

    def __init__(self, embedder: Embedder, named: Callable[[], Iterable[Segment]], left: Iterable[Segment]) -> None:
        """`named` gives the segments of the catalog, once it is called; `left` are those of a run that was stopped."""
        self._embedder = embedder
        self.embedded = 0
        """Texts that had to be embedded since this was made."""
        self._named = named
        self._left = left
        self._recent: dict[bytes, Halves] = {}
        self._segments: list[tuple[Segment, NDArray[np.uint32], Hashes]] = []

    def _open(self) -> None:
        """Not before something is to be embedded: most runs find nothing new."""
        for held in self._named():
            self.add(held)
        for held in self._left:
            with suppress(LibraryDamaged):  # then it is embedded again
                held["vector"]
                self.add(held)
        self._named, self._left = tuple, ()

    def add(self, held: Segment) -> None:
        """From now on, what this run embedded before is looked up in this segment."""
        import numpy as np

        first = held["text"][:, 0]
        order = np.argsort(first, kind="stable").astype(np.uint32)
        self._segments.append((held, order, first[order]))  # 12 bytes a row
        held.release()
        self._recent.clear()

    def embed(self, texts: Sequence[str], hashes: Hashes) -> Halves:
        """One unit row per text, shape (len(texts), dimensions); embeds only what was never embedded.

        hashes: what `text_hashes` gives for these texts.
        """
        import numpy as np

        self._open()
        rows = np.empty((len(texts), self._embedder.dimensions), np.float16)
        missing = np.ones(len(texts), np.bool_)
        for held, order, sorted_first in self._segments:
            self._look_up(held, order, sorted_first, hashes, rows, missing)
        keys = [key.tobytes() for key in hashes]
        new = {keys[i]: texts[i] for i in missing.nonzero()[0].tolist() if keys[i] not in self._recent}
        if new:
            made = self._embedder.embed_passages(list(new.values())).astype(np.float16)
            self.embedded += len(new)
            self._recent.update(zip(new, made, strict=True))
        for i in missing.nonzero()[0].tolist():
            rows[i] = self._recent[keys[i]]
        return rows

    @staticmethod
    def _look_up(
        held: Segment,
        order: NDArray[np.uint32],
        sorted_first: Hashes,
        hashes: Hashes,
        rows: Halves,
        missing: NDArray[np.bool_],
    ) -> None:
        """Fills the rows of those texts that a segment holds, and takes them off `missing`."""
        import numpy as np

        wanted = missing.nonzero()[0]
        at = np.minimum(np.searchsorted(sorted_first, hashes[wanted, 0]), len(order) - 1)
        near = sorted_first[at] == hashes[wanted, 0]
        wanted, found = wanted[near], order[at[near]]
        if not len(found):
            return
        same = (held["text"][found] == hashes[wanted]).all(axis=1)
        rows[wanted[same]] = held["vector"][found[same]]
        missing[wanted[same]] = False
        held.release()
