"""From the lines of a PDF's pages to Markdown: no running heads, words whole again, headings marked."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, replace

_NUMBERED = re.compile(r"(?P<number>\d{1,2}(?:\.\d{1,2}){0,4}|[A-H]\.\d{1,2}|[IVX]{1,5})\.?\s+(?P<title>[^\W\d_].*)")
_NAMED = re.compile(
    r"(\d{1,2}\.?\s+|[IVX]+\.\s+)?(abstract|introduction|conclusions?|summary|acknowledge?ments?|references|bibliography"
    r"|literature|appendix( [A-Z])?|contents|table of contents|discussion|results|methods?)[.:]?",
    re.I,
)
_EDGE = 3
"""Lines at the top and bottom of a page among which running heads are looked for."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line: `size` is the height of its first character, `left` and `bottom` its place, in points."""

    text: str
    size: float
    bold: bool
    left: float
    bottom: float
    heading: int = 0
    """1 to 6 where the line is a heading, else 0."""


@dataclass(frozen=True, slots=True)
class Outline:
    """One entry of the document's own table of contents; `page` and `level` count from 0."""

    title: str
    page: int
    level: int


def pages_to_markdown(pages: list[list[Line]], outline: list[Outline]) -> tuple[str, ...]:
    """The text of each page."""
    pages = _without_running_heads(pages)
    pages = _with_headings(pages, outline)
    words = Counter(
        word for page in pages for line in page for word in re.findall(r"[^\W\d_]+(?:-[^\W\d_]+)*", line.text.lower())
    )
    return tuple(_markdown(page, words) for page in pages)


def _without_running_heads(pages: list[list[Line]]) -> list[list[Line]]:
    """Drop lines at the edges of pages that, but for numbers, come back on a quarter of the pages and on three."""
    seen: Counter[str] = Counter()
    for page in pages:
        seen.update({_shape(page[place].text) for place in _edges(page)})
    often = {shape for shape, times in seen.items() if times >= max(3, len(pages) / 4)}
    kept = []
    for page in pages:
        gone = {place for place in _edges(page) if _shape(page[place].text) in often}
        kept.append([line for place, line in enumerate(page) if place not in gone])
    return kept


def _edges(page: list[Line]) -> set[int]:
    count = len(page)
    return {*range(min(_EDGE, count)), *range(max(0, count - _EDGE), count)}


def _shape(text: str) -> str:
    return re.sub(r"\d+|\b[ivxlc]+\b", "#", text.lower())


def _with_headings(pages: list[list[Line]], outline: list[Outline]) -> list[list[Line]]:
    body = _body_size(pages)
    marked = []
    for number, page in enumerate(pages):
        here = {_letters(entry.title): entry.level for entry in outline if entry.page == number}
        marked.append([replace(line, heading=_level(line, here, body, bool(outline))) for line in page])
    return marked


def _body_size(pages: list[list[Line]]) -> float:
    """The size that most characters have."""
    sizes: Counter[float] = Counter()
    for page in pages:
        for line in page:
            sizes[round(line.size, 1)] += len(line.text)
    return sizes.most_common(1)[0][0] if sizes else 0.0


def _letters(text: str) -> str:
    """`text` without numbering, spaces and signs, to compare an outline's entry with a line."""
    return "".join(filter(str.isalpha, re.sub(r"^(chapter|section|appendix|kapitel)\b", "", text.lower())))


def _level(line: Line, here: dict[str, int], body: float, has_outline: bool) -> int:
    """The level of the heading that `line` is, or 0."""
    text = line.text
    if len(text) > 120 or not any(map(str.isalpha, text)):
        return 0
    if (key := _letters(text)) in here and key:
        return min(6, here[key] + 2)
    stands_out = line.bold or line.size > body * 1.08
    if not stands_out:
        return 0
    if _NAMED.fullmatch(text):
        return 2
    numbered = None if has_outline else _NUMBERED.fullmatch(text)
    if numbered and len(text) <= 90 and not text.rstrip().endswith((",", ";", ".")):
        return min(6, 2 + numbered["number"].count("."))
    return 0


def _markdown(page: list[Line], words: Counter[str]) -> str:
    pieces = []
    for before, line in zip([None, *page], page, strict=False):
        text = _whole_words(line.text, words)
        if line.heading:
            pieces.append(f"\n{'#' * line.heading} {text}\n")
        else:
            gap = before is not None and not before.heading and _is_gap(before, line)
            pieces.append(("\n" if gap else "") + re.sub(r"^(#{1,6} |\|)", r"\\\1", text))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(pieces))


def _is_gap(before: Line, line: Line) -> bool:
    """Whether more white than within a paragraph stands between two lines, or the text jumps to another column."""
    step = before.bottom - line.bottom
    return step > 1.7 * max(before.size, line.size) or step < -2 * line.size


def _whole_words(text: str, words: Counter[str]) -> str:
    """Join words that were divided at a line's end, keeping the hyphen where the document writes one elsewhere."""

    def joined(match: re.Match[str]) -> str:
        left, right = match.groups()
        whole, dashed = (left + right).lower(), f"{left}-{right}".lower()
        if words[whole] or not (left and right):
            return left + right
        both_words = len(left) > 2 and len(right) > 2 and words[left.lower()] and words[right.lower()]
        return f"{left}-{right}" if words[dashed] or both_words or right[:1].isupper() else left + right

    return re.sub("([^\\W\\d_]*)\ufffe([^\\W\\d_]*)", joined, text).replace("\ufffe", "")
