"""How surprised a language model is by the right answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eval.metric import Metric, ratio

if TYPE_CHECKING:
    from eval.metric import Floats


def perplexity(rows: Floats) -> Floats:
    """exp(nats / tokens), both summed over all answers: the tokens count the same, whichever answer they stand in.

    Rows hold (minus the log-likelihood in nats, tokens). Jelinek et al., JASA 62(S1), 1977. Only models with the same
    tokenizer can be compared by it.
    """
    import numpy as np

    found: Floats = np.exp(ratio(rows))
    return found


METRICS = (
    Metric(
        "perplexity",
        "of the first accepted answer, a token, after what the model is shown",
        ("nats", "answer_tokens"),
        better="lower",
        statistic=perplexity,
        over="answerable questions put to a model that tells probabilities",
        bounds=None,
    ),
)
