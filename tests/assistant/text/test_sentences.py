from __future__ import annotations

import json
import time
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.text.sentences import prose_sentences, sentences

DATA = Path(__file__).parents[3].parent / "shared/data"


def found(text: str) -> list[str]:
    return [text[a:b] for a, b in sentences(text)]


@pytest.mark.parametrize(
    "text",
    [
        "Many tools, e.g. ROOT, exist, i.e. they run.",
        "See Fig. 3, Eq. 5 and Sec. 2.1 of Smith et al. (2020).",
        "The mass is 3.5 TeV in v1.2.3 of the code.",
        "We thank J. R. R. Tolkien and Dr. Curie.",
        "It is at https://example.org/a.B?c=d. now",
        "The form $f(x. Y) = 1. Z$ and the code `a. B` stay whole.",
        "It ran from Jan. 5 to pp. 12 of vol. 3.",
        "The U.S. Department agrees.",
        "Das gilt z.B. Für alle.",
    ],
)
def test_no_sentence_ends_within(text: str) -> None:
    assert found(text) == [text]


@pytest.mark.parametrize(
    "parts",
    [
        ["One.", "Two!", "Three?", "(Four.)", "“Five.”", "**Six.**", "Seven"],
        ["It costs $5.", "That is cheap.", "$x$ is not."],
        ["As was shown.[3]", "It holds [4]."],
        ["As was shown. [3, 4]", "It holds."],
        ["Es läuft.", "Ändern wir es!", "Çela va.", "Это так.", "Да."],
        ["Many of them, etc.", "The end."],
    ],
)
def test_sentences_end_at_their_marks(parts: list[str]) -> None:
    assert found(" ".join(parts)) == parts


def test_full_width_marks_need_no_space() -> None:
    assert found("今日は晴れ。明日は雨！そう") == ["今日は晴れ。", "明日は雨！", "そう"]


def test_structure_gives_sentences_of_its_own() -> None:
    text = (
        "# Data. And more\n\n- first item\n- second. Two sentences.\n\n| a | b |\n|---|---|\n| 1. One | 2 |\n\n"
        "$$\nx. Y\n$$\n\n1. Numbered\n\n---\n\n```\na. B\n```"
    )
    assert found(text) == [
        "# Data. And more",
        "- first item",
        "- second.",
        "Two sentences.",
        "| a | b |",
        "| 1. One | 2 |",
        "$$\nx. Y\n$$",
        "1. Numbered",
        "```\na. B\n```",
    ]


TEXTS = st.text(alphabet="aB1. \n!?。$`[](){}*_\\\"'”#|-\t,:é漢\x1c", max_size=120)


@given(TEXTS)
def test_spans_ascend_and_lose_nothing_that_can_be_read(text: str) -> None:
    spans = sentences(text)
    assert all(a < b and text[a:b] == text[a:b].strip() for a, b in spans)
    assert all(one[1] <= two[0] for one, two in pairwise(spans))
    kept = {n for a, b in spans for n in range(a, b)}
    assert not [c for n, c in enumerate(text) if c.isalnum() and n not in kept]


@given(TEXTS)
def test_running_text_is_covered_whole(text: str) -> None:
    covered = "".join(text[a:b] for a, b in prose_sentences(text, 0, len(text)))
    assert "".join(covered.split()) == "".join(text.split())


@pytest.mark.parametrize("part", [". ", "\\(", "$a", "` `` ", "[a](", "<a", "a  \n", "漢。", ". [1]", "http://", "."])
def test_hostile_repetition_takes_linear_time(part: str) -> None:
    started = time.process_time()
    sentences(part * 30_000)
    assert time.process_time() - started < 10  # a quadratic search would take minutes


@pytest.mark.shared_data
@pytest.mark.skipif(not DATA.exists(), reason=f"there are no corpora at {DATA}")
def test_agrees_with_the_sentences_that_scifact_was_annotated_on() -> None:
    """SciFact's own borders are from another program and not always right, so not all can agree."""
    expected = ours = agree = 0
    with (DATA / "scifact/corpus_sentences.jsonl").open() as rows:
        abstracts = [json.loads(row)["abstract"] for _, row in zip(range(1000), rows, strict=False)]
    for abstract in abstracts:
        text = " ".join(" ".join(sentence.split()) for sentence in abstract)
        ends, at = set(), 0
        for sentence in abstract:
            at += len(" ".join(sentence.split()))
            ends.add(at)
            at += 1
        got = {b for _, b in prose_sentences(text, 0, len(text))}
        expected, ours, agree = expected + len(ends), ours + len(got), agree + len(ends & got)
    assert expected > 8000
    assert agree / ours > 0.98
    assert agree / expected > 0.97
