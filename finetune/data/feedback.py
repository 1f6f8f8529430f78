"""What people thought of answers, from the app's `feedback.sqlite` beside the library.

An answer that helped was right where it quotes, and a refusal that helped was right to refuse. What did not help
teaches nothing here: nobody said what would have.
"""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

from assistant.library.view import View
from assistant.types import Document
from finetune.data.asked import Asked, Place, Questions


def read_feedback(file: Path, view: View) -> Questions:
    """The questions whose answers helped, the newest judgement of each; an answer that quotes a document that changed
    since, or that the caller may not see, is passed over.

    Raises FileNotFoundError, and ValueError for a file that is not the app's.
    """
    if not file.is_file():
        raise FileNotFoundError(f"There is no feedback at {file}; the app writes it beside the library.")
    select = "SELECT id, question, answered, citations FROM feedback WHERE helpful = 1 ORDER BY time, id"
    try:
        with closing(sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True)) as connection:
            rows = connection.execute(select).fetchall()
    except sqlite3.DatabaseError as error:
        raise ValueError(f"{file} is not the feedback of the app: {error}.") from error
    documents: dict[tuple[str, str], Document] = {}
    asked: dict[str, Asked] = {}
    for id, question, answered, citations in rows:
        quotes, places = json.loads(citations), []
        for quoted in quotes:
            found = view.document(quoted["source"], quoted["key"])
            if found and found.revision == quoted["revision"]:
                documents[found.source, found.key] = found
                places.append(Place(found.source, found.key, quoted["start"], quoted["end"]))
        if answered and places and len(places) == len(quotes):
            asked[question] = Asked(f"feedback-{id}", question, answered_at=tuple(places))
        elif not answered:
            asked[question] = Asked(f"feedback-{id}", question, answerable="no")
    return Questions(tuple(asked.values()), documents)
