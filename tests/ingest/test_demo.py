"""The demonstration documents hold what their questions ask for, and the binary ones are what their sources say."""

from __future__ import annotations

import json
import re
import shutil
import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from assistant.errors import RefdeskError
from assistant.settings import IngestSettings
from ingest.demo import build, documents
from ingest.parse import Parsed, parse

SEEDS = Path(__file__).resolve().parents[2].parent / "shared/data/seeds"
# What the unanswerable questions ask for and an edit of the documents must not bring in.
ABSENT = ("GPT-5", "Prophet", "Oslo", "helium", "football", "passport", "programming language")
FORMATS = {
    ".mediawiki": 9,
    ".txt": 7,
    ".xml": 6,
    ".md": 6,
    ".rst": 4,
    ".docx": 2,
    ".pptx": 2,
    ".html": 2,
    ".xlsx": 1,
    ".tex": 1,
    ".pdf": 1,
    ".ipynb": 1,
}


def _questions() -> list[dict[str, Any]]:
    lines = (documents().parent / "questions.jsonl").read_text("utf-8").splitlines()
    return [json.loads(line) for line in lines]


def _keys() -> set[str]:
    return {path.relative_to(documents()).as_posix() for path in documents().rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def parsed() -> dict[str, Parsed]:
    return {key: parse(documents() / key, IngestSettings()) for key in sorted(_keys())}


def test_every_format_is_there() -> None:
    assert Counter(Path(key).suffix for key in _keys()) == FORMATS
    assert sum(path.stat().st_size for path in documents().rglob("*") if path.is_file()) < 1_500_000


def test_questions_are_well_formed() -> None:
    questions = _questions()
    assert len({question["id"] for question in questions}) == len(questions)
    assert len({question["question"] for question in questions}) == len(questions)
    for question in questions:
        assert set(question) == {"id", "question", "answers", "documents", "answerable", "tags"}
        assert question["question"].endswith("?")
        assert question["tags"]
        assert question["answerable"] == bool(question["answers"]) == bool(question["documents"])
        assert question["answerable"] == ("unanswerable" not in question["tags"])
    unanswerable = sum(not question["answerable"] for question in questions)
    assert 0.2 <= unanswerable / len(questions) <= 0.3


def test_the_question_of_the_demo_is_there() -> None:
    asked = [question["question"] for question in _questions() if question["answerable"]]
    assert "How many wiki pages does CERN's Confluence hold?" in asked


def test_every_document_is_asked_about_and_every_key_exists() -> None:
    assert {key for question in _questions() for key in question["documents"]} == _keys()


def test_answers_are_in_the_parsed_documents(parsed: dict[str, Parsed]) -> None:
    for question in _questions():
        texts = {key: parsed[key].text for key in question["documents"]}
        for answer in question["answers"]:
            assert any(_holds(text, answer) for text in texts.values()), (question["id"], answer)
        if "multi" not in question["tags"]:
            for key, text in texts.items():
                assert any(_holds(text, answer) for answer in question["answers"]), (question["id"], key)


def test_a_multi_page_answer_needs_both_pages(parsed: dict[str, Parsed]) -> None:
    multi = [question for question in _questions() if "multi" in question["tags"]]
    assert len(multi) >= 2
    for question in multi:
        holding = [key for key in question["documents"] if _holds(parsed[key].text, question["answers"][0])]
        assert len(question["documents"]) == 2
        assert len(holding) == 1, question["id"]


def test_what_is_unanswerable_stays_so(parsed: dict[str, Parsed]) -> None:
    for term in ABSENT:
        assert [key for key, document in parsed.items() if term in document.text] == [], term


def test_the_superseded_page_names_its_successor(parsed: dict[str, Parsed]) -> None:
    assert "superseded" in parsed["wiki/GPU_allocations_2025.mediawiki"].text
    assert "GPU allocations 2026" in parsed["wiki/GPU_allocations_2025.mediawiki"].text
    assert "Replaces" in parsed["wiki/GPU_allocations_2026.mediawiki"].text


def test_the_office_files_are_what_their_sources_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RefdeskError, match=r"tidewater\.pdf.*apt-get install texlive"):
        list(build.build(tmp_path))
    built = sorted((tmp_path / "office").iterdir())
    assert [path.name for path in built] == sorted(path.name for path in (documents() / "office").iterdir())
    for path in built:
        assert _content(path) == _content(documents() / "office" / path.name), path.name


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not on this machine")
def test_the_pdf_is_what_its_source_says(tmp_path: Path) -> None:
    built = list(build.build(tmp_path))[-1]
    assert built == tmp_path / "papers/tidewater.pdf"
    pages = _content(built)
    assert 2 <= len(pages) <= 4
    assert [_words(page) for page in pages] == [_words(page) for page in _content(documents() / "papers/tidewater.pdf")]


def test_the_budget_adds_up() -> None:
    sheet = tomllib.loads((build.SOURCES / "gpu-budget.sheets.toml").read_text("utf-8"))["sheet"][0]["rows"]
    activities, total = sheet[2:-1], sheet[-1]
    for column in (1, 3, 4):
        assert sum(row[column] for row in activities) == total[column]
    for row in [*activities, total]:
        assert row[1] * row[2] == pytest.approx(row[3])


@pytest.mark.shared_data
@pytest.mark.skipif(not SEEDS.is_dir(), reason="the lectures are not beside the checkout")
def test_no_sentence_of_the_lectures_is_copied(parsed: dict[str, Parsed]) -> None:
    """Facts carry over, sentences do not: no eight words in a row are the same. Formulas may be and do not count."""
    lectures = [_words(path.read_text("utf-8")) for path in SEEDS.glob("*.txt")]
    known = {gram for words in lectures for gram in _grams(words)}
    assert len(known) > 1000
    for key, document in parsed.items():
        copied = [" ".join(gram) for gram in _grams(_words(document.text)) if gram in known]
        assert copied == [], key


def _holds(text: str, answer: str) -> bool:
    """Whether `answer` stands in `text` as a whole: 0.5 is not in 0.512, nor 37 in 2037."""
    return re.search(rf"(?<![\w.,]){re.escape(answer)}(?!\w|[.,]\d)", text) is not None


def _words(text: str) -> list[str]:
    """The words of two letters or more, without TeX commands."""
    return re.findall(r"[^\W\d_]{2,}", re.sub(r"\\+[a-zA-Z]+", " ", text.lower()))


def _grams(words: list[str], size: int = 8) -> list[tuple[str, ...]]:
    return [tuple(words[start : start + size]) for start in range(len(words) - size + 1)]


def _content(path: Path) -> Any:
    """What a reader that is not ours finds in a file: words of a DOCX, texts of shapes, cells, or pages."""
    match path.suffix:
        case ".docx":
            import pypandoc

            return pypandoc.convert_file(str(path), "native")
        case ".pptx":
            import pptx

            return [_slide_texts(slide) for slide in pptx.Presentation(str(path)).slides]
        case ".xlsx":
            import openpyxl

            book = openpyxl.load_workbook(path)
            return {sheet.title: list(sheet.values) for sheet in book}
        case ".pdf":
            import pypdfium2

            with pypdfium2.PdfDocument(path) as document:
                return [page.get_textpage().get_text_range() for page in document]
    raise ValueError(path.suffix)


def _slide_texts(slide: Any) -> list[Any]:
    texts = [shape.text_frame.text for shape in slide.shapes if shape.has_text_frame]
    tables = [
        [[cell.text for cell in row.cells] for row in shape.table.rows] for shape in slide.shapes if shape.has_table
    ]
    return [texts, tables, slide.notes_slide.notes_text_frame.text]
