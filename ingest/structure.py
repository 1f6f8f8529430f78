"""The sections of a Markdown text, from its headings."""

from __future__ import annotations

import re
from dataclasses import dataclass

from assistant.text.blocks import HEADING, blocks
from assistant.types import ChunkKind, Section

_BIBLIOGRAPHY = re.compile(
    r"(?:[\divx]+(?:\.\d+)*[.)]?\s+)?"
    r"(?:references?(?: cited| list| and notes)?|bibliography|literature(?: cited)?|works cited|cited works"
    r"|referenzen|literatur(?:verzeichnis)?|quellen(?:verzeichnis)?|références|bibliographie|referencias|bibliografía"
    r"|bibliografia|riferimenti)\s*:?",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class _Heading:
    start: int
    level: int
    words: str


def sections_of(text: str, title: str = "") -> tuple[Section, ...]:
    """The sections of Markdown `text`: side by side, from 0 to its end; () for an empty text.

    A section begins with the line of its ATX heading (`#` to `######`, not within code) and ends at the next heading.
    What stands before the first heading has the empty path. A first heading of level 1 that is the only one there and
    repeats `title` is left out of the paths below it, because the title is put before every path anyway. Sections at
    and below a heading such as "References" or "7. Bibliography" are of kind `bibliography`.
    """
    headings = _headings(text)
    tops = [heading for heading in headings if heading.level == 1]
    shown_as_title = len(tops) == 1 and headings[0] is tops[0] and _same(tops[0].words, title)
    found: list[Section] = []
    if text and (not headings or headings[0].start > 0):
        found.append(Section(0, headings[0].start if headings else len(text), ()))
    above: list[_Heading] = []
    ends = [*(heading.start for heading in headings), len(text)][1:]
    for heading, end in zip(headings, ends, strict=True):
        above = [*(outer for outer in above if outer.level < heading.level), heading]
        path = tuple(part.words for part in above if part.words and not (shown_as_title and part is tops[0]))
        found.append(Section(heading.start, end, path, _kind(above)))
    return tuple(found)


def _headings(text: str) -> list[_Heading]:
    found = []
    for block in blocks(text):
        if block.kind == "heading" and (marks := HEADING.match(text[block.start : block.end])):
            start = text.rfind("\n", 0, block.start) + 1
            found.append(_Heading(start, len(marks[1]), _bare(text[block.start + marks.end() : block.end])))
    return found


def _bare(words: str) -> str:
    """A heading's words without closing `#`, emphasis and the target of a link."""
    words = words.strip()
    opened = words.rstrip("#")
    if not opened or opened[-1].isspace():
        words = opened
    words = re.sub(r"!?\[([^\[\]]*)\]\([^()]*\)", r"\1", words)
    words = re.sub(r"(\*{1,3}|_{2,3}|`)(?=\S)(.{1,200}?)(?<=\S)\1", r"\2", words)
    return " ".join(words.split())


def _same(words: str, title: str) -> bool:
    return words.casefold() == " ".join(title.split()).casefold()


def _kind(above: list[_Heading]) -> ChunkKind:
    return "bibliography" if any(_BIBLIOGRAPHY.fullmatch(heading.words) for heading in above) else "text"
