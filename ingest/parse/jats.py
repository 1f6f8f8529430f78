"""References of a JATS article as text: pandoc leaves those out that have no fields of their own."""

from __future__ import annotations

from typing import Any

from assistant.errors import ParseError


def with_references(data: bytes) -> bytes:
    """The article with each `ref-list` as a section `References` that lists what its entries say.

    Raises ParseError("corrupt") for XML that is not well formed.
    """
    from lxml import etree

    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
    try:
        root = etree.fromstring(data, parser)
    except etree.XMLSyntaxError as error:
        raise ParseError("corrupt", f"XML that is not well formed: {error}") from error
    for references in list(root.iter("ref-list")):
        section = etree.Element("sec")
        etree.SubElement(section, "title").text = "References"
        entries = etree.SubElement(section, "list", {"list-type": "order"})
        for reference in references.iter("ref"):
            item = etree.SubElement(entries, "list-item")
            etree.SubElement(item, "p").text = _entry(reference)
        _move(references, section, root)
    return bytes(etree.tostring(root, encoding="utf-8"))


def _move(references: Any, section: Any, root: Any) -> None:
    """Put the section at the end of the body: pandoc reads the back matter only in part."""
    references.getparent().remove(references)
    body = root.find(".//body")
    (root if body is None else body).append(section)


def _entry(reference: Any) -> str:
    """Authors (year). Title. Source volume:pages. doi; a mixed citation as its own words."""
    mixed = reference.find(".//mixed-citation")
    if mixed is not None and (mixed.text or "").strip():
        return _words(mixed)
    citation = mixed if mixed is not None else reference.find(".//*")
    names = ", ".join(_person(name) for name in reference.iter("name", "string-name", "collab"))

    def get(tag: str) -> str:
        return _words(reference.find(f".//{tag}"))

    year = get("year")
    where = (
        get("source") + (f" {get('volume')}" if get("volume") else "") + (f":{get('fpage')}" if get("fpage") else "")
    )
    where += f"-{get('lpage')}" if get("fpage") and get("lpage") else ""
    doi = next((_words(item) for item in reference.iter("pub-id") if item.get("pub-id-type") == "doi"), "")
    pieces = [names + (f" ({year})" if year else ""), get("article-title"), where, f"doi:{doi}" if doi else ""]
    text = ". ".join(piece.strip(" .") for piece in pieces if piece.strip())
    return text or _words(citation)


def _person(name: Any) -> str:
    given, family = _words(name.find("given-names")), _words(name.find("surname"))
    return f"{family} {given}".strip() or _words(name)


def _words(element: Any) -> str:
    return "" if element is None else " ".join("".join(element.itertext()).split())
