"""Real documents, good, odd and hostile: each gives its text or the right reason."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path

import pytest

from assistant.errors import ParseError
from assistant.settings import IngestSettings
from ingest.parse import Parsed, parse_files

DATA = Path(__file__).parents[3].parent / "shared/data"
pytestmark = [
    pytest.mark.shared_data,
    pytest.mark.skipif(not DATA.is_dir(), reason=f"the shared corpora are not at {DATA}"),
]
REASONS = {
    "docling/2206.01062_pg3.pdf": "encrypted",
    "docling/ocr_test_rotated_90.pdf": "needs_ocr",
    "olmocr/blanktext.pdf": "empty",
    "olmocr/lincoln_letter.pdf": "needs_ocr",
    "opf_cabinet/encryption_openpassword.pdf": "encrypted",
    "opf_cabinet/text_only.doc": "unsupported",
    "opf_cabinet/veraPDFHiResWrongObjectID.pdf": "empty",
    "pdfminer/aes-256-r6.pdf": "encrypted",
    "pdfplumber/empty.pdf": "empty",
    "pdfplumber/malformed-from-issue-932.pdf": "needs_ocr",
    "pdfplumber/password-example.pdf": "encrypted",
    "unstructured/fake-email-malformed-encoding.eml": "unsupported",
}


LARGE = {"unstructured/handbook-872p.docx", "mediawiki/smallwiki-latest-pages-articles.xml"}
"""They take half of the time of all. The first goes no way through the parsers that the others do not; the second only
that of pages which pandoc refuses, for which `test_parse_markup.py` has a dump of its own."""


def results(folder: Path, left_out: Collection[str] = ()) -> dict[str, Parsed | ParseError]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    paths = [path for path in files if path.relative_to(folder).as_posix() not in left_out]
    found = {path.relative_to(folder).as_posix(): answer for path, answer in parse_files(paths, IngestSettings())}
    assert len(found) == len(paths)
    for name, answer in found.items():
        if isinstance(answer, Parsed):
            assert answer.text.strip(), name
            assert list(answer.pages) == sorted(answer.pages), name
            assert all(page <= len(answer.text) for page in answer.pages), name
    return found


def test_odd_documents() -> None:
    found = results(DATA / "sample_docs/odd")
    assert {name: answer.reason for name, answer in found.items() if isinstance(answer, ParseError)} == REASONS


def test_good_documents() -> None:
    """All are read but what no parser is for."""
    found = results(DATA / "sample_docs/good", LARGE)
    reasons = {name: answer.reason for name, answer in found.items() if isinstance(answer, ParseError)}
    assert set(reasons.values()) == {"unsupported"}
    assert {Path(name).suffix for name in reasons} == {
        ".gz",
        ".json",
        ".xml",
    }
    headings = {name: answer.text.count("\n## ") for name, answer in found.items() if isinstance(answer, Parsed)}
    assert headings["s2orc/N18-3011.pdf"] == 9  # title, abstract, six numbered sections, references


@pytest.mark.long
def test_large_documents() -> None:
    """Those that are large, besides: `pytest -m long tests/ingest/parse/test_parse_shared.py`."""
    paths = [DATA / "sample_docs/good" / name for name in sorted(LARGE)]
    for path, answer in parse_files(paths, IngestSettings()):
        assert isinstance(answer, Parsed), path
        assert answer.text.strip()


def test_malformed_documents_break_nothing() -> None:
    found = results(DATA / "malformed")
    reasons = {answer.reason for answer in found.values() if isinstance(answer, ParseError)}
    assert reasons <= {"corrupt", "empty", "encrypted", "needs_ocr", "unsupported"}
    assert sum(isinstance(answer, Parsed) for answer in found.values()) > 100


def test_two_ways_to_the_same_tables() -> None:
    """Docling's own conversion of the same files, cell by cell."""
    names = ("docling/xlsx_01.xlsx", "docling/word_tables.docx")
    paths = [DATA / "sample_docs/good" / name for name in names]
    for path, answer in parse_files(paths, IngestSettings()):
        assert isinstance(answer, Parsed)
        truth = (DATA / "sample_docs/groundtruth_docling" / f"{path.name}.md").read_text()
        words, ours = (
            {word for line in text.splitlines() if line.startswith("|") for word in re.findall(r"[\w.]+", line)}
            for text in (truth, answer.text)
        )
        assert len(words) > 10
        assert words <= ours
