"""Web pages by trafilatura, which drops navigation; pages that it finds nothing in, and Confluence, by pandoc."""

from __future__ import annotations

import re
from typing import Any

from assistant.settings import IngestSettings
from ingest.parse.decode import decode
from ingest.parse.pandoc import HTML, to_markdown
from ingest.parse.parsed import Draft

CONFLUENCE = re.compile(r"<(?:ac|ri):[a-z-]+[\s>/]")


def read_html(data: bytes, settings: IngestSettings) -> Draft:
    """The main text of a page, or Confluence's storage format where its tags are found."""
    text = decode(data)
    if CONFLUENCE.search(text):
        return read_confluence(text, settings)
    import trafilatura
    from trafilatura.settings import use_config

    config = use_config()
    config.set("DEFAULT", "EXTRACTION_TIMEOUT", "0")  # it would use a signal; the child has its own limit
    main = trafilatura.extract(
        text, output_format="markdown", include_tables=True, include_formatting=True, favor_recall=True, config=config
    )
    if not main or not main.strip():
        main = to_markdown(text.encode(), HTML, settings.parse_seconds)
    return Draft("html", (main,), _title(text))


def _title(text: str) -> str:
    import html

    found = re.search(r"<title[^>]*>(.*?)</title>", text, re.I | re.S)
    return html.unescape(re.sub(r"<[^>]+>", "", found[1])) if found else ""


def read_confluence(text: str, settings: IngestSettings) -> Draft:
    """Confluence storage format: its macros as HTML, then pandoc."""
    from lxml import etree

    root = etree.fromstring(_wrapped(text), etree.XMLParser(recover=True, resolve_entities=False, huge_tree=False))
    _transform(root)
    plain = etree.tostring(root, encoding="unicode", method="html")
    return Draft("confluence", (to_markdown(plain.encode(), HTML, settings.parse_seconds),), _title(text))


def _wrapped(text: str) -> bytes:
    """The fragment as one XML document that declares Confluence's prefixes."""
    import html

    text = re.sub(r"^\s*<\?xml[^>]*\?>|<!DOCTYPE[^>]*>", "", text)
    text = re.sub(r"&(?!amp;|lt;|gt;|quot;|apos;|#)(\w+);", lambda entity: html.unescape(entity[0]), text)
    return f'<body xmlns:ac="urn:ac" xmlns:ri="urn:ri" xmlns:at="urn:at">{text}</body>'.encode()


_AC, _RI = "{urn:ac}", "{urn:ri}"


def _transform(root: Any) -> None:
    """Replace Confluence's elements, innermost first, by HTML that says the same."""
    for element in reversed(list(root.iter())):
        tag = element.tag
        if not isinstance(tag, str) or not tag.startswith("{"):
            continue
        if tag == f"{_AC}structured-macro" or tag == f"{_AC}macro":
            _macro(element)
        elif tag == f"{_AC}link":
            body = "".join(element.itertext()).strip()
            _become(element, "span", body or _target(element))
        elif tag == f"{_AC}emoticon":
            _become(element, "span", element.get(f"{_AC}emoji-fallback", ""))
        elif tag == f"{_AC}task":
            _become(element, "li", " ".join("".join(part.itertext()) for part in element.iter(f"{_AC}task-body")))
        elif tag == f"{_AC}task-list":
            element.tag = "ul"
        elif tag == f"{_AC}image":
            _become(element, "span", element.get(f"{_AC}alt", ""))
        elif tag in (f"{_AC}placeholder", f"{_AC}parameter") and element.getparent() is not None:
            if element.getparent().tag not in (f"{_AC}structured-macro", f"{_AC}macro"):
                _become(element, "span", "")
        elif tag.startswith(_AC) and not tag.endswith(
            (
                "plain-text-body",
                "rich-text-body",
                "parameter",
                "link-body",
                "plain-text-link-body",
                "task-body",
                "task-id",
                "task-status",
                "task-uuid",
            )
        ):
            element.tag = "div"  # layouts and what later versions bring: keep the text


def _target(link: Any) -> str:
    """What a link without a text of its own points to."""
    for child in link:
        for name in ("content-title", "filename", "value", "space-key", "username"):
            if value := child.get(f"{_RI}{name}"):
                return f"@{value}" if name == "username" else str(value)
    return ""


def _become(element: Any, tag: str, text: str) -> None:
    """Turn `element` into `tag` with nothing but `text` inside, in its place."""
    tail = element.tail
    element.clear()
    element.tag, element.text, element.tail = tag, text, tail


def _macro(macro: Any) -> None:
    """Code becomes a code block, maths `$..$`; other macros become their body, or nothing if they have none."""
    name = macro.get(f"{_AC}name", "")
    parameters = {item.get(f"{_AC}name", ""): "".join(item.itertext()) for item in macro.findall(f"{_AC}parameter")}
    plain = macro.find(f"{_AC}plain-text-body")
    rich = macro.find(f"{_AC}rich-text-body")
    if name in ("code", "noformat") and plain is not None:
        _become(macro, "pre", plain.text or "")
        if language := parameters.get("language"):
            macro.set("class", language)
    elif name in ("mathblock", "mathinline", "latex", "latex-inline", "math") and plain is not None:
        inline = "inline" in name
        _become(macro, "span", plain.text or "")
        macro.set("class", "math inline" if inline else "math display")
    elif rich is not None:
        for other in list(macro):
            if other is not rich:
                macro.remove(other)
        rich.tag = macro.tag = "div"
        macro.text = None
        if title := parameters.get("title"):
            macro.text = f"{title}: "
    elif plain is not None:
        _become(macro, "p", plain.text or "")
    elif name in ("status", "jira"):
        _become(macro, "span", parameters.get("title") or parameters.get("key", ""))
    else:
        _become(macro, "span", "")
