from __future__ import annotations

import collections
import re
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.metrics.text import contains, exact_match, normalized, token_f1, without_markers

WORDS = st.text(alphabet="aAnThe tb1,.-' \t", max_size=30)


def squad_normalize(text: str) -> str:
    """As SQuAD's official script does it, step by step."""
    lower = text.lower()
    without_punctuation = "".join(c for c in lower if c not in set(string.punctuation))
    without_articles = re.sub(r"\b(a|an|the)\b", " ", without_punctuation)
    return " ".join(without_articles.split())


def squad_f1(prediction: str, truth: str) -> float:
    given_tokens, true_tokens = squad_normalize(prediction).split(), squad_normalize(truth).split()
    same = sum((collections.Counter(given_tokens) & collections.Counter(true_tokens)).values())
    if same == 0:
        return 0
    precision, recall = same / len(given_tokens), same / len(true_tokens)
    return (2 * precision * recall) / (precision + recall)


@given(WORDS, st.lists(WORDS, min_size=1, max_size=3))
def test_scores_equal_those_of_squad(text: str, answers: list[str]) -> None:
    assert normalized(text) == squad_normalize(text)
    assert exact_match(text, answers) == max(squad_normalize(text) == squad_normalize(answer) for answer in answers)
    assert token_f1(text, answers) == pytest.approx(max(squad_f1(text, answer) for answer in answers))


@given(WORDS, st.lists(WORDS, min_size=1, max_size=3))
def test_contains_looks_for_a_run_of_words(text: str, answers: list[str]) -> None:
    words = squad_normalize(text).split()
    runs = {tuple(words[i:j]) for i in range(len(words)) for j in range(i + 1, len(words) + 1)}
    assert contains(text, answers) == any(tuple(squad_normalize(answer).split()) in runs for answer in answers)


def test_scores_by_hand() -> None:
    assert exact_match("The 3.5 billion.", ["3.5 billion"]) == 1
    assert token_f1("about 3.5 billion parameters", ["3.5 billion"]) == pytest.approx(2 * 2 / (4 + 2))
    assert contains("It has 3.5 billion parameters", ["4 billion", "3.5 Billion"]) == 1
    assert contains("It is 0.512 wide", ["0.5"]) == 0
    assert contains("anything", ["the"]) == 0


def test_markers_are_no_part_of_an_answer() -> None:
    assert without_markers("It moves 70 litres [1]. It is old [2, 3][5].") == "It moves 70 litres. It is old."
    assert without_markers("An array x[i] stays") == "An array x[i] stays"
