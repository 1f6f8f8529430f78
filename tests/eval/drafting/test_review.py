from __future__ import annotations

import json
import re
import stat
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eval.drafting.draft import Draft, Evidence
from eval.drafting.review import accept, write_review
from eval.questions import Number, Question, read_questions

MADE: dict[str, Any] = {"library": "wiki", "generation": 3, "seed": 0, "groups": ["everyone"]}
PLACE = Evidence(
    "wiki", "ambrel.md", "Port Ambrel", "https://wiki.example/ambrel", (), 0, 9, "Port Ambrel has\n12 lamps."
)
LAMPS = Draft(
    "figure", "How many lamps does Port Ambrel have?", ("12", "12 lamps"), "Port Ambrel", (), PLACE, ("ambrel.md",),
    rank=2, number=(12.0, ""),
)  # fmt: skip
GONE = Draft(
    "figure", "How many lamps does Vandrel have?", (), "Vandrel", (), PLACE, (), answerable=False, absent="Vandrel"
)


@pytest.fixture
def review(tmp_path: Path) -> Path:
    file = tmp_path / "drafts.toml"
    write_review(file, [LAMPS, GONE], MADE)
    return file


def decide(file: Path, *decisions: str) -> None:
    left = list(decisions)
    file.write_text(re.sub(r'review = "\?"', lambda _: f'review = "{left.pop(0)}"', file.read_text("utf-8")), "utf-8")


def test_drafts_that_a_person_keeps_become_questions(review: Path, tmp_path: Path) -> None:
    decide(review, "keep", "keep")
    out = tmp_path / "questions.jsonl"
    assert accept(review, out) == (2, 0)
    first, second = read_questions(out)
    assert first == Question(
        id=LAMPS.id,
        question="How many lamps does Port Ambrel have?",
        answers=("12", "12 lamps"),
        documents=("ambrel.md",),
        answerable=True,
        tags=("figure",),
        number=Number(12.0),
        wording="exact",
    )
    assert (second.answerable, second.answers, second.tags) == (False, (), ("unanswerable", "figure"))


def test_what_a_person_changes_and_adds_is_taken(review: Path, tmp_path: Path) -> None:
    decide(review, "keep", "drop")
    text = review.read_text("utf-8").replace("How many lamps does Port Ambrel have?", "How many lamps are in the port?")
    own = '\n[[draft]]\nreview = "keep"\nid = "mine"\nquestion = "Who?"\nanswers = ["Anna"]\nanswerable = true\n'
    review.write_text(text + own, "utf-8")
    out = tmp_path / "questions.jsonl"
    assert accept(review, out) == (2, 1)
    assert [one.question for one in read_questions(out)] == ["How many lamps are in the port?", "Who?"]


def lines_of(file: Path) -> list[int]:
    return [n for n, line in enumerate(file.read_text("utf-8").split("\n"), start=1) if line == "[[draft]]"]


def refused(file: Path, tmp_path: Path) -> str:
    out = tmp_path / "questions.jsonl"
    with pytest.raises(ValueError, match=re.escape(str(file))) as error:
        accept(file, out)
    assert not out.exists()
    return str(error.value)


def test_what_nobody_reviewed_is_refused_with_its_lines(review: Path, tmp_path: Path) -> None:
    first, second = lines_of(review)
    assert "2 of 2 drafts have not been reviewed" in (said := refused(review, tmp_path))
    assert f"line {first}, {second}." in said
    decide(review, "keep", "maybe")
    assert "1 of 2 drafts" in (said := refused(review, tmp_path))
    assert f"line {second}." in said
    review.write_text(review.read_text("utf-8").replace('review = "keep"\n', ""), "utf-8")
    assert f"line {first}, {second - 1}." in refused(review, tmp_path)


def test_a_review_that_is_no_question_is_refused_with_its_line(review: Path, tmp_path: Path) -> None:
    decide(review, "keep", "keep")
    good = review.read_text("utf-8")
    first, second = lines_of(review)
    review.write_text(good.replace('answers = ["12", "12 lamps"]', "answers = []"), "utf-8")
    assert f"{review}, line {first}" in refused(review, tmp_path)
    review.write_text(good.replace('id = "figure', 'note = "x"\nid = "figure'), "utf-8")
    assert "unknown key 'note'" in refused(review, tmp_path)
    review.write_text(good.replace(GONE.id, LAMPS.id), "utf-8")
    assert f"{review}, line {second}" in refused(review, tmp_path)
    review.write_text(good.replace('"keep"', '"drop"'), "utf-8")
    assert "every draft is dropped" in refused(review, tmp_path)
    review.write_text(good.replace('question = "How', "question = How"), "utf-8")
    assert "is not TOML any more" in refused(review, tmp_path)
    review.write_text("[made]\n", "utf-8")
    assert "no file of draft questions" in refused(review, tmp_path)


def test_nothing_is_written_over(review: Path, tmp_path: Path) -> None:
    decide(review, "keep", "keep")
    out = tmp_path / "questions.jsonl"
    out.write_text("mine")
    with pytest.raises(ValueError, match="exists already"):
        accept(review, out)
    assert out.read_text() == "mine"
    with pytest.raises(FileExistsError):
        write_review(review, [LAMPS], MADE)


def test_the_file_says_for_whom_it_was_made(tmp_path: Path, review: Path) -> None:
    assert tomllib.loads(review.read_text("utf-8"))["made"] == MADE
    file = tmp_path / "secret.toml"
    write_review(file, [LAMPS], MADE | {"groups": ["board", "everyone"]})
    assert "may read, and is for nobody else: board, everyone\n" in file.read_text("utf-8")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    decide(file, "keep")
    accept(file, tmp_path / "secret.jsonl")
    assert stat.S_IMODE((tmp_path / "secret.jsonl").stat().st_mode) == 0o600


TEXT = st.text(
    st.one_of(st.sampled_from("\\\"'\n\r\t\x00\x7f\x1b[]#=“”\u2028é"), st.characters(exclude_categories=["Cs"])),
    min_size=1,
    max_size=60,
)
HOSTILE = st.one_of(TEXT, st.just('[[draft]]\nreview = "keep"\nid = "evil"'), st.just('"""\n[[draft]]\n"""'))


@settings(max_examples=50)
@given(question=HOSTILE, answer=HOSTILE, quote=HOSTILE, title=HOSTILE, group=HOSTILE)
def test_any_text_comes_through(
    tmp_path_factory: pytest.TempPathFactory, question: str, answer: str, quote: str, title: str, group: str
) -> None:
    folder = tmp_path_factory.mktemp("review")
    place = Evidence("wiki", title, title, title, (), 0, 9, quote, quote)
    draft = Draft("cloze", f"Q{question}", (f"A{answer}",), "", (), place, (title,))
    file, out = folder / "drafts.toml", folder / "questions.jsonl"
    write_review(file, [draft], MADE | {"groups": [group]})
    (read,) = tomllib.loads(file.read_text("utf-8"))["draft"]
    assert (read["question"], read["answers"], read["evidence"]) == (f"Q{question}", [f"A{answer}"], quote)
    assert read["review"] == "?"
    with pytest.raises(ValueError, match="1 of 1 drafts have not been reviewed"):
        accept(file, out)
    file.write_bytes(re.sub(rb'^review = "\?"$', b'review = "keep"', file.read_bytes(), flags=re.MULTILINE))
    assert accept(file, out) == (1, 0)
    (row,) = [json.loads(line) for line in out.read_text("utf-8").split("\n") if line]
    assert (row["question"], row["answers"], row["documents"]) == (f"Q{question}", [f"A{answer}"], [title])
