"""Figures in words: as many decimals as the interval bears, the same in tables, reports and the app."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from math import floor, log10

from eval.statistics import Comparison, Figure, Undefined

HOW_SURE = (
    "Brackets hold 95 % intervals: bias-corrected and accelerated bootstrap over questions, Wilson's for shares of "
    "questions. Differences are tested by paired randomisation over the questions that both answered; p is the "
    "probability of a difference at least as large, either way, if only chance told them apart. Where many p are "
    "printed, one in twenty falls below 0.05 by chance."
)
_MOST_DECIMALS = 6


def decimals(low: float, high: float) -> int:
    """So many that half the interval's width has two significant digits; 3 where it has no width."""
    half = (high - low) / 2
    return min(_MOST_DECIMALS, max(0, 1 - floor(log10(half)))) if half > 0 else 3


def figure_text(one: Figure | Undefined) -> str:
    """As `0.612 [0.571, 0.652]`."""
    if isinstance(one, Undefined):
        return "not defined"
    places = decimals(one.low, one.high)
    return f"{one.value:.{places}f} [{one.low:.{places}f}, {one.high:.{places}f}]"


def difference_text(one: Comparison) -> str:
    """As `+0.041 [-0.002, +0.084]`."""
    places = decimals(one.low, one.high)
    return f"{one.difference:+.{places}f} [{one.low:+.{places}f}, {one.high:+.{places}f}]"


def sides_text(one: Comparison) -> tuple[str, str]:
    """Before and after."""
    places = decimals(one.low, one.high)
    return f"{one.before:.{places}f}", f"{one.after:.{places}f}"


def printable(text: str) -> str:
    """Without control codes, with which a question could write anything on a terminal."""
    return "".join(char for char in text if char == "\n" or unicodedata.category(char) != "Cc")


def p_text(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def counted_text(found: Iterable[Figure | Undefined]) -> str:
    """Over how many of what the figures of one metric are, as `200 questions` or `150–180 questions`."""
    figures = [one for one in found if isinstance(one, Figure)]
    if not figures:
        return ""
    numbers = sorted(one.n for one in figures)
    span = f"{numbers[0]:,}" if numbers[0] == numbers[-1] else f"{numbers[0]:,}–{numbers[-1]:,}"
    return f"{span} {figures[0].over}"
