"""The vectors of the baselines: those of sentence-transformers in single precision, kept by content in the cache.

Computed as Refdesk computes in f32, which gives the same numbers to 1e-6 in a third of the time on a CPU; even so a few
thousand abstracts take minutes, and both baselines need most of them.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import Sequence
from typing import TYPE_CHECKING

from assistant.embed import open_embedder
from assistant.settings import EmbedderSettings, cache_folder

if TYPE_CHECKING:
    from assistant.progress import Progress
    from assistant.types import FloatArray

FILE = "baseline-vectors.sqlite3"
_AT_ONCE = 256
"""Texts that are embedded before they are kept: what an interrupted run loses."""


class Vectors:
    """Unit vectors of texts, by the model of that name. Its owner alone may read the file.

    Raises ModelNotFound as `open_embedder` does.
    """

    def __init__(self, model: str) -> None:
        self._embedder = open_embedder(EmbedderSettings(model=model, precision="f32"))
        self.fingerprint = self._embedder.fingerprint
        folder = cache_folder()
        folder.mkdir(parents=True, exist_ok=True)
        os.close(os.open(folder / FILE, os.O_RDWR | os.O_CREAT, 0o600))
        self._connection = sqlite3.connect(folder / FILE, timeout=60)
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute(
            "CREATE TABLE IF NOT EXISTS vector"
            " (model TEXT, text BLOB, numbers BLOB NOT NULL, PRIMARY KEY (model, text)) WITHOUT ROWID"
        )

    def close(self) -> None:
        self._connection.close()

    def of(self, texts: Sequence[str], progress: Progress | None = None) -> FloatArray:
        """One row a text, shape (len(texts), dimensions); each text is embedded once in the life of the cache."""
        import numpy as np

        hashes = [hashlib.sha256(text.encode()).digest() for text in texts]
        known = {digest: row for digest in set(hashes) if (row := self._kept(digest)) is not None}
        missing = {digest: text for digest, text in zip(hashes, texts, strict=True) if digest not in known}
        longest_first = sorted(missing, key=lambda digest: -len(missing[digest]))
        for start in range(0, len(longest_first), _AT_ONCE):
            some = longest_first[start : start + _AT_ONCE]
            known |= dict(zip(some, self._embedder.embed_passages([missing[digest] for digest in some]), strict=True))
            with self._connection:
                self._connection.executemany(
                    "INSERT OR REPLACE INTO vector VALUES (?, ?, ?)",
                    [(self.fingerprint, digest, known[digest].tobytes()) for digest in some],
                )
            if progress:
                progress(start + len(some), len(missing), "texts embedded for the baselines")
        return np.array([known[digest] for digest in hashes], dtype=np.float32)

    def _kept(self, digest: bytes) -> FloatArray | None:
        import numpy as np

        row = self._connection.execute(
            "SELECT numbers FROM vector WHERE model = ? AND text = ?", (self.fingerprint, digest)
        ).fetchone()
        return np.frombuffer(row[0], dtype=np.float32) if row else None
