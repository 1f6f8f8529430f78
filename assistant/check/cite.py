"""The check: what of a draft may be said, and which characters of which passage each sentence rests on.

A sentence is kept if a quote can be found, verbatim, that holds its numbers with their units, its names and enough of
its words, and that does not say the opposite. Everything else is dropped, with the reason.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from assistant.check.drafts import Claim, claims, is_refusal
from assistant.text import quantities, terms
from assistant.text.polarity import contradicts
from assistant.text.statements import Statement, statements
from assistant.types import Citation, Passage

if TYPE_CHECKING:
    from assistant.types import FloatArray

Embed = Callable[[list[str]], "FloatArray"]
"""Texts to unit rows, shape (len(texts), dimensions)."""

_LONGEST_RUN = 3
_RUN_COST = 0.08  # what each further sentence must add to the support to be quoted as well
_AUXILIARY = re.compile(r"\W*(?:is|are|was|were|do|does|did|can|could|has|have|had|will|would|should|may|must)\b", re.I)


@dataclass(frozen=True, slots=True)
class Dropped:
    """A sentence that the check did not pass, and why, in plain words."""

    sentence: str
    reason: str


@dataclass(frozen=True, slots=True)
class Checked:
    """What is left of a draft: `text` with `[n]` after each sentence, a citation per sentence in the same order.

    `text` is empty if nothing is left. `refused` says that the draft itself said that it cannot answer.
    """

    text: str
    citations: tuple[Citation, ...]
    dropped: tuple[Dropped, ...]
    refused: bool


@dataclass(frozen=True, slots=True)
class _Quote:
    """A candidate: a run of statements of one passage. Title, headings and lead-in lines (`context`) count for words
    and names; the header of a table (`header`), which also gives its columns' units and years, for numbers too."""

    passage: Passage
    start: int
    end: int
    parts: tuple[str, ...]
    context: str
    header: str

    @property
    def text(self) -> str:
        return self.passage.text[self.start : self.end]

    @property
    def whole(self) -> str:
        return f"{self.context}\n{self.text}"


def check(
    draft: str, passages: Sequence[Passage], min_support: float, embed: Embed | None = None, question: str = ""
) -> Checked:
    """What of `draft` the passages that were shown bear out.

    `min_support` (0..1) is the least support of a kept sentence: the share of its content words that stand in the
    quote, its headings and title; with `embed`, the mean of that and the cosine of sentence and quote. A sentence
    that adds nothing to `question` is dropped.
    """
    return check_claims(claims(draft), passages, min_support, embed, question)


def check_claims(
    sentences: Sequence[Claim],
    passages: Sequence[Passage],
    min_support: float,
    embed: Embed | None = None,
    question: str = "",
) -> Checked:
    """The same for sentences that are apart already."""
    kept: list[Citation] = []
    dropped: list[Dropped] = []
    refused = False
    for claim in sentences:
        if is_refusal(claim.text) and not _stands_in(claim.text, passages):
            refused = True
            continue
        outcome = _says_nothing(claim.text, question) or _cite(claim, passages, min_support, embed)
        if isinstance(outcome, str):
            if (fault := Dropped(claim.text, outcome)) not in dropped:  # a small model may say the same ten times
                dropped.append(fault)
        elif outcome.sentence not in {citation.sentence for citation in kept}:
            kept.append(outcome)
    return Checked("\n".join(_marked(one) for one in kept), tuple(kept), tuple(dropped), refused)


def _marked(citation: Citation) -> str:
    return f"{citation.sentence} [{citation.number}]"


def _stands_in(sentence: str, passages: Sequence[Passage]) -> bool:
    """Whether the words of a sentence that sounds like a refusal are a passage's own."""
    words = " ".join(terms.stems(sentence))
    return any(words in " ".join(terms.stems(passage.text)) for passage in passages)


def _says_nothing(sentence: str, question: str) -> str:
    if sentence.endswith("?"):
        return "it is a question"
    words = set(terms.stems(sentence))
    if not words:  # a number alone says it of nothing
        return "it says nothing that could be checked"
    repeats = words <= set(terms.stems(question)) and not quantities.missing(sentence, question)
    return "it only repeats the question" if repeats and not _AUXILIARY.match(question) else ""


def _cite(claim: Claim, passages: Sequence[Passage], min_support: float, embed: Embed | None) -> Citation | str:
    """The citation of a claim by the best quote in the passages that it names, or else why there is none."""
    named = [passage for passage in passages if passage.rank in claim.numbers]
    candidates = [quote for passage in named or passages for quote in _quotes(passage)]
    if claim.span:
        candidates = [quote for quote in candidates if (quote.start, quote.end) == claim.span]
    if not candidates:
        return "no passage was shown"
    words = list(dict.fromkeys(terms.stems(claim.text)))
    ranked = sorted(candidates, key=lambda quote: _lexical_rank(claim.text, words, quote), reverse=True)[:8]
    supports = [terms.coverage(words, set(terms.stems(quote.whole))) for quote in ranked]
    if embed:
        rows = embed([claim.text, *(quote.text for quote in ranked)])
        supports = [(s + max(0.0, float(rows[0] @ row))) / 2 for s, row in zip(supports, rows[1:], strict=True)]
    best, support = max(
        zip(ranked, supports, strict=True),
        key=lambda pair: pair[1] - (_fault(claim.text, pair[0]) != "") - _RUN_COST * len(pair[0].parts),
    )
    if fault := _fault(claim.text, best):
        return fault
    for quote, its_support in zip(ranked, supports, strict=True):
        if its_support > support and _says_the_opposite(claim.text, quote):
            return f"it says the opposite of “{quote.text}”"
    if support < min_support:
        return f"the best quote supports it only to {support:.2f}, less than {min_support:.2f}: “{best.text}”"
    return _citation(claim.text, best, support)


def _quotes(passage: Passage) -> Iterator[_Quote]:
    """Every statement of a passage, and every run of up to three that follow each other."""
    found = [one for one in statements(passage.text) if one.kind not in ("question", "reference", "heading")]
    for first in range(len(found)):
        for size in range(1, _LONGEST_RUN + 1):
            run = found[first : first + size]
            if len(run) == size and _adjacent(passage.text, run):
                parts = tuple(passage.text[one.start : one.end] for one in run)
                yield _Quote(passage, run[0].start, run[-1].end, parts, *_context(passage, run))


def _context(passage: Passage, run: Sequence[Statement]) -> tuple[str, str]:
    """Title, headings and lead-in lines of a run; and the header row, if it is of a table."""
    spans = dict.fromkeys(span for one in run for span in one.lead)
    leads = [passage.text[a:b] for a, b in spans]
    header = leads[0] if leads and run[0].kind == "row" else ""
    return "\n".join([passage.title, *passage.section, *leads]), header


def _adjacent(text: str, run: Sequence[Statement]) -> bool:
    """Whether nothing but white space and list markers lies between the statements of a run."""
    return not any(re.search(r"\w", text[a.end : b.start]) for a, b in pairwise(run))


def _lexical_rank(sentence: str, words: list[str], quote: _Quote) -> float:
    lacks = len(quantities.missing(sentence, _evidence(quote)))
    return terms.coverage(words, set(terms.stems(quote.whole))) - 0.5 * lacks - _RUN_COST * len(quote.parts)


def _evidence(quote: _Quote) -> str:
    """Where numbers are looked for."""
    return f"{quote.header}\n{quote.text}"


def _fault(sentence: str, quote: _Quote) -> str:
    """Why the sentence may not rest on this quote, whatever its support; empty if it may."""
    if lacking := quantities.missing(sentence, _evidence(quote)):
        return f"its number {lacking[0].text.strip()} is not in the quote “{quote.text}”"
    everything = f"{quote.whole}\n{quote.passage.text[: quote.start]}"  # what a pronoun may stand for comes before
    if unknown := [name for name in terms.names(sentence) if not terms.holds_name(everything, name)]:
        return f"its name {unknown[0]} is not in the quote “{quote.text}” nor above it"
    if _says_the_opposite(sentence, quote):
        return f"it says the opposite of “{quote.text}”"
    return ""


def _says_the_opposite(sentence: str, quote: _Quote) -> bool:
    """Whether the part of the quote that is most like the sentence contradicts it; a run may both deny and assert."""
    words = terms.stems(sentence)
    likeness = [terms.coverage(words, set(terms.stems(part))) for part in quote.parts]
    nearest = [part for part, its in zip(quote.parts, likeness, strict=True) if its == max(likeness)]
    return any(contradicts(sentence, part) for part in nearest)


def _citation(sentence: str, quote: _Quote, support: float) -> Citation:
    passage = quote.passage
    start = passage.start + quote.start
    return Citation(
        number=passage.rank,
        sentence=sentence,
        quote=quote.text,
        support=round(support, 4),
        title=passage.title,
        source=passage.source,
        key=passage.key,
        revision=passage.revision,
        url=passage.url,
        page=passage.page and passage.page + sum(one <= start for one in passage.page_breaks),
        section=passage.section,
        start=start,
        end=passage.start + quote.end,
        status=passage.status,
    )
