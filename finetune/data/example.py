"""What is trained on: a question, the passages that a search should find for it, and others that it should not.

A line of JSON each. Passages are chunks as the library has them, so that what is learned is what will be read.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TextIO

from assistant.json_lines import objects
from finetune.data.asked import Answerable


@dataclass(frozen=True, slots=True)
class Text:
    """A passage of a document. `spans` are where `text[start:end]` answers the question, or is evidence for a claim; an
    answer that the end of a chunk cuts has none."""

    document: str
    title: str
    section: tuple[str, ...]
    text: str
    spans: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Example:
    """`answers` and `answerable` are those of `finetune.data.asked.Asked`.

    `relevant` is what a search should find: those with spans hold the answer. `others` is what a search found besides,
    best first: hard negatives. `origin` is the kind of source that the question comes from.
    """

    id: str
    question: str
    answers: tuple[str, ...]
    answerable: Answerable
    relevant: tuple[Text, ...]
    others: tuple[Text, ...]
    origin: str


def write_example(file: TextIO, one: Example) -> None:
    """Writes a line."""
    file.write(json.dumps(asdict(one), ensure_ascii=False) + "\n")


def read_examples(file: Path) -> Iterator[Example]:
    """Raises FileNotFoundError, and ValueError that names the line for one that `write_example` does not write."""
    for where, row in objects(file):
        try:
            yield Example(
                row["id"],
                row["question"],
                tuple(row["answers"]),
                row["answerable"],
                tuple(map(_text, row["relevant"])),
                tuple(map(_text, row["others"])),
                row["origin"],
            )
        except (KeyError, TypeError) as error:
            raise ValueError(f"{where}: not an example of `refdesk finetune data` ({error!r}).") from error


def _text(row: dict[str, Any]) -> Text:
    spans = tuple((int(start), int(end)) for start, end in row["spans"])
    return Text(row["document"], row["title"], tuple(row["section"]), row["text"], spans)
