"""Questions are read with the places that answer them, exactly; what is malformed is named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from finetune.data.asked import Place, Questions, wording
from finetune.data.beir import read_beir
from finetune.data.scifact import read_scifact
from finetune.data.squad import read_squad


def cut(questions: Questions, places: tuple[Place, ...]) -> list[str]:
    return [questions.documents[one.source, one.key].text[one.start : one.end] for one in places]


def article(title: str, *paragraphs: tuple[str, list[dict[str, Any]]]) -> dict[str, Any]:
    return {"title": title, "paragraphs": [{"context": context, "qas": qas} for context, qas in paragraphs]}


def squad(file: Path, *articles: dict[str, Any]) -> Path:
    file.write_text(json.dumps({"version": "v2.0", "data": articles}))
    return file


LAMP = "The lamp was lit in 1871. Its keeper, Ada Brun, rowed out every day."
TIDE = "The tide rises by four metres. In 1902 it rose by six."
WHO = {
    "id": "a",
    "question": " Who kept the lamp?",
    "answers": [
        {"text": "Ada Brun", "answer_start": 38},
        {"text": "Ada Brun", "answer_start": 38},
        {"text": "Its keeper, Ada Brun", "answer_start": 26},
    ],
}
HOW = {"id": "b", "question": "How high is the tide?", "answers": [{"text": "four metres", "answer_start": 18}]}
NONE = {"id": "c", "question": "Who built the tide?", "answers": [], "is_impossible": True}


def test_squad(tmp_path: Path) -> None:
    first = squad(tmp_path / "1.json", article("Port_Ambrel", (LAMP, [WHO]), (TIDE, [HOW, NONE])))
    again = squad(tmp_path / "2.json", article("Port_Ambrel", ("Other.", [WHO])))
    found = read_squad([first, again])
    assert [key for _, key in found.documents] == ["Port Ambrel"]
    who, how, none = found.asked
    assert (who.question, who.answers, who.answerable) == (
        "Who kept the lamp?",
        ("Ada Brun", "Its keeper, Ada Brun"),
        "yes",
    )
    assert cut(found, who.answered_at) == ["Ada Brun", "Its keeper, Ada Brun"]
    assert cut(found, how.answered_at) == ["four metres"]
    assert (none.answers, none.answered_at, none.answerable) == ((), (), "no")
    assert cut(found, none.about) == [TIDE]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "JSONDecodeError"),
        (
            '{"data": [{"title": "x", "paragraphs": [{"context": "c", "qas": [{"id": "q", "question": "?",'
            ' "answers": []}]}]}]}',
            "ValueError: question q has no answer",
        ),
        ("[]", "TypeError"),
        ('{"data": [{"title": "x"}]}', "KeyError: 'paragraphs'"),
    ],
)
def test_what_is_not_squad_is_named(content: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text(content)
    with pytest.raises(ValueError, match=rf"x\.json is not in the format of SQuAD: {said}"):
        read_squad([tmp_path / "x.json"])


def test_squad_without_a_question_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"There is no question in .*x\.json"):
        read_squad([squad(tmp_path / "x.json")])
    with pytest.raises(ValueError, match=r"a folder without a \.json file"):
        read_squad([])


def test_an_answer_must_stand_where_the_file_says(tmp_path: Path) -> None:
    wrong = {**HOW, "answers": [{"text": "four metres", "answer_start": 17}]}
    with pytest.raises(ValueError, match="question b: 'four metres' does not stand at 17"):
        read_squad([squad(tmp_path / "x.json", article("T", (TIDE, [wrong])))])


def lines(file: Path, *rows: dict[str, Any]) -> None:
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))


ABSTRACT = {"doc_id": 7, "title": "Gulls", "abstract": ["Gulls breed here. ", "They lay 3 eggs.", "Few survive."]}
OTHER = {"doc_id": 8, "title": "Terns", "abstract": ["Terns migrate."]}


def claim(
    number: int, evidence: list[int] | None = None, held: str = "7", cited: tuple[int, ...] = (7,)
) -> dict[str, Any]:
    return {
        "id": number, "claim": f"Claim {number}.", "evidence_doc_id": held if evidence else "",
        "evidence_sentences": evidence or [], "cited_doc_ids": list(cited),
    }  # fmt: skip


def test_scifact(tmp_path: Path) -> None:
    lines(tmp_path / "corpus_sentences.jsonl", ABSTRACT, OTHER)
    lines(tmp_path / "claims_train.jsonl", claim(1, [1]), claim(1, [2, 0]), claim(2, cited=(7, 8)))
    found = read_scifact(tmp_path)
    held, open_ = found.asked
    assert cut(found, held.answered_at) == ["They lay 3 eggs.", "Few survive.", "Gulls breed here."]
    assert (held.id, held.answerable, open_.answerable, open_.answered_at) == ("1", "yes", "no", ())
    assert cut(found, open_.about) == ["Gulls breed here. They lay 3 eggs. Few survive.", "Terns migrate."]
    assert held.documents == {("scifact", "7")}


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (claim(1, [3]), r"line 1: abstract '7' has 3 sentences, found \[3\]"),
        (claim(1, [0], held="9"), "line 1: there is no abstract '9'"),
        (claim(1, cited=(9,)), "line 1: there is no abstract '9'"),
        ({**claim(1), "claim": 3}, "line 1: 'claim' must be of type str, found 3"),
        ({**claim(1), "claim": " "}, "the question 1 is empty"),
        (claim(1, [0], held=""), "line 1: there is no abstract ''"),
        (
            {**claim(1), "evidence_sentences": ["0"]},
            "line 1: 'evidence_sentences' must be a list of texts or of numbers",
        ),
    ],
)
def test_what_is_not_scifact_is_named(row: dict[str, Any], said: str, tmp_path: Path) -> None:
    lines(tmp_path / "corpus_sentences.jsonl", ABSTRACT)
    lines(tmp_path / "claims_train.jsonl", row)
    with pytest.raises(ValueError, match=said):
        read_scifact(tmp_path)


@pytest.fixture
def beir(tmp_path: Path) -> Path:
    folder = tmp_path / "birds"
    (folder / "qrels").mkdir(parents=True)
    lines(
        folder / "corpus.jsonl",
        {"_id": "1", "title": "Gulls", "text": "They breed."},
        {"_id": "2", "title": "Auk", "text": ""},
    )
    lines(folder / "queries.jsonl", *({"_id": key, "text": f"Query {key}?"} for key in "abc"))
    (folder / "qrels/train.tsv").write_text("query-id\tcorpus-id\tscore\na\t1\t1\na\t2\t2\nb\t1\t0\n")
    return folder


def test_beir(beir: Path) -> None:
    found = read_beir(beir, "train")
    (only,) = found.asked
    assert (only.id, only.question, only.answerable) == ("a", "Query a?", "unknown")
    assert cut(found, only.about) == ["They breed.", "Auk"]


@pytest.mark.parametrize("line", ["a\t1", "z\t1\t1", "a\t9\t1", "a\t1\thigh"])
def test_what_is_not_beir_is_named(beir: Path, line: str) -> None:
    (beir / "qrels/train.tsv").write_text(f"query-id\tcorpus-id\tscore\n{line}\n")
    with pytest.raises(ValueError, match=r"train\.tsv"):
        read_beir(beir, "train")


@pytest.mark.parametrize(
    ("answer", "text", "stands"),
    [
        ("5 GeV", "at 5 GeV.", True),
        ("5 GeV", "at 12.5 GeV", False),
        ("300 events", "1,300 events", False),
        ("at noon", "leaves At\n noon, daily", True),
        ("3", "3.5", False),
        ("3", "3. Then", True),
        ("noon", "noontide", False),
    ],
)
def test_an_answer_stands_as_words_and_numbers_of_its_own(answer: str, text: str, stands: bool) -> None:
    assert bool(wording(answer).search(text)) == stands
