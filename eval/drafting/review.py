"""The file that a person edits, and the question file that comes of it.

It is TOML, since drafts are read and edited by people: a block a question, long texts on lines of their own, comments.
"""

from __future__ import annotations

import json
import os
import re
import tomllib
from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, TextIO

from assistant.types import EVERYONE
from eval.questions import read_questions

if TYPE_CHECKING:
    from eval.drafting.draft import Draft

OPEN = "?"
DECIDED = ("keep", "drop")
_NOT_OF_A_QUESTION = ("review", "rank", "title", "url", "evidence", "header", "no_document_holds")
_BLOCK = re.compile(r"\s*\[\[\s*draft\s*\]\]")
_GUIDE = """\
# Draft questions. A program wrote them and nobody has read them yet.
#
# For each block set `review` to "keep" or "drop". Before you keep one, ask:
#   - would somebody ask this who has not seen the passage, and is it clear what is meant?
#   - are `answers` right, complete and short, and is no other answer right as well?
#   - for `answerable = false`: is it true that no document of the library answers it?
# Edit `question`, `answers` and `documents` as you like, and add questions of your own as further blocks. `rank` says
# where Refdesk's own search finds the first of `documents` for this question. Keep questions that it does not find:
# without them the question file would flatter that search.
#
# Then: refdesk eval make-questions --accept THIS_FILE --out questions.jsonl
#
# This file quotes documents that these groups may read, and is for nobody else: {groups}
"""


def write_review(file: Path, drafts: Iterable[Draft], made: Mapping[str, Any]) -> None:
    """Writes a new file; readable by its owner alone where it quotes documents that not everyone may read.

    `made` says how: its `groups` are those for whom the drafts were made.
    """
    head = (
        _GUIDE.format(groups=", ".join(map(_escaped, made["groups"])))
        + "\n[made]\n"
        + "".join(_line(*one) for one in made.items())
    )
    with _created(file, 0o666 if set(made["groups"]) == {EVERYONE} else 0o600) as opened:
        opened.write("\n".join([head, *map(_block, drafts)]))


def _created(file: Path, mode: int) -> TextIO:
    """A new file, which never has been open to more people than `mode` says."""
    return os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w", encoding="utf-8")


def _block(draft: Draft) -> str:
    fields: dict[str, Any] = {"review": OPEN, "id": draft.id, "question": draft.question, "answers": draft.answers}
    if draft.number:
        fields["number"] = {"value": draft.number[0], "unit": draft.number[1], "tolerance": 0.0}
    fields |= {"answerable": draft.answerable, "documents": draft.documents, "tags": _tags(draft)}
    if draft.kind != "free":
        fields["wording"] = "exact"
    if draft.answerable:
        fields |= {"rank": draft.rank or "not found", "title": draft.evidence.title, "url": draft.evidence.url}
        fields |= {"header": draft.evidence.header} if draft.evidence.header else {}
        fields["evidence"] = draft.evidence.text
    else:
        fields["no_document_holds"] = draft.absent
    return "[[draft]]\n" + "".join(_line(*one) for one in fields.items())


def _tags(draft: Draft) -> list[str]:
    return [draft.kind] if draft.answerable else ["unanswerable", draft.kind]


def _line(key: str, value: Any) -> str:
    return f"{key} = {_toml(value)}\n"


def _toml(value: Any) -> str:
    """A value of ours in TOML: its strings, lists and numbers are written as in JSON, but for a few characters."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_toml(one)}" for key, one in value.items()) + " }"
    if isinstance(value, str) and "\n" in value:
        # A line of a document that looks like the beginning of a block must not be taken for one.
        lines = (re.sub(r"\A(\s*)\[", r"\1\\u005b", _escaped(line)) for line in value.split("\n"))
        return '"""\n' + "\n".join(lines) + '"""'
    if isinstance(value, str):
        return f'"{_escaped(value)}"'
    if isinstance(value, tuple | list):
        return f"[{', '.join(map(_toml, value))}]"
    return value.isoformat() if isinstance(value, date) else json.dumps(value)


def _escaped(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)[1:-1].replace("\x7f", "\\u007f")


def accept(file: Path, out: Path) -> tuple[int, int]:
    """Writes the drafts that were kept as a question file, and returns how many were kept and how many dropped.

    Answers quote documents: the question file is open to no more people than the reviewed one.

    Raises ValueError, and writes nothing, where a draft has not been reviewed, a block is not as it should be, `out`
    exists or nothing was kept; the message names the lines of `file`.
    """
    if out.exists():
        raise ValueError(f"{out} exists already. Name another file, or remove it first.")
    text = file.read_text(encoding="utf-8")
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{file} is not TOML any more: {error}.") from error
    drafts = content.get("draft", [])
    lines = [number for number, line in enumerate(text.split("\n"), start=1) if _BLOCK.match(line)]
    if not isinstance(drafts, list) or not drafts or len(lines) != len(drafts):
        raise ValueError(f"{file} is no file of draft questions: it must hold blocks [[draft]].")
    decided = [(line, draft, draft.get("review")) for line, draft in zip(lines, drafts, strict=True)]
    if undecided := [line for line, _, review in decided if review not in DECIDED]:
        some = ", ".join(map(str, undecided[:20])) + (", ..." if len(undecided) > 20 else "")
        raise ValueError(
            f'{file}: {len(undecided)} of {len(drafts)} drafts have not been reviewed; set `review` to "keep" or '
            f'"drop" in the blocks that begin in line {some}.'
        )
    kept = {line: _question(draft) for line, draft, review in decided if review == "keep"}
    if not kept:
        raise ValueError(f"{file}: every draft is dropped, so there is no question to write.")
    _require_questions(file, kept)
    with _created(out, file.stat().st_mode & 0o666) as opened:
        opened.write("".join(f"{row}\n" for row in kept.values()))
    return len(kept), len(drafts) - len(kept)


def _question(draft: Mapping[str, Any]) -> str:
    return json.dumps({key: value for key, value in draft.items() if key not in _NOT_OF_A_QUESTION}, ensure_ascii=False)


def _require_questions(file: Path, rows: Mapping[int, str]) -> None:
    """Raises ValueError, with the line in `file`, for a row that is no question. The judge is the one who reads
    question files, shown each row in the line in which its block begins."""
    padded = "\n".join(rows.get(number, "") for number in range(1, max(rows) + 1))
    with TemporaryDirectory() as folder:
        shown = Path(folder) / file.name
        shown.write_text(padded, encoding="utf-8")
        try:
            read_questions(shown)
        except ValueError as error:
            raise ValueError(str(error).replace(str(shown), str(file))) from error
