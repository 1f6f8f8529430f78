"""Which parser reads a file: by its suffix, and where that says too little, by how the file begins."""

from __future__ import annotations

import re
import stat
import struct
import zipfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

from assistant.errors import ParseError
from ingest.parse.decode import decode
from ingest.parse.parsed import Draft, Parsed, finish

if TYPE_CHECKING:
    from assistant.settings import IngestSettings

SUFFIXES = {
    ".pdf": "pdf",
    ".docx": "docx",
    ".odt": "odt",
    ".pptx": "pptx",
    ".xlsx": "xlsx",
    ".html": "html",
    ".htm": "html",
    ".xhtml": "html",
    ".fragment": "fragment",
    ".md": "markdown",
    ".markdown": "markdown",
    ".rst": "rst",
    ".tex": "latex",
    ".mediawiki": "mediawiki",
    ".wiki": "mediawiki",
    ".twiki": "twiki",
    ".confluence": "confluence",
    ".jira": "jira",
    ".nxml": "jats",
    ".xml": "xml",
    ".ipynb": "notebook",
    ".txt": "text",
}

LIBRARIES = {
    "pdf": "pypdfium2",
    "pptx": "pptx",
    "xlsx": "openpyxl",
    "html": "trafilatura",
    "mediawiki": "mwparserfromhell",
    "xml": "mwparserfromhell",
    "notebook": "nbformat",
}
"""The library that reads a kind, where importing it takes long. Parsers import it only when they use it."""

# What parsers raise on broken input when they do not notice that it is broken.
_BROKEN = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    struct.error,
    zipfile.BadZipFile,
    zlib.error,
)


def check(path: Path, settings: IngestSettings) -> int:
    """Refuse what needs no look inside: raises ParseError unsupported, unreadable, empty or too_large.

    Returns the file's size in bytes.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES and suffix not in settings.readers:
        raise ParseError("unsupported", f"no parser for {suffix or 'files without a suffix'}")
    try:
        status = path.stat()
    except OSError as error:
        raise ParseError("unreadable", error.strerror or str(error)) from error
    if not stat.S_ISREG(status.st_mode):
        raise ParseError("unreadable", "not a regular file")
    if status.st_size == 0:
        raise ParseError("empty", "0 bytes")
    if status.st_size > settings.max_file_mb * 1e6:
        raise ParseError("too_large", f"{status.st_size / 1e6:.1f} MB, allowed are {settings.max_file_mb:g}")
    return status.st_size


def is_plain(path: Path, settings: IngestSettings) -> bool:
    """Whether the file's suffix says that it is text that we read without another program or library."""
    suffix = path.suffix.lower()
    return SUFFIXES.get(suffix) in ("markdown", "text") and suffix not in settings.readers


def parse(path: Path, settings: IngestSettings) -> Parsed:
    """Read one file in this process, without limits on memory; `parse_files` is the safe way.

    Raises ParseError with its reason, and SettingsError for a reader that cannot be imported.
    """
    check(path, settings)
    try:
        return finish(_read(path, settings), path)
    except MemoryError as error:
        raise ParseError("too_large", "it needs more memory than a file may use") from error
    except PermissionError as error:
        raise ParseError("unreadable", error.strerror or str(error)) from error
    except _BROKEN as error:
        raise ParseError("corrupt", f"{type(error).__name__}: {error}"[:300]) from error


def _read(path: Path, settings: IngestSettings) -> Draft:
    suffix = path.suffix.lower()
    if dotted := settings.readers.get(suffix):
        from ingest.parse.foreign import read_foreign

        return read_foreign(path, suffix, dotted)
    data = path.read_bytes()
    return _read_as(_kind(SUFFIXES[suffix], data), data, path, settings)


def _kind(kind: str, data: bytes) -> str:
    """`kind`, made exact by the content where one suffix stands for several."""
    from ingest.parse.confluence import TAGS
    from ingest.parse.mediawiki import DUMP
    from ingest.parse.twiki import TOPIC

    if kind == "html" and TAGS.search(decode(data)):
        return "confluence"
    if kind == "text" and TOPIC.search(decode(data[:4096])):
        return "twiki"
    if kind != "xml":
        return kind
    start = decode(data[:8192])
    if DUMP in start:
        return "dump"
    if re.search(r"<article[\s>]|//NLM//DTD|JATS", start):
        return "jats"
    if TAGS.search(decode(data)):
        return "confluence"
    root = re.search(r"<([A-Za-z][\w:.-]*)", re.sub(r"<!--.*?-->", "", start, flags=re.S))
    raise ParseError("unsupported", f"XML of a kind that no parser knows: <{root[1] if root else '?'}>")


def _read_as(kind: str, data: bytes, path: Path, settings: IngestSettings) -> Draft:
    from ingest.parse import confluence, html, markup, mediawiki, notebook, office, pdf, twiki

    match kind:
        case "pdf":
            return pdf.read_pdf(data)
        case "markdown":
            return markup.read_markdown(data)
        case "text":
            return markup.read_text(data)
        case "notebook":
            return notebook.read_notebook(data)
        case "twiki":
            return twiki.read_twiki(data, settings, path.stem)
        case "confluence":
            return confluence.read_confluence(decode(data), settings)
    readers = {
        "docx": office.read_docx,
        "odt": office.read_odt,
        "pptx": office.read_pptx,
        "xlsx": office.read_xlsx,
        "html": html.read_html,
        "fragment": html.read_fragment,
        "rst": markup.read_rst,
        "latex": markup.read_latex,
        "mediawiki": mediawiki.read_mediawiki,
        "dump": mediawiki.read_dump,
        "jats": markup.read_jats,
        "jira": markup.read_jira,
    }
    return readers[kind](data, settings)
