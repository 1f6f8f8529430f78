"""What an acronym stands for, where a document says so: "Long Form (LF)" or "LF (Long Form)".

As in Schwartz and Hearst, "A simple algorithm for identifying abbreviation definitions in biomedical text", PSB 2003,
but stricter: each letter must begin a word, and no word between the first and the last may be passed over but short
grammatical ones. That finds fewer, and hardly a wrong one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from assistant.text.terms import stems
from assistant.types import Document
from eval.drafting.draft import Draft, Evidence
from eval.drafting.prose import sentences

_ACRONYM = r"[A-Z][A-Za-z]{0,6}[A-Z]s?|[A-Z]{2,8}s?"
_AFTER = re.compile(rf"\(\s?[\"“]?({_ACRONYM})[\"”]?\s?[);,]")
_BEFORE = re.compile(rf"\b({_ACRONYM})\s\(([^()]{{4,80}})\)")
_WORD = re.compile(r"[^\W\d_]+")
_QUOTES = " \"“”‘’',"
_SHORT = "a an and at by de des du for from in la le of on or the to und von with"
_PASSED_OVER = frozenset(_SHORT.split())


def from_acronyms(document: Document) -> Iterator[Draft]:
    """A draft for each acronym that a sentence explains; several explanations of one in a document give several."""
    for start, end, sentence in sentences(document.text):
        for acronym, long, acronyms in explained(sentence):
            yield Draft(
                kind="acronym",
                question=f"What does {acronym} stand for?",
                answers=tuple(dict.fromkeys((_one(long) if acronyms else long, long))),
                subject=acronym,
                asks=("acronym", acronym),
                evidence=Evidence.at(document, start, end),
                documents=(document.key,),
            )


def explained(sentence: str) -> list[tuple[str, str, bool]]:
    """The acronyms that a sentence explains, each with its long form, and whether both are in the plural ("CAs")."""
    found = []
    for match in _AFTER.finditer(sentence):
        words = list(_WORD.finditer(sentence[: match.start()]))
        if (first := _first_word([word[0] for word in words], _letters(match[1]))) is not None:
            found.append((match[1], sentence[words[first].start() : match.start()].strip(_QUOTES)))
    for match in _BEFORE.finditer(sentence):
        if _first_word(_WORD.findall(match[2]), _letters(match[1])) == 0:
            found.append((match[1], match[2].strip(_QUOTES)))
    return [(_singular(short), long, short != _singular(short)) for short, long in found if len(stems(long)) > 1]


def _one(long: str) -> str:
    return re.sub(r"ies\Z", "y", long) if long.endswith("ies") else re.sub(r"(?<=[^s])s\Z", "", long)


def _letters(acronym: str) -> str:
    return _singular(acronym).lower()


def _singular(acronym: str) -> str:
    return acronym.removesuffix("s") if acronym[:-1].isupper() else acronym


def _first_word(words: list[str], letters: str) -> int | None:
    """Where the long form begins that ends with the last of the words; None where its initials are not the letters."""
    if not letters:
        return len(words)
    if not words:
        return None
    *before, last = words
    if last[0].lower() == letters[-1] and (found := _first_word(before, letters[:-1])) is not None:
        return found
    return _first_word(before, letters) if last.lower() in _PASSED_OVER else None
