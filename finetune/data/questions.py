"""Questions that somebody reviewed, on a library: the question files of the evaluation (see `eval.questions`).

Only those of the split `dev` are taken: the others measure, and what was trained on measures nothing. Nor are those
that follow another question (`after`), which cannot stand alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from assistant.json_lines import objects
from assistant.library.view import View
from assistant.types import Document
from finetune.data.asked import Answerable, Asked, Key, Place, Questions, wording

_MOST_PLACES = 3
"""An answer that stands at more places of a document, a bare number for one, does not answer at all of them."""


def read_questions(file: Path, view: View) -> Questions:
    """The questions of a file all of whose documents the caller may see, and that have one if they can be answered.

    Raises FileNotFoundError, and ValueError for a line that is not a question, an id that comes twice, and a file
    without a question of the split `dev`.
    """
    keys: dict[str, list[Key]] = {}
    for one in view.summaries():
        keys.setdefault(one.key, []).append((one.source, one.key))
    documents: dict[Key, Document] = {}
    asked: dict[str, Asked] = {}
    left_out: Counter[str] = Counter()
    for where, row in objects(file):
        try:
            if reason := _unfit(row, keys):
                left_out[reason] += 1
                continue
            for key in (key for name in row.get("documents", ()) for key in keys[name]):
                if key not in documents and (document := view.document(*key)):
                    documents[key] = document
            held = [documents[key] for name in row.get("documents", ()) for key in keys[name]]
            if row["id"] in asked:
                raise ValueError(f"{where}: 'id' {row['id']!r} stands on an earlier line already.")
            asked[row["id"]] = _asked(row, held)
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"{where}: not a question of an evaluation ({error!r}).") from error
    if not asked:
        raise ValueError(
            f'{file} holds no question of "split": "dev" on documents that are shown here. Left out: '
            f"{', '.join(f'{number} {reason}' for reason, number in left_out.items()) or 'none'}."
        )
    return Questions(tuple(asked.values()), documents, left_out)


def _unfit(row: dict[str, Any], keys: dict[str, list[Key]]) -> str:
    """Why a question is not trained on; empty if it is."""
    if row.get("split", "test") != "dev":
        return "that only measure"
    if row.get("after"):
        return "that follow another"
    if any(name not in keys for name in row.get("documents", ())):
        return "on documents that are not in the library, or not for these groups"
    return "with an answer but without a document" if row["answerable"] and not row.get("documents") else ""


def _asked(row: dict[str, Any], documents: Sequence[Document]) -> Asked:
    answers = tuple(row["answers"])
    answered = [place for document in documents for place in _places(document, answers)]
    about = [Place(one.source, one.key, 0, len(one.text)) for one in documents]
    answerable: Answerable = "yes" if row["answerable"] else "no"
    return Asked(str(row["id"]), row["question"], answers, tuple(answered), tuple(about), answerable)


def _places(document: Document, answers: Sequence[str]) -> list[Place]:
    """Where the first accepted wording stands that does; nowhere if that is too often to mean the answer."""
    for answer in answers:
        found = [match.span() for match in wording(answer).finditer(document.text)]
        if 0 < len(found) <= _MOST_PLACES:
            return [Place(document.source, document.key, start, end) for start, end in found]
    return []
