"""Whether a question is about content, and can be understood by somebody who has not read the passage."""

from __future__ import annotations

import re

from assistant.text import terms
from assistant.text.terms import STOP_WORDS
from eval.drafting.draft import BLANK, Draft

_LONGEST = 300  # characters
_CLOZE_WORDS = range(6, 41)
# Headings below which a page speaks of itself, or lists other works.
_BOILERPLATE = re.compile(
    r"\W*\d*\W*(?:references|bibliography|literature|works cited|further reading|see also|external links|related pages"
    r"|licen[cs]e|copyright|legal (?:code|notice)|disclaimer|acknowledge?ments?|table of contents|contents|navigation"
    r"|change ?log|history|authors?|contact(?:s| us)?|getting help|feedback|index)\W*",
    re.IGNORECASE,
)
_PAGE_ITSELF = re.compile(
    r"\b(?:copyright|all rights reserved|last (?:updated|modified)|click|this page|cookies?|creative commons|licensor"
    r"|licensed (?:under|material)|terms of use|read more|edit this)\b|©",
    re.IGNORECASE,
)
_POINTS = re.compile(
    r"\b(?:he|him|his|she|her|we|us|our|(?<![A-Z]\w\w )I|my|you|your|this|these|those|above|below|following|former"
    r"|latter|aforementioned|here|such|previous|next step|the same|passage|excerpt|the text|the table|the author"
    r"|the document)\b",
    re.IGNORECASE,
)
# These may stand for something that the same sentence has named before, if it is long enough for that.
_MAY_POINT = re.compile(r"\b(?:it|its|itself|they|them|their)\b", re.IGNORECASE)
_NAMED_AFTER = 4  # words
_DEMONSTRATIVE_THAT = re.compile(r"(?:\A|\b(?:of|in|at|for|by|from|after|before|on|with) )that\b", re.IGNORECASE)
_GOES_ON = re.compile(
    r"\A(?:and|but|or|so|also|then|however|thus|therefore|hence|moreover|additionally|furthermore|otherwise|instead"
    r"|similarly|likewise|second|third|finally|today|currently|now|recently|note|notes|for (?:example|instance)"
    r"|in (?:addition|particular|contrast|other words)|as (?:a result|a consequence|before|mentioned|described|noted)"
    r"|\w+[^e]ed|table|figure|fig|step)\b",
    re.IGNORECASE,
)
_ORDERS = re.compile(
    r"\A(?:add|allow|ask|be|call|change|check|choose|click|compare|configure|consider|copy|create|delay|do|download|edit|enter|find"
    r"|follow|go|install|keep|let|look|make|move|open|please|put|read|remove|replace|restart|run|see|select|set|skip|start"
    r"|stop|submit|take|try|type|update|use|verify|wait|write)\b",
    re.IGNORECASE,
)
# "Adapt the script ...": a word that is no preposition has no article behind it but in an order.
_ORDER = re.compile(r"\A(?P<verb>[A-Z][a-z]+) (?:the|an?|your|this|these|all|any)\b")
_BEFORE_ARTICLES = """across along although among around behind beside besides beyond despite inside like near outside
    per since though throughout toward towards under unless unlike until upon via within without whether"""
_PREPOSITIONS = frozenset(_BEFORE_ARTICLES.split())
_VERB = re.compile(
    r"\b(?:is|are|was|were|has|have|had|be|been|can|cannot|must|may|will|does|do|did|should|\w{2,}ed|\w{3,}es|began|became"
    r"|built|gave|gives|got|grew|held|holds|kept|keeps|leads?|left|lost|made|makes|means|meets|read|reads|rose|ran|runs"
    r"|saw|sends|set|shows|sits|spoke|starts|stands|stays|supports|took|went|won|wrote|contains|follows|needs|gets|adds"
    r"|begins|ends|costs|lasts|stores?|uses?|takes?|records|works|lies|depends|allows|offers|asks)\b"
)


def irrelevant(draft: Draft) -> str:
    """Why a question should not be asked, in plain words; empty where nothing speaks against it."""
    question, heading = draft.question, draft.evidence.section
    if any(_BOILERPLATE.fullmatch(one) for one in heading[-2:]):
        return f"it stands below the heading “{heading[-1]}”"
    if len(question) > _LONGEST:
        return f"it has {len(question)} characters, more than {_LONGEST}"
    if match := _PAGE_ITSELF.search(draft.evidence.text if draft.kind == "cloze" else question):
        return f"it is about the page, not its content (“{match[0]}”)"
    if draft.kind in ("cell", "superlative"):  # these name their document
        return ""
    opening = " ".join(question.split()[:_NAMED_AFTER]) if draft.kind == "cloze" else question
    if match := _POINTS.search(question) or _DEMONSTRATIVE_THAT.search(question) or _MAY_POINT.search(opening):
        return f"“{match[0]}” points at something that the question does not name"
    if draft.kind == "cloze":
        return _bad_cloze(question)
    about = draft.subject if draft.kind == "figure" else question
    if draft.kind == "acronym" or terms.names(f"of {about}") or len(terms.stems(about)) > 2:
        return ""
    return "it names nothing that it could be about"


def _bad_cloze(question: str) -> str:
    words = question.split()
    if len(words) not in _CLOZE_WORDS:
        return f"it has {len(words)} words, not {_CLOZE_WORDS[0]} to {_CLOZE_WORDS[-1]}"
    if not question[0].isupper():
        return "it does not begin as a sentence does"
    if match := _GOES_ON.match(question) or _ORDERS.match(question):
        return f"it begins with “{match[0]}”: it goes on from something else, is a note, or gives an order"
    order = _ORDER.match(question)
    if order and order["verb"].lower() not in STOP_WORDS | _PREPOSITIONS:
        return f"it begins with “{order[0]}”: it gives an order"
    if ":" in question or not _VERB.search(question):
        return "it may be no whole sentence"
    if not terms.names(question.replace(BLANK, " ")):
        return "it names nothing that it could be about"
    return ""
