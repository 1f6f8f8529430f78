from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from eval.harness.questions import ChoiceQuestion, read

SHARED = Path(__file__).parents[4] / "shared/data/mmlu"
ARC = {"id": "Q1", "question": "Why?", "choices": {"text": ["a", "b", "c"], "label": ["1", "2", "3"]}, "answerKey": "2"}
PRO = {
    "question_id": 70,
    "question": "Why?",
    "options": [str(n) for n in range(10)],
    "answer": "J",
    "answer_index": 9,
    "category": "physics",
}


def test_mmlu_as_published(mmlu: Path) -> None:
    found = read(str(mmlu))
    assert {subject: len(questions) for subject, questions in found.questions.items()} == {
        "astronomy": 2,
        "conceptual_physics": 3,
    }
    assert [len(examples) for examples in found.examples.values()] == [5, 5]
    assert (len(found), found.name) == (5, f"{mmlu.name} val")
    last = found.questions["conceptual_physics"][-1]
    assert last.question == "Read this:\n\nA coil turns in a magnetic field.\nWhat appears in it?"
    assert (last.id, last.choices, last.answer) == ("conceptual_physics-2", ("heat", "a voltage", "light", "mass"), 1)
    assert found.examples["conceptual_physics"][1].choices[3] == "None", "a word, and not a missing value"
    fewer = read(str(mmlu), shots=2)
    assert fewer.examples["astronomy"] == found.examples["astronomy"][:2]
    assert fewer.sha256 != found.sha256 == read(str(mmlu), "val").sha256


@pytest.mark.parametrize(
    ("file", "text", "complaint"),
    [
        ("val/astronomy_val.csv", "Why?,a,b,c,d,A\nWhy?,a,b,c,A\n", r"astronomy_val\.csv, line 2: 5 columns"),
        ("val/astronomy_val.csv", "Why?,a,b,c,d,E\n", r"astronomy_val\.csv, line 1: the answer is 'E'"),
        (
            "val/astronomy_val.csv",
            '"Why\n?",a,b,c,d,A\n,a,b,c,d,A\n',
            r"val\.csv, line 3: the question is empty",
        ),
        ("val/astronomy_val.csv", 'Why?,"a"b,b,c,d,A\n', r"astronomy_val\.csv, line 1: "),
        ("dev/astronomy_dev.csv", "Why?,a,b,c,d,A\n", "1 solved examples of 'astronomy'; 5 are to be shown"),
        ("dev/astronomy_dev.csv", None, r"astronomy_dev\.csv is missing"),
    ],
)
def test_what_is_malformed_is_named(mmlu: Path, tmp_path: Path, file: str, text: str | None, complaint: str) -> None:
    for path in mmlu.glob("*/astronomy*"):
        (tmp_path / path.parent.name).mkdir(exist_ok=True)
        (tmp_path / path.parent.name / path.name).write_bytes(path.read_bytes())
    if text is None:
        (tmp_path / file).unlink()
    else:
        (tmp_path / file).write_text(text)
    with pytest.raises(ValueError, match=complaint):
        read(str(tmp_path))


def test_what_is_not_there_is_said(mmlu: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no .*/test/<subject>_test\.csv; there are CSV files in: dev, dev, val, val"):
        read(str(mmlu), "test")
    with pytest.raises(ValueError, match=r"neither a folder with MMLU's CSV files .* nor a dataset"):
        read(str(tmp_path / "nothing"))
    with pytest.raises(ValueError, match="at least 0, not -1"):
        read(str(mmlu), shots=-1)
    with pytest.raises(ValueError, match="no configurations; leave out 'all'"):
        read(str(mmlu), config="all")


def _dataset(folder: Path, **splits: list[dict[str, object]]) -> str:
    folder.mkdir(exist_ok=True)
    for split, rows in splits.items():
        (folder / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(folder)


def test_arc_and_mmlu_pro_as_on_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from datasets import Dataset

    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")
    arc = read(_dataset(tmp_path / "ARC-Easy", train=[{**ARC, "id": "T1"}], test=[ARC]), shots=1)
    assert arc.questions == {"ARC-Easy": (ChoiceQuestion("Q1", "ARC-Easy", "Why?", ("a", "b", "c"), 1),)}
    assert arc.examples["ARC-Easy"][0].id == "T1"

    (tmp_path / "pro/data").mkdir(parents=True)
    for split, rows in {"validation": [PRO], "test": [{**PRO, "question_id": 71}, {**PRO, "question_id": 72}]}.items():
        Dataset.from_list(rows).to_parquet(tmp_path / f"pro/data/{split}-00000-of-00001.parquet")
    pro = read(str(tmp_path / "pro"), shots=1)
    assert [(one.id, one.answer, len(one.choices)) for one in pro.questions["physics"]] == [
        ("71", 9, 10),
        ("72", 9, 10),
    ]
    assert pro.examples["physics"][0].id == "70"
    assert [one.id for one in read(str(tmp_path / "pro"), "validation", shots=0).questions["physics"]] == ["70"]


def test_mmlu_as_on_the_hub(mmlu: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")
    published = read(str(mmlu))

    def rows(of: dict[str, tuple[ChoiceQuestion, ...]]) -> list[dict[str, object]]:
        everything = [one for questions in of.values() for one in questions]
        return [
            {"question": q.question, "subject": q.subject, "choices": list(q.choices), "answer": q.answer}
            for q in everything
        ]

    data = _dataset(tmp_path / "all", dev=rows(published.examples), validation=rows(published.questions))
    found = read(data)
    assert (found.questions, found.examples) == (published.questions, published.examples)


def test_datasets_that_do_not_fit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")
    with pytest.raises(ValueError, match="split test, row 2: the answer is none of the 3 choices"):
        read(_dataset(tmp_path / "wrong", test=[ARC, {**ARC, "id": "2", "answerKey": "4"}]), shots=0)
    with pytest.raises(ValueError, match="has the columns answer, text, which is none of the formats"):
        read(_dataset(tmp_path / "strange", test=[{"text": "Why?", "answer": "so"}]), shots=0)
    with pytest.raises(ValueError, match="no split with solved examples"):
        read(_dataset(tmp_path / "alone", test=[ARC]))
    with pytest.raises(ValueError, match="several configurations; choose one: alone, strange, wrong"):
        read(str(tmp_path))
    with pytest.raises(ValueError, match="two questions have the id 'Q1'"):
        read(_dataset(tmp_path / "twice", test=[ARC, ARC]), shots=0)


@pytest.mark.shared_data
def test_all_of_the_validation_split() -> None:
    if not SHARED.is_dir():
        pytest.skip("there is no ../shared/data/mmlu")
    found = read(str(SHARED), "val")
    counted = 0
    for file in (SHARED / "val").glob("*.csv"):
        with file.open(newline="", encoding="utf-8") as opened:
            counted += sum(1 for _ in csv.reader(opened))
    assert len(found) == counted == 1542
    assert {len(examples) for examples in found.examples.values()} == {5}
    assert len(found.questions) == 57


def test_a_byte_order_mark_is_no_text_and_no_questions_are_no_set(tmp_path: Path) -> None:
    (tmp_path / "val").mkdir()
    file = tmp_path / "val/birds_val.csv"
    file.write_text("\ufeffWhich?,a,b,c,d,A\n", encoding="utf-8")
    assert read(str(tmp_path), shots=0).questions["birds"][0].question == "Which?"
    file.write_text("")
    with pytest.raises(ValueError, match="holds no questions"):
        read(str(tmp_path), shots=0)
