"""What every metric promises the bootstrap: samples side by side, and questions of NaN that do not count."""

from __future__ import annotations

import numpy as np
import pytest

from eval.kinds import metrics_of
from eval.metric import Metric, mean, ratio
from eval.runs.about import About, Data


def every() -> list[Metric]:
    kinds = ("answers", "attacks", "mmlu", "retrieval")
    found = [one for kind in kinds for one in metrics_of(About.of(kind, Data("", "", 0), {}))]
    return list({one.statistic: one for one in found}.values())


def plausible(metric: Metric, n: int) -> np.ndarray:
    random = np.random.default_rng(0)
    if metric.name == "bleu":  # fewer matches than n-grams
        return np.sort(random.integers(5, 30, (n, len(metric.columns))).astype(float))
    return random.integers(0, 2, (n, len(metric.columns))) + (metric.name == "perplexity") * 1.0


@pytest.mark.parametrize("metric", every(), ids=lambda one: one.name)
def test_questions_of_nan_do_not_count_and_samples_are_apart(metric: Metric) -> None:
    rows = plausible(metric, 12)
    with_gap = np.insert(rows, 5, np.nan, axis=0)
    (alone,) = metric.statistic(rows[None])
    assert np.isfinite(alone)
    other = with_gap[::-1].copy()
    other[0] = other[1]
    found = metric.statistic(np.stack([with_gap, with_gap[::-1], other]))
    assert found[:2] == pytest.approx([alone, alone])
    assert found[2] == pytest.approx(float(metric.statistic(other[None])[0]))


def test_values_by_hand() -> None:
    rows = np.array([[[1.0, 2], [np.nan, np.nan], [2, 4], [0, 0]], [[np.nan, np.nan]] * 4])
    assert mean(rows) == pytest.approx([1, np.nan], nan_ok=True)
    assert ratio(rows) == pytest.approx([0.5, np.nan], nan_ok=True)


def test_macro_averages_are_means_of_one_column() -> None:
    for columns, statistic in ((("a", "b"), mean), (("a",), ratio)):
        with pytest.raises(ValueError, match="a macro average is the mean of one column"):
            Metric("m", "", columns, statistic=statistic, macro=True)
