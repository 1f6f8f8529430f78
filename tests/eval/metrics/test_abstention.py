from __future__ import annotations

from itertools import pairwise, permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eval.metrics.abstention import abstention_values, risk_coverage_area, risks
from eval.questions import Number, Question

PUMP = Question("1", "How much?", ("70 litres",), (), True)
UNKNOWN = Question("2", "Who?", (), (), False)
CASES = st.lists(st.tuples(st.sampled_from([-1.0, 0.1, 0.5, 0.9]), st.sampled_from([0.0, 1.0])), min_size=1, max_size=6)


def test_the_curve_by_hand() -> None:
    found = risks(np.array([[0.9, 0.2, 0.6, 0.4]]), np.array([[0.0, 1, 1, 0]]))
    assert found[0] == pytest.approx((0, 1 / 2, 1 / 3, 2 / 4))
    rows = np.array([[[0.9, 1], [0.2, 0], [0.6, 0], [0.4, 1]]])
    assert risk_coverage_area(rows) == pytest.approx([(0 + 1 / 2 + 1 / 3 + 1 / 2) / 4])


def slow_area(cases: list[tuple[float, float]]) -> float:
    """The mean over all orders in which nobody surer comes later, of the mean risk over all prefixes."""
    areas = []
    for order in permutations(cases):
        if all(a[0] >= b[0] for a, b in pairwise(order)):
            wrong = [1 - one[1] for one in order]
            areas.append(sum(sum(wrong[:k]) / k for k in range(1, len(wrong) + 1)) / len(wrong))
    return sum(areas) / len(areas)


@settings(max_examples=60)
@given(CASES, st.integers(0, 2))
def test_the_area_is_the_mean_over_all_orders(cases: list[tuple[float, float]], unknown: int) -> None:
    rows = np.array([[*cases, *[(np.nan, np.nan)] * unknown]])
    assert risk_coverage_area(rows)[0] == pytest.approx(slow_area(cases))
    both = np.concatenate([rows, rows[:, ::-1]])
    assert risk_coverage_area(both) == pytest.approx([slow_area(cases)] * 2)


def test_without_questions_there_is_no_curve() -> None:
    assert np.isnan(risk_coverage_area(np.full((1, 2, 2), np.nan)))


@pytest.mark.parametrize(
    ("question", "answered", "text", "drafted", "expected"),
    [
        (PUMP, True, "70 litres", "70 litres", {"accurate": 1, "right": 1, "answered": 1, "correct": 1}),
        (PUMP, True, "7 litres", "7 litres", {"accurate": 0, "right": 0, "answered": 1, "correct": 0}),
        (PUMP, False, "", "70 litres", {"accurate": 0, "answered": 0, "correct": 1}),
        (PUMP, False, "", None, {"accurate": 0, "answered": 0, "correct": 0, "confidence": -1}),
        (UNKNOWN, True, "Bo", "Bo", {"accurate": 0, "right": 0, "refused": 0, "correct": 0}),
        (UNKNOWN, False, "", "Bo", {"accurate": 1, "refused": 1, "correct": 0}),
    ],
)
def test_values_by_hand(
    question: Question, answered: bool, text: str, drafted: str | None, expected: dict[str, float]
) -> None:
    assert abstention_values(question, answered, text, 0.7, drafted) == {"confidence": 0.7, **expected}


def test_a_number_is_right_by_its_value_or_its_wording() -> None:
    numeric = Question("3", "How long?", ("3.5 km", "two miles"), (), True, number=Number(3.5, "km"))
    assert abstention_values(numeric, True, "3500 m", None, "3500 m") == {"accurate": 1, "right": 1, "answered": 1}
    assert abstention_values(numeric, True, "3.5 km and 4", None, "")["right"] == 1
    assert abstention_values(numeric, True, "Two miles.", None, "")["right"] == 1
    assert abstention_values(numeric, True, "about 3.5", None, "")["right"] == 0
