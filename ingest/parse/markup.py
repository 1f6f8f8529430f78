"""Text with markup: Markdown as it stands; RST, LaTeX, MediaWiki, JATS and Jira by pandoc; plain text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from io import BytesIO

from assistant.errors import ParseError
from assistant.settings import IngestSettings
from ingest.parse.decode import decode
from ingest.parse.pandoc import to_markdown
from ingest.parse.parsed import Draft

_FRONT_MATTER = re.compile(r"\A---[ \t]*\n(.*?)\n(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.S)
_FENCED = re.compile(r"^ {0,3}(`{3,}|~{3,}).*?^ {0,3}\1[`~]*[ \t]*$", re.M | re.S)
_COMMENT = re.compile(r"<!--.*?-->", re.S)
DUMP = "http://www.mediawiki.org/xml/export-"


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
    text = decode(data)
    text = re.sub(r"\\begin\{thebibliography\}(\{[^{}]*\})?", r"\n\\section*{References}\n", text)
    text = text.replace(r"\end{thebibliography}", "\n\n")
    text = re.sub(r"\\bibitem\s*(?:\[(?:[^\[\]]|\[[^\]]*\])*\])?\s*\{([^}]*)\}", r"\n\n\1: ", text)
    return Draft("latex", (to_markdown(text.encode(), "latex", settings.parse_seconds),))


def read_mediawiki(data: bytes, settings: IngestSettings) -> Draft:
    text = wikitext(decode(data))
    return Draft("mediawiki", (to_markdown(text.encode(), "mediawiki", settings.parse_seconds),))


def wikitext(text: str) -> str:
    """Wikitext without what pandoc would show as noise: magic words, categories, and templates but their named text."""
    text = re.sub(r"__[A-Z]+__", "", text)
    return re.sub(
        r"\[\[(?:Category|Kategorie|File|Image|Datei|Bild):[^\[\]]*(?:\[\[[^\]]*\]\][^\[\]]*)*\]\]",
        "",
        text,
        flags=re.I,
    )


def read_dump(data: bytes, settings: IngestSettings) -> Draft:
    """A MediaWiki XML dump: each page that is no redirect becomes a section `# Title`."""
    pages = [f"= {title} =\n\n{wikitext(_lowered(text))}" for title, text in _dump_pages(data)]
    site = re.search(rb"<sitename>([^<]*)</sitename>", data[:10000])
    body = to_markdown("\n\n".join(pages).encode(), "mediawiki", settings.parse_seconds) if pages else ""
    return Draft("mediawiki", (body,), site[1].decode("utf-8", "replace") if site else "")


def _dump_pages(data: bytes) -> Iterator[tuple[str, str]]:
    from lxml import etree

    try:
        for _, page in etree.iterparse(BytesIO(data), tag="{*}page", resolve_entities=False, no_network=True):
            title, text = page.findtext("{*}title", ""), page.findtext("{*}revision/{*}text", "")
            if page.find("{*}redirect") is None and text and page.findtext("{*}ns", "0") == "0":
                yield title, text
            page.clear()
    except etree.XMLSyntaxError as error:
        raise ParseError("corrupt", f"the XML of the dump ends or breaks: {error}") from error


def _lowered(text: str) -> str:
    """Headings one level lower, to stand below the page's title; six is the lowest."""
    return re.sub(r"^(={1,5})([^=\n].*?)\1[ \t]*$", r"=\1\2\1=", text, flags=re.M)


def read_jats(data: bytes, settings: IngestSettings) -> Draft:
    from ingest.parse.jats import with_references

    return Draft("jats", (to_markdown(with_references(data), "jats", settings.parse_seconds),))
