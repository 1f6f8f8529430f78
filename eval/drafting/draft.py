"""What a draft is: a question with its answers, and the text of the library that it rests on."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal

from assistant.text.quantities import quantities
from assistant.types import Document

Kind = Literal["cell", "superlative", "acronym", "figure", "cloze", "free"]
KINDS: tuple[Kind, ...] = ("cell", "superlative", "acronym", "figure", "cloze", "free")
BLANK = "____"


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a draft rests on: `text` stands verbatim at `start:end` of the document; `header` is that of its table."""

    source: str
    key: str
    title: str
    url: str
    section: tuple[str, ...]
    start: int
    end: int
    text: str
    header: str = ""

    @classmethod
    def at(cls, document: Document, start: int, end: int, header: str = "") -> Evidence:
        holds = next((one for one in document.sections if one.start <= start < one.end), None)
        path = holds.path if holds else ()
        place = (document.source, document.key, document.title, document.url)
        return cls(*place, path, start, end, document.text[start:end], header)


@dataclass(frozen=True, slots=True)
class Draft:
    """A question that nobody has reviewed.

    `answers` are the accepted wordings, the first as the document has it; () where `answerable` is False. `subject` is
    the part of the question that says of what, or of whom, it asks. Drafts with equal `asks` ask the same, so their
    answers must agree; it is () where nothing can be said about that. `documents` are the keys of items known to hold
    the answer. `rank` is where our own search finds the first of them (1 is best), None where it does not. `number` is
    that of the answer with its unit, where it is one. `absent` are the words of an unanswerable question that no
    document holds.
    """

    kind: Kind
    question: str
    answers: tuple[str, ...]
    subject: str
    asks: tuple[str, ...]
    evidence: Evidence
    documents: tuple[str, ...]
    answerable: bool = True
    rank: int | None = None
    number: tuple[float, str] | None = None
    absent: str = ""

    @property
    def id(self) -> str:
        """The same for the same question, so that a second drafting of the same library gives the same ids."""
        return f"{self.kind}-{hashlib.sha256(self.question.encode()).hexdigest()[:10]}"


Filter = Literal["form", "relevance", "answerability", "correctness", "duplicates"]


@dataclass(frozen=True, slots=True)
class Dropped:
    """A question that a filter did not let pass, and why, in plain words. Of the filter `form`: what a language model
    wrote that is no question with an answer."""

    kind: Kind
    question: str
    document: str
    filter: Filter
    reason: str


def number_of(answer: str) -> tuple[float, str] | None:
    """The number of an answer that is one, with its unit as `assistant.text.units` reads it ("" for a bare number).

    None for an answer with other words, a bound ("more than 5"), a date, what may be a version ("3.10"), or a unit that
    stands before its number.
    """
    found = quantities(answer)
    if len(found) != 1 or found[0].bound or found[0].unit in ("th", "clock") or found[0].text.strip() != answer.strip():
        return None
    value = float(found[0].number)
    written = re.search(r"[^\d\s.,-][^\d.,]*\Z", answer)
    unit = written[0].strip() if written and found[0].unit else ""
    again = quantities(f"{found[0].number:f} {unit}".strip())
    if not unit and re.search(r"\.\d*0\Z", answer):
        return None
    same = len(again) == 1 and again[0].value == found[0].value and again[0].unit == found[0].unit
    return (value, unit) if same else None


_CODE = re.compile(r"(?<![`\\])(`+)(?!`)(.+?)(?<!`)\1(?!`)", re.DOTALL)
_LINK = re.compile(r"!?\[([^\[\]]*)\](?:\([^()\s]*(?:\s\"[^\"]*\")?\)|\[[^\[\]]*\])")
_STRONG = re.compile(r"(?<!\\)(\*\*|__)(?=\S)(.+?)(?<=[^\s\\])\1", re.DOTALL)
_EMPHASIS = re.compile(r"(?<![\w\\*])\*(?=[^\s*])([^*]+?)(?<=[^\s\\])\*(?![\w*])")
_ESCAPED = re.compile(r"\\([\\`*_{}\[\]()#+.!|<>~-])")
_UNDERLINED = re.compile(r"\s*(\S[^\n]{2,120})\n=+\s*\n")


def plain(markdown: str) -> str:
    """A line of Markdown as it is read: without marks of emphasis and code, links as their words, one space apart."""
    parts, at = [], 0
    linked = _LINK.sub(r"\1", markdown)
    for code in _CODE.finditer(linked):
        parts += [_without_marks(linked[at : code.start()]), code[2]]
        at = code.end()
    return " ".join("".join([*parts, _without_marks(linked[at:])]).split())


def _without_marks(prose: str) -> str:
    return _ESCAPED.sub(r"\1", _EMPHASIS.sub(r"\1", _STRONG.sub(r"\2", prose)))


def name_of(document: Document) -> str:
    """The title; where that is only the name of a file, the underlined first line, if there is one."""
    title = " ".join(document.title.split())
    if title == PurePosixPath(document.key).stem and (underlined := _UNDERLINED.match(document.text)):
        return plain(underlined[1])
    return title
