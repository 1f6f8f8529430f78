"""Make the binary demonstration documents from their plain sources: `python -m ingest.demo.build`.

`sources/*.md` become DOCX, `*.slides.toml` PPTX, `*.sheets.toml` XLSX, and the LaTeX paper becomes a PDF. The same
sources and the same versions of the tools give the same bytes, so that a rebuild changes nothing under version control.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from assistant.errors import RefdeskError
from ingest.demo import documents

SOURCES = Path(__file__).resolve().parent / "sources"
PUBLISHED = datetime(2026, 11, 1, tzinfo=UTC)
_INSTALL_LATEX = "apt-get install texlive-latex-base texlive-latex-recommended texlive-fonts-recommended"


def build(folder: Path) -> Iterator[Path]:
    """Write all binary documents below `folder` and yield the path of each when it is there.

    Raises RefdeskError if pdflatex is missing or fails; the office files, which do not need it, are made first.
    """
    office = folder / "office"
    office.mkdir(parents=True, exist_ok=True)
    for source in sorted(SOURCES.glob("*.md")):
        yield _word(source, office / f"{source.stem}.docx")
    for source in sorted(SOURCES.glob("*.slides.toml")):
        yield _slides(source, office / source.name.replace(".slides.toml", ".pptx"))
    for source in sorted(SOURCES.glob("*.sheets.toml")):
        yield _sheets(source, office / source.name.replace(".sheets.toml", ".xlsx"))
    papers = folder / "papers"
    papers.mkdir(exist_ok=True)
    for source in sorted((documents() / "papers").glob("*.tex")):
        yield _paper(source, papers / f"{source.stem}.pdf")


def _fixed_time() -> dict[str, str]:
    """The environment in which pandoc and pdflatex write `PUBLISHED` instead of the present time."""
    return {**os.environ, "SOURCE_DATE_EPOCH": str(int(PUBLISHED.timestamp())), "FORCE_SOURCE_DATE": "1", "TZ": "UTC"}


def _word(source: Path, target: Path) -> Path:
    import pypandoc

    command = [
        pypandoc.get_pandoc_path(),
        "--sandbox",
        "--from=markdown",
        "--to=docx",
        f"--output={target}",
        str(source),
    ]
    subprocess.run(command, check=True, env=_fixed_time())
    return target


def _slides(source: Path, target: Path) -> Path:
    import pptx

    content = tomllib.loads(source.read_text("utf-8"))
    deck = pptx.Presentation()
    deck.core_properties.title = content["title"]
    deck.core_properties.created = deck.core_properties.modified = PUBLISHED.replace(tzinfo=None)
    for slide in content["slide"]:
        _add_slide(deck, slide)
    deck.save(str(target))
    _settle(target)
    return target


def _add_slide(deck: Any, content: dict[str, Any]) -> None:
    """Add one slide: a title with either a subtitle, bullets or a table, and the speaker's notes."""
    from pptx.util import Cm

    layout = 0 if "subtitle" in content else 5 if "table" in content else 1
    slide = deck.slides.add_slide(deck.slide_layouts[layout])
    slide.shapes.title.text = content["title"]
    if rows := content.get("table"):
        width, height = deck.slide_width - Cm(3), Cm(1.2) * len(rows)
        table = slide.shapes.add_table(len(rows), len(rows[0]), Cm(1.5), Cm(4.5), width, height).table
        for row, cells in enumerate(rows):
            for column, cell in enumerate(cells):
                table.cell(row, column).text = cell
    else:
        slide.placeholders[1].text = content.get("subtitle") or "\n".join(content["bullets"])
    slide.notes_slide.notes_text_frame.text = content["notes"]


def _sheets(source: Path, target: Path) -> Path:
    import openpyxl

    workbook = openpyxl.Workbook()
    workbook.remove(workbook.active)
    for content in tomllib.loads(source.read_text("utf-8"))["sheet"]:
        sheet = workbook.create_sheet(content["name"])
        for row in content["rows"]:
            sheet.append(row)
    workbook.save(target)
    _settle(target)
    return target


def _settle(package: Path) -> None:
    """Rewrite an Office file so that its entries and its properties carry `PUBLISHED` instead of the present time."""
    stamp = f"{PUBLISHED:%Y-%m-%dT%H:%M:%SZ}".encode()
    with zipfile.ZipFile(package) as old:
        entries = [(info.filename, old.read(info)) for info in old.infolist()]
    with zipfile.ZipFile(package, "w", zipfile.ZIP_DEFLATED) as new:
        for name, data in entries:
            if name == "docProps/core.xml":
                data = re.sub(rb"(<dcterms:(?:created|modified)[^>]*>)[^<]*", rb"\g<1>" + stamp, data)
            new.writestr(zipfile.ZipInfo(name, PUBLISHED.timetuple()[:6]), data, zipfile.ZIP_DEFLATED)


def _paper(source: Path, target: Path) -> Path:
    if shutil.which("pdflatex") is None:
        raise RefdeskError(f"{target.name} was not made: pdflatex is not on this machine. Install it: {_INSTALL_LATEX}")
    with tempfile.TemporaryDirectory() as folder:
        command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", f"-output-directory={folder}", str(source)]
        for _ in range(2):  # The second run resolves the references that the first one wrote down.
            run = subprocess.run(command, env=_fixed_time(), capture_output=True, check=False)
            if run.returncode:
                log = run.stdout.decode("utf-8", "replace")[-2000:]
                raise RefdeskError(f"pdflatex could not make {target.name} from {source}. The end of its log:\n{log}")
        shutil.copy(Path(folder) / target.name, target)
    return target


def main() -> None:
    try:
        for path in build(documents()):
            sys.stdout.write(f"{path}\n")
    except RefdeskError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
