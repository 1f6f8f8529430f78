"""Results by content: what was measured with the same code, models, settings and library is not measured again."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager

from assistant.settings import cache_folder

FILE = "evaluations.sqlite3"


class Cache:
    """Texts by key, in one file that several processes may share.

    Its owner alone may read it, since results quote documents.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE IF NOT EXISTS result (key TEXT PRIMARY KEY, json TEXT NOT NULL) WITHOUT ROWID")

    def get(self, key: str) -> str | None:
        row = self._connection.execute("SELECT json FROM result WHERE key = ?", (key,)).fetchone()
        return row[0] if row else None

    def put(self, key: str, json: str) -> None:
        with self._connection:
            self._connection.execute("INSERT OR REPLACE INTO result VALUES (?, ?)", (key, json))


@contextmanager
def open_cache() -> Iterator[Cache]:
    """The one in `assistant.settings.cache_folder`; made if there is none."""
    folder = cache_folder()
    folder.mkdir(parents=True, exist_ok=True)
    os.close(os.open(folder / FILE, os.O_RDWR | os.O_CREAT, 0o600))
    with closing(sqlite3.connect(folder / FILE, timeout=60)) as connection:
        yield Cache(connection)
