"""A draft by an LLM taken apart: its sentences, and the passages that the marker of each names.

Markers are `[1]`, `[1][3]`, `[1, 3]`, `[1-3]`, `[passage 2]`; before or after the full stop they belong to their
sentence.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from assistant.text.sentences import sentences

_NAMED = r"(?:(?:passages?|sources?|documents?|ref(?:erence)?s?)\s*)?"
_ONE = rf"\[\s*{_NAMED}#?\d{{1,3}}(?:\s*(?:,|;|-|–|and|&)\s*#?\d{{1,3}})*\s*\]"
MARKER = re.compile(_ONE, re.IGNORECASE)
_AFTER_STOP = re.compile(rf"([.!?]+[\"'”’)]?)[ \t]*((?:{_ONE}[ \t]*)+)(?=\s|$|[A-Z])(?![ \t]*[a-z])", re.IGNORECASE)
_PASSAGES = (
    r"(?:the\s+)?(?:(?:provided|given|above|following|numbered|library|supplied)\s+)*"
    r"(?:passages?|documents?|contexts?|sources?|texts?|information|excerpts?|library|references?)"
)
_BOILERPLATE = re.compile(
    rf"(?:(?:based (?:up)?on|according to|as (?:stated|mentioned|described|shown|noted) (?:in|by)|from|in)\s+"
    rf"(?:{_PASSAGES}(?:\s+(?:provided|given|above))?(?:\s*(?:#?\d+|{_ONE}))*|(?:{_ONE}\s*)+)\s*,\s*"
    rf"|(?:{_PASSAGES}\s*(?:#?\d+\s*)?(?:{_ONE}\s*)*|(?:{_ONE}\s*)+)"
    r"(?:states?|says?|mentions?|notes?|explains?|reports?)\s+that\s+"
    r"|(?:(?:the |my )?(?:final )?answer(?: to the question)?(?: is)?\s*:\s*))",
    re.IGNORECASE,
)
_REFUSAL = re.compile(
    r"\b(?:can\s?not|can't|could not|couldn't|unable to|not able to)\s+(?:be\s+)?(?:answer|find|determine|say|tell)"
    r"|\bI (?:do not|don't) know\b|\bno (?:information|answer|mention)\b"
    r"|\b(?:passages?|library|context|documents?|texts?|sources?|information|it) (?:do|does|is|are)(?: not|n't) "
    r"(?:\w+ ){0,2}?"
    r"(?:contain|hold|mention|provide|say|state|specify|include|answer|give|stated|mentioned|specified|given|enough)"
    r"|\bnot (?:explicitly )?(?:mentioned|specified|stated|provided|found) in (?:the|any)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Claim:
    """A sentence without markers and boilerplate, and the passages that its markers named (empty: none).

    `span` is where in its passage the sentence was taken from, if it was quoted and not written.
    """

    text: str
    numbers: tuple[int, ...]
    span: tuple[int, int] | None = None


def claims(draft: str) -> list[Claim]:
    """The sentences of a draft, in order.

    >>> claims("According to [1], water is wet. It boils at 100 °C. [2, 3]")
    [Claim(text='Water is wet.', numbers=(1,), span=None), Claim(text='It boils at 100 °C.', numbers=(2, 3), span=None)]
    """
    text = _AFTER_STOP.sub(lambda m: f" {m[2].strip()}{m[1]} ", draft)
    found = []
    for start, end in sentences(text):
        sentence = re.sub(r"^\s*(?:#{1,6}\s+|[-*+•]\s+|\d{1,2}[.)]\s+|>\s*)", "", text[start:end])
        numbers = tuple(dict.fromkeys(n for marker in MARKER.findall(sentence) for n in _numbers(marker)))
        plain = _without_markers(_BOILERPLATE.sub("", sentence, count=1) if _BOILERPLATE.match(sentence) else sentence)
        if re.search(r"[^\W_]", plain):
            found.append(Claim(plain, numbers))
        elif numbers and found:
            found[-1] = Claim(found[-1].text, tuple(dict.fromkeys([*found[-1].numbers, *numbers])))
    return found


def is_refusal(sentence: str) -> bool:
    """Whether a sentence says that the question cannot be answered, in the words that LLMs use for it."""
    return bool(_REFUSAL.search(sentence))


def _numbers(marker: str) -> list[int]:
    found: list[int] = []
    for part in re.split(r"[,;&]|and", marker.strip("[]")):
        ends = [int(n) for n in re.findall(r"\d+", part)]
        found += range(ends[0], ends[1] + 1) if len(ends) == 2 and ends[0] <= ends[1] else ends
    return found


def _without_markers(sentence: str) -> str:
    plain = re.sub(r"\s+([.,;:!?])", r"\1", MARKER.sub(" ", sentence))
    plain = re.sub(r"(?<!\\)(?:\*\*|__)", "", " ".join(plain.split()))
    return plain[:1].upper() + plain[1:] if plain[:1].islower() and plain.split()[0].isalpha() else plain
