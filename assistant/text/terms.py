"""The words of a text that carry its content: stemmed like the lexical index, without stop words; and its names.

Numbers are not among them: `assistant.text.quantities` compares those.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from itertools import pairwise

from assistant.library.words import words

Idf = Callable[[str], float]
"""Weight (>= 0) of a stem as `stem` makes it, higher for rarer ones."""

_STOP = """
    a about above after again against all also am an and any are as at be because been before being below between
    both but by can could did do does doing down during each either else etc few for from further had has have
    having he her here hers him his how i if in into is it its itself just let may me might more most much must
    my neither no nor not of off on once only or other our ours out over own per same shall she should so some
    such than that the their theirs them themselves then there these they this those through thus to too under
    until up upon us very via was we were what when where whether which while who whom whose why will with
    within without would yes yet you your yours s t re ve ll d m don doesn didn isn aren wasn weren hasn haven
    won couldn shouldn wouldn cannot"""
STOP_WORDS = frozenset(_STOP.split())
# Words that say what kind of answer a question wants, not what it is about.
_ASK = """many much name kind type sort long old often far big tell explain describe list give say"""
_ASKING = frozenset(_ASK.split())
# Capitalised at the start of a sentence without being a name.
_OPEN = """
    according additionally although another because besides both consequently currently despite each finally first
    firstly furthermore generally given hence however importantly indeed instead lastly later many meanwhile
    moreover nevertheless next nonetheless often once overall please rather researchers scientists second
    secondly several similarly since sometimes specifically subsequently summarising summarizing summary
    therefore thirdly though thus today together typically unlike unfortunately using usually when whereas while
    yes answer answers authors experts question users people data models methods results examples example note"""
_OPENERS = frozenset(_OPEN.split())
_ORDINARY = re.compile(r"[A-Z][a-z]+(?:tions?|ments?|ness|ing|ity|ities|ance|ence|ed|ous|ive|ic|ical|ial|ally|able)")
WORD = re.compile(r"[^\W_]+")
_TOKEN = re.compile(r"[^\W_]+(?:[-‐‑.'’/_][^\W_]+)*")
_IDENTIFIER = re.compile(r"[^\W\d_].*\d|\d.*[^\W\d_]|[^\W\d_].*[A-Z]")


@lru_cache(maxsize=100_000)
def stem(word: str) -> str:
    """One word lower-cased and stemmed as the lexical index does it (English Snowball; other languages mostly stay)."""
    return " ".join(words(word))


def stems(text: str) -> list[str]:
    """The stems of the content words of `text`, in order, with repetitions; neither stop words nor bare numbers."""
    found = (match[0] for match in WORD.finditer(text))
    return [stem(word) for word in found if word.lower() not in STOP_WORDS and not word.isdigit()]


def question_stems(question: str) -> list[str]:
    """The distinct stems of what a question is about, in order."""
    asked = [match[0] for match in WORD.finditer(question) if match[0].lower() not in _ASKING]
    return list(dict.fromkeys(stems(" ".join(asked)))) or list(dict.fromkeys(stems(question)))


def coverage(wanted: Iterable[str], held: set[str], idf: Idf | None = None) -> float:
    """Share (0..1) of the weight of `wanted` that is in `held`; 1.0 if nothing is wanted."""
    total = covered = 0.0
    for one in wanted:
        weight = idf(one) if idf else 1.0
        total += weight
        covered += weight if one in held else 0.0
    return covered / total if total else 1.0


def names(text: str) -> list[str]:
    """The proper names and identifiers in a sentence or question, word by word, in order and without repetition.

    A name is a capitalised word, or one that mixes letters with digits or capitals ("GPT-3", "chATLAS", "ERA5"). The
    first word counts unless it is a stop word, a usual opening, or ends as names do not ("Vaccination").
    """
    found = []
    first = True
    for match in _TOKEN.finditer(text):
        token = re.sub(r"['’]s?$", "", match[0])
        plain = token.lower()
        opening, first = first, False
        if plain in STOP_WORDS or len(token) < 2 or (opening and (plain in _OPENERS or _ORDINARY.fullmatch(token))):
            continue
        unit = re.fullmatch(r"\d+(?:[.,]\d+)*[^\W\d_]{0,3}|\d+-[a-z]+", token)
        if not unit and (_IDENTIFIER.search(token) or token[0].isupper()):
            found.append(token)
    return list(dict.fromkeys(found))


def holds_name(text: str, name: str) -> bool:
    """Whether `text` holds `name`, written in any case, with or without hyphens, or in another inflection."""
    keys = _name_keys(text)
    return name_key(name) in keys or stem(name) in keys


def name_key(name: str) -> str:
    return "".join(match[0] for match in WORD.finditer(name)).lower()


@lru_cache(maxsize=512)
def _name_keys(text: str) -> frozenset[str]:
    """Each word, each hyphenated word and each two words in a row of `text`, joined and in lower case; and stems."""
    plain = [match[0].lower() for match in WORD.finditer(text)]
    tokens = (name_key(re.sub(r"['’]s$", "", match[0])) for match in _TOKEN.finditer(text))
    pairs = (a + b for a, b in pairwise(plain) if not (a.isdigit() and b.isdigit()))
    stemmed = (stem(word) for word in plain)
    return frozenset([*plain, *tokens, *pairs, *stemmed])
