"""Figures and comparisons against scipy, exhaustive enumeration and values by hand; what must hold of any."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from eval.metric import Metric, Result, ratio
from eval.statistics import PERMUTATIONS, Comparison, Figure, Undefined, compare, figure

F1 = Metric("f1", "", ("x",))
TIME = Metric("seconds", "", ("x",), better="lower", bounds=None, over="answers")
CITED = Metric("citations", "", ("x", "of"), statistic=ratio, over="citations")
MACRO = Metric("macro", "", ("x",), macro=True)


def result(id_: Any, x: float | None, of: float | None = None, group: str = "") -> Result:
    values = {name: value for name, value in (("x", x), ("of", of)) if value is not None}
    return Result(str(id_), group, values, {})


def many(values: Sequence[float | None]) -> list[Result]:
    return [result(f"{i:04}", x) for i, x in enumerate(values)]


def found(one: Figure | Undefined) -> Figure:
    assert isinstance(one, Figure)
    return one


def change(one: Comparison | Undefined) -> Comparison:
    assert isinstance(one, Comparison)
    return one


def test_values_by_hand() -> None:
    three = [result(1, 1, 2, "a"), result(2, 0.5, 3, "a"), result(3, 0, 0, "b"), result(4, 0.25, 3, "b")]
    assert (found(figure(F1, three)).value, found(figure(F1, three)).n) == (0.4375, 4)
    assert found(figure(CITED, three)).value == 1.75 / 8
    assert found(figure(MACRO, [*three, result(5, 1, group="a")])).value == pytest.approx((2.5 / 3 + 0.125) / 2)
    without = [*three, result(5, None)]
    assert found(figure(F1, without)) == found(figure(F1, three))


@pytest.mark.parametrize(("right", "n"), [(0, 5), (7, 20), (97, 100), (1, 1)])
def test_shares_have_wilsons_interval(right: int, n: int) -> None:
    one = found(figure(F1, many([1.0] * right + [0.0] * (n - right))))
    theirs = stats.binomtest(right, n).proportion_ci(method="wilson")
    assert (one.low, one.high) == pytest.approx((theirs.low, theirs.high))


def test_what_is_all_alike_is_not_certain() -> None:
    for values in ([0.7], [0.7] * 20):
        one = found(figure(F1, many(values)))
        low, high = stats.binomtest(7 * len(values), 10 * len(values)).proportion_ci(method="wilson")
        assert one.low < low < one.value < high < one.high
    cited = [result(i, of, of) for i, of in enumerate([1, 2, 3, 0, 0])]
    low = stats.binomtest(3, 3).proportion_ci(method="wilson").low
    assert found(figure(CITED, cited)).low == pytest.approx(low), "answers without citations say nothing of them"
    same = change(compare(F1, many([0.7, 1, 0.2]), many([0.7, 1, 0.2])))
    assert same.low == pytest.approx(-same.high)
    assert same.high > 0.5
    all_lost = change(compare(F1, many([0.7] * 3), many([0.5] * 3)))
    assert all_lost.low < -0.2 < all_lost.high


def test_what_is_not_defined_is_refused() -> None:
    assert figure(CITED, []) == Undefined("citations", "there are no citations")
    assert figure(CITED, [result(1, 1)]) == Undefined("citations", "there are no citations")
    none = figure(CITED, [result(1, 0, 0), result(2, 0, 0)])
    assert none == Undefined("citations", "it has no value over these 2 citations")
    alone = figure(MACRO, [result(1, 1, group="law"), result(2, 1, group="art"), result(3, 0, group="art")])
    assert alone == Undefined(
        "macro", "law has one of these questions alone, which says nothing of its spread: ask more of it"
    )
    assert figure(TIME, [result(1, 3.5)]) == Undefined(
        "seconds", "one alone of answers says nothing of their spread: ask more"
    )
    assert compare(F1, many([1, 0]), [result("other", 1)]) == Undefined("f1", "there are no questions in both runs")
    assert compare(F1, many([1, 0]), many([None, None])) == Undefined(
        "f1", "it has no value over these 2 questions in one of the runs"
    )
    assert isinstance(compare(TIME, many([1]), many([2])), Undefined)


def test_what_cannot_be_is_refused() -> None:
    """Such as a share in per cent."""
    assert figure(F1, many([0.5, 60, 0.7])) == Undefined("f1", "60 cannot be: it lies between 0 and 1")
    assert figure(CITED, [result(1, 5, 4), result(2, 4, 4)]) == Undefined(
        "citations", "1.125 cannot be: it lies between 0 and 1"
    )
    assert compare(F1, many([1, 0]), many([-0.1, 0])) == Undefined("f1", "-0.1 cannot be: it lies between 0 and 1")


def test_two_results_of_a_question_are_refused() -> None:
    twice = [result("q1", 1), result("q2", 0), result("q1", 0)]
    with pytest.raises(ValueError, match="two results of question 'q1'"):
        figure(F1, twice)
    with pytest.raises(ValueError, match="two results of question 'q1'"):
        compare(F1, many([1]), twice)


VALUES = st.lists(st.floats(0, 1).map(lambda x: round(x, 3)), min_size=2, max_size=30)
GROUPED = st.lists(st.tuples(st.sampled_from("abc"), st.floats(0, 1)), min_size=1, max_size=20)


@settings(max_examples=25)
@given(VALUES, st.randoms())
def test_order_is_irrelevant_and_bounds_hold(values: list[float], order: random.Random) -> None:
    before, after = many(values), many(values[::-1])
    mixed, mixed_after = order.sample(before, len(before)), order.sample(after, len(after))
    assert figure(F1, mixed) == figure(F1, before)
    assert compare(F1, mixed, mixed_after) == compare(F1, before, after)
    one, two = found(figure(F1, before)), change(compare(F1, before, after))
    assert 0 <= one.low <= one.high <= 1
    assert -1 <= two.low <= two.high <= 1
    assert one.low <= one.value + 1e-12
    assert one.value <= one.high + 1e-12
    assert 0 < two.p_worse <= 1
    assert 0 < two.p_differs <= 1


@settings(max_examples=25)
@given(GROUPED, st.randoms())
def test_order_is_irrelevant_to_macro_averages(grouped: list[tuple[str, float]], order: random.Random) -> None:
    rows = [result(i, x, group=group) for i, (group, x) in enumerate([*grouped, *grouped])]
    one = found(figure(MACRO, rows))
    assert figure(MACRO, order.sample(rows, len(rows))) == one
    means = [np.mean([x for name, x in grouped if name == group]) for group in {name for name, _ in grouped}]
    assert one.value == pytest.approx(np.mean(means))
    assert 0 <= one.low <= one.high <= 1


@settings(max_examples=25)
@given(VALUES, VALUES, st.sampled_from([F1, TIME]))
def test_runs_exchanged_are_the_same_with_the_other_sign(left: list[float], right: list[float], metric: Metric) -> None:
    n = min(len(left), len(right))
    there = change(compare(metric, many(left[:n]), many(right[:n])))
    back = change(compare(metric, many(right[:n]), many(left[:n])))
    assert (back.before, back.after, back.difference) == (there.after, there.before, -there.difference)
    assert (back.low, back.high) == pytest.approx((-there.high, -there.low), abs=1e-9)
    assert back.p_differs == there.p_differs
    assert back.p_worse + there.p_worse >= 1
    # Either is half of both, but for chance and changes of none or of just the same size.
    smaller = min(back.p_worse, there.p_worse)
    assert smaller == pytest.approx(there.p_differs / 2, abs=4 * (0.25 / PERMUTATIONS) ** 0.5) or smaller > 0.45


@settings(max_examples=15)
@given(VALUES, st.floats(0.1, 1000), st.floats(-1000, 1000))
def test_other_units_change_nothing(values: list[float], factor: float, shift: float) -> None:
    seconds = found(figure(TIME, many(values)))
    other = found(figure(TIME, many([factor * x + shift for x in values])))
    expected = [factor * x + shift for x in (seconds.value, seconds.low, seconds.high)]
    assert [other.value, other.low, other.high] == pytest.approx(expected, rel=1e-6, abs=1e-6)


def test_the_seed_decides() -> None:
    values = many(np.random.default_rng(0).random(40).tolist())
    other = many(np.random.default_rng(1).random(40).tolist())
    assert figure(F1, values, 1) == figure(F1, values, 1) != figure(F1, values, 2)
    assert compare(F1, values, other, 1) == compare(F1, values, other, 1) != compare(F1, values, other, 2)


def by_chance(p: float) -> float:
    """Four standard deviations of a share of permutations, and the one that is counted in."""
    return 4 * (p * (1 - p) / PERMUTATIONS) ** 0.5 + 1.5 / PERMUTATIONS


@pytest.mark.parametrize("seed", range(5))
def test_p_values_equal_scipys(seed: int) -> None:
    draw = np.random.default_rng(seed)
    before, after = draw.random(12), np.clip(draw.random(12) - 0.1, 0, 1)
    ours = change(compare(F1, many(before.tolist()), many(after.tolist()), seed))
    for p, alternative in ((ours.p_worse, "less"), (ours.p_differs, "two-sided")):
        theirs = stats.permutation_test(
            (after, before), lambda x, y, axis: x.mean(axis) - y.mean(axis), permutation_type="samples",
            vectorized=True, n_resamples=np.inf, alternative=alternative,
        )  # fmt: skip
        assert p == pytest.approx(theirs.pvalue, abs=by_chance(theirs.pvalue))
    slower = change(compare(TIME, many(after.tolist()), many(before.tolist()), seed))
    theirs = stats.permutation_test(
        (before - after,), lambda x, axis: x.mean(axis), permutation_type="samples", vectorized=True,
        n_resamples=np.inf, alternative="greater",
    )  # fmt: skip
    assert slower.p_worse == pytest.approx(theirs.pvalue, abs=by_chance(theirs.pvalue))


@pytest.mark.parametrize(("gained", "lost"), [(0, 25), (3, 9), (5, 5), (9, 3), (0, 1)])
def test_p_values_of_shares_equal_mcnemars(gained: int, lost: int) -> None:
    before = [0.0] * gained + [1.0] * lost + [1.0] * 100
    after = [1.0] * gained + [0.0] * lost + [1.0] * 100
    ours = change(compare(F1, many(before), many(after)))
    worse = stats.binomtest(lost, gained + lost, alternative="greater").pvalue
    differs = stats.binomtest(lost, gained + lost).pvalue
    assert ours.p_worse == pytest.approx(worse, abs=by_chance(worse))
    assert ours.p_differs == pytest.approx(differs, abs=by_chance(differs))


@pytest.mark.parametrize("seed", range(3))
def test_p_values_of_ratios_and_macro_averages_equal_those_of_all_exchanges(seed: int) -> None:
    draw = np.random.default_rng(seed)
    of = draw.integers(1, 4, (2, 10)).astype(float)
    x = draw.binomial(of.astype(int), [[0.9], [0.7]]).astype(float)
    groups = np.array(list("aabbbbbccc"))
    sides = [
        [result(i, x[side, i], of[side, i], str(groups[i])) for i in range(10)] for side in (0, 1)
    ]  # fmt: skip

    def cited(first: np.ndarray[Any, Any], second: np.ndarray[Any, Any]) -> float:
        now, then = (x[side, range(10)].sum() / of[side, range(10)].sum() for side in (second, first))
        return float(now - then)

    def macro(first: np.ndarray[Any, Any], second: np.ndarray[Any, Any]) -> float:
        now, then = (
            np.mean([x[side, range(10)][groups == group].mean() for group in "abc"]) for side in (second, first)
        )
        return float(now - then)

    for metric, statistic in ((CITED, cited), (replace(MACRO, bounds=(0, 3)), macro)):
        ours = change(compare(metric, sides[0], sides[1], seed))
        all_ = [statistic(np.array(side), 1 - np.array(side)) for side in itertools.product((0, 1), repeat=10)]
        assert ours.difference == pytest.approx(all_[0])
        worse = float(np.mean([one <= all_[0] + 1e-12 for one in all_]))
        differs = float(np.mean([abs(one) >= abs(all_[0]) - 1e-12 for one in all_]))
        assert ours.p_worse == pytest.approx(worse, abs=by_chance(worse))
        assert ours.p_differs == pytest.approx(differs, abs=by_chance(differs))


def test_a_question_counts_in_the_run_that_has_a_value_for_it() -> None:
    """Else answering wrongly what had been refused would cost nothing."""
    before = many([1.0] * 20 + [None] * 10)
    after = many([1.0] * 20 + [0.0] * 10)
    ours = change(compare(F1, before, after))
    assert (ours.before, ours.after, ours.n) == (1, pytest.approx(2 / 3), 30)
    assert ours.p_worse < 0.01
    assert ours.high < 0
    assert ours.before == found(figure(F1, before)).value
    assert ours.after == found(figure(F1, after)).value


def test_questions_of_one_run_only_do_not_count() -> None:
    before, after = many([1, 0, 1, 1, 0, 0.5]), many([1, 0, 0, 1, 0.25, 0.5])
    assert compare(F1, [*before, result("x", 0)], [*after, result("y", 1)]) == compare(F1, before, after)


def test_less_is_better_where_it_is() -> None:
    quick, slow = many([1.0, 2, 3, 2, 1, 4, 2, 3]), many([1.5, 2.5, 3.5, 2.5, 1.5, 4.5, 2.5, 3.5])
    assert change(compare(TIME, quick, slow)).p_worse == pytest.approx(1 / 256, abs=by_chance(1 / 256))
    assert change(compare(TIME, slow, quick)).p_worse == 1
    assert change(compare(TIME, quick, quick)).p_worse == 1
    assert change(compare(replace(TIME, better="higher"), quick, slow)).p_worse == 1
