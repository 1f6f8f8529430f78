"""Ranking metrics against their definitions, scikit-learn, and values computed by hand."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.metric import Result
from eval.metrics.ranking import METRICS, ranking_values
from eval.statistics import Figure, Undefined, figure

KEYS = [f"d{n}" for n in range(15)]
RELEVANCE = st.dictionaries(st.sampled_from(KEYS), st.integers(0, 3)).filter(lambda found: any(found.values()))


def by_definition(relevance: dict[str, int], ranked: list[str]) -> dict[str, float]:
    """Linear gain over log2 of the rank plus one, divided by that of the best order; and the rest as it reads."""
    relevant = {key: degree for key, degree in relevance.items() if degree}
    gain = sum(relevant.get(key, 0) / math.log2(rank + 1) for rank, key in enumerate(ranked[:10], start=1))
    best = sorted(relevant.values(), reverse=True)[:10]
    ideal = sum(degree / math.log2(rank + 1) for rank, degree in enumerate(best, start=1))
    ranks = [rank for rank, key in enumerate(ranked[:100], start=1) if key in relevant]
    recalls = {f"recall_at_{k}": sum(rank <= k for rank in ranks) / len(relevant) for k in (1, 5, 10, 100)}
    return {"ndcg_at_10": gain / ideal, **recalls, "mrr": 1 / ranks[0] if ranks else 0.0}


@given(RELEVANCE, st.permutations(KEYS), st.integers(0, 15))
def test_values_equal_their_definitions(relevance: dict[str, int], order: list[str], length: int) -> None:
    assert ranking_values(relevance, order[:length]) == pytest.approx(by_definition(relevance, order[:length]))


@given(RELEVANCE, st.permutations(KEYS))
def test_ndcg_equals_that_of_scikit_learn(relevance: dict[str, int], order: list[str]) -> None:
    from sklearn.metrics import ndcg_score

    expected = ndcg_score([[relevance.get(key, 0) for key in KEYS]], [[-order.index(key) for key in KEYS]], k=10)
    assert ranking_values(relevance, order)["ndcg_at_10"] == pytest.approx(expected)


@given(RELEVANCE, st.permutations(KEYS), st.data())
def test_a_relevant_document_that_moves_up_makes_nothing_worse(
    relevance: dict[str, int], order: list[str], data: st.DataObject
) -> None:
    best = max(relevance, key=lambda key: relevance[key])
    to = data.draw(st.integers(0, order.index(best)))
    moved = [key for key in order if key != best]
    moved.insert(to, best)
    before, after = ranking_values(relevance, order), ranking_values(relevance, moved)
    assert all(after[name] >= before[name] - 1e-12 for name in before)


def test_values_by_hand() -> None:
    values = ranking_values({"a": 1, "b": 2, "c": 0}, ["c", "b", *(f"x{n}" for n in range(40)), "a"])
    assert values["ndcg_at_10"] == pytest.approx((2 / 1.584962500721156) / (2 + 1 / 1.584962500721156))
    assert values["mrr"] == 0.5
    assert [values[f"recall_at_{k}"] for k in (1, 5, 10, 100)] == [0, 0.5, 0.5, 1]


def test_what_is_found_behind_the_hundredth_does_not_count() -> None:
    others = [f"x{n}" for n in range(120)]
    assert ranking_values({"a": 1}, [*others[:99], "a"])["mrr"] == pytest.approx(0.01)
    late = ranking_values({"a": 1}, [*others[:100], "a"])
    assert (late["mrr"], late["recall_at_100"]) == (0, 0)
    assert set(ranking_values({"a": 1}, []).values()) == {0.0}


@pytest.mark.parametrize("relevance", [{}, {"a": 0}])
def test_without_a_relevant_document_nothing_is_defined(relevance: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="no relevant document, so neither nDCG nor recall"):
        ranking_values(relevance, ["a"])


def test_a_document_that_comes_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="comes twice"):
        ranking_values({"a": 1}, ["a", "b", "a"])


def test_wordings_are_reported_apart() -> None:
    results = [
        Result("1", "", ranking_values({"a": 1}, ["a"], "exact"), {}),
        Result("2", "", ranking_values({"a": 1}, ["b"], "exact"), {}),
        Result("3", "", ranking_values({"a": 1}, ["b", "a"]), {}),
    ]
    found = {metric.name: figure(metric, results) for metric in METRICS}
    exact, paraphrased = found["Recall@10, exact"], found["nDCG@10, paraphrase"]
    assert isinstance(exact, Figure)
    assert (exact.value, exact.n) == (0.5, 2)
    assert paraphrased == Undefined("nDCG@10, paraphrase", "there are no questions in other words")
    every = [found[name] for name in ("nDCG@10", "Recall@1", "Recall@5", "Recall@10", "Recall@100", "MRR")]
    assert [one.n for one in every if isinstance(one, Figure)] == [3] * 6
    assert [one.value for one in every if isinstance(one, Figure)] == pytest.approx(
        [(1 + 1 / math.log2(3)) / 3, 1 / 3, 2 / 3, 2 / 3, 2 / 3, 0.5]
    )
