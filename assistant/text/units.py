"""Units of measure as they stand in scientific text, and what each is in a base unit.

Prefixes and symbols: BIPM, The International System of Units, 9th edition (2019), tables 2 to 8; binary
prefixes: IEC 80000-13.
Months and years keep units of their own, since neither is a fixed number of days.
"""

from __future__ import annotations

import re
from decimal import Decimal
from functools import cache

SYMBOL_PREFIXES = {
    "E": 18, "P": 15, "T": 12, "G": 9, "M": 6, "k": 3, "c": -2, "m": -3, "µ": -6, "μ": -6, "u": -6, "n": -9,
    "p": -12, "f": -15,
}  # fmt: skip
NAME_PREFIXES = {
    "exa": 18, "peta": 15, "tera": 12, "giga": 9, "mega": 6, "kilo": 3, "centi": -2, "milli": -3, "micro": -6,
    "nano": -9, "pico": -12, "femto": -15,
}  # fmt: skip

# Symbol -> (base unit, the prefixes that it is met with).
_SYMBOLS = {
    "eV": ("eV", "EPTGMkmµμu"), "B": ("B", "EPTGMkK"), "bit": ("bit", "TGMk"), "bps": ("bit/s", "TGMk"),
    "m": ("m", "kcmµμunpf"), "g": ("g", "kmµμun"), "s": ("s", "mµμunpf"), "Hz": ("Hz", "TGMkm"), "W": ("W", "TGMkmµμ"),
    "Wh": ("Wh", "TGMk"), "J": ("J", "TGMkm"), "V": ("V", "Mkmµμ"), "Pa": ("Pa", "GMkm"), "T": ("T", "mµμ"),
    "K": ("K", "mµμn"), "FLOPS": ("FLOPS", "EPTGM"), "FLOPs": ("FLOPS", "EPTGM"), "pc": ("pc", "GMk"),
    "b": ("b", "mµμnpf"),
}  # fmt: skip
_NAMES = {
    "electronvolt": "eV", "byte": "B", "bit": "bit", "metre": "m", "meter": "m", "gram": "g", "second": "s",
    "hertz": "Hz", "watt": "W", "watt-hour": "Wh", "joule": "J",
    "volt": "V", "pascal": "Pa", "tesla": "T", "kelvin": "K",
    "parsec": "pc", "barn": "b", "flops": "FLOPS",
}  # fmt: skip
_OTHERS = {
    "%": ("%", 1), "percent": ("%", 1), "per cent": ("%", 1), "\\%": ("%", 1),
    "°C": ("°C", 1), "°": ("°", 1), "degree": ("°", 1), "degrees": ("°", 1), "^\\circ": ("°", 1),
    "sec": ("s", 1), "secs": ("s", 1), "min": ("s", 60), "mins": ("s", 60), "minute": ("s", 60), "minutes": ("s", 60),
    "h": ("s", 3600), "hr": ("s", 3600), "hrs": ("s", 3600), "hour": ("s", 3600), "hours": ("s", 3600),
    "day": ("s", 86400), "days": ("s", 86400), "week": ("s", 604800), "weeks": ("s", 604800),
    "month": ("month", 1), "months": ("month", 1), "yr": ("year", 1), "yrs": ("year", 1), "year": ("year", 1),
    "years": ("year", 1), "dollar": ("USD", 1), "dollars": ("USD", 1), "USD": ("USD", 1), "euro": ("EUR", 1),
    "euros": ("EUR", 1), "EUR": ("EUR", 1), "€": ("EUR", 1), "CHF": ("CHF", 1), "francs": ("CHF", 1), "GBP": ("GBP", 1),
    "KiB": ("B", 1024), "MiB": ("B", 1024**2), "GiB": ("B", 1024**3), "TiB": ("B", 1024**4), "PiB": ("B", 1024**5),
    "pixel": ("pixel", 1), "pixels": ("pixel", 1), "tonnes": ("g", 10**6), "tonne": ("g", 10**6),
}  # fmt: skip
# A lone letter is more often a name than a unit: "in 2010 B physics", "Table 2 V".
_NEEDS_PREFIX = {"B", "b"}
CURRENCIES = {"$": "USD", "\\$": "USD", "€": "EUR", "£": "GBP", "CHF": "CHF", "USD": "USD", "EUR": "EUR"}


@cache
def table() -> dict[str, tuple[str, Decimal]]:
    """Every spelling of a unit -> its base unit and how many of those one of it is."""
    units = {spelling: (base, Decimal(scale)) for spelling, (base, scale) in _OTHERS.items()}
    for symbol, (base, prefixes) in _SYMBOLS.items():
        if symbol not in _NEEDS_PREFIX:
            units[symbol] = (base, Decimal(1))
        for prefix in prefixes:
            units[prefix + symbol] = (base, Decimal(10) ** SYMBOL_PREFIXES.get(prefix, 3))
    for name, base in _NAMES.items():
        for prefix, power in {"": 0, **NAME_PREFIXES}.items():
            for spelling in (prefix + name, prefix + name + "s"):
                units[spelling] = (base, Decimal(10) ** power)
    return units


_TIME = r"(?:second|sec|s|minute|min|hour|h|day|week|month|year|yr)"


@cache
def pattern() -> re.Pattern[str]:
    """Matches a unit: groups `inverse` ("fb^{-1}"), or `unit` with `power` ("m^2") and `per` ("/s")."""
    spellings = "|".join(sorted(map(re.escape, table()), key=len, reverse=True))
    inverse = (
        r"(?P<inverse>[fpnmµμ]b)\s*\$?\s*(?:\^?\s*\{?\s*[-−–]\s*1\s*\}?|⁻¹)\$?"
        r"|(?:/|inverse\s+)(?P<inverse2>[fpn]b|femtobarns?|picobarns?)"
    )
    plain = (
        rf"(?P<unit>{spellings})(?:\^?\{{?(?P<power>[23])\}}?|(?P<raised>[²³]))?"
        rf"(?P<per>\s?/\s?{_TIME}|\s+per\s+{_TIME}|\s?s\^?\{{?[-−]1\}}?|\s?s⁻¹)?"
    )
    return re.compile(rf"(?:{inverse}|{plain})(?![A-Za-z0-9°])")


def measure(match: re.Match[str]) -> tuple[str, Decimal]:
    """The base unit that a match of `pattern` stands for, and how many of those one of it is."""
    if inverse := match["inverse"] or match["inverse2"]:
        symbol = {"femtobarn": "fb", "picobarn": "pb"}.get(inverse.rstrip("s"), inverse)
        return "1/b", 1 / table()[symbol][1]
    base, scale = table()[match["unit"]]
    power = int(match["power"] or {"²": 2, "³": 3}.get(match["raised"] or "", 1))
    base, scale = (f"{base}{power}", scale**power) if power > 1 else (base, scale)
    if match["per"]:
        time = re.sub(r"\W|per|\d|⁻¹", "", match["per"]) or "s"
        time_base, time_scale = table()[time]
        return f"{base}/{time_base}", scale / time_scale
    return base, scale
