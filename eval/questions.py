"""Questions with known answers, one JSON object a line.

    {"id": "q1", "question": "How heavy is the magnet?", "answers": ["12 tonnes", "12 t"], "documents": ["a.md"],
     "answerable": true, "tags": ["numeric"], "number": {"value": 12, "unit": "tonnes", "tolerance": 0.01}}

`id`, `question`, `answers` and `answerable` must be there.

- `answers`: the accepted wordings, the best one first (perplexity is that of the first); whatever holds one counts as
  right, so a number stands with its unit. Empty for a question that the library cannot answer.
- `documents`: the keys of the items that hold the answer, as `refdesk status` names them. Empty for a question that the
  library cannot answer, and where nobody knows.
- `needs`: "any" (default) if each of the documents holds the answer alone, "all" if it takes all of them together.
- `tags`: the first one is the group that the question is reported in.
- `number`: an answer that is a number. `unit` (default "") is one that `assistant.text.units` knows, such as "GeV",
  "fb^-1", "km/s" or "%"; `tolerance` (default 0) is relative: 0.01 accepts one per cent more or less.
- `after`: the id of a question on an earlier line that this one follows ("And in 2025?"). The assistant has no memory,
  so the earlier question, with those before it, is put before this one: "How many papers came in 2024? And in 2025?".
- `wording`: "exact" if it uses the words of the document, "paraphrase" if it takes care not to. Default: not known.
- `split`: "dev" for a question that was looked at while the assistant was improved, "test" (default) for one that only
  measures.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from assistant.json_lines import objects
from assistant.text.quantities import quantities

_TEXT, _TEXTS, _TRUTH = "a text", "a list of texts", "true or false"
_KEYS = {"id": _TEXT, "question": _TEXT, "answers": _TEXTS, "documents": _TEXTS, "answerable": _TRUTH, "tags": _TEXTS}
_CHOICES = {"needs": ("any", "all"), "wording": ("exact", "paraphrase"), "split": ("dev", "test")}
_KNOWN = (*_KEYS, "number", "after", *_CHOICES)


@dataclass(frozen=True, slots=True)
class Number:
    """An answer that is a number: `value` of `unit`, give or take `tolerance` times `value`."""

    value: float
    unit: str = ""
    tolerance: float = 0.0


@dataclass(frozen=True, slots=True)
class Question:
    """`after` is the id of the question that this one follows, `before` the texts of all that it follows, in order."""

    id: str
    question: str
    answers: tuple[str, ...]
    documents: tuple[str, ...]
    answerable: bool
    tags: tuple[str, ...] = ()
    needs: Literal["any", "all"] = "any"
    number: Number | None = None
    after: str = ""
    before: tuple[str, ...] = ()
    wording: Literal["", "exact", "paraphrase"] = ""
    split: Literal["dev", "test"] = "test"

    @property
    def asked(self) -> str:
        """What the assistant is asked: this question, after those that it follows."""
        return " ".join([*self.before, self.question])

    @property
    def group(self) -> str:
        """What it is reported under: its first tag, or "all"."""
        return self.tags[0] if self.tags else "all"


def read_questions(file: Path, split: str | None = None) -> list[Question]:
    """The questions of a JSON Lines file, or those of one split, in order; blank lines are passed over.

    Raises ValueError that names file, line and key for a line that is malformed, an id that comes twice, an answerable
    question without answers or another with some, a question that follows one that is not on an earlier line, and for
    a file that is not UTF-8 or without questions, or without any of the split.
    """
    found: dict[str, Question] = {}
    for where, row in objects(file):
        question = _question(row, where, found)
        found[question.id] = question
    if not found:
        raise ValueError(f"{file} holds no questions.")
    chosen = [one for one in found.values() if split in (None, one.split)]
    if not chosen:
        raise ValueError(f"{file} holds no question of the split {split!r}; there are dev and test.")
    return chosen


def _question(row: dict[str, Any], where: str, earlier: Mapping[str, Question]) -> Question:
    for key in row.keys() - set(_KNOWN):
        raise ValueError(f"{where}: unknown key {key!r}; known are {', '.join(_KNOWN)}.")
    row = {"tags": [], "documents": [], **row}
    for key, kind in _KEYS.items():
        if key not in row or not _is(row[key], kind):
            raise ValueError(f"{where}: {key!r} must be {kind}, found {row.get(key, 'nothing')!r}.")
    for key, choices in _CHOICES.items():
        if key in row and row[key] not in choices:
            raise ValueError(f"{where}: {key!r} must be {' or '.join(map(repr, choices))}, found {row[key]!r}.")
    if row["id"] in earlier:
        raise ValueError(f"{where}: 'id' {row['id']!r} stands on an earlier line already.")
    _agree(row, where)
    if row.get("after", "") and row["after"] not in earlier:
        raise ValueError(f"{where}: 'after' must be the id of a question on an earlier line, found {row['after']!r}.")
    followed = earlier.get(row.get("after", ""))
    return Question(
        row["id"],
        row["question"],
        tuple(row["answers"]),
        tuple(row["documents"]),
        row["answerable"],
        tuple(row["tags"]),
        row.get("needs", "any"),
        _number(row["number"], where) if "number" in row else None,
        row.get("after", ""),
        (*followed.before, followed.question) if followed else (),
        row.get("wording", ""),
        row.get("split", "test"),
    )


def _agree(row: Mapping[str, Any], where: str) -> None:
    """That what says whether there is an answer fits together."""
    if not row["answerable"] and row["answers"]:
        raise ValueError(f"{where}: with 'answerable' False, 'answers' must hold no answers.")
    if row["answerable"] and not (row["answers"] and all(answer.strip() for answer in row["answers"])):
        raise ValueError(f"{where}: with 'answerable' True, 'answers' must hold at least one answer, and no empty one.")
    if not row["answerable"] and "number" in row:
        raise ValueError(f"{where}: with 'answerable' False, there can be no 'number'.")
    if row.get("needs") == "all" and len(row["documents"]) < 2:
        raise ValueError(f"{where}: with 'needs' 'all', 'documents' must name two or more.")
    if "after" in row and not _is(row["after"], _TEXT):
        raise ValueError(f"{where}: 'after' must be {_TEXT}, found {row['after']!r}.")


def _number(found: Any, where: str) -> Number:
    if not isinstance(found, dict) or "value" not in found or found.keys() - {"value", "unit", "tolerance"}:
        raise ValueError(f"{where}: 'number' must be an object with value, unit and tolerance, found {found!r}.")
    number = {"unit": "", "tolerance": 0, **found}
    for key in ("value", "tolerance"):
        if not isinstance(number[key], int | float) or isinstance(number[key], bool) or not _is_finite(number[key]):
            raise ValueError(f"{where}: {key!r} of 'number' must be a number, found {number[key]!r}.")
    if number["tolerance"] < 0:
        raise ValueError(f"{where}: 'tolerance' of 'number' must be 0 or more, found {number['tolerance']!r}.")
    unit = number["unit"]
    if not isinstance(unit, str) or (unit and not _is_unit(unit)):
        raise ValueError(f"{where}: 'unit' of 'number' must be a unit such as GeV, or empty, found {unit!r}.")
    return Number(float(number["value"]), unit, float(number["tolerance"]))


def _is_finite(number: float) -> bool:
    try:
        return math.isfinite(number)
    except OverflowError:  # an integer of more than 308 digits
        return False


def _is_unit(unit: str) -> bool:
    read = quantities(f"1 {unit}")
    return len(read) == 1 and bool(read[0].unit) and read[0].end == len(f"1 {unit}")


def _is(value: Any, kind: str) -> bool:
    if kind == _TRUTH:
        return isinstance(value, bool)
    if kind == _TEXT:
        return isinstance(value, str) and bool(value.strip())
    return isinstance(value, list) and all(isinstance(one, str) for one in value)
