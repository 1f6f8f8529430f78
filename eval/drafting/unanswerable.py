"""Questions that a library cannot answer: those that it can, asked about something that it does not mention."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import replace

from assistant.text import terms
from assistant.types import Document
from eval.drafting.draft import Draft

# Names that were made up for this purpose. One that a library does hold is not used for it.
_NAMES = """
    Vandrel Osmary Keltrin Brisvane Tormalin Ulvesta Corvane Halmeric Jorvell Pelandra Quastor Rimvale Selkorn
    Thaldris Wexmoor Yarrowin Zelphane Ardentis Belquor Draskell Eltharn Fennivar Gorsmere Istrana"""
_INVENTED = _NAMES.split()
_IDENTIFIER = re.compile(r"[\w.-]*[^\W\d_][\w.-]*[-_. ]?\d+\b")


def exchanged(draft: Draft, seed: int) -> list[Draft]:
    """The draft about something else, in several ways; the library must not hold the words `absent` of each.

    A number that belongs to a name is exchanged for another ("release 3" for "release 8"), else a name for an invented
    one, the letters of an acronym for one another. Nothing is exchanged in a subject without a name.
    """
    if draft.kind not in ("cell", "figure", "acronym") or draft.question.count(draft.subject) != 1:
        return []
    if draft.kind == "acronym":
        if not draft.subject.isupper():  # the letters of "EoI" would give themselves away
            return []
        ways = [(letters, letters) for letters in _other_orders(draft.subject, seed)]
    else:
        ways = _other_numbers(draft.subject, seed) or _other_names(draft.subject, draft.question, seed)
    return [_about(draft, subject, words) for subject, words in ways]


def _about(draft: Draft, subject: str, absent: str) -> Draft:
    question = draft.question.replace(draft.subject, subject)
    return replace(
        draft,
        question=question,
        answers=(),
        subject=subject,
        asks=(),
        documents=(),
        answerable=False,
        rank=None,
        number=None,
        absent=absent,
    )


def _digest(*parts: object) -> int:
    return int.from_bytes(hashlib.sha256("\n".join(map(str, parts)).encode()).digest()[:8], "big")


def _other_orders(acronym: str, seed: int) -> list[str]:
    """Rearranged, or with one more of its letters; never the acronym itself."""
    orders = [
        "".join(sorted(acronym, key=lambda letter: _digest(seed, acronym, attempt, letter))) for attempt in range(6)
    ]
    return [one for one in dict.fromkeys(orders) if one != acronym and len(one) > 2]


def _other_numbers(subject: str, seed: int) -> list[tuple[str, str]]:
    match = _IDENTIFIER.search(subject)
    if not match or not (number := re.search(r"\d+\Z", match[0])) or len(number[0]) > 3:  # four are a year
        return []
    start = match.start() + number.start()
    ways = []
    for step in sorted(range(2, 8), key=lambda step: _digest(seed, subject, step)):
        other = f"{int(number[0]) + step:0{len(number[0])}d}"
        ways.append((subject[:start] + other + subject[match.end() :], match[0][: number.start()] + other))
    return ways


def _other_names(subject: str, question: str, seed: int) -> list[tuple[str, str]]:
    found = [name for name in terms.names(f"the {subject}") if name.isalpha() and subject.count(name) == 1]
    # The first word of a cell has a capital letter, name or not.
    if found and subject != found[0] and subject.startswith(found[0]) and found[0][1:].islower():
        found = found[1:]
    if not found:
        return []
    # "Fetch CRL" becomes "Rimvale", not "Fetch Rimvale".
    run = re.search(rf"(?:[A-Z][\w-]* )*{re.escape(found[0])}(?: [A-Z][\w-]*)*", subject)
    invented = sorted(_INVENTED, key=lambda name: _digest(seed, question, name))
    return [(subject.replace(run[0], name, 1), name) for name in invented[:6]] if run else []


def mentioned(words: Iterable[str], documents: Iterable[Document]) -> set[str]:
    """Which of the words, each one or several in a row, stand in a document or in its title, in any case or spacing."""
    left = {one: (_joined(one), re.compile(rf"(?<!\w){_spaced(one)}(?!\w)", re.IGNORECASE)) for one in words}
    found: set[str] = set()
    for document in documents:
        whole = f"{document.title}\n{document.text}"
        joined = _joined(whole)
        # That the letters follow one another is quickly seen, and rules out nearly all.
        new = {one for one, (letters, form) in left.items() if letters in joined and form.search(whole)}
        found |= new
        left = {one: forms for one, forms in left.items() if one not in new}
    return found


def _joined(text: str) -> str:
    return re.sub(r"[\s_.-]+", "", text).lower()


def _spaced(words: str) -> str:
    return r"[\s_.-]*".join(re.escape(part) for part in re.split(r"[\s_.-]+", words) if part)
