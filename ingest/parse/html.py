"""Web pages: trafilatura keeps the main text and drops navigation, pandoc writes what it kept."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from assistant.errors import ParseError
from ingest.parse.decode import decode
from ingest.parse.pandoc import HTML, to_latex, to_markdown
from ingest.parse.parsed import Draft

if TYPE_CHECKING:
    from assistant.settings import IngestSettings

_TWICE = "katex-html", "MathJax", "MathJax_Preview", "MathJax_Display", "MathJax_SVG", "mwe-math-fallback-image-inline"
"""Classes of what shows a formula a second time, beside its source."""


def read_html(data: bytes, settings: IngestSettings) -> Draft:
    """The main text of a page; all of its text where no main text is found."""
    import trafilatura
    from lxml import etree, html

    text = decode(data)
    parser = html.HTMLParser(encoding="utf-8")
    try:
        page = html.document_fromstring(re.sub(r"^\s*<\?xml[^>]*\?>", "", text).encode(), parser=parser)
    except etree.ParserError as error:
        raise ParseError("empty", f"no HTML in it: {error}") from error
    title = " ".join(page.xpath("string(//title)").split())
    _keep_formulas(page, settings)
    reader = HTML + "+tex_math_single_backslash"
    if re.search("mathjax|katex", text, re.I):  # only there do dollars mean maths
        reader += "+tex_math_dollars"
    kept = trafilatura.extract(
        page, output_format="html", include_tables=True, include_formatting=True, favor_recall=True
    )
    markdown = to_markdown(_cells_on_one_line(kept or ""), reader, settings.parse_seconds)
    if not markdown.strip():
        everything = html.tostring(page, encoding="unicode")
        markdown = to_markdown(everything.encode(), reader, settings.parse_seconds)
    return Draft("html", (markdown,), "" if markdown.startswith("# ") else title)


def read_fragment(data: bytes, settings: IngestSettings) -> Draft:
    """HTML that is content and nothing else, as a source keeps it: all of its text, in its order."""
    return Draft("html", (to_markdown(decode(data).encode(), HTML, settings.parse_seconds),), "")


def _cells_on_one_line(kept: str) -> bytes:
    """trafilatura makes a paragraph of each line in a table's cell; here they are one again."""
    from lxml import etree, html

    if not kept.strip():
        return b""
    page = html.document_fromstring(kept)
    for cell in page.iter("td", "th"):
        for paragraph in cell.iter("p"):
            paragraph.text, paragraph.tail = f" {paragraph.text or ''}", f" {paragraph.tail or ''}"
        etree.strip_tags(cell, "p")
    return bytes(etree.tostring(page, encoding="utf-8", method="html"))


def _keep_formulas(page: Any, settings: IngestSettings) -> None:
    """Put LaTeX between `\\(..\\)` where a page has MathJax scripts or MathML, which trafilatura would drop."""
    for element in page.xpath("//*[@class]"):
        if set(element.get("class").split()) & set(_TWICE):
            element.drop_tree()
    for script in page.xpath("//script[starts-with(@type, 'math/tex')]"):
        is_display = "display" in script.get("type")
        _become_text(script, rf"\[{script.text}\]" if is_display else rf"\({script.text}\)")
    bare = [maths for maths in page.iter("math") if not maths.xpath(".//annotation") and not maths.get("alttext")]
    if bare:
        from lxml import html

        sources = [html.tostring(maths, encoding="unicode", with_tail=False) for maths in bare]
        for maths, latex in zip(bare, to_latex(sources, settings.parse_seconds), strict=True):
            _become_text(maths, rf"\[{latex}\]" if maths.get("display") == "block" else rf"\({latex}\)")


def _become_text(element: Any, text: str) -> None:
    """`text` in the place of `element`."""
    tail = element.tail
    element.clear()
    element.tag, element.text, element.tail = "span", text, tail
