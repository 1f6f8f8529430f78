"""Cohen's kappa, macro-F1 and perplexity: by hand, and as scikit-learn and logarithms have them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score, f1_score

from eval.metrics.agreement import kappa
from eval.metrics.classes import macro_f1
from eval.metrics.perplexity import perplexity

PAIRS = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 1)), min_size=1, max_size=30)


def test_kappa_by_hand() -> None:
    # 20 yes-yes, 5 and 10 apart, 15 no-no: agreed 0.7, by chance 0.5 * 0.6 + 0.5 * 0.4 = 0.5.
    rows = [(1, 1)] * 20 + [(1, 0)] * 5 + [(0, 1)] * 10 + [(0, 0)] * 15
    assert kappa(np.array([rows], dtype=float)) == pytest.approx([0.4])


@given(PAIRS, st.integers(0, 3))
def test_kappa_is_scikit_learns(pairs: list[tuple[int, int]], unknown: int) -> None:
    rows = np.array([[*pairs, *[(np.nan, np.nan)] * unknown]], dtype=float)
    if len({value for pair in pairs for value in pair}) == 1:
        assert np.isnan(kappa(rows))
    else:
        assert kappa(rows)[0] == pytest.approx(cohen_kappa_score(*zip(*pairs, strict=True)))


def test_macro_f1_by_hand() -> None:
    # yes: 2 of 3 given right, 2 of 2 found; no: 1 of 1, of 2; maybe: nothing given, 1 wanted.
    rows = [(0, 0), (0, 0), (1, 0), (1, 1), (2, -1)]
    assert macro_f1(3)(np.array([rows], dtype=float)) == pytest.approx([(0.8 + 2 / 3 + 0) / 3])


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(-1, 2)), min_size=3, max_size=30))
def test_macro_f1_is_scikit_learns(pairs: list[tuple[int, int]]) -> None:
    right, given_ = zip(*pairs, strict=True)
    found = macro_f1(3)(np.array([[*pairs, (np.nan, np.nan)]], dtype=float))
    if set(right) < {0, 1, 2}:
        assert np.isnan(found)
    else:
        expected = f1_score(right, given_, labels=[0, 1, 2], average="macro", zero_division=0)
        assert found[0] == pytest.approx(expected)


@given(st.lists(st.lists(st.floats(1e-6, 1), min_size=1, max_size=5), min_size=1, max_size=5))
def test_perplexity_is_the_inverse_of_the_geometric_mean(probabilities: list[list[float]]) -> None:
    rows = [(-sum(map(math.log, answer)), len(answer)) for answer in probabilities]
    each = [p for answer in probabilities for p in answer]
    assume(math.prod(each) > 1e-300)
    assert perplexity(np.array([rows]))[0] == pytest.approx(math.prod(each) ** (-1 / len(each)))


def test_perplexity_by_hand() -> None:
    # Three tokens of probability 1/8, 1/2 and 1/2 in two answers: (1/32) ** (-1/3).
    rows = [[[math.log(8), 1], [math.log(4), 2], [np.nan, np.nan]]]
    assert perplexity(np.array(rows)) == pytest.approx([32 ** (1 / 3)])
