"""Questions that somebody reviewed, on a library: the question files of the evaluation (see `eval.questions`).

Only those of the split `dev` are taken: the others measure, and what was trained on measures nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from assistant.json_lines import objects
from assistant.library.view import View
from assistant.types import Document
from finetune.data.asked import Asked, Place, Questions

_MOST_PLACES = 3
"""An answer that stands at more places of a document, a bare number for one, does not answer at all of them."""


def read_questions(files: Sequence[Path], view: View) -> Questions:
    """The questions of the files whose documents the caller may see.

    Raises FileNotFoundError, and ValueError for a line that is not a question or a file without any of the split `dev`.
    """
    keys: dict[str, list[tuple[str, str]]] = {}
    for one in view.summaries():
        keys.setdefault(one.key, []).append((one.source, one.key))
    documents: dict[tuple[str, str], Document] = {}
    asked: list[Asked] = []
    for file in files:
        before = len(asked)
        texts: dict[str, str] = {}
        for where, row in objects(file):
            try:
                texts[row["id"]] = f"{texts[row['after']]} {row['question']}" if row.get("after") else row["question"]
                if row.get("split", "test") != "dev":
                    continue
                found = [key for name in row.get("documents", ()) for key in keys.get(name, ())]
                for key in found:
                    if key not in documents and (document := view.document(*key)):
                        documents[key] = document
                asked.append(_asked(row, texts[row["id"]], [documents[key] for key in found], file.stem))
            except (KeyError, TypeError) as error:
                raise ValueError(f"{where}: not a question of an evaluation ({error!r}).") from error
        if len(asked) == before:
            raise ValueError(
                f'{file} holds no question with "split": "dev". Those of the split test, the default, only measure: '
                "mark the ones that may be trained on."
            )
    return Questions(tuple(asked), documents)


def _asked(row: dict[str, Any], question: str, documents: Sequence[Document], name: str) -> Asked:
    answers = tuple(row["answers"])
    answered = [place for document in documents for place in _places(document, answers)]
    about = [Place(one.source, one.key, 0, len(one.text)) for one in documents]
    return Asked(
        f"{name}-{row['id']}", question, answers, tuple(answered), tuple(about), "yes" if row["answerable"] else "no"
    )


def _places(document: Document, answers: Sequence[str]) -> list[Place]:
    """Where an accepted wording stands as words of their own, whatever its case."""
    for answer in answers:
        wording = r"\s+".join(map(re.escape, answer.split()))
        found = [match.span() for match in re.finditer(rf"(?<!\w){wording}(?!\w)", document.text, re.IGNORECASE)]
        if 0 < len(found) <= _MOST_PLACES:
            return [Place(document.source, document.key, start, end) for start, end in found]
    return []
