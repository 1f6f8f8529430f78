"""Bytes to text, for the formats that are text."""

from __future__ import annotations

import codecs
import re

from assistant.errors import ParseError

_BOMS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_CONTROLS = bytes({*range(32)} - set(b"\t\n\v\f\r\x1b"))
# An XML declaration or an HTML meta element, which must stand near the start.
_DECLARED = re.compile(rb"""<(?:\?xml|meta)\b[^>]*?(?:encoding|charset)\s*=\s*["']?\s*([A-Za-z0-9._:-]+)""", re.I)


def decode(data: bytes) -> str:
    """The text of `data`: by byte order mark, else UTF-8, else the charset that it declares, else Windows-1252.

    UTF-8 goes before the declaration because text that is valid UTF-8 and not plain ASCII is hardly ever anything else,
    while declarations are often wrong. Raises ParseError("corrupt") for binary data.
    """
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            return data.decode(encoding, "replace")
    start = data[:8192]
    if len(start.translate(None, _CONTROLS)) < 0.9 * len(start):
        raise ParseError("corrupt", "binary data where text was expected")
    declared = _DECLARED.search(data[:2048])
    name = declared[1].decode("ascii") if declared else ""
    if name.lower().startswith(("iso-2022", "hz")):  # seven-bit, so valid UTF-8 too
        return data.decode(name, "replace")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return _by_declaration(data, name)


def _by_declaration(data: bytes, name: str) -> str:
    try:
        codec = codecs.lookup(name or "cp1252").name
    except LookupError:
        codec = "cp1252"
    if codec in ("utf-8", "ascii", "iso8859-1"):  # what browsers read as Windows-1252
        codec = "cp1252"
    return data.decode(codec, "replace")
