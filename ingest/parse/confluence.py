"""Confluence's storage format: its macros, links and tasks as HTML, then pandoc."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING, Any

from ingest.parse.pandoc import DISPLAY, HTML, INLINE, to_markdown
from ingest.parse.parsed import Draft

if TYPE_CHECKING:
    from assistant.settings import IngestSettings

TAGS = re.compile(r"<(?:ac|ri):[a-z-]+[\s>/]")
_AC, _RI = "{urn:ac}", "{urn:ri}"
_ENTITY = re.compile(r"&(?!amp;|lt;|gt;|quot;|apos;|#)\w+;")
_CODE = ("code", "noformat", "codeblock")
_MATHS = dict.fromkeys(("mathblock", "mathdisplay", "latex", "math"), DISPLAY)
_MATHS |= dict.fromkeys(("mathinline", "latex-inline", "mathjax-inline-macro"), INLINE)


def read_confluence(text: str, settings: IngestSettings) -> Draft:
    """Confluence storage format: its macros as HTML, then pandoc."""
    from lxml import etree

    title = re.search(r"<title[^>]*>(.*?)</title>", text, re.I | re.S)
    root = etree.fromstring(_wrapped(text), etree.XMLParser(recover=True, resolve_entities=False, no_network=True))
    _transform(root)
    plain = etree.tostring(root, encoding="unicode", method="html")
    markdown = to_markdown(plain.encode(), HTML, settings.parse_seconds)
    return Draft("confluence", (markdown,), html.unescape(title[1]) if title else "")


def _wrapped(text: str) -> bytes:
    """The fragment as one XML document that declares Confluence's prefixes and has no HTML entities."""
    text = re.sub(r"^\s*<\?xml[^>]*\?>|<!DOCTYPE[^>]*>", "", text)
    pieces = re.split(r"(<!\[CDATA\[.*?\]\]>)", text, flags=re.S)
    pieces[::2] = [_ENTITY.sub(lambda entity: html.unescape(entity[0]), piece) for piece in pieces[::2]]
    return f'<body xmlns:ac="urn:ac" xmlns:ri="urn:ri" xmlns:at="urn:at">{"".join(pieces)}</body>'.encode()


def _transform(root: Any) -> None:
    """Replace Confluence's elements, innermost first, by HTML that says the same."""
    for date in root.iter("time"):
        date.text = date.text or date.get("datetime")
    for element in reversed(list(root.iter(f"{_AC}*"))):
        match element.tag.removeprefix(_AC):
            case "structured-macro" | "macro":
                _macro(element)
            case "link":
                _become(element, "span", " ".join("".join(element.itertext()).split()) or _target(element))
            case "emoticon":
                _become(element, "span", element.get(f"{_AC}emoji-fallback", ""))
            case "image":
                _become(element, "span", element.get(f"{_AC}alt", ""))
            case "task-list":
                element.tag = "ul"
            case "task":
                element.tag = "li"
            case "task-id" | "task-uuid" | "task-status" | "placeholder":
                _become(element, "span", "")
            case "parameter" | "rich-text-body" | "plain-text-body" | "link-body" | "plain-text-link-body":
                continue  # read with the macro or link around it
            case _:
                element.tag = "div"  # layouts, and what later versions bring


def _macro(macro: Any) -> None:
    """Code becomes a code block, a formula maths; another macro its title and body, or nothing if it has none."""
    name = macro.get(f"{_AC}name", "")
    parameters = {item.get(f"{_AC}name", ""): "".join(item.itertext()) for item in macro.findall(f"{_AC}parameter")}
    title = parameters.get("title", "").strip()
    plain = macro.find(f"{_AC}plain-text-body")
    rich = macro.find(f"{_AC}rich-text-body")
    if plain is not None and name in _MATHS:
        _become(macro, "script", plain.text or "")
        macro.set("type", _MATHS[name])
    elif plain is not None:
        _become(macro, "pre" if name in _CODE else "p", (plain.text or "").strip("\n"))
        macro.set("class", parameters.get("language", ""))
    elif rich is not None:
        rich.tag, rich.tail = "div", None
        tail = macro.tail
        macro.clear()
        macro.tag, macro.tail = "div", tail
        if title:
            macro.append(macro.makeelement("p"))
            macro[0].text = title
        macro.append(rich)
    else:
        shown = {"status": title, "jira": parameters.get("key", "")}
        _become(macro, "span", shown.get(name, ""))


def _target(link: Any) -> str:
    """What a link without a text of its own points to."""
    for child in link:
        for name in ("content-title", "filename", "value", "space-key"):
            if value := child.get(f"{_RI}{name}"):
                return str(value)
        if user := child.get(f"{_RI}username"):
            return f"@{user}"
    return ""


def _become(element: Any, tag: str, text: str) -> None:
    """Turn `element` into `tag` with nothing but `text` inside, in its place."""
    tail = element.tail
    element.clear()
    element.tag, element.text, element.tail = tag, text, tail
