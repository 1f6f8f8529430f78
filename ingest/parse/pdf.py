"""PDF by PDFium: the text of each page in PDFium's reading order, with what its typography tells."""

from __future__ import annotations

import ctypes
import re
import unicodedata
from collections.abc import Iterator
from typing import Any

from assistant.errors import ParseError
from ingest.parse.layout import Line, Outline, pages_to_markdown, title_of
from ingest.parse.parsed import Draft

_BOLD = re.compile(r"bold|black|heavy|semibold|demi|CMBX|-B$|Medi\b", re.I)
_LIGATURE = re.compile("[\ufb00-\ufb06]")
_FEW = 20
"""Fewer letters and digits a page than this, on average, are a stamp or page numbers and no text."""


def read_pdf(data: bytes) -> Draft:
    """The text of all pages.

    Raises ParseError: encrypted (a password is needed to open it), corrupt, needs_ocr (pictures of text), empty.
    """
    import pypdfium2 as pdfium
    import pypdfium2.raw as api

    try:
        document = pdfium.PdfDocument(data)
    except pdfium.PdfiumError as error:
        if error.err_code in (api.FPDF_ERR_PASSWORD, api.FPDF_ERR_SECURITY):
            raise ParseError("encrypted", "it needs a password to open") from error
        raise ParseError("corrupt", f"PDFium cannot open it: {error}") from error
    try:
        pages = [list(_lines(page)) for page in _pages(document)]
        _refuse_pictures(document, pages)
        title = _real_title(document.get_metadata_value("Title")) or title_of(pages[0], pages)
        return Draft("pdf", pages_to_markdown(pages, list(_outline(document))), title, paged=True)
    except pdfium.PdfiumError as error:
        raise ParseError("corrupt", f"PDFium cannot read a page: {error}") from error
    finally:
        document.close()


def _pages(document: Any) -> Iterator[Any]:
    for number in range(len(document)):
        page = document.get_page(number)
        yield page
        page.close()


def _refuse_pictures(document: Any, pages: list[list[Line]]) -> None:
    """Raise needs_ocr, or empty, where the pages hold (nearly) no text."""
    import pypdfium2.raw as api

    letters = sum(sum(map(str.isalnum, line.text)) for page in pages for line in page)
    if letters >= _FEW * len(pages):
        return
    pictures = sum(any(page.get_objects(filter=[api.FPDF_PAGEOBJ_IMAGE])) for page in _pages(document))
    if pictures * 2 >= len(pages):
        raise ParseError("needs_ocr", f"{pictures} of {len(pages)} pages are pictures; run OCR on it first")
    if not letters:
        raise ParseError("empty", f"its {len(pages)} pages hold no text")


def _lines(page: Any) -> Iterator[Line]:
    """The lines of one page with size in points, weight, and distance to the line before."""
    import pypdfium2.raw as api

    textpage = page.get_textpage()
    handle = textpage.raw
    text = textpage.get_text_range()
    box = api.FS_RECTF()
    start = 0
    for raw in re.split(r"(\r\n|\n)", text):
        stripped = raw.lstrip()
        if plain := _plain(raw):
            # The third character: the first may be a drop cap or a bullet.
            place = start + len(raw) - len(stripped) + min(2, len(stripped.rstrip()) - 1)
            index = api.FPDFText_GetCharIndexFromTextIndex(handle, place)
            found = index >= 0 and api.FPDFText_GetLooseCharBox(handle, index, box)
            size, bottom, left = (abs(box.top - box.bottom), box.bottom, box.left) if found else (0.0, 0.0, 0.0)
            yield Line(plain, size, found and _is_bold(handle, index), left, bottom)
        start += len(raw)
    textpage.close()


def _plain(text: str) -> str:
    """`text` with PDFium's two marks for a hyphen at a line's end as one, and ligatures as letters."""
    text = re.sub(r"[\x00-\x1f]+", " ", text.replace("\x02", "\ufffe")).strip()
    return _LIGATURE.sub(lambda match: unicodedata.normalize("NFKC", match[0]), text)


def _is_bold(textpage: Any, index: int) -> bool:
    import pypdfium2.raw as api

    if api.FPDFText_GetFontWeight(textpage, index) >= 600:
        return True
    flags = ctypes.c_int()
    name = ctypes.create_string_buffer(128)
    length = api.FPDFText_GetFontInfo(textpage, index, name, len(name), flags)
    return bool(length) and bool(_BOLD.search(name.value.decode("utf-8", "replace")))


def _outline(document: Any) -> Iterator[Outline]:
    for bookmark in document.get_toc():
        target = bookmark.get_dest()
        page = target.get_index() if target else None
        if page is not None and (title := bookmark.get_title().strip("\0 ")):
            yield Outline(title, page, bookmark.level)


def _real_title(title: str) -> str:
    """The metadata's title, unless it is a leftover of the program that wrote the file."""
    is_leftover = re.search(
        r"\.(dvi|docx?|tex|indd|qxd|pptx?|exe|pdf|ps|xlsx?)$|^(Microsoft \w+ - |untitled|slide 1$)", title, re.I
    )
    return "" if is_leftover else title
