"""Accuracy and macro-F1 where an answer is one of a few words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eval.metric import Metric

if TYPE_CHECKING:
    from eval.metric import Floats, Statistic


def macro_f1(classes: int) -> Statistic:
    """The mean of the classes' F1, from rows of (right class, given class), numbered from 0.

    NaN for a sample in which a class is never the right one, as its recall is not defined then.
    """

    def statistic(rows: Floats) -> Floats:
        import numpy as np

        right, given = rows[..., 0], rows[..., 1]
        scores = []
        for one in range(classes):
            both = ((right == one) & (given == one)).sum(-1)
            wanted, said = (right == one).sum(-1), (given == one).sum(-1)
            with np.errstate(invalid="ignore", divide="ignore"):
                scores.append(np.where(wanted > 0, 2 * both / (wanted + said), np.nan))
        found: Floats = np.mean(scores, axis=0)
        return found

    return statistic


def class_metrics(classes: int) -> tuple[Metric, ...]:
    return (
        Metric("accuracy", "share that is answered rightly", ("right",), over="classified questions"),
        Metric(
            "macro_f1",
            "mean over the possible answers of F1, however frequent each is",
            ("right_class", "given_class"),
            statistic=macro_f1(classes),
            over="classified questions",
        ),
    )
