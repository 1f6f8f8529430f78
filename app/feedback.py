"""What people thought of answers: one row per judged answer, in SQLite beside the library that was asked.

The store knows nothing of Streamlit. A row holds what is needed to learn from it later: the question, the answer with
its citations, and the generation and models that it came from.
"""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from assistant.types import Answer

FILE = "feedback.sqlite"
_SCHEMA = """
CREATE TABLE IF NOT EXISTS feedback (
    id TEXT PRIMARY KEY,
    time TEXT NOT NULL,                            -- of the judgement, UTC, ISO 8601
    helpful INTEGER NOT NULL CHECK (helpful IN (0, 1)),
    question TEXT NOT NULL,
    answered INTEGER NOT NULL CHECK (answered IN (0, 1)),
    answer TEXT NOT NULL,
    mode TEXT NOT NULL,
    confidence REAL NOT NULL,
    generation INTEGER NOT NULL,
    models TEXT NOT NULL,                          -- JSON, as in Answer
    citations TEXT NOT NULL                        -- JSON, as in Answer
)
"""


@dataclass(frozen=True, slots=True)
class Feedback:
    """One judgement. `id` names the answer that was judged; `time` is UTC in ISO 8601."""

    id: str
    time: str
    helpful: bool
    question: str
    answered: bool
    answer: str
    mode: str
    confidence: float
    generation: int
    models: dict[str, str]
    citations: tuple[dict[str, Any], ...]


class FeedbackStore:
    """The judgements in one file, which the first one creates. Safe to use from several threads and processes.

    All methods raise sqlite3.Error where the file cannot be read or written.
    """

    def __init__(self, file: Path) -> None:
        self.file = file

    def keep(self, id: str, answer: Answer, *, helpful: bool) -> None:
        """Keeps a judgement; a second one of the same answer takes the place of the first."""
        row = {
            "id": id,
            "time": datetime.now(UTC).isoformat(timespec="seconds"),
            "helpful": helpful,
            "question": answer.question,
            "answered": answer.answered,
            "answer": answer.text,
            "mode": answer.mode,
            "confidence": answer.confidence,
            "generation": answer.generation,
            "models": json.dumps(answer.models, ensure_ascii=False),
            "citations": json.dumps([asdict(citation) for citation in answer.citations], ensure_ascii=False),
        }
        statement = (
            f"INSERT OR REPLACE INTO feedback ({', '.join(row)}) VALUES ({', '.join(f':{name}' for name in row)})"
        )
        with closing(self._connect()) as connection, connection:
            connection.execute(statement, row)

    def withdraw(self, id: str) -> None:
        """Forgets the judgement of an answer, if there is one."""
        with closing(self._connect()) as connection, connection:
            connection.execute("DELETE FROM feedback WHERE id = ?", (id,))

    def all(self) -> list[Feedback]:
        """Every judgement, oldest first; none if nothing was ever judged."""
        if not self.file.exists():
            return []
        with closing(self._connect()) as connection:
            connection.row_factory = sqlite3.Row
            rows = [dict(row) for row in connection.execute("SELECT * FROM feedback ORDER BY time, id")]
        return [
            Feedback(
                **row
                | {
                    "helpful": bool(row["helpful"]),
                    "answered": bool(row["answered"]),
                    "models": json.loads(row["models"]),
                    "citations": tuple(json.loads(row["citations"])),
                }
            )
            for row in rows
        ]

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.file, timeout=10)
        connection.execute(_SCHEMA)
        return connection
