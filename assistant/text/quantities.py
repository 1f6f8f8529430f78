"""The numbers in a text, written one way, so that two texts can be compared: "> 1M" holds "one million".

Rounding is not allowed: 3.5 billion is not 3.54 billion. Digits inside names ("GPT-3", "v1.2.3", "ERA5"), in addresses
and in citation markers ("[2]") are words, not numbers.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Literal

from assistant.text import units

Bound = Literal["", ">", "<"]


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number at `text[start:end]` of the text that it was found in.

    `number` has its scale word or power of ten multiplied in ("1.5 billion" -> 1500000000). `unit` is a base unit
    ("km" -> "m") or empty, and `scale` says how many of those one of the written unit is. `bound` is ">" for "more
    than", "<" for "less than".
    """

    start: int
    end: int
    number: Decimal
    unit: str
    scale: Decimal
    bound: Bound
    text: str

    @property
    def value(self) -> Decimal:
        """The number in the base unit."""
        return self.number * self.scale


_ONES = """one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen
    eighteen nineteen"""
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
_WORDS = {w: Decimal(i + 1) for i, w in enumerate(_ONES.split())} | {
    w: Decimal(10 * (i + 2)) for i, w in enumerate(_TENS.split())
}
_SCALES = {
    "hundred": 2, "thousand": 3, "million": 6, "mn": 6, "billion": 9, "bn": 9, "trillion": 12, "k": 3, "K": 3, "M": 6,
    "B": 9, "T": 12,
}  # fmt: skip
_THIRD_ON = "third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth"
_ORDINALS = {w: i + 3 for i, w in enumerate(_THIRD_ON.split())}

_ELSEWHERE = re.compile(
    r"(?:https?://|www\.)[^\s)>\]]+"  # addresses
    r"|\barXiv:\s*\S+|\b10\.\d{4,}/\S+"  # identifiers of papers
    r"|\[(?:[a-z]+\s*)?\d{1,3}(?:\s*[,;–-]\s*\d{1,3})*\]"  # citation markers
    r"|</?[a-zA-Z][^<>]*>"  # HTML tags
    r"|\b(?:[Tt]able|[Ff]ig(?:ure|s?\.)|[Ee]q(?:uation|s?\.)|[Ss]ec(?:tion|t?\.)|[Cc]hapter|[Rr]ef\.|[Pp]assages?)[\s~]*\(?\d+(?:\.\d+)*\)?"
    r"|(?<![\d.])\d+(?:\.\d+){2,}(?!\.?\d)(?<!\.000)"  # versions, sections, addresses of machines
    r"|[\^_]\{?[-−+]?[\w.]+\}?"  # exponents and indices, where they are not a power of ten (tried before)
)
_GROUP = r"(?:,|\{,\}|\\,|['’\u00a0\u2009\u202f ])"


def _raised(group: str) -> str:
    return rf"(?:(?:\^|\*\*)\s*\{{?\s*(?P<{group}>[-−+]?\d+)\s*\}}?|(?P<{group}s>[⁻⁺]?[⁰¹²³⁴⁵⁶⁷⁸⁹]+))"


_DIGITS = re.compile(
    rf"""(?P<power10>(?<![\d.,])10\s*{_raised("e0")})
    |(?P<digits>\d{{1,3}}(?P<sep>{_GROUP})\d{{3}}(?:(?P=sep)\d{{3}})*(?![\d])(?:\.\d+)?
      |\d{{1,3}}(?:\.\d{{3}}){{2,}}(?!\.?\d)
      |\d+,\d{{1,2}}(?![\d,])
      |\d+\.\d+|(?<![\d.])\.\d+|\d+)
     (?:[eE](?P<e1>[+-]?\d+)(?![\w])
      |\s*(?:\\times|×|x|·|⋅|\\cdot|\*)\s*10\s*{_raised("e2")})?
    """,
    re.VERBOSE,
)
_WORD = re.compile(
    rf"\b(?:{'|'.join([*_ONES.split(), *_TENS.split()])})\b(?:[- ](?:{'|'.join(_ONES.split()[:9])})\b)?", re.IGNORECASE
)
_ORDINAL_WORD = re.compile(rf"\b(?:{'|'.join(_ORDINALS)})\b", re.IGNORECASE)
_SCALE = re.compile(
    r"(?:[\s~-]|\\,|\$)*(hundred|thousand|million|billion|trillion|mn|bn)\b|(?:\s?(M|B)|([kKT]))(?![A-Za-z0-9°/])",
    re.IGNORECASE,
)
_GAP = re.compile(r"-|(?:[\s~$]|\\[,;: ]|\\(?:mathrm|text|rm)\b|[{}]){0,6}")
_ORDINAL_END = re.compile(r"(?:st|nd|rd|th)\b")
_CLOCK = re.compile(r"(?<![\d:])([01]?\d|2[0-3]):([0-5]\d)(?::([0-5]\d))?(?![\d:])")
_ISO_DATE = re.compile(r"(?<![\d-])([12]\d{3})-(0\d|1[0-2])-([0-3]\d)(?![\d-])")
_RANGE = re.compile(r"\s?(?:-{1,2}|–|—|−)\s?|\s(?:to|and|or|±|\\pm|\+/-)\s|\s?(?:±|\\pm)\s?")
_MORE = (
    r"more than|over|above|at least|greater than|larger than|exceeding|exceeds|beyond|≥|>=|>+|\\geq?|\\gt|&gt;"
    r"|no (?:less|fewer) than"
)
_LESS = r"less than|fewer than|under|below|at most|smaller than|up to|no more than|≤|<=|<+|\\leq?|\\lt|&lt;"
_BOUND = re.compile(rf"(?:(?P<less>{_LESS})|(?P<more>{_MORE}))\s*(?:about|around|~|\$|\\)?\s*\Z", re.IGNORECASE)
_PRONOUN_AFTER = re.compile(
    r"\s+(?:of|can|may|might|must|should|could|would|will|has|is|needs?|finds?|another|such|gets?)\b"
)
_PRONOUN_BEFORE = re.compile(r"\b(?:the|this|that|no|any|every|each|which|only|some|another|or)\s+\Z", re.IGNORECASE)
_SUPERSCRIPTS = str.maketrans("⁻⁺⁰¹²³⁴⁵⁶⁷⁸⁹−", "-+0123456789-")


def quantities(text: str) -> list[Quantity]:
    """The numbers of a text, in order, without overlap.

    >>> [str(q.value) for q in quantities("GPT-3 has 175 billion parameters [2].")]
    ['175000000000']
    """
    taken: list[tuple[int, int]] = []
    found: list[Quantity] = []
    for date in _ISO_DATE.finditer(text):
        taken.append(date.span())
        found += [_bare(date, group) for group in (1, 2, 3)]
    for clock in _CLOCK.finditer(text):
        taken.append(clock.span())
        seconds = 3600 * int(clock[1]) + 60 * int(clock[2]) + int(clock[3] or 0)
        found.append(Quantity(*clock.span(), Decimal(seconds), "clock", Decimal(1), "", clock[0]))
    powers = [m.span() for m in _DIGITS.finditer(text) if m["power10"] or m["e2"] or m["e2s"]]
    for word in _ELSEWHERE.finditer(text):
        if not any(start < word.end() and word.start() < end for start, end in powers):
            taken.append(word.span())
    for pattern in (_DIGITS, _WORD, _ORDINAL_WORD):
        position = 0
        while match := pattern.search(text, position):
            position = match.end()
            if any(start < match.end() and match.start() < end for start, end in taken):
                continue
            if quantity := _quantity(text, match):
                found.append(quantity)
                taken.append((quantity.start, quantity.end))
                position = quantity.end
    return _share_units(text, sorted(found, key=lambda q: q.start))


def missing(sentence: str, quote: str) -> list[Quantity]:
    """The quantities of `sentence` that `quote` does not hold.

    A number is held by an equal one. A unit of the sentence must be the quote's, or stand elsewhere in it, as in the
    head of a table ("Energy (TeV)"); a number without a unit is held by one that has one. "More than" is never held by
    "less than".
    """
    if not (wanted := quantities(sentence)):
        return []
    held = quantities(quote)
    free = _without(quote, held)
    return [q for q in wanted if not any(_holds(one, q, free) for one in held) and not _named(sentence, q, quote)]


def _without(quote: str, held: list[Quantity]) -> str:
    """The quote without its quantities: the unit of one number ("41 %") says nothing of another ("512")."""
    parts, at = [], 0
    for one in held:
        parts.append(quote[at : one.start])
        at = max(at, one.end)
    return " ".join([*parts, quote[at:]])


def _holds(one: Quantity, wanted: Quantity, quote: str) -> bool:
    if one.bound and wanted.bound and one.bound != wanted.bound:
        return False
    if _surface(one.text) == _surface(wanted.text):  # "8.3T" and "8.3T", whatever T is
        return True
    if one.unit == wanted.unit:
        return one.value == wanted.value
    if not wanted.unit:
        return one.number == wanted.number
    if not one.unit and one.number == wanted.number:
        written = re.search(r"[^\W\d]+(?:/\w+)?$|%$|°C?$", wanted.text)
        return written is not None and re.search(rf"(?<![^\W\d]){re.escape(written[0])}(?![^\W\d])", quote) is not None
    return False


def _surface(text: str) -> str:
    return re.sub(r"[\s,~$\\{}]", "", text)


def _named(sentence: str, q: Quantity, quote: str) -> bool:
    """Whether a number after a name ("Run 2") stands in the quote as part of that name ("Run-2")."""
    name = re.search(r"([A-Z]\w*)\s\Z", sentence[: q.start])
    return name is not None and re.search(rf"\b{re.escape(name[1])}-?{re.escape(q.text)}\b", quote) is not None


def _bare(match: re.Match[str], group: int) -> Quantity:
    return Quantity(*match.span(group), Decimal(match[group]), "", Decimal(1), "", match[group])


def _quantity(text: str, match: re.Match[str]) -> Quantity | None:
    """The quantity whose number is `match`, widened by sign, scale, unit and currency; None where it is a name's."""
    start, end = match.span()
    before = text[:start]
    is_word = match.re is not _DIGITS
    if match.re is _ORDINAL_WORD:
        return Quantity(start, end, Decimal(_ORDINALS[match[0].lower()]), "th", Decimal(1), "", match[0])
    if not is_word and re.search(r"[^\W\d_]\Z|[^\W\d_][-‐‑./:_]\Z|\w_\Z", before):
        return None
    if is_word and match[0].lower() == "one" and (_PRONOUN_AFTER.match(text, end) or _PRONOUN_BEFORE.search(before)):
        return None
    start, end, number = _word_number(match) if is_word else _digit_number(text, match)
    if not is_word and (ordinal := _ORDINAL_END.match(text, end)):
        return Quantity(start, ordinal.end(), number, "th", Decimal(1), "", text[start : ordinal.end()])
    if not is_word and re.search(r"(?:^|[\s(\[{=,<>~$≈:|/])[-−–]\Z", before):
        start, number = start - 1, -number
    while scale := _SCALE.match(text, end):
        word = scale[1].lower() if scale[1] else next(g for g in scale.groups()[1:] if g)
        if is_word and len(word) == 1:
            break
        if word not in _SCALES:
            break
        number, end = number.scaleb(_SCALES[word]), scale.end()
    unit, unit_scale, end = _unit(text, end)
    if currency := re.search(r"(CHF|USD|EUR|\\\$|\$|€|£)\s?\Z", text[:start]):
        inside_maths = currency[1] == "$" and re.match(r"[^\s]*\$", text[end:])
        if not unit and not inside_maths:
            unit, start = units.CURRENCIES[currency[1]], currency.start()
    if not unit and not is_word and re.match(r"(?!x\b)[^\W\d_]|-[A-Z]", text[end:]) and text[end - 1].isdigit():
        return None
    return Quantity(start, end, number, unit, unit_scale, _bound(text[:start]), text[start:end])


def _word_number(match: re.Match[str]) -> tuple[int, int, Decimal]:
    parts = re.split(r"[- ]", match[0].lower())
    if len(parts) == 2 and _WORDS[parts[0]] < 20:
        return match.start(), match.start() + len(parts[0]), _WORDS[parts[0]]
    return *match.span(), sum((_WORDS[part] for part in parts), Decimal(0))


def _digit_number(text: str, match: re.Match[str]) -> tuple[int, int, Decimal]:
    start, end = match.span()
    if match["power10"]:
        return start, end, Decimal(10) ** _exponent(match["e0"] or match["e0s"])
    digits = match["digits"]
    if match["sep"] == " " and digits.count(" ") == 1 and re.search(r"\b[A-Z]\w*\s\Z", text[:start]):
        digits = digits.split(" ")[0]  # "Run 2 139 fb^-1" holds two numbers
        return start, start + len(digits), Decimal(digits)
    if match["sep"]:
        digits = digits.replace(match["sep"], "")
    elif digits.count(".") > 1:
        digits = digits.replace(".", "")
    number = Decimal(digits.replace(",", "."))
    if exponent := match["e1"] or match["e2"] or match["e2s"]:
        number = number.scaleb(_exponent(exponent))
    return start, end, number


def _exponent(text: str) -> int:
    return int(text.translate(_SUPERSCRIPTS))


def _unit(text: str, end: int) -> tuple[str, Decimal, int]:
    gap = _GAP.match(text, end)
    after = gap.end() if gap else end
    if match := units.pattern().match(text, after):
        return *units.measure(match), match.end()
    return "", Decimal(1), end


def _bound(before: str) -> Bound:
    tail = before[-24:]
    if re.search(r"<[^<>]*>\s*\Z", tail):
        return ""
    if match := _BOUND.search(tail):
        return "<" if match["less"] else ">"
    return ""


def _share_units(text: str, found: list[Quantity]) -> list[Quantity]:
    """Gives the first number of a range the unit of the second ("10-20 GeV"), and a short year its century."""
    shared = list(found)
    for i in range(len(shared) - 2, -1, -1):
        first, second = shared[i], shared[i + 1]
        if not _RANGE.fullmatch(text[first.end : second.start]):
            continue
        if not first.unit and second.unit not in {"", "th", "clock"}:
            shared[i] = replace(first, unit=second.unit, scale=second.scale)
        century = re.fullmatch(r"[12]\d{3}", first.text) and re.fullmatch(r"\d\d", second.text)
        if century and second.number > first.number % 100:
            shared[i + 1] = replace(second, number=first.number // 100 * 100 + second.number)
    return shared
