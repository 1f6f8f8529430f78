"""Questions with known answers, one JSON object a line.

    {"id": "q1", "question": "...", "answers": ["..."], "documents": ["a.md"], "answerable": true, "tags": ["fact"]}

`answers` are the accepted wordings and `documents` the keys of items that hold the answer; both are empty for a
question that the library cannot answer.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_TEXT, _TEXTS, _TRUTH = "a text", "a list of texts", "true or false"
_KEYS = {"id": _TEXT, "question": _TEXT, "answers": _TEXTS, "documents": _TEXTS, "answerable": _TRUTH, "tags": _TEXTS}


@dataclass(frozen=True, slots=True)
class Question:
    id: str
    question: str
    answers: tuple[str, ...]
    documents: tuple[str, ...]
    answerable: bool
    tags: tuple[str, ...] = ()


def read_questions(file: Path) -> list[Question]:
    """The questions of a JSON Lines file, in order; blank lines are passed over.

    Raises ValueError that names file, line and key for a line that is malformed, an id that comes twice, an answerable
    question without answers, and for a file without questions.
    """
    found: dict[str, Question] = {}
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
        if not line.strip():
            continue
        question = _question(line, f"{file}, line {number}")
        if question.id in found:
            raise ValueError(f"{file}, line {number}: 'id' {question.id!r} stands on an earlier line already.")
        found[question.id] = question
    if not found:
        raise ValueError(f"{file} holds no questions.")
    return list(found.values())


def _question(line: str, where: str) -> Question:
    try:
        row = json.loads(line)
    except json.JSONDecodeError as error:
        raise ValueError(f"{where}: not JSON ({error}).") from error
    if not isinstance(row, dict):
        raise ValueError(f"{where}: expected an object, found {line[:80]!r}.")
    for key in row.keys() - _KEYS.keys():
        raise ValueError(f"{where}: unknown key {key!r}; known are {', '.join(_KEYS)}.")
    row = {"tags": [], "documents": [], **row}
    for key, kind in _KEYS.items():
        if key not in row or not _is(row[key], kind):
            raise ValueError(f"{where}: {key!r} must be {kind}, found {row.get(key, 'nothing')!r}.")
    if row["answerable"] != any(answer.strip() for answer in row["answers"]):
        needs = "at least one answer" if row["answerable"] else "no answers"
        raise ValueError(f"{where}: with 'answerable' {row['answerable']}, 'answers' must hold {needs}.")
    return Question(
        row["id"],
        row["question"],
        tuple(row["answers"]),
        tuple(row["documents"]),
        row["answerable"],
        tuple(row["tags"]),
    )


def _is(value: Any, kind: str) -> bool:
    if kind == _TRUTH:
        return isinstance(value, bool)
    if kind == _TEXT:
        return isinstance(value, str) and bool(value.strip())
    return isinstance(value, list) and all(isinstance(one, str) for one in value)
