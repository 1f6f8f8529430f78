"""MediaWiki: wikitext and XML dumps. Templates are resolved as far as the page alone allows, the rest is pandoc's."""

from __future__ import annotations

import re
from collections.abc import Iterator
from io import BytesIO
from typing import TYPE_CHECKING, Any

from assistant.errors import ParseError
from ingest.parse.decode import decode
from ingest.parse.pandoc import to_markdown
from ingest.parse.parsed import Draft

if TYPE_CHECKING:
    from assistant.settings import IngestSettings

DUMP = "http://www.mediawiki.org/xml/export-"
_NOT_SHOWN = ("category", "file", "image")
_FILE, _CATEGORY = "6", "14"
"""Numbers of the namespaces whose links show no text; their names depend on the wiki's language."""

_BATCH = 100
"""Pages that one run of pandoc converts: a refusal costs little, and starting it is paid for."""


def read_mediawiki(data: bytes, settings: IngestSettings) -> Draft:
    text = wikitext(decode(data), _NOT_SHOWN)
    return Draft("mediawiki", (to_markdown(text.encode(), "mediawiki", settings.parse_seconds),))


def read_dump(data: bytes, settings: IngestSettings) -> Draft:
    """Each article that is no redirect becomes a section `# Title`.

    A page that pandoc refuses comes as plain text, so that one of thousands does not cost the others.
    """
    names = re.findall(rf'<namespace key="(?:{_FILE}|{_CATEGORY})"[^>]*>([^<]+)<', decode(data[:20_000]))
    hidden = (*_NOT_SHOWN, *(name.lower() for name in names))
    pages = [(title, wikitext(_lowered(text), hidden)) for title, text in _pages(data)]
    site = re.search(rb"<sitename>([^<]*)</sitename>", data[:20_000])
    text = [
        part for start in range(0, len(pages), _BATCH) for part in _converted(pages[start : start + _BATCH], settings)
    ]
    return Draft("mediawiki", tuple(text), site[1].decode("utf-8", "replace") if site else "")


def _pages(data: bytes) -> Iterator[tuple[str, str]]:
    """Title and wikitext of each article."""
    from lxml import etree

    try:
        for _, page in etree.iterparse(BytesIO(data), tag="{*}page", resolve_entities=False, no_network=True):
            title, text = page.findtext("{*}title", ""), page.findtext("{*}revision/{*}text", "")
            if page.find("{*}redirect") is None and text and page.findtext("{*}ns", "0") == "0":
                yield title, text
            page.clear()
    except etree.XMLSyntaxError as error:
        raise ParseError("corrupt", f"the XML of the dump ends or breaks: {error}") from error


def _converted(pages: list[tuple[str, str]], settings: IngestSettings) -> list[str]:
    """All pages in one run of pandoc; if it refuses them, in two halves, down to the page that is to blame."""
    whole = "\n\n".join(f"= {title} =\n\n{text}" for title, text in pages)
    try:
        return [to_markdown(whole.encode(), "mediawiki", settings.parse_seconds)]
    except ParseError as error:
        if error.reason != "corrupt":
            raise
    if len(pages) == 1:
        import mwparserfromhell

        return [f"# {pages[0][0]}\n\n{mwparserfromhell.parse(pages[0][1]).strip_code()}"]
    middle = len(pages) // 2
    return _converted(pages[:middle], settings) + _converted(pages[middle:], settings)


def _lowered(text: str) -> str:
    """Headings one level lower where the page uses the first, which is its title's; six is the lowest."""
    if not re.search(r"^=[^=\n].*=[ \t]*$", text, re.M):
        return text
    return re.sub(r"^(={1,5})([^=\n].*?)\1[ \t]*$", r"=\1\2\1=", text, flags=re.M)


def wikitext(text: str, hidden: tuple[str, ...]) -> str:
    """Wikitext as pandoc can show it: no magic words, no links into the namespaces `hidden`, templates by `_said`."""
    import mwparserfromhell

    code = mwparserfromhell.parse(text)
    for template in code.filter_templates(recursive=False):
        code.replace(template, _said(template))
    for link in code.filter_wikilinks(recursive=False):
        if str(link.title).partition(":")[0].strip().lower() in hidden and ":" in str(link.title):
            code.remove(link)
    text = re.sub(r"__[A-Z]+__", "", str(code))
    return re.sub(r"^(\{\||\|-)[^\n|]*$", r"\1", text, flags=re.M)  # attributes, whose quotes may not match


def _said(template: Any) -> str:
    """An infobox as a list of its fields; the words inside the commonest inline templates; nothing for others."""
    named = [(str(item.name).strip(), str(item.value).strip()) for item in template.params if item.showkey]
    values = [str(item.value).strip() for item in template.params if not item.showkey]
    match str(template.name).strip().lower():
        case "lang" | "nowrap" | "nobr" | "math" | "code" | "tt" | "abbr" if values:
            return values[0] if len(values) == 1 or str(template.name).lower() == "abbr" else values[-1]
        case "convert" | "val" | "cvt":
            return " ".join(values[:2])
    fields = [f"* {name}: {' '.join(value.split())}" for name, value in named if value]
    return "\n" + "\n".join(fields) + "\n" if len(fields) > 2 else ""
