from __future__ import annotations

import math
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nltk.stem.porter import PorterStemmer
from nltk.translate.meteor_score import meteor_score
from sacrebleu.metrics.bleu import BLEU

from eval.metric import Result
from eval.metrics.overlap import BLEU_COLUMNS, METRICS, Meteor, bleu_counts, rouge
from eval.metrics.wordnet import FOLDERS, open_wordnet
from eval.statistics import Figure, figure

BLEU_METRIC = METRICS[0]
WORDS = ["the", "pump", "moves", "70", "litres", "of", "water", "per", "second", "hall", "."]
TEXTS = st.lists(st.sampled_from(WORDS), max_size=9).map(" ".join)
CASES = st.lists(st.tuples(TEXTS, st.lists(TEXTS.filter(bool), min_size=1, max_size=3)), min_size=1, max_size=6)
needs_wordnet = pytest.mark.skipif(
    not any((folder / "index.sense").exists() for folder in FOLDERS),
    reason="apt-get install wordnet-base wordnet-sense-index",
)


def bleu_of(cases: list[tuple[str, list[str]]]) -> float:
    found = figure(BLEU_METRIC, [Result(str(i), "all", bleu_counts(*case), {}) for i, case in enumerate(cases)])
    assert isinstance(found, Figure)
    return found.value


def slow_bleu(cases: list[tuple[str, list[str]]]) -> float:
    """By the paper's formula, over blanks, unsmoothed."""
    product, lengths, nearest = 1.0, 0, 0
    for n in (1, 2, 3, 4):
        matched = total = 0
        for text, answers in cases:
            words = text.split()
            grams = Counter(tuple(words[i : i + n]) for i in range(len(words) - n + 1))
            most: Counter[tuple[str, ...]] = Counter()
            for answer in answers:
                other = answer.split()
                most |= Counter(tuple(other[i : i + n]) for i in range(len(other) - n + 1))
            matched += sum((grams & most).values())
            total += sum(grams.values())
        product *= matched / total
    for text, answers in cases:
        lengths += len(text.split())
        nearest += min((abs(len(a.split()) - len(text.split())), len(a.split())) for a in answers)[1]
    return math.exp(min(0, 1 - nearest / lengths)) * product**0.25


def test_bleu_by_hand() -> None:
    # 5, 4, 3, 2 n-grams, of which 4, 3, 2, 1 match; nothing is shorter than the reference.
    assert bleu_of([("a b c d x", ["a b c d"])]) == pytest.approx((4 / 5 * 3 / 4 * 2 / 3 * 1 / 2) ** 0.25)
    cases = [("a b c d x", ["a b c d"]), ("e f g h", ["e f g h i j k", "z"])]
    assert bleu_of(cases) == pytest.approx(slow_bleu(cases))
    assert slow_bleu(cases) < 1


@settings(max_examples=60)
@given(CASES)
def test_bleu_of_many_is_sacrebleus(cases: list[tuple[str, list[str]]]) -> None:
    most = max(len(answers) for _, answers in cases)
    streams = [[answers[i] if i < len(answers) else None for _, answers in cases] for i in range(most)]
    expected = BLEU().corpus_score([text for text, _ in cases], streams).score / 100
    rows = np.array([[bleu_counts(*case)[column] for column in BLEU_COLUMNS] for case in cases])
    assert BLEU_METRIC.statistic(rows[None])[0] == pytest.approx(expected, abs=1e-12)


def test_bleu_without_questions_is_not_defined() -> None:
    assert np.isnan(BLEU_METRIC.statistic(np.full((1, 3, len(BLEU_COLUMNS)), np.nan)))


def longest(a: tuple[str, ...], b: tuple[str, ...]) -> int:
    if not a or not b:
        return 0
    if a[0] == b[0]:
        return 1 + longest(a[1:], b[1:])
    return max(longest(a[1:], b), longest(a, b[1:]))


@settings(max_examples=60)
@given(TEXTS, st.lists(TEXTS, min_size=1, max_size=3))
def test_rouge_is_the_f_of_stems(text: str, answers: list[str]) -> None:
    stem = PorterStemmer().stem
    words = [tuple(stem(w) if len(w) > 3 else w for w in one.split() if w != ".") for one in (text, *answers)]

    def f(same: int, a: tuple[str, ...], b: tuple[str, ...]) -> float:
        return 2 * same / (len(a) + len(b)) if same else 0.0

    given_, *expected = words
    found = rouge(text, answers)
    ones = [f(sum((Counter(given_) & Counter(e)).values()), given_, e) for e in expected]
    assert found["rouge_1"] == pytest.approx(max(ones))
    assert found["rouge_l"] == pytest.approx(max(f(longest(given_, e), given_, e) for e in expected))


def test_rouge_by_hand() -> None:
    # 3 of 4 stems and 3 of 3; in order only 2.
    found = rouge("second moving pumps water", ["pump moves second"])
    assert found["rouge_1"] == pytest.approx(2 * 0.75 * 1 / 1.75)
    assert found["rouge_l"] == pytest.approx(2 * 1 / 7)


@pytest.fixture(scope="module")
def meteor() -> Meteor:
    return Meteor.open()


@needs_wordnet
def test_meteor_by_hand(meteor: Meteor) -> None:
    # Two words and a synonym, in order: P = R = 1, one chunk of three.
    assert meteor.score("the fast automobile", ["the fast car"]) == pytest.approx(1 - 0.5 * (1 / 3) ** 3)
    # Of 4 and 3 words, 2 match, one by its stem, apart: P = 1/2, R = 2/3, two chunks of two.
    mean = (1 / 2 * 2 / 3) / (0.9 * 1 / 2 + 0.1 * 2 / 3)
    assert meteor.score("pumps in old halls", ["a pump hall"]) == pytest.approx(mean * (1 - 0.5))
    assert meteor.score("Nothing.", ["a pump"]) == 0
    assert meteor.score("", ["a pump"]) == 0


# nltk looks synonyms up by stems: these are words too.
STEMS = ["the", "car", "auto", "fast", "quick", "home", "pumps", "pump", "run", "runs"]
SOME = st.lists(st.sampled_from(STEMS), min_size=1, max_size=7)


@needs_wordnet
@settings(max_examples=100)
@given(SOME, SOME)
def test_meteor_is_nltks_where_stems_are_words(meteor: Meteor, text: list[str], answer: list[str]) -> None:
    expected = meteor_score([answer], text, wordnet=meteor.wordnet)
    assert meteor.score(" ".join(text), [" ".join(answer)]) == pytest.approx(expected)


@needs_wordnet
def test_debians_wordnet_is_read() -> None:
    wordnet = open_wordnet()
    assert {"car", "auto", "automobile", "machine", "motorcar"} == set(wordnet.synsets("car")[0].lemma_names())
    assert [synset.pos() for synset in wordnet.synsets("mice")] == [
        synset.pos() for synset in wordnet.synsets("mouse", "n")
    ]


def test_without_wordnet_there_is_no_meteor(tmp_path: Path) -> None:
    (tmp_path / "index.noun").touch()
    with pytest.raises(ValueError, match=r"WordNet is in none of .* apt-get install wordnet-base wordnet-sense-index"):
        open_wordnet([tmp_path])
