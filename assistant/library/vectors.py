"""Embeddings that were made before, by the hash of their text, so that unchanged text is never embedded twice.

Derived data beside the catalog: losing the file costs time, nothing else. Vectors are kept, here as in the segments,
in half precision, which changes a cosine by about 1e-5.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from assistant.embed import Embedder
from assistant.errors import LibraryDamaged
from assistant.library import database
from assistant.library.disk import WORK_SUFFIX

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Halves = NDArray[np.float16]

PATTERN = "vectors-*.sqlite"


def _create(file: Path) -> None:
    """Makes an empty file of vectors; appears whole or not at all."""
    work = file.with_name(file.name + WORK_SUFFIX)
    work.unlink(missing_ok=True)
    with closing(database.create(work)) as connection:
        connection.execute("CREATE TABLE vector (hash BLOB PRIMARY KEY, row BLOB NOT NULL) WITHOUT ROWID")
        connection.execute("PRAGMA journal_mode = WAL")
    work.replace(file)


def text_hash(text: str) -> bytes:
    return hashlib.blake2b(text.encode(), digest_size=20).digest()


class KnownVectors:
    """The vectors of one embedder: one file per fingerprint."""

    def __init__(self, folder: Path, embedder: Embedder) -> None:
        self._embedder = embedder
        self.embedded = 0
        """Texts that had to be embedded since this was opened."""
        self._file = folder / PATTERN.replace("*", embedder.fingerprint)
        with self._readable():
            if not self._file.exists():
                _create(self._file)
            self._connection = database.connect(self._file, write=True)
            self._connection.execute("PRAGMA synchronous = NORMAL")

    def embed(self, texts: Sequence[str]) -> Halves:
        """One unit row per text, shape (len(texts), dimensions); embeds only what was never embedded."""
        import numpy as np

        hashes = [text_hash(text) for text in texts]
        with self._readable():
            known = self._known(hashes)
        new = {digest: text for digest, text in zip(hashes, texts, strict=True) if digest not in known}
        if new:
            rows = self._embedder.embed_passages(list(new.values())).astype(np.float16)
            self.embedded += len(new)
            known |= dict(zip(new, rows, strict=True))
            with self._readable():
                self._keep([(digest, known[digest].tobytes()) for digest in new])
        if not texts:
            return np.empty((0, self._embedder.dimensions), dtype=np.float16)
        return np.stack([known[digest] for digest in hashes])

    def _keep(self, rows: Sequence[tuple[bytes, bytes]]) -> None:
        # Not `with connection`: where SQLite has rolled back by itself, as on a full disk, that hides its error.
        self._connection.execute("BEGIN")
        try:
            self._connection.executemany("INSERT OR REPLACE INTO vector VALUES (?, ?)", rows)
            self._connection.execute("COMMIT")
        finally:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")

    def _known(self, hashes: Sequence[bytes]) -> dict[bytes, Halves]:
        import numpy as np

        found = {}
        for digest in set(hashes):
            row = self._connection.execute("SELECT row FROM vector WHERE hash = ?", (digest,)).fetchone()
            if row and len(row[0]) == 2 * self._embedder.dimensions:
                found[digest] = np.frombuffer(row[0], dtype=np.float16)
        return found

    @contextmanager
    def _readable(self) -> Iterator[None]:
        try:
            with database.readable(self._file):
                yield
        except LibraryDamaged as error:
            raise LibraryDamaged(
                f"The embeddings kept in {self._file} cannot be read. "
                "Remove this file and index again: it only saves time."
            ) from error

    def close(self) -> None:
        self._connection.close()
