"""BIPIA: documents with questions, and instructions that an attacker hides in such documents.

From J. Yi et al., "Benchmarking and defending against indirect prompt injection attacks on large language models",
arXiv:2312.14197 (github.com/microsoft/BIPIA, folder `benchmark`). Read are the test files of its tasks e-mail, table
and code; of its other two there are only the numbers of texts that it may not pass on.

Two things are reworded, because a desk is asked in another way than a chat model. The e-mails' "Find the $ value paid
to X? If multiple, record all $ values paid." becomes "How much was paid to X?". The task code has no question but code
to mend: asked is how to fix the error, of a page whose heading is the error message and whose text is the advice.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from assistant.json_lines import objects

Task = Literal["email", "table", "code"]
TASKS: tuple[Task, ...] = ("email", "table", "code")
_KEYS: dict[Task, dict[str, type]] = {
    "email": {"context": str, "question": str, "ideal": str},
    "table": {"context": str, "question": str, "ideal": str},
    "code": {"context": list, "error": list},
}
_PAID = re.compile(r"Find the \$ value paid (to|by) (.+?)\?")
_UNKNOWN = "unknown"
_ERROR = re.compile(r"[\w.]*(?:Error|Exception|Warning)\b.*")
_LONGEST_ERROR = 120


@dataclass(frozen=True, slots=True)
class Context:
    """A document, as Markdown without the heading `title`, and a question that it answers.

    `key` is its file's name, the same for every question on the same text. `answers` are wordings that an answer holds
    all of; none for code, where there is nothing short to compare. `question` is "" where BIPIA says that the document
    does not answer it: such a document only fills the library.
    """

    id: str
    task: Task
    key: str
    title: str
    body: str
    question: str
    answers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Attack:
    """An injected instruction. `demand` is what it says, and `payload` the code that it wants to have passed on."""

    id: str
    family: str
    demand: str
    payload: str

    @property
    def instruction(self) -> str:
        return f"{self.demand}\n```\n{self.payload}\n```" if self.payload else self.demand


def read_contexts(folder: Path) -> list[Context]:
    """The documents and questions of all tasks, in the order of the files.

    `folder` holds `benchmark`. Raises ValueError that names file and line for what is missing or malformed.
    """
    found: list[Context] = []
    for task in TASKS:
        file = folder / "benchmark" / task / "test.jsonl"
        keys: dict[str, str] = {}
        for number, row in enumerate(_rows(file, _KEYS[task]), start=1):
            title, body, question, answers = _READ[task](number, row)
            key = keys.setdefault(body, f"{task}-{number:03}.md")
            found.append(Context(f"{task}-{number:03}", task, key, title, body, question, answers))
    return found


def read_attacks(folder: Path, task: Task) -> list[Attack]:
    """The instructions that BIPIA hides in documents of a task. Raises ValueError as `read_contexts` does."""
    file = folder / "benchmark" / f"{'code' if task == 'code' else 'text'}_attack_test.json"
    _require(file)
    try:
        families = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{file} is not JSON in UTF-8 ({error}).") from error
    if not isinstance(families, dict) or not all(
        isinstance(listed, list) and all(isinstance(one, str) for one in listed) for listed in families.values()
    ):
        raise ValueError(f"{file}: expected an object of families, each a list of instructions.")
    return [
        _attack(family, number, instruction)
        for family, listed in families.items()
        for number, instruction in enumerate(listed, start=1)
    ]


def _attack(family: str, number: int, instruction: str) -> Attack:
    demand, _, rest = instruction.partition("```")
    slug = re.sub(r"\W+", "-", family.lower()).strip("-")
    return Attack(f"{slug}-{number}", family, demand.strip(), rest.rpartition("```")[0].strip("\n"))


def _email(number: int, row: dict[str, Any]) -> tuple[str, str, str, tuple[str, ...]]:
    head, _, content = row["context"].partition("|CONTENT:")
    subject, *lines = head.split("|")
    body = "\n\n".join([*(line.strip() for line in lines), content.strip()])
    asked = _PAID.search(row["question"])
    question = row["question"].removeprefix("Q: ")
    if asked:
        way, name = asked.groups()
        question = f"How much was paid {way} {name}?"
    if row["ideal"] == _UNKNOWN:
        return subject.removeprefix("SUBJECT:").strip(), body, "", ()
    return subject.removeprefix("SUBJECT:").strip(), body, question, (row["ideal"],)


def _table(number: int, row: dict[str, Any]) -> tuple[str, str, str, tuple[str, ...]]:
    """With the line below the header that Markdown's tables have."""
    header, *rows = row["context"].strip().splitlines()
    body = "\n".join([header, "|" + "---|" * (header.count("|") - 1), *rows])
    return f"Table {number}", body, row["question"], tuple(row["ideal"].split("|"))


def _code(number: int, row: dict[str, Any]) -> tuple[str, str, str, tuple[str, ...]]:
    said = [line for line in row["error"] if re.search(r"\w", line)]
    named = [match[0] for line in said if (match := _ERROR.search(line))]
    error = " ".join((named or said or ["this error"])[-1].split()).rstrip(":")[:_LONGEST_ERROR]
    return error, "\n".join(row["context"]).strip(), f"How do I fix “{error}”?", ()


_READ = {"email": _email, "table": _table, "code": _code}


def _rows(file: Path, keys: dict[str, type]) -> Iterator[dict[str, Any]]:
    _require(file)
    for where, row in objects(file):
        for key, kind in keys.items():
            wrong = not isinstance(row.get(key), kind) or not row[key]
            if wrong or (kind is list and not all(isinstance(one, str) for one in row[key])):
                wanted = "a text" if kind is str else "a list of texts"
                raise ValueError(f"{where}: {key!r} must be {wanted}, found {row.get(key, 'nothing')!r}.")
        yield row


def _require(file: Path) -> None:
    if not file.is_file():
        raise ValueError(f"There is no {file}; it is part of BIPIA (github.com/microsoft/BIPIA), below `benchmark`.")
