from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from eval.questions import Number, Question, read_questions

ROW: dict[str, Any] = {
    "id": "1",
    "question": "Why?",
    "answers": ["so"],
    "documents": [],
    "answerable": True,
    "tags": [],
}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"id": 1}, r"line 3: 'id' must be a text, found 1"),
        ({"question": " "}, r"line 3: 'question' must be a text"),
        ({"answers": "so"}, r"line 3: 'answers' must be a list of texts, found 'so'"),
        ({"answerable": "yes"}, r"line 3: 'answerable' must be true or false"),
        ({"answers": []}, r"line 3: with 'answerable' True, 'answers' must hold at least one answer"),
        ({"answers": ["so", ""]}, r"line 3: with 'answerable' True, .* and no empty one"),
        ({"answerable": False}, r"line 3: with 'answerable' False, 'answers' must hold no answers"),
        ({"answerable": False, "answers": [], "number": {"value": 1}}, r"line 3: .* there can be no 'number'"),
        ({"tag": []}, r"line 3: unknown key 'tag'"),
        ({"id": "0"}, r"line 3: 'id' '0' stands on an earlier line"),
        ({"needs": "both"}, r"line 3: 'needs' must be 'any' or 'all', found 'both'"),
        ({"needs": "all", "documents": ["a.md"]}, r"line 3: with 'needs' 'all', 'documents' must name two or more"),
        ({"wording": "own"}, r"line 3: 'wording' must be 'exact' or 'paraphrase', found 'own'"),
        ({"split": []}, r"line 3: 'split' must be 'dev' or 'test', found \[\]"),
        ({"after": "9"}, r"line 3: 'after' must be the id of a question on an earlier line, found '9'"),
        ({"after": 0}, r"line 3: 'after' must be a text, found 0"),
        ({"number": 3}, r"line 3: 'number' must be an object with value, unit and tolerance, found 3"),
        ({"number": {"unit": "m"}}, r"line 3: 'number' must be an object"),
        ({"number": {"value": 1, "units": "m"}}, r"line 3: 'number' must be an object"),
        ({"number": {"value": "3"}}, r"line 3: 'value' of 'number' must be a number, found '3'"),
        ({"number": {"value": True}}, r"line 3: 'value' of 'number' must be a number, found True"),
        ({"number": {"value": 1, "tolerance": -0.1}}, r"line 3: 'tolerance' of 'number' must be 0 or more"),
        ({"number": {"value": 1, "unit": "wombats"}}, r"line 3: 'unit' of 'number' must be a unit .* 'wombats'"),
        ({"number": {"value": 1, "unit": "m and more"}}, r"line 3: 'unit' of 'number' must be a unit"),
    ],
)
def test_a_malformed_line_is_named_with_its_key(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    file = tmp_path / "questions.jsonl"
    file.write_text(json.dumps({**ROW, "id": "0"}) + "\n\n" + json.dumps({**ROW, **change}) + "\n")
    with pytest.raises(ValueError, match=r"questions\.jsonl, " + message):
        read_questions(file)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\n", "holds no questions"),
        (b'{"id": ', "line 1: not JSON"),
        (b'{"id": 1' + b"0" * 5_000 + b"}", "line 1: not JSON"),
        (json.dumps({**ROW, "question": "Why\ud800?"}).encode(), r"line 1: half of a character \('\\ud800'\)"),
        (json.dumps({**ROW, "number": {"value": 10**400}}).encode(), "line 1: 'value' of 'number' must be a number"),
        (b"[" * 100_000, "line 1: JSON that is nested too deeply"),
        (b"[1]", r"line 1: expected an object, found '\[1\]'"),
        (b"\xff\xfe", "is not UTF-8"),
        (json.dumps({"question": "Why?"}).encode(), "line 1: 'id' must be a text, found 'nothing'"),
    ],
)
def test_a_file_that_is_none_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    file = tmp_path / "questions.jsonl"
    file.write_bytes(content)
    with pytest.raises(ValueError, match=message):
        read_questions(file)


def test_questions_are_read_in_order(tmp_path: Path) -> None:
    file = tmp_path / "questions.jsonl"
    file.write_text(json.dumps(ROW) + "\n" + json.dumps({**ROW, "id": "2", "answers": [], "answerable": False}))
    assert read_questions(file) == [
        Question("1", "Why?", ("so",), (), True),
        Question("2", "Why?", (), (), False),
    ]


def test_every_key_is_read(tmp_path: Path) -> None:
    file = tmp_path / "questions.jsonl"
    row = {
        **ROW,
        "documents": ["a.md", "b.md"],
        "needs": "all",
        "tags": ["numeric", "hard"],
        "number": {"value": 140, "unit": "fb^-1", "tolerance": 0.01},
        "wording": "paraphrase",
        "split": "dev",
    }
    file.write_text(json.dumps(row))
    (found,) = read_questions(file)
    assert found == Question(
        "1",
        "Why?",
        ("so",),
        ("a.md", "b.md"),
        True,
        ("numeric", "hard"),
        "all",
        Number(140.0, "fb^-1", 0.01),
        wording="paraphrase",
        split="dev",
    )
    assert found.group == "numeric"
    assert Question("1", "Why?", ("so",), (), True).group == "all"


def test_a_question_is_asked_after_those_that_it_follows(tmp_path: Path) -> None:
    file = tmp_path / "questions.jsonl"
    texts = ["How many in 2023?", "And in 2024?\u2028Really?", "And then?"]
    rows = [
        {**ROW, "id": str(i), "question": text, **({"after": str(i - 1)} if i else {})} for i, text in enumerate(texts)
    ]
    file.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows), encoding="utf-8")
    found = read_questions(file)
    assert [one.asked for one in found] == [texts[0], " ".join(texts[:2]), " ".join(texts)]
    assert [one.after for one in found] == ["", "0", "1"]
