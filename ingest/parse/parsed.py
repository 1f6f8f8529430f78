"""What a parser hands over: text that the rest of Refdesk can rely on."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path

from assistant.errors import ParseError

# Control characters other than tab and newline, lone surrogates, and the two code points that are no characters.
_UNWANTED = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]")
_BREAKS = re.compile(r"\r\n|[\r\x0c\x85\u2028\u2029]")
_HEADING = re.compile(r"#{1,6}[ \t]+(.+?)[ \t#]*$")
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")


@dataclass(frozen=True, slots=True)
class Draft:
    """What the parser of one kind read: raw text in parts, each a page, slide or sheet where `paged`."""

    kind: str
    parts: tuple[str, ...]
    title: str = ""
    paged: bool = False


@dataclass(frozen=True, slots=True)
class Parsed:
    """A file's text.

    `text` is Markdown: ATX `#` headings, pipe tables with a header row, LaTeX between `$` or `$$`. It is in NFC, has
    "\\n" line ends, no control characters, and is never empty. `kind` is one of pdf, docx, odt, pptx, xlsx, html,
    markdown, rst, latex, mediawiki, twiki, confluence, jats, jira, notebook, text, or the suffix without its dot where
    a foreign reader read it. `pages` holds the offset, in characters, at which each page, slide or sheet starts, the
    first always 0; it is empty for formats that have none.
    """

    title: str
    kind: str
    text: str
    pages: tuple[int, ...] = ()


def finish(draft: Draft, path: Path) -> Parsed:
    """Clean the parts, join them, and find a title: the draft's own, else the first heading, else the file's stem.

    Raises ParseError("empty") if only white space is left.
    """
    pages: list[int] = []
    kept: list[str] = []
    offset = 0
    for part in map(clean, draft.parts):
        pages.append(offset)
        if part or draft.paged:
            kept.append(part)
            offset += len(part) + 2
    text = "\n\n".join(kept)
    if not text.strip():
        raise ParseError("empty", f"{path.name} holds no text")
    stem = path.stem.replace("_", " ") if draft.kind == "mediawiki" else path.stem  # as MediaWiki writes page names
    title = one_line(draft.title) or first_heading(text) or one_line(stem) or "untitled"
    return Parsed(title, draft.kind, text, tuple(min(page, len(text)) for page in pages) if draft.paged else ())


def clean(text: str) -> str:
    """`text` in NFC with "\\n" line ends, without control characters and without blank space around lines' ends."""
    text = _UNWANTED.sub("", _BREAKS.sub("\n", text).replace("\v", "\n"))
    text = re.sub(r"[ \t]+$", "", unicodedata.normalize("NFC", text), flags=re.MULTILINE)
    return re.sub(r"\n{3,}", "\n\n", text).strip("\n")


def one_line(text: str) -> str:
    return " ".join(clean(text).split())


def first_heading(text: str) -> str:
    """The text of the heading that `text` begins with, else of its first of level 1 outside a code fence, else ""."""
    fence = ""
    for number, line in enumerate(text.split("\n")):
        if mark := _FENCE.match(line):
            if not fence:
                fence = mark[1]
            elif line.strip().startswith(fence):
                fence = ""
        elif not fence and (heading := _HEADING.match(line)) and (number == 0 or line.startswith("# ")):
            return heading[1].strip("*_` ")
    return ""


def cell(text: object) -> str:
    """`text` on one line, fit for a cell of a pipe table."""
    return " ".join(str(text).split()).replace("|", "\\|")


def pipe_table(rows: list[list[str]]) -> str:
    """`rows` of cells as a pipe table whose first row is the header; short rows are filled up."""
    width = max(map(len, rows))
    lines = ["| " + " | ".join(row + [""] * (width - len(row))) + " |" for row in rows]
    return "\n".join([lines[0], "|" + " --- |" * width, *lines[1:]])
