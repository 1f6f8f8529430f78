"""Whether an answer gives the right number, in whatever unit and notation."""

from __future__ import annotations

from decimal import Decimal

from assistant.text.quantities import quantities
from eval.metric import Metric
from eval.questions import Number

METRICS = (
    Metric(
        "number_match",
        "share that gives the right number in the right unit, within its tolerance",
        ("number_match",),
        over="answerable questions with a number",
    ),
)


def number_match(text: str, wanted: Number) -> float:
    """1 if one of the numbers in `text` is within `wanted.tolerance` of the wanted one, in a unit of the same kind.

    "3.5 km" and "3,500 metres" are the same, "3.5" alone is not; a wanted number without a unit is matched only by one
    without. Energies in eV, J and Wh are different kinds, as in `assistant.text.units`. "More than 3.5 km" counts as
    3.5 km. Like `contains`, it does not mind other numbers beside the right one.
    """
    (target,) = quantities(f"{_plain(abs(wanted.value))} {wanted.unit}".strip())
    value = target.value.copy_sign(Decimal(wanted.value))
    most = abs(value) * Decimal(repr(wanted.tolerance))
    return float(any(one.unit == target.unit and abs(one.value - value) <= most for one in quantities(text)))


def _plain(value: float) -> str:
    """Digits without an exponent: 3.5e9 is 3500000000."""
    return f"{Decimal(repr(value)):f}"
