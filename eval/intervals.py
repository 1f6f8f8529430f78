"""Intervals of 95 %: how far from what was found the truth may be, for questions drawn from all that could be asked.

How often they hold the truth is simulated in the tests. Over 50 questions or more it is 92 to 97 % for scores, shares,
ratios, macro averages and their differences; over 20, 91 % and more. It is less where a few values far out make the
figure: 91 % for a perplexity over 50 questions (95 % over 200), and 91 to 95 % for log-normal latencies. It is up to
100 %, and the interval wider than need be, for differences where fewer than 30 questions changed. Questions that
hang together (about one document, or one after another) are taken as apart, which makes intervals too narrow.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from eval.metric import Floats, Statistic

    Indices = NDArray[np.intp]

LEVEL = 0.95
RESAMPLES = 4_000
_AT_ONCE = 100_000
"""Drawn numbers that are held at a time: more do not fit into a core's cache, and take twice as long."""
_MOST_LEFT_OUT = 2_000
"""Questions up to which each is left out once for the acceleration; it falls with their root, so beyond it is 0."""


def wilson(value: float, n: int, bounds: tuple[float, float]) -> tuple[float, float]:
    """For the mean of `n` values that are one of the bounds, such as a share (Wilson, "Probable inference, the law of
    succession, and statistical inference", JASA 22, 1927). Too wide, and so safe, for values between them."""
    from scipy.special import ndtri

    least, width = bounds[0], bounds[1] - bounds[0]
    share = (value - least) / width
    z2 = float(ndtri((1 + LEVEL) / 2)) ** 2
    middle, half = share + z2 / (2 * n), (z2 * (share * (1 - share) / n + z2 / (4 * n * n))) ** 0.5
    low, high = max(0.0, (middle - half) / (1 + z2 / n)), min(1.0, (middle + half) / (1 + z2 / n))
    return least + low * width, least + high * width


def bonett_price(differences: Floats, width: float) -> tuple[float, float]:
    """For the mean of paired differences of shares, each -width, 0 or width (Bonett and Price, "Adjusted Wald
    confidence interval for a difference of binomial proportions based on paired data", Journal of Educational and
    Behavioral Statistics 37, 2012). Too wide, and so safe, for differences between these."""
    from scipy.special import ndtri

    n = len(differences) + 2
    gained = (np.maximum(differences, 0).sum() / width + 1) / n
    lost = (np.maximum(-differences, 0).sum() / width + 1) / n
    half = float(ndtri((1 + LEVEL) / 2)) * np.sqrt((gained + lost - (gained - lost) ** 2) / n)
    return max(-1.0, float(gained - lost - half)) * width, min(1.0, float(gained - lost + half)) * width


def bca(rows: Floats, strata: Indices, statistic: Statistic, seed: int) -> tuple[float, float]:
    """The bootstrap's BCa interval (Efron, "Better bootstrap confidence intervals", JASA 82, 1987) of a statistic.

    `rows`, two at least, are of shape (questions, columns), those of a stratum (numbered from 0) side by side; a
    question is drawn within its stratum. Widened for few questions, as
    Hesterberg widens the percentile interval ("What teachers should know about the bootstrap", The American
    Statistician 69, 2015): Student's t for the normal distribution, and sqrt(n / (n - 1)) as draws spread too little.
    """
    from scipy.special import ndtr, ndtri, stdtrit

    value = float(statistic(rows[None])[0])
    drawn = np.concatenate([statistic(rows.take(chosen, axis=0)) for chosen in _draws(strata, rows.shape[1], seed)])
    drawn = drawn[~np.isnan(drawn)]
    slack = 1e-12 * max(1.0, abs(value))  # sums in another order
    below = ((drawn < value - slack).sum() + (drawn <= value + slack).sum()) / 2
    bias = ndtri(np.clip(below, 1, len(drawn) - 1) / len(drawn))
    n, groups = len(rows), int(strata.max()) + 1
    acceleration = _acceleration(rows, strata, statistic) if 2 < n <= _MOST_LEFT_OUT else 0.0
    end = stdtrit(n - groups, (1 + LEVEL) / 2) * (np.sqrt(n / (n - 1)) if groups == 1 else 1.0)
    ends = bias + np.array([-end, end])
    low, high = np.quantile(drawn, ndtr(bias + ends / (1 - acceleration * ends)))
    return float(low), float(high)


def spread(values: Floats, strata: Indices) -> Floats:
    """Values moved away from their stratum's mean, so that draws from small strata vary as much as the truth does.

    By the factor of Rao and Wu, "Resampling inference with complex survey data", JASA 83, 1988, for draws as large as
    the stratum: sqrt(n / (n - 1)). NaN stays, and does not count.
    """
    defined = ~np.isnan(values)
    sizes = np.bincount(strata, defined)
    means = np.bincount(strata, np.where(defined, values, 0)) / np.maximum(sizes, 1)
    factor = np.sqrt(sizes / np.maximum(sizes - 1, 1))
    return means[strata] + (values - means[strata]) * factor[strata]


def batches(count: int, size: int) -> Iterator[int]:
    """`count` in parts, each small enough that so many times `size` numbers fit."""
    part = max(1, _AT_ONCE // max(1, size))
    for start in range(0, count, part):
        yield min(part, count - start)


def _draws(strata: Indices, columns: int, seed: int) -> Iterator[Indices]:
    """Questions drawn with replacement within their strata, `RESAMPLES` times: of shape (samples, questions)."""
    random = np.random.default_rng(seed)
    sizes = np.bincount(strata)
    starts, lengths = np.repeat(np.cumsum(sizes) - sizes, sizes), np.repeat(sizes, sizes)
    for samples in batches(RESAMPLES, len(strata) * columns):
        yield starts + (random.random((samples, len(strata))) * lengths).astype(np.intp)


def _acceleration(rows: Floats, strata: Indices, statistic: Statistic) -> float:
    """How fast the standard error changes with the value, by leaving each question out once, within its stratum
    (Davison and Hinkley, Bootstrap Methods and their Application, 1997, 5.3.2 and problem 5.7)."""
    n = len(rows)
    without: list[Floats] = []
    done = 0
    for samples in batches(n, rows.size):
        left = np.repeat(rows[None], samples, axis=0)
        left[np.arange(samples), np.arange(done, done + samples)] = np.nan
        without.append(statistic(left))
        done += samples
    left_out = np.concatenate(without)
    counts = ~np.isnan(left_out)
    sizes = np.bincount(strata, counts)
    means = np.bincount(strata, np.where(counts, left_out, 0)) / np.maximum(sizes, 1)
    share = (1 - 1 / np.maximum(sizes, 1))[strata]
    away = np.where(counts, share * (means[strata] - left_out), 0)
    scale = float((away**2).sum() ** 1.5)
    return float((away**3).sum()) / (6 * scale) if scale > 0 else 0.0
