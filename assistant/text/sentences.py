"""The sentences of a Markdown text, as exact spans, in any language that ends them with a mark.

A small grammar instead of a library: sentence libraries read running prose, and break on list items, table rows,
formulas and links, or return strings whose place in the text must then be searched for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from assistant.text.blocks import blocks, lines, stripped

# Within these no sentence ends: code, formulas, link targets, addresses. Their lengths are bounded, and the marks below
# are looked for only where a run of them begins, so that a hostile text takes no quadratic time.
_WHOLE = re.compile(
    r"""(?<!`)(`+)(?!`)[^\n]{1,400}?(?<!`)\1(?!`)
      | \$\$.{1,1000}?\$\$ | \$(?=\S)[^$]{0,400}?(?<=[^\s\\])\$(?!\d) | \\\(.{1,400}?\\\) | \\\[.{1,1000}?\\\]
      | \]\([^()\s]*\) | <[^<>\s]+> | https?://\S*[^\s.,;:!?)\]]""",
    re.DOTALL | re.VERBOSE,
)
# A mark with what closes after it (quotes, brackets, emphasis, numbers of references), then white space or, for the
# full-width marks, nothing; or a hard line break before a capital.
_END = re.compile(
    r"""(?<![.!?…؟।۔])(?P<mark>[.!?…؟।۔]++)
        [*_~]*["'”’»›)\]}]*[*_~]*(?P<references>(?:[ ]?\[\d{1,3}(?:\s?[,–-]\s?\d{1,3})*\])*)(?=\s)
      | [。！？｡]++[”’」』）"')]*
      | (?<![ ])(?:[ ]{2,}+|\\)(?=\n\s*[*_]*[A-Z0-9])""",
    re.VERBOSE,
)
_OPENING = " \t\r\n\v\f\xa0*_~\"'“‘«‹„([{¿¡"
# Never the last word of a sentence, whatever follows.
_INSIDE = """e.g i.e eg ie cf vs viz al approx ca resp fig figs eq eqs eqn sec sect ref refs tab ch chap app def thm
    dr prof mr mrs ms st sr jr mt dept univ z.b d.h bzw vgl abb kap nr ggf sog u.a o.ä p.ex"""
# Not the last word if a number follows.
_BEFORE_NUMBER = "no nos p pp vol vols art ed s n bd jan feb mar apr jun jul aug sep sept oct nov dec"
_LAST_WORD = re.compile(r"[^\s(\[{\"'“‘«*_~$,;:/]*$")


def sentences(text: str) -> list[tuple[int, int]]:
    """Spans of the sentences of Markdown `text`: ascending, apart from one another, without outer white space.

    A heading, a table row, a display equation and a code block are each one sentence; a paragraph, a quote and a list
    item have at least one. What holds neither letter nor digit (rules, a table's separator row) is none.
    """
    found: list[tuple[int, int]] = []
    for block in blocks(text):
        if block.kind == "table":
            spans = [stripped(text, a, b) for a, b in lines(text, block.start, block.end)]
        elif block.kind in ("paragraph", "quote", "item"):
            spans = prose_sentences(text, block.start, block.end)
        else:
            spans = [(block.start, block.end)]
        found += [(a, b) for a, b in spans if re.search(r"[^\W_]", text[a:b])]
    return found


def prose_sentences(text: str, start: int, end: int) -> list[tuple[int, int]]:
    """Spans that hold every character of the running text `text[start:end]` that is not white space."""
    found: list[tuple[int, int]] = []
    for stop in (*_ends(text, start, end), end):
        a, b = stripped(text, start, stop)
        if a < b:
            found.append((a, b))
        start = stop
    return found


def whole_spans(text: str, start: int, end: int) -> list[tuple[int, int]]:
    """Spans of the code, formulas and addresses in running text, which are better not cut."""
    return [match.span() for match in _WHOLE.finditer(text, start, end)]


def _ends(text: str, start: int, end: int) -> Iterator[int]:
    """Where sentences end in `text[start:end]`, but for the last one."""
    whole = iter(whole_spans(text, start, end))
    current = next(whole, None)
    begin = start
    for match in _END.finditer(text, start, end):
        while current and current[1] <= match.start():
            current = next(whole, None)
        if current and current[0] <= match.start():
            continue
        if match["mark"] and not _ends_here(text, begin, match, end):
            continue
        yield match.end()
        begin = match.end()


def _ends_here(text: str, begin: int, match: re.Match[str], end: int) -> bool:
    """Whether a full stop (or other mark) ends the sentence that began at `begin`."""
    following = text[match.end() : min(end, match.end() + 40)].lstrip(_OPENING)[:1]
    if not following or following.islower():
        return False
    if match["mark"] != ".":
        return True
    before = text[max(begin, match.start() - 40) : match.start()]
    found = _LAST_WORD.search(before)
    word = found[0] if found else ""
    if word.lower() in _INSIDE.split() or (len(word) == 1 and word.isalpha() and word.isupper()):
        return False
    if re.fullmatch(r"(?:[^\W\d_]\.)+[^\W\d_]", word) and not match["references"]:
        return False
    if following.isdigit() and word.lower() in _BEFORE_NUMBER.split():
        return False
    # The number of a list item or heading: "1. First".
    return not (word.isdigit() and not before[: -len(word)].strip(_OPENING + "-+•"))
