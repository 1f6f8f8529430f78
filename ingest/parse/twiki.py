"""TWiki and Foswiki topics: their markup as HTML, as the wiki's own engine would make it, then pandoc.

Rules: https://twiki.org/cgi-bin/view/TWiki/TextFormattingRules. Macros that only the engine can work out are dropped.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from html import escape
from typing import TYPE_CHECKING

from ingest.parse.decode import decode
from ingest.parse.pandoc import DISPLAY, HTML, INLINE, to_markdown
from ingest.parse.parsed import Draft
from ingest.parse.tml import to_html

if TYPE_CHECKING:
    from assistant.settings import IngestSettings

TOPIC = re.compile(r"^%META:TOPIC(?:INFO|PARENT)\{", re.M)
_META = re.compile(r"^%META:(\w+)\{(.*)\}%[ \t]*$\n?", re.M)
_ATTRIBUTE = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
_MACRO = re.compile(r"%(?!META)([A-Z][A-Z0-9_:]*)\{([^{}]*)\}%")
_BLOCKS = re.compile(r"<(verbatim|pre|literal)\b[^>]*>(.*?)</\1>", re.I | re.S)
_MATHS = re.compile(r"%\$((?:(?!%\$).)+?)\$%|%\\\[(.+?)\\\]%|<latex\b[^>]*>(.*?)</latex>", re.I | re.S)


def read_twiki(data: bytes, settings: IngestSettings, topic: str) -> Draft:
    """One topic; `topic` is its name, which stands for `%TOPIC%`."""
    text = decode(data).replace("\r\n", "\n")
    fields = [_field(match[2]) for match in _META.finditer(text) if match[1] == "FIELD"]
    text = "\n".join([_META.sub("", text), "", *filter(None, fields)])
    kept: list[str] = []

    def keep(html: str) -> str:
        """Set `html` aside under a mark that no markup rule touches."""
        kept.append(html)
        return f"\x02{len(kept) - 1}\x03"

    text = _without_engine(_set_aside(text, keep), topic)
    html = to_html(text)
    while marks := re.findall("\x02(\\d+)\x03", html):
        for mark in marks:
            html = html.replace(f"\x02{mark}\x03", kept[int(mark)])
    return Draft("twiki", (to_markdown(html.encode(), HTML, settings.parse_seconds),))


def _field(attributes: str) -> str:
    """A form field as a list item `title: value`."""
    found = dict(_ATTRIBUTE.findall(attributes))
    value = re.sub(r"%([0-9a-f]{2})", lambda code: chr(int(code[1], 16)), found.get("value", "")).strip()
    return f"   * {found.get('title') or found.get('name', '')}: {' '.join(value.split())}" if value else ""


def _set_aside(text: str, keep: Callable[[str], str]) -> str:
    """Take out what is not to be read as markup: verbatim blocks and maths."""

    def block(match: re.Match[str]) -> str:
        if match[1].lower() == "literal":
            return keep(match[2])
        body = escape(match[2].strip("\n")) if match[1].lower() == "verbatim" else match[2]
        return f"\n{keep(f'<pre>{body}</pre>')}\n"

    def maths(match: re.Match[str]) -> str:
        inline, display, either = match.groups()
        formula = (inline or display or either).strip()
        is_display = display is not None or formula.startswith(("\\begin", "\\["))
        formula = formula.removeprefix("\\[").removesuffix("\\]")
        return keep(f'<script type="{DISPLAY if is_display else INLINE}">{formula}</script>')

    return _MATHS.sub(maths, _BLOCKS.sub(block, text))


def _without_engine(text: str, topic: str) -> str:
    """Drop macros, from the innermost outwards, and what only steers the engine or the browser."""
    text = re.sub(r"<!--.*?-->|<(script|style|select|button)\b.*?</\1>", "", text, flags=re.I | re.S)
    text = re.sub(r"</?(?:nop|noautolink|sticky|dirtyarea)\s*/?>", "", text, flags=re.I)
    text = text.replace("%TOPIC%", topic).replace("%BASETOPIC%", topic)
    text = re.sub(r"%BR%", "<br />", text)
    text = re.sub(r"%[A-Z]*WEB%[./]|%(?!META)[A-Z][A-Z0-9_:]*%", "", text)
    before = ""
    while before != text:
        before, text = text, _MACRO.sub(_said, text)
    return re.sub(r"\$(?:percnt|quot|n\(\)|dollar)|%\$[A-Z_]+%", "", text)


def _said(macro: re.Match[str]) -> str:
    """The words that a macro shows, where they can be known."""
    if macro[1] in ("MAKETEXT", "TWISTY", "BUTTON"):
        found = dict(_ATTRIBUTE.findall(macro[2]))
        first = re.match(r'\s*"((?:[^"\\]|\\.)*)"', macro[2])
        return re.sub(r"\[_\d+\]|~\[|~\]", "", first[1]) if first else found.get("showlink", "")
    return ""
