"""Text with markup: Markdown as it stands; RST, LaTeX, JATS and Jira by pandoc; plain text."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from assistant.errors import ParseError
from ingest.parse.decode import decode
from ingest.parse.latex import for_pandoc
from ingest.parse.latex_pieces import in_pieces
from ingest.parse.pandoc import to_markdown
from ingest.parse.parsed import Draft

if TYPE_CHECKING:
    from assistant.settings import IngestSettings

_FRONT_MATTER = re.compile(r"\A---[ \t]*\n(.*?)\n(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.S)
_FENCED = re.compile(r"^ {0,3}(`{3,}|~{3,}).*?^ {0,3}\1[`~]*[ \t]*$", re.M | re.S)
_COMMENT = re.compile(r"<!--.*?-->", re.S)


def read_text(data: bytes) -> Draft:
    return Draft("text", (decode(data),))


def read_markdown(data: bytes) -> Draft:
    """Markdown as it stands, without HTML comments and front matter, whose title becomes the document's."""
    text = decode(data).replace("\r\n", "\n").replace("\r", "\n")
    title = ""
    if front := _FRONT_MATTER.match(text):
        text = text[front.end() :]
        named = re.search(r"^title:[ \t]*(.+)$", front[1], re.M)
        title = named[1].strip().strip("'\"") if named else ""
    return Draft("markdown", (_outside_fences(text),), title)


def _outside_fences(text: str) -> str:
    """`text` without HTML comments, but with those that stand in a code block."""
    pieces, last = [], 0
    for block in _FENCED.finditer(text):
        pieces += [_COMMENT.sub("", text[last : block.start()]), block[0]]
        last = block.end()
    return "".join([*pieces, _COMMENT.sub("", text[last:])])


def read_rst(data: bytes, settings: IngestSettings) -> Draft:
    return Draft("rst", (to_markdown(decode(data).encode(), "rst", settings.parse_seconds),))


def read_jira(data: bytes, settings: IngestSettings) -> Draft:
    return Draft("jira", (to_markdown(decode(data).encode(), "jira", settings.parse_seconds),))


def read_latex(data: bytes, settings: IngestSettings) -> Draft:
    r"""One LaTeX file; `\input` is not followed. The bibliography is a section `References`, one paragraph an entry."""
    text = for_pandoc(decode(data))
    if r"\begin{thebibliography}" not in text:  # a file of entries that another one includes
        text = text.replace(r"\bibitem", "\\begin{thebibliography}\n\\bibitem", 1)
    text = re.sub(r"\\begin\{thebibliography\}(\{[^{}]*\})?", r"\n\\section*{References}\n", text)
    text = text.replace(r"\end{thebibliography}", "\n\n")
    text = re.sub(r"\\bibitem\s*(?:\[(?:[^\[\]]|\[[^\]]*\])*\])?\s*\{([^}]*)\}", r"\n\n\1: ", text)
    try:
        return Draft("latex", (to_markdown(text.encode(), "latex", settings.parse_seconds),))
    except ParseError as refused:
        return Draft("latex", (in_pieces(text, refused, settings.parse_seconds),))


def read_jats(data: bytes, settings: IngestSettings) -> Draft:
    from ingest.parse.jats import with_references

    return Draft("jats", (to_markdown(with_references(data), "jats", settings.parse_seconds),))
