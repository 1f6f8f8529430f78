"""Numbers are compared by value and unit, whatever they look like."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.text.quantities import missing, quantities


def values(text: str) -> list[tuple[Decimal, str]]:
    return [(q.value, q.unit) for q in quantities(text)]


MILLION = [
    "> 1M wiki pages",
    "1 M",
    "1 million",
    "one million",
    "1,000,000",
    "1 000 000",
    "1\u202f000\u202f000",
    "1'000'000",
    "1.000.000",
    "1{,}000{,}000",
    "1e6",
    "1.0E+6",
    "10^6",
    "$10^6$",
    "$10^{6}$",
    "10⁶",
    "1 × 10^6",
    r"1\times10^{6}",
    r"$1 \cdot 10^{6}$",
    "1000 thousand",
    "1000k",
]


@pytest.mark.parametrize("text", MILLION)
def test_one_million_in_any_format(text: str) -> None:
    assert values(text) == [(Decimal(1_000_000), "")]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("13.6 TeV", [("13600000000000", "eV")]),
        (r"$\sqrt{s}=13\,\mathrm{TeV}$", [("13000000000000", "eV")]),
        ("10–20 GeV", [("1e10", "eV"), ("2e10", "eV")]),
        ("between 10 and 20 km", [("10000", "m"), ("20000", "m")]),
        ("5.0 ± 0.2 GeV", [("5e9", "eV"), ("2e8", "eV")]),
        ("139 fb^{-1}", [("139e15", "1/b")]),
        ("139 fb−1", [("139e15", "1/b")]),
        ("10 TB/s", [("1e13", "B/s")]),
        ("50 km per hour", [("13.88888888888888888888888889", "m/s")]),
        ("95 percent", [("95", "%")]),
        ("95%", [("95", "%")]),
        ("a 10-day forecast", [("864000", "s")]),
        ("8.33 T and 5 K", [("8.33", "T"), ("5", "K")]),
        ("1T tokens", [("1e12", "")]),
        ("~750B words", [("750e9", "")]),
        (r"\$37.49", [("37.49", "USD")]),
        ("2 GiB", [("2147483648", "B")]),
        ("from -120 to −114", [("-120", ""), ("-114", "")]),
        ("15-19 July 2024", [("15", ""), ("19", ""), ("2024", "")]),
        ("2020-23", [("2020", ""), ("2023", "")]),
        ("2024-07-05", [("2024", ""), ("7", ""), ("5", "")]),
        ("at 13:00 UTC", [("46800", "clock")]),
        ("the 20th century", [("20", "th")]),
        ("lectures\n26th July 2024", [("26", "th"), ("2024", "")]),
        ("twenty-five models", [("25", "")]),
        ("two hundred thousand", [("200000", "")]),
        ("(.12 sec)", [("0.12", "s")]),
        ("3,5", [("3.5", "")]),
        ("<b>21 projects</b>", [("21", "")]),
        ("Run 2 139 fb^-1", [("2", ""), ("139e15", "1/b")]),
    ],
)
def test_units_ranges_and_dates(text: str, expected: list[tuple[str, str]]) -> None:
    assert values(text) == [(Decimal(number), unit) for number, unit in expected]


@pytest.mark.parametrize(
    "text",
    [
        "GPT-3, COVID-19, ERA5, Run-2, A100, H2O, 3D and v1.2.3",
        "as shown before [2], [1, 3] and [1-3]",
        "https://indico.cern.ch/event/1395528/ and arXiv:1811.10276",
        "see Table 3, Fig. 2 and Section 3.1",
        "one of the models that one can use; this one",
        "hundreds of terabytes",
        "$x^2$ and $h_1$",
    ],
)
def test_digits_in_names_are_words(text: str) -> None:
    assert quantities(text) == []


@pytest.mark.parametrize(
    ("sentence", "quote", "lacking"),
    [
        ("It has 1.5 billion parameters.", "a network with 3.5 billion parameters", ["1.5 billion"]),
        ("It holds more than 1 million pages.", "Confluence: > 1M wiki pages", []),
        ("It holds less than 1 million pages.", "Confluence: > 1M wiki pages", ["1 million"]),
        ("It holds less than 1M pages.", "Confluence: > 1M wiki pages", ["1M"]),
        ("Collisions at 13 TeV.", "Collisions at 13 GeV.", ["13 TeV"]),
        ("Collisions at 13 TeV.", "Collisions at 13000 GeV.", []),
        ("The energy is 13.6 TeV.", "| Energy (TeV) | 13.6 |", []),
        ("The energy is 13.6 TeV.", "| Energy (GeV) | 13.6 |", ["13.6 TeV"]),
        ("The energy is 13.6.", "an energy of 13.6 TeV", []),
        ("It ran for 10%.", "It ran for 10 days.", ["10%"]),
        ("It used 512 % of 41 GPUs.", "It used 41 % of 512 GPUs.", ["512 %"]),
        ("It began in [1999].", "It began in 2023.", ["1999"]),
        ("Rounded, it is 3.5.", "It is 3.54.", ["3.5"]),
        ("In Run 2 it grew.", "The Run-2 data grew.", []),
        ("In Run 3 it grew.", "The Run-2 data grew.", ["3"]),
    ],
)
def test_what_a_quote_lacks(sentence: str, quote: str, lacking: list[str]) -> None:
    assert [q.text for q in missing(sentence, quote)] == lacking


FORMATS = [
    lambda n: str(n),
    lambda n: f"{n:,}",
    lambda n: f"{n:,}".replace(",", "\u202f"),
    lambda n: f"{n:,}".replace(",", "{,}"),
    lambda n: f"${n}$",
    lambda n: f"{n}e0",
    lambda n: rf"{n}\times10^{{0}}",
    lambda n: f"{Decimal(n) / 1000} thousand",
    lambda n: f"{Decimal(n) / 1_000_000} million",
    lambda n: f"{Decimal(n) / 1_000_000_000} billion",
]
numbers = st.integers(min_value=13, max_value=10**12)


@given(numbers, st.sampled_from(FORMATS), st.sampled_from(FORMATS))
def test_formats_of_one_number_are_equal(n: int, write, rewrite) -> None:  # type: ignore[no-untyped-def]
    assert [q.value for q in quantities(f"about {write(n)} events")] == [n]
    assert missing(f"There are {write(n)} events.", f"We saw {rewrite(n)} events.") == []


@given(numbers, st.data(), st.sampled_from(FORMATS), st.sampled_from(FORMATS))
def test_a_changed_digit_is_never_equal(n: int, data, write, rewrite) -> None:  # type: ignore[no-untyped-def]
    digits = list(str(n))
    place = data.draw(st.integers(0, len(digits) - 1))
    digits[place] = data.draw(st.sampled_from([d for d in "0123456789" if d != digits[place]]))
    other = int("".join(digits))
    assert len(missing(f"There are {write(other)} events.", f"We saw {rewrite(n)} events.")) == 1


@given(st.text(max_size=80))
def test_any_text_gives_ordered_exact_spans(text: str) -> None:
    found = quantities(text)
    assert all(text[q.start : q.end] == q.text for q in found)
    assert all(a.end <= b.start for a, b in pairwise(found))
    assert missing(text, text) == []
