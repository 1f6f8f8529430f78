from __future__ import annotations

import math
from decimal import Decimal

import pint
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from eval.metrics.numbers import number_match
from eval.questions import Number


@pytest.mark.parametrize(
    ("text", "wanted", "matches"),
    [
        ("It is 3.5 km long.", Number(3500, "m"), True),
        ("It is 3,500 metres long.", Number(3.5, "km"), True),
        ("It is 3.5 long.", Number(3.5, "km"), False),  # the unit is missing
        ("It is 3.5 kg.", Number(3.5, "km"), False),
        ("It has 3.5 billion parameters.", Number(3.5e9), True),
        ("It has 3.54 billion parameters.", Number(3.5e9), False),
        ("It has 3.54 billion parameters.", Number(3.5e9, "", 0.012), True),
        ("It has 3.54 billion parameters.", Number(3.5e9, "", 0.011), False),  # 0.04 / 3.5 = 1.14 %
        ("It took 12 GeV.", Number(12), False),  # no plain number
        ("The limit is 8 TeV, not 7 TeV.", Number(7000, "GeV"), True),
        ("139 fb⁻¹ were recorded", Number(139, "fb^-1"), True),
        ("139 fb^{-1}", Number(139000, "pb^-1"), True),
        ("it fell to -40 °C", Number(-40, "°C"), True),
        ("it rose to 40 °C", Number(-40, "°C"), False),
        ("1 kWh", Number(3.6, "MJ"), False),  # kept apart
        ("in 2012", Number(2012), True),
        ("on 2012-05-03", Number(2012), True),
        ("no number", Number(0), False),
        ("0 events", Number(0, "", 0.5), True),
        ("half of GPT-3's", Number(3), False),
    ],
)
def test_numbers_by_hand(text: str, wanted: Number, matches: bool) -> None:
    assert number_match(text, wanted) == matches


UNITS = pint.UnitRegistry()
# How Refdesk is told -> how Pint is.
SPELLINGS = {
    "nm": "nm", "mm": "mm", "km": "km", "metres": "m", "ms": "ms", "s": "s", "minutes": "min", "hours": "h",
    "days": "day", "keV": "keV", "GeV": "GeV", "TeV": "TeV", "mg": "mg", "kg": "kg", "tonnes": "tonne", "kHz": "kHz",
    "MHz": "MHz", "MB": "MB", "GiB": "GiB", "mT": "mT", "mW": "mW", "MW": "MW", "km/s": "km/s", "m^2": "m**2",
    "fb^-1": "1/fb", "pb^-1": "1/pb",
}  # fmt: skip
DIGITS = st.integers(1, 99_999).map(lambda n: n / 100)


@given(DIGITS, st.sampled_from(sorted(SPELLINGS)), DIGITS, st.sampled_from(sorted(SPELLINGS)), st.floats(0, 2))
def test_units_are_those_of_pint(
    given_value: float, given_unit: str, value: float, unit: str, tolerance: float
) -> None:
    written = UNITS.Quantity(given_value, SPELLINGS[given_unit])
    wanted = UNITS.Quantity(value, SPELLINGS[unit])
    same_kind = written.is_compatible_with(wanted)
    off = abs(written.to(wanted.units).magnitude - value) / value if same_kind else math.inf
    assume(abs(off - tolerance) > 1e-9)
    found = number_match(f"It was {given_value} {given_unit}.", Number(value, unit, tolerance))
    assert found == (off <= tolerance)


@given(DIGITS, st.sampled_from(sorted(SPELLINGS)), st.sampled_from(sorted(SPELLINGS)))
def test_a_converted_number_matches(value: float, unit: str, other: str) -> None:
    wanted = UNITS.Quantity(value, SPELLINGS[unit])
    assume(wanted.is_compatible_with(UNITS.Quantity(1, SPELLINGS[other])))
    converted = Decimal(repr(wanted.to(SPELLINGS[other]).magnitude))
    assert number_match(f"It was {converted:f} {other}.", Number(value, unit, 1e-9)) == 1


@given(st.floats(-1e15, 1e15).filter(lambda value: value == 0 or abs(value) > 1e-9))
def test_any_number_matches_itself(value: float) -> None:
    assert number_match(f"The value is {Decimal(repr(value)):f} GeV", Number(value, "GeV")) == 1
