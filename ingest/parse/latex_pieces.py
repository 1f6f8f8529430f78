r"""LaTeX that pandoc refuses, read by pieces: what it cannot read is mostly one table, or a group left open."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

from assistant.errors import ParseError
from ingest.parse.latex_preamble import definitions
from ingest.parse.pandoc import to_markdown

_BEGIN, _END = "\\begin{document}", "\\end{document}"
_MARKS = re.compile(
    r"\\(?P<edge>begin|end)\s*\{[^{}]*\}|(?P<section>^[ \t]*\\(?:part|chapter|(?:sub){0,2}section)\*?\s*[\[{])"
    r"|(?P<blank>\n[ \t]*\n\s*)|(?P<brace>[{}])|\\.",
    re.M | re.S,
)
_TITLES = re.compile(r"\\(?:title|subtitle|author|date)\b")
_FORMULA = re.compile(
    r"(\\begin\{(?:equation|align|alignat|eqnarray|gather|multline|flalign|displaymath)\*?\}.*?"
    r"\\end\{(?:equation|align|alignat|eqnarray|gather|multline|flalign|displaymath)\*?\}"
    r"|(?<!\\)\\\[.*?\\\]|\$\$.*?\$\$|(?<!\\)\$[^$]*\$)",
    re.S,
)
_OPEN, _CLOSE = "\\[", "\\]"
_MOST_LOST = 0.25
"""A document of which a larger share is left to the crude way is refused."""


def in_pieces(text: str, refused: ParseError, seconds: float) -> str:
    """`text` as Markdown; a piece that pandoc refuses even by itself loses its commands and keeps its words.

    Raises `refused`, which pandoc said of the whole, if that is another reason than "corrupt", if too much would be
    read in the crude way, or if it takes longer than `seconds`.
    """
    if refused.reason != "corrupt":
        raise refused
    preamble, _, body = text.partition(_BEGIN) if _BEGIN in text else ("", "", text)
    body = body.partition(_END)[0]
    reading = _Reading(preamble, refused, time.monotonic() + seconds)
    found = reading.read(list(blocks(body)), first=True)
    if reading.lost > _MOST_LOST * len(body):
        raise refused
    return found


def blocks(body: str) -> Iterator[str]:
    """Paragraphs, sections and environments, each whole. A section begins anew, whatever was not closed before it."""
    done = depth = 0
    for mark in _MARKS.finditer(body):
        if mark["section"]:
            depth = 1  # the brace or bracket that the match ends with
            if mark.start() > done:
                yield body[done : mark.start()]
                done = mark.start()
            depth -= mark[0].endswith("[")
        elif mark["edge"] or mark["brace"]:
            depth = max(0, depth + (1 if mark["edge"] == "begin" or mark["brace"] == "{" else -1))
        elif mark["blank"] and depth == 0:
            yield body[done : mark.end()]
            done = mark.end()
    yield body[done:]


class _Reading:
    def __init__(self, preamble: str, refused: ParseError, until: float) -> None:
        known = list(definitions(preamble))
        self._macros = "\n".join(line for line in known if not _TITLES.match(line))
        self._titles = "\n".join(line for line in known if _TITLES.match(line))
        self._refused = refused
        self._until = until
        self.lost = 0

    def read(self, parts: list[str], *, first: bool) -> str:
        """The blocks in one run of pandoc; if it refuses them, in two halves, down to the one that is to blame."""
        left = self._until - time.monotonic()
        if left <= 0:
            raise self._refused
        titles = self._titles if first else ""
        try:
            body = "\n\n".join(parts)
            whole = f"{titles}\n{self._macros}\n{_BEGIN}\n{body}\n{_END}\n"
            return to_markdown(whole.encode(), "latex", left)
        except ParseError as error:
            if error.reason != "corrupt":
                raise
        if len(parts) == 1:
            parts = re.split(r"(?<=\n)[ \t]*\n\s*", parts[0])  # also where it is open, as a list that is one block
        if len(parts) == 1:
            self.lost += len(parts[0])
            return plain(parts[0])
        middle = len(parts) // 2
        halves = self.read(parts[:middle], first=first), self.read(parts[middle:], first=False)
        return "\n\n".join(halves)


def plain(latex: str) -> str:
    """The words and formulas of a piece, without its commands."""
    pieces = _FORMULA.split(latex)
    for number in range(0, len(pieces), 2):
        text = re.sub(r"\\(?:begin|end)\s*\{[^{}]*\}|\\(?:label|ref|cite)\s*\{[^{}]*\}|\\\\", " ", pieces[number])
        pieces[number] = re.sub(r"[ \t]+", " ", re.sub(r"\\[A-Za-z]+\*?|[{}~]", " ", text))
    for number in range(1, len(pieces), 2):
        if pieces[number].startswith("\\"):
            pieces[number] = f"\n\n$${pieces[number].removeprefix(_OPEN).removesuffix(_CLOSE)}$$\n\n"
    return "".join(pieces).strip() + "\n"
