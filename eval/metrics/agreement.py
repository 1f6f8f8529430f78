"""Whether a language model as a judge agrees with what can be computed, and with itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eval.metric import Metric

if TYPE_CHECKING:
    from eval.metric import Floats


def kappa(rows: Floats) -> Floats:
    """Cohen's kappa of two raters, -1 to 1, from rows of (one's verdict, the other's), each 0 or 1.

    Cohen, "A coefficient of agreement for nominal scales", Educational and Psychological Measurement 20, 1960. NaN for
    a sample in which both always say the same one thing: there is nothing that chance could not explain.
    """
    import numpy as np

    with np.errstate(invalid="ignore", divide="ignore"):
        first, second = np.nanmean(rows[..., 0], axis=-1), np.nanmean(rows[..., 1], axis=-1)
        known = ~np.isnan(rows[..., 0])
        agreed = ((rows[..., 0] == rows[..., 1]) & known).sum(-1) / known.sum(-1)
        by_chance = first * second + (1 - first) * (1 - second)
        return np.where(by_chance < 1, (agreed - by_chance) / (1 - by_chance), np.nan)


_JUDGED = "judged answers"
_SURE = "judged answers on which the judge says the same in both orders"
METRICS = (
    Metric("judged_right", "share that the judge calls right, in both orders", ("judged_right",), over=_JUDGED),
    Metric(
        "judge_consistent", "share that the judge says the same of in both orders", ("judge_consistent",), over=_JUDGED
    ),
    Metric("judge_agreement", "share on which judge and computed verdict agree", ("judge_agrees",), over=_SURE),
    Metric(
        "judge_kappa",
        "the same beyond chance (Cohen's kappa)",
        ("judge_verdict", "computed_verdict"),
        statistic=kappa,
        over=_SURE,
        bounds=(-1.0, 1.0),
    ),
)
