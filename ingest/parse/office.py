"""Word processor, slides and sheets: docx and odt by pandoc, pptx by python-pptx, xlsx by openpyxl."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from datetime import date, datetime, time
from html import unescape
from io import BytesIO
from typing import TYPE_CHECKING, Any

from assistant.errors import ParseError
from ingest.parse.pandoc import to_latex, to_markdown
from ingest.parse.parsed import Draft, cell, pipe_table

if TYPE_CHECKING:
    from assistant.settings import IngestSettings

_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_FORMULA = "REFDESKFORMULA{}X"
_IN_FRAME = r"(?:(?!</draw:frame>).)*"
_FRAME = re.compile(
    rf'<draw:frame\b[^>]*>{_IN_FRAME}?<draw:object [^>]*xlink:href="([^"]+)"{_IN_FRAME}</draw:frame>', re.S
)
_ENCRYPTED_PACKAGE = "EncryptedPackage".encode("utf-16-le")


def read_docx(data: bytes, settings: IngestSettings) -> Draft:
    _check_archive(data, settings)
    return Draft("docx", (to_markdown(data, "docx", settings.parse_seconds),))


def read_odt(data: bytes, settings: IngestSettings) -> Draft:
    with _check_archive(data, settings) as archive:
        names = archive.namelist()
        if b"encryption-data" in archive.read("META-INF/manifest.xml"):
            raise ParseError("encrypted", "it needs a password")
        title = re.search(rb"<dc:title>([^<]*)<", archive.read("meta.xml") if "meta.xml" in names else b"")
        data, formulas = _formulas_marked(data, archive)
    text = to_markdown(data, "odt", settings.parse_seconds)
    for number, latex in enumerate(to_latex(formulas, settings.parse_seconds) if formulas else []):
        mark = _FORMULA.format(number)
        text = "\n".join(f"$${latex}$$" if line == mark else line for line in text.split("\n"))
        text = text.replace(mark, f"${latex}$")
    return Draft("odt", (text,), unescape(title[1].decode("utf-8", "replace")) if title else "")


def _formulas_marked(data: bytes, archive: zipfile.ZipFile) -> tuple[bytes, list[str]]:
    """The document with a mark for each embedded formula, which pandoc's reader may drop, and their MathML."""
    formulas: list[str] = []

    def mark(frame: re.Match[str]) -> str:
        part = f"{frame[1].removeprefix('./').rstrip('/')}/content.xml"
        source = archive.read(part).decode("utf-8", "replace") if part in archive.namelist() else ""
        if not (maths := re.search(r"<(?:math:)?math\b.*", source, re.S)):
            return frame[0]
        formulas.append(maths[0].replace("math:", ""))
        return _FORMULA.format(len(formulas) - 1)

    content = _FRAME.sub(mark, archive.read("content.xml").decode("utf-8", "replace"))
    if not formulas:
        return data, []
    marked = BytesIO()
    with zipfile.ZipFile(marked, "w", zipfile.ZIP_DEFLATED) as copy:
        for item in archive.infolist():
            copy.writestr(item.filename, content if item.filename == "content.xml" else archive.read(item))
    return marked.getvalue(), formulas


def _check_archive(data: bytes, settings: IngestSettings) -> zipfile.ZipFile:
    """Refuse what is encrypted, is no archive, or would unpack to more than a parser may hold."""
    if data.startswith(_OLE):
        if _ENCRYPTED_PACKAGE in data:
            raise ParseError("encrypted", "it needs a password")
        raise ParseError("unsupported", "an Office file of before 2007; save it in the newer format")
    try:
        archive = zipfile.ZipFile(BytesIO(data))
    except zipfile.BadZipFile as error:
        raise ParseError("corrupt", f"no whole zip archive: {error}") from error
    size = sum(member.file_size for member in archive.infolist())
    if size > settings.parse_memory_mb << 20:
        raise ParseError("too_large", f"it unpacks to {size >> 20} MB, allowed are {settings.parse_memory_mb}")
    return archive


def read_pptx(data: bytes, settings: IngestSettings) -> Draft:
    """Each slide is a page: its title as `##` heading, its text in reading order, tables, and the speaker's notes."""
    from lxml import etree
    from pptx import Presentation
    from pptx.exc import PythonPptxError

    _check_archive(data, settings)
    try:
        deck = Presentation(BytesIO(data))
        slides = tuple(_slide(slide, number) for number, slide in enumerate(deck.slides, 1))
    except (PythonPptxError, zipfile.BadZipFile, etree.LxmlError, LookupError, ValueError, AttributeError) as error:
        raise ParseError("corrupt", f"no readable presentation: {error!r}") from error
    return Draft("pptx", slides if any(map(_has_words, slides)) else (), _deck_title(deck, slides), paged=True)


def _deck_title(deck: Any, slides: tuple[str, ...]) -> str:
    """The first slide's title, else the metadata's: that is more often a template's."""
    first = re.match(r"## (?!Slide 1$)(.{3,120})$", slides[0], re.MULTILINE) if slides else None
    return first[1] if first else deck.core_properties.title or ""


def _has_words(slide: str) -> bool:
    return bool(re.sub(r"^## Slide \d+$", "", slide, flags=re.MULTILINE).strip())


def _slide(slide: Any, number: int) -> str:
    title = slide.shapes.title
    heading = " ".join(title.text_frame.text.split()) if title is not None else ""
    parts = [f"## {heading or f'Slide {number}'}"]
    for shape in _shapes(slide.shapes):
        if title is None or shape.shape_id != title.shape_id:
            parts.append(_shape(shape))
    if slide.has_notes_slide and (frame := slide.notes_slide.notes_text_frame) is not None and frame.text.strip():
        parts.append("Notes: " + _paragraphs(frame))
    return "\n\n".join(filter(None, parts))


def _shapes(shapes: Any) -> Iterator[Any]:
    for shape in shapes:
        if hasattr(shape, "shapes"):  # a group
            yield from _shapes(shape.shapes)
        else:
            yield shape


def _shape(shape: Any) -> str:
    if shape.has_text_frame:
        return _paragraphs(shape.text_frame)
    if getattr(shape, "has_table", False):
        return pipe_table([[cell(field.text) for field in row.cells] for row in shape.table.rows])
    return ""


def _paragraphs(frame: Any) -> str:
    """Paragraphs one a line, indented ones as nested list items; `#` and `|` at a line's start are not Markdown's."""
    lines = []
    for paragraph in frame.paragraphs:
        if text := " ".join(paragraph.text.split()):
            mark = "  " * (paragraph.level - 1) + "- " if paragraph.level else ""
            lines.append(mark + re.sub(r"^([#|])", r"\\\1", text))
    return "\n\n".join(lines) if len(lines) < 2 else "\n".join(lines)


def read_xlsx(data: bytes, settings: IngestSettings) -> Draft:
    """Each sheet is a page: `# name` and one pipe table of the values shown, without its empty rows and columns."""
    from openpyxl import load_workbook
    from openpyxl.utils.exceptions import InvalidFileException

    _check_archive(data, settings)
    try:
        book = load_workbook(BytesIO(data), read_only=True, data_only=True)
        named = [(cell(sheet.title), _sheet(sheet)) for sheet in book.worksheets]
        sheets = tuple(f"# {name}\n\n{text}" for name, text in named if text)
    except (InvalidFileException, zipfile.BadZipFile, SyntaxError, LookupError, ValueError, TypeError) as error:
        raise ParseError("corrupt", f"no readable workbook: {error!r}") from error
    return Draft("xlsx", sheets, book.properties.title or "", paged=True)


def _sheet(sheet: Any) -> str:
    sheet.reset_dimensions()  # the size that a file claims is often wrong, or a bomb
    rows = [[_value(value) for value in row] for row in sheet.iter_rows(values_only=True)]
    rows = [row for row in rows if any(row)]
    if not rows:
        return ""
    width = max(map(len, rows))
    used = [column for column in range(width) if any(column < len(row) and row[column] for row in rows)]
    rows = [[row[column] if column < len(row) else "" for column in used] for row in rows]
    first, last = 0, len(rows)
    while len(used) > 1 and first < last and sum(map(bool, rows[first])) == 1:  # a title over the table
        first += 1
    while len(used) > 1 and first < last and sum(map(bool, rows[last - 1])) == 1:  # a remark under it
        last -= 1
    table = [pipe_table(rows[first:last])] if first < last else []
    return "\n\n".join(["".join(row) for row in rows[:first]] + table + ["".join(row) for row in rows[last:]])


def _value(value: object) -> str:
    match value:
        case None:
            return ""
        case bool():
            return str(value).upper()
        case float() if value.is_integer() and abs(value) < 1e15:
            return str(int(value))
        case datetime() if value.time() == time():
            return value.date().isoformat()
        case datetime() | date() | time():
            return value.isoformat(" ") if isinstance(value, datetime) else value.isoformat()
        case _:
            return cell(value)
