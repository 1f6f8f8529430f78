"""PDF files written here by hand, operator by operator."""

from __future__ import annotations

from pathlib import Path

import pytest

from assistant.errors import ParseError
from assistant.settings import IngestSettings
from ingest.parse import Parsed, parse

SETTINGS = IngestSettings()
Row = tuple[float, str, float, str]
"""Baseline in points from the page's bottom, font (F1 plain, F2 bold), size, text."""


def pdf(pages: list[str], info: str = "", outline: list[tuple[str, int]] = [], extra: str = "") -> bytes:  # noqa: B006
    """A PDF with one content stream a page; `outline` holds (title, page)."""
    first = 6
    last = first + 2 * len(pages)
    kids = " ".join(f"{first + 2 * number} 0 R" for number in range(len(pages)))
    entries = {
        1: f"<< /Type /Catalog /Pages 2 0 R /Outlines {last} 0 R >>",
        2: f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>",
        3: "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
        4: "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica-Bold /Encoding /WinAnsiEncoding >>",
        5: f"<< {info} >>",
        last: f"<< /Type /Outlines /Count {len(outline)} "
        + (f"/First {last + 1} 0 R /Last {last + len(outline)} 0 R >>" if outline else ">>"),
    }
    for number, stream in enumerate(pages):
        place = first + 2 * number
        resources = f"/Resources << /Font << /F1 3 0 R /F2 4 0 R >> {extra} >>"
        entries[place] = (
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Contents {place + 1} 0 R {resources} >>"
        )
        entries[place + 1] = f"<< /Length {len(stream.encode('cp1252'))} >>\nstream\n{stream}\nendstream"
    for number, (title, page) in enumerate(outline, 1):
        following = f"/Next {last + number + 1} 0 R" if number < len(outline) else ""
        target = f"/Dest [{first + 2 * page} 0 R /XYZ 0 800 0]"
        entries[last + number] = f"<< /Title ({title}) /Parent {last} 0 R {target} {following} >>"
    body = b"%PDF-1.7\n"
    offsets = {}
    for number in sorted(entries):
        offsets[number] = len(body)
        body += f"{number} 0 obj\n{entries[number]}\nendobj\n".encode("cp1252")
    table = f"xref\n0 {len(entries) + 1}\n0000000000 65535 f \n"
    table += "".join(f"{offsets[number]:010d} 00000 n \n" for number in sorted(entries))
    trailer = f"trailer\n<< /Size {len(entries) + 1} /Root 1 0 R /Info 5 0 R >>\nstartxref\n{len(body)}\n%%EOF\n"
    return body + (table + trailer).encode()


def rows(*lines: Row) -> str:
    return "\n".join(f"BT /{font} {size} Tf 72 {y} Td ({text}) Tj ET" for y, font, size, text in lines)


def read(tmp_path: Path, data: bytes) -> Parsed:
    path = tmp_path / "paper.pdf"
    path.write_bytes(data)
    return parse(path, SETTINGS)


def test_headings_paragraphs_pages_and_title(tmp_path: Path) -> None:
    first = rows(
        (700, "F2", 20, "Dipoles at Low Temperature"),
        (640, "F2", 12, "Abstract"),
        (620, "F1", 10, "We cool the dipoles of the machine and find"),
        (608, "F1", 10, "that 17 of them hold the field. # no heading"),
        (580, "F1", 10, "A second paragraph stands further down."),
        (540, "F2", 12, "2.1 Cooling with Helium"),
        (520, "F1", 10, "3.5 Teslas were reached, in plain print."),
    )
    second = rows((700, "F2", 12, "References"), (680, "F2", 10, "1. Wu A, Title of the paper"))
    found = read(tmp_path, pdf([first, second]))
    pages = [
        "## Dipoles at Low Temperature\n\n## Abstract\n\nWe cool the dipoles of the machine and find\n"
        "that 17 of them hold the field. # no heading\n\nA second paragraph stands further down.\n\n"
        "### 2.1 Cooling with Helium\n\n3.5 Teslas were reached, in plain print.",
        "## References\n\n1. Wu A, Title of the paper",
    ]
    assert found == Parsed("Dipoles at Low Temperature", "pdf", "\n\n".join(pages), (0, len(pages[0]) + 2))


def test_the_outline_names_the_headings(tmp_path: Path) -> None:
    page = rows(
        (700, "F1", 10, "Chapter 3"),
        (688, "F1", 10, "The long way of the"),
        (676, "F1", 10, "protons to the ring"),
        (660, "F1", 10, "They are kept for hours while the field is raised."),
        (640, "F2", 14, "4 Not In The Outline"),
    )
    found = read(tmp_path, pdf([page], "/Title (Protons.dvi)", [("3 The long way of the protons to the ring", 0)]))
    assert "\n\n## The long way of the protons to the ring\n\nThey are kept" in found.text
    assert "## 4 Not" not in found.text
    assert found.title != "Protons.dvi"


def test_metadata_title(tmp_path: Path) -> None:
    data = pdf([rows((700, "F1", 10, "Some words of a report."))], "/Title (Annual Report 2024)")
    assert read(tmp_path, data) == Parsed("Annual Report 2024", "pdf", "Some words of a report.", (0,))


def test_running_heads_and_page_numbers_go(tmp_path: Path) -> None:
    pages = [
        rows(
            (780, "F1", 8, f"{number} Journal of Beams, vol. {number}"),
            (700, "F1", 10, f"This page speaks of {word} and of its many uses."),
            (688, "F1", 10, "It closes with a line that differs: " + word),
            (30, "F1", 8, f"- {number} -"),
        )
        for number, word in enumerate(("magnets", "cavities", "collimators", "dumps"), 11)
    ]
    found = read(tmp_path, pdf(pages))
    assert "Journal" not in found.text
    assert "11" not in found.text
    assert found.text.count("This page speaks of") == 4
    assert [found.text[start : start + 9] for start in found.pages] == ["This page"] * 4


def test_divided_words_are_whole_again(tmp_path: Path) -> None:
    page = rows(
        (700, "F1", 10, "The accelera-"),
        (688, "F1", 10, "tor is well-known, a well-"),
        (676, "F1", 10, "known machine with a problem and a solving"),
        (664, "F1", 10, "of it: problem-"),
        (652, "F1", 10, "solving."),
    )
    text = read(tmp_path, pdf([page])).text
    assert "The accelerator is well-known, a well-known machine" in " ".join(text.split())
    assert "problem-solving." in text


def test_pictures_need_ocr_and_blank_pages_are_empty(tmp_path: Path) -> None:
    picture = (
        "/XObject << /I 3 0 R >>",
        "q 500 0 0 700 50 50 cm BI /W 1 /H 1 /BPC 8 /CS /G ID \x41 EI Q",
    )
    with pytest.raises(ParseError, match="needs_ocr"):
        read(tmp_path, pdf([picture[1]] * 3))
    with pytest.raises(ParseError, match="needs_ocr"):
        read(tmp_path, pdf([picture[1] + "\n" + rows((20, "F1", 8, "scan 12"))] * 3))
    with pytest.raises(ParseError, match="empty"):
        read(tmp_path, pdf(["0 0 m 5 5 l S"]))


def test_broken_files(tmp_path: Path) -> None:
    whole = pdf([rows((700, "F1", 10, "Some words of a report."))])
    with pytest.raises(ParseError, match="corrupt"):
        read(tmp_path, b"%PDF-1.7\n" + bytes(2000))
    with pytest.raises(ParseError, match=r"corrupt|empty"):
        read(tmp_path, whole[: len(whole) // 3])


def test_a_password_is_needed(tmp_path: Path) -> None:
    """The standard security handler, revision 3, with hashes of a password that nobody knows."""
    encrypt = f"<< /Filter /Standard /V 2 /R 3 /Length 128 /P -44 /O <{'5a' * 32}> /U <{'a5' * 32}> >>"
    data = pdf([rows((700, "F1", 10, "Secret words."))])
    data = data.replace(b"/Root 1 0 R", b"/Root 1 0 R /ID [<00112233> <00112233>] /Encrypt " + encrypt.encode())
    with pytest.raises(ParseError, match="encrypted"):
        read(tmp_path, data)
