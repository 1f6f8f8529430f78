"""A sentence with its number, date or name blanked: "The lighthouse of Port Ambrel was built in ____."

The answer put into the blank gives back the document's sentence as it is read, so without line breaks and Markdown.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from assistant.text import terms
from assistant.text.quantities import Quantity, quantities
from assistant.types import Document
from eval.drafting.draft import BLANK, Draft, Evidence
from eval.drafting.prose import sentences

_MONTH = "January|February|March|April|May|June|July|August|September|October|November|December"
_DATE = re.compile(
    rf"\b(?:\d{{1,2}} (?:{_MONTH})(?: [12]\d{{3}})?|(?:{_MONTH}) \d{{1,2}}(?:, [12]\d{{3}})?\b|(?:{_MONTH}) [12]\d{{3}}"
    r"|[12]\d{3}-\d\d-\d\d)\b"
)
# A name is blanked only at the end of a sentence or clause, where a word before it says of what kind it is.
_NAME = re.compile(
    r"\b(?:by|at|in|called|named) (?:the )?(?P<name>[A-Z][\w-]+(?: (?:of |the |de )?[A-Z][\w-]+){0,3})(?=\.\Z|,)"
)
# What stands before a number that is a fact of its own, not the number of something.
_BEFORE_A_NUMBER = re.compile(
    r"\b(?:in|since|until|before|after|year|from|to|by|of|is|was|are|were|has|have|had|than|about|around|over|under|only"
    r"|nearly|almost|at|port|default|every|least|most|holds?|reach(?:es|ed)?)\s\Z"
)


def from_sentences(document: Document) -> Iterator[Draft]:
    """At most one draft a sentence, so that no question gives away the blank of another."""
    for start, end, sentence in sentences(document.text):
        if span := blank(sentence):
            answer = sentence[slice(*span)]
            question = f"{sentence[: span[0]]}{BLANK}{sentence[span[1] :]}"
            yield Draft(
                kind="cloze",
                question=question,
                answers=(answer,),
                subject="",
                asks=("cloze", *terms.stems(question)),
                evidence=Evidence.at(document, start, end),
                documents=(document.key,),
            )


def blank(sentence: str) -> tuple[int, int] | None:
    """What of a sentence is worth blanking: a date, else its only number, else a name; None for a sentence without."""
    dates = [match.span() for match in _DATE.finditer(sentence)]
    found = quantities(sentence)
    numbers = [(one.start, one.end) for one in found if not any(a <= one.start < b for a, b in dates)]
    names = [match.span("name") for match in _NAME.finditer(sentence)]
    if len(dates) == 1 and not numbers:
        return dates[0]
    if len(numbers) == 1 and not dates:
        return numbers[0] if _worth_blanking(sentence, found[0]) else None
    if len(names) == 1 and not numbers and not dates:
        start, end = names[0]
        name = sentence[start:end]
        month = re.fullmatch(_MONTH, name)
        return (start, end) if sentence.count(name) == 1 and not month else None
    return None


def _worth_blanking(sentence: str, number: Quantity) -> bool:
    """Not a word, an ordinal, or a part of a name, a reference or an equation's number ("OSG 3.6", "Jordan (1991)");
    nor a count below ten: of "3 steps" and "4 of them" too many sentences speak."""
    written = sentence[number.start : number.end]
    before, after = sentence[: number.start], sentence[number.end :]
    if (
        not any(map(str.isdigit, written))
        or re.match(r"0\d", written)
        or number.unit == "th"
        or sentence.count(written) > 1
    ):
        return False
    if re.match(r"[\w-]", after) or re.search(r"[^\s(~<>≥≤≈]\Z", before) or re.search(r"\b[A-Z][\w+-]*\s\(?\Z", before):
        return False
    if number.unit:
        return " " in written or len(written) > 2  # "1s" may be a plural
    counted = re.match(r" (?:[a-z-]+ )?[a-z-]+s\b", after)
    return (not written.isdigit() or int(written) > 9) and bool(counted or _BEFORE_A_NUMBER.search(before))
