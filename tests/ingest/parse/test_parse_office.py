"""Word processor, slides and sheets, made here with other programs than those that read them."""

from __future__ import annotations

import datetime
import subprocess
import zipfile
from pathlib import Path

import openpyxl
import pypandoc
import pytest
from pptx import Presentation
from pptx.util import Inches

from assistant.errors import ParseError
from assistant.settings import IngestSettings
from ingest.parse import Parsed, parse

SETTINGS = IngestSettings()
MARKDOWN = """---
title: Detector note
author: Ada B.
---

# Results

The field is $B_0 = 8.33$ tesla[^1] at 5–6 "units" of 3\\$.

$$E = \\frac{m c^2}{2}$$

+------+--------+
| Name | GeV    |
+======+========+
| LHC  | - 7000 |
|      | - 6800 |
+------+--------+

- first
- second

[^1]: A note.
"""


@pytest.mark.parametrize("kind", ["docx", "odt"])
def test_word_processor(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"note.{kind}"
    command = [pypandoc.get_pandoc_path(), "-f", "markdown", "-o", str(path)]
    subprocess.run(command, input=MARKDOWN.encode(), check=True)
    found = parse(path, SETTINGS)
    assert (found.title, found.kind, found.pages) == ("Detector note", kind, ())
    assert found.text.removeprefix("# ").startswith(
        "Detector note\n\nAda B.\n\n# Results\n\nThe field is $B_{0} = 8.33$ tesla[^1] at 5–6"
    )
    assert "\n\n$$E = \\frac{mc^{2}}{2}$$\n\n" in found.text
    rows = [line.replace(" ", "") for line in found.text.splitlines() if line.startswith("|")]
    assert rows == ["|Name|GeV|", "|------|------------|", "|LHC|7000;6800|"]
    assert "A note." in found.text


def test_slides(tmp_path: Path) -> None:
    deck = Presentation()
    first = deck.slides.add_slide(deck.slide_layouts[1])
    first.shapes.title.text = "Beam\vstatus"
    body = first.placeholders[1].text_frame
    body.text = "# not a heading"
    inner = body.add_paragraph()
    inner.text, inner.level = "indented", 1
    first.notes_slide.notes_text_frame.text = "Say hello"
    second = deck.slides.add_slide(deck.slide_layouts[6])
    table = second.shapes.add_table(2, 2, Inches(1), Inches(1), Inches(4), Inches(1)).table
    for row, texts in enumerate((("Name", "GeV"), ("LHC|SPS", "7000\n450"))):
        for column, text in enumerate(texts):
            table.cell(row, column).text = text
    group = second.shapes.add_group_shape()
    group.shapes.add_textbox(0, 0, Inches(1), Inches(1)).text_frame.text = "in a group"
    path = tmp_path / "deck.pptx"
    deck.save(str(path))
    pages = [
        "## Beam status\n\n\\# not a heading\n- indented\n\nNotes: Say hello",
        "## Slide 2\n\n| Name | GeV |\n| --- | --- |\n| LHC\\|SPS | 7000 450 |\n\nin a group",
    ]
    assert parse(path, SETTINGS) == Parsed("Beam status", "pptx", "\n\n".join(pages), (0, len(pages[0]) + 2))


def test_slides_without_words_are_empty(tmp_path: Path) -> None:
    deck = Presentation()
    deck.slides.add_slide(deck.slide_layouts[6])
    deck.save(str(tmp_path / "deck.pptx"))
    with pytest.raises(ParseError, match="empty"):
        parse(tmp_path / "deck.pptx", SETTINGS)


def test_sheets(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "Runs"
    rows = [
        [None, None, "Runs of May"],
        ["Run", None, "Start", "Lumi", "Good"],
        [],
        [362, None, datetime.datetime(2024, 5, 6), 1.5, True],
        [363, None, datetime.datetime(2024, 5, 6, 7, 8), 3.0, "a|b\nc"],
        ["as of today"],
    ]
    for row in rows:
        sheet.append(row)
    book.create_sheet("Empty")
    book.create_sheet("More")["C5"] = "alone"
    path = tmp_path / "book.xlsx"
    book.save(path)
    pages = [
        "# Runs\n\nRuns of May\n\n"
        "| Run | Start | Lumi | Good |\n| --- | --- | --- | --- |\n| 362 | 2024-05-06 | 1.5 | TRUE |\n"
        "| 363 | 2024-05-06 07:08:00 | 3 | a\\|b c |\n\nas of today",
        "# More\n\n| alone |\n| --- |",
    ]
    assert parse(path, SETTINGS) == Parsed("Runs", "xlsx", "\n\n".join(pages), (0, len(pages[0]) + 2))


def test_a_sheet_that_claims_a_million_rows_is_quick(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.active["A1"] = "one"
    path = tmp_path / "book.xlsx"
    book.save(path)
    claimed = tmp_path / "claimed.xlsx"
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(claimed, "w") as new:
        for name in old.namelist():
            new.writestr(name, old.read(name).replace(b'<dimension ref="A1"', b'<dimension ref="A1:XFD1048576"'))
    assert parse(claimed, SETTINGS).text == "# Sheet\n\n| one |\n| --- |"


@pytest.mark.parametrize("suffix", ["docx", "odt", "pptx", "xlsx"])
def test_broken_and_encrypted(tmp_path: Path, suffix: str) -> None:
    ole = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(500)
    cases = {
        "corrupt": b"PK\x03\x04 cut off",
        "encrypted": ole + "EncryptedPackage".encode("utf-16-le") + bytes(100),
        "unsupported": ole + "WordDocument".encode("utf-16-le"),
    }
    for reason, data in cases.items():
        path = tmp_path / f"{reason}.{suffix}"
        path.write_bytes(data)
        with pytest.raises(ParseError) as caught:
            parse(path, SETTINGS)
        assert caught.value.reason == reason
    hollow = tmp_path / f"hollow.{suffix}"
    with zipfile.ZipFile(hollow, "w") as archive:
        archive.writestr("hello.txt", "hello")
    with pytest.raises(ParseError, match="corrupt"):
        parse(hollow, SETTINGS)


def test_an_odt_with_a_password(tmp_path: Path) -> None:
    path = tmp_path / "a.odt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("META-INF/manifest.xml", "<manifest:manifest><manifest:encryption-data/></manifest:manifest>")
        archive.writestr("content.xml", b"\x12\x34")
    with pytest.raises(ParseError, match="encrypted"):
        parse(path, SETTINGS)
