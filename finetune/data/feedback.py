"""What people thought of answers, from the app's `feedback.sqlite` beside the library.

An answer that helped was right where it quotes. A refusal teaches nothing here, even one that helped: who asked is not
known, so neither is which documents were looked through in vain. What did not help does not say what would have.
"""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

from assistant.library.view import View
from assistant.types import Document
from finetune.data.asked import Asked, Key, Place, Questions

_SELECT = "SELECT id, question, helpful, answered, citations FROM feedback ORDER BY time, id"


def read_feedback(file: Path, view: View) -> Questions:
    """The questions whose answer helped by the newest judgement, and whose quotes the caller may see, unchanged since.

    Raises FileNotFoundError, and ValueError for a file that is not the app's.
    """
    if not file.is_file():
        raise FileNotFoundError(f"There is no feedback at {file}; the app writes it beside the library.")
    try:
        with closing(sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True)) as connection:
            rows = {row[1]: row for row in connection.execute(_SELECT)}
    except sqlite3.Error as error:
        raise ValueError(f"{file} is not the feedback of the app: {error}.") from error
    documents: dict[Key, Document] = {}
    asked: list[Asked] = []
    left_out: Counter[str] = Counter()
    for id, question, helpful, answered, citations in rows.values():
        try:
            places = _places(json.loads(citations), view, documents) if helpful and answered else []
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{file}, the judgement {id}: citations that cannot be read ({error!r}).") from error
        if places:
            asked.append(Asked(id, question, answered_at=tuple(places)))
        else:
            left_out["refused, not helpful, or on documents that have changed or are not for these groups"] += 1
    return Questions(tuple(asked), documents, left_out)


def _places(citations: list[dict[str, Any]], view: View, documents: dict[Key, Document]) -> list[Place]:
    """What an answer quotes; nothing if any of it has changed or is not to be seen."""
    found = [view.document(quoted["source"], quoted["key"]) for quoted in citations]
    places = []
    for quoted, document in zip(citations, found, strict=True):
        if document is None or document.revision != quoted["revision"]:
            return []
        places.append(Place(document.source, document.key, int(quoted["start"]), int(quoted["end"])))
    documents.update({(one.source, one.key): one for one in found if one})
    return places
