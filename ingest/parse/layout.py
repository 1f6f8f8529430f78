"""From the lines of a PDF's pages to Markdown: no running heads, words whole again, headings marked."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, replace

_MONTH = r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*\.? \d"
_NUMBERED = re.compile(
    rf"(?P<number>[1-9]\d?(?:\.\d{{1,2}}){{0,4}}|[A-H](?:\.\d{{1,2}}){{1,3}})\.?\s+(?!{_MONTH})[A-ZÀ-Þ][^\W\d_]{{2}}.*"
)
_ROMAN = re.compile(r"[IVX]{1,5}\.\s+[A-ZÀ-Þ]{3}[A-ZÀ-Þ :,-]*")
_NAMED = re.compile(
    r"(\d{1,2}\.?\s+|[IVX]+\.\s+)?(abstract|introduction|conclusions?|summary|acknowledge?ments?|references|bibliography"
    r"|literature|appendix( [A-Z])?|contents|table of contents|discussion|results|methods?)[.:]?",
    re.I,
)
_BIBLIOGRAPHY = re.compile(r"(\d{1,2}\.?\s+|[IVX]+\.\s+)?(references|bibliography|literature)[.:]?", re.I)
_LEADER = re.compile(r"(?: ?\.){4,}")
"""The dots that lead to a page's number in a table of contents."""
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
    body = _body_size(pages)
    pages = _without_running_heads(pages)
    pages = _with_headings(pages, outline, body)
    # Halves of divided words are no words.
    text = "\n".join(re.sub("\\w*\ufffe\\w*", "", line.text.lower()) for page in pages for line in page)
    words = Counter(re.findall(r"[^\W\d_]+(?:-[^\W\d_]+)*", text))
    return tuple(_markdown(page, words) for page in pages)


def title_of(first_page: list[Line], pages: list[list[Line]]) -> str:
    """The largest print near the top of the first page, if it is larger than the text, else ""."""
    top = [line for line in first_page[:25] if _is_wording(line.text)]
    largest = max((line.size for line in top), default=0.0)
    if largest < 1.15 * _body_size(pages):
        return ""
    title: list[str] = []
    for line in first_page[:25]:
        if line in top and line.size > 0.9 * largest:
            title.append(line.text)
        elif title:
            break
    whole = " ".join(title).replace("\ufffe", "")
    return whole if len(whole) <= 250 and not _NAMED.fullmatch(whole) else ""


def _is_wording(text: str) -> bool:
    """Whether most of `text` is letters, as in a heading, and not in a formula, table or address."""
    return "@" not in text and sum(map(str.isalpha, text)) > max(3, 0.7 * len(text.replace(" ", "")))


def _body_size(pages: list[list[Line]]) -> float:
    """The size that most characters have."""
    sizes: Counter[float] = Counter()
    for page in pages:
        for line in page:
            sizes[round(line.size, 1)] += len(line.text)
    return sizes.most_common(1)[0][0] if sizes else 0.0


def _without_running_heads(pages: list[list[Line]]) -> list[list[Line]]:
    """Drop page numbers, and lines at the edges of pages that, but for numbers, come back on a quarter of the pages."""
    shapes: Counter[str] = Counter()
    offsets: Counter[int] = Counter()
    for number, page in enumerate(pages):
        shapes.update({_shape(page[place].text) for place in _edges(page)})
        offsets.update({printed - number for place in _edges(page) for printed in _page_numbers(page[place].text)})
    often = {shape for shape, times in shapes.items() if times >= max(3, len(pages) / 4)}
    steady = {offset for offset, times in offsets.items() if times >= max(3, len(pages) / 2)}
    kept = []
    for number, page in enumerate(pages):
        gone = set()
        for place in _edges(page):
            text = page[place].text
            is_numbered = any(printed - number in steady for printed in _page_numbers(text)) and len(text) < 80
            if _shape(text) in often or is_numbered:
                gone.add(place)
        kept.append([line for place, line in enumerate(page) if place not in gone])
    return kept


def _edges(page: list[Line]) -> set[int]:
    count = len(page)
    return {*range(min(_EDGE, count)), *range(max(0, count - _EDGE), count)}


def _shape(text: str) -> str:
    return re.sub(r"\d+|\b[ivxlc]+\b", "#", text.lower())


def _page_numbers(text: str) -> set[int]:
    """Numbers that a line begins or ends with."""
    return {int(found) for found in re.findall(r"^\d{1,4}(?=\s|$)|(?<=\s)\d{1,4}$", text)}


def _with_headings(pages: list[list[Line]], outline: list[Outline], body: float) -> list[list[Line]]:
    """Mark headings: what the outline names, also over up to three lines, else what number and print make one."""
    marked = []
    looks_count = not outline
    for number, page in enumerate(pages):
        named = {key: entry.level for entry in outline if entry.page == number and (key := _letters(entry.title))}
        done: list[Line] = []
        place = 0
        while place < len(page):
            line, used = _named(page[place : place + 3], named)
            if not line.heading:
                line = replace(line, heading=_level(line, body, looks_count))
            if line.heading and _BIBLIOGRAPHY.fullmatch(line.text):
                looks_count = False  # its numbered entries look like headings
            done.append(line)
            place += used
        marked.append(done)
    return marked


def _named(lines: list[Line], named: dict[str, int]) -> tuple[Line, int]:
    """The heading out of `named` that the first lines spell, or the first line, and how many lines that took."""
    for count in range(1, len(lines) + 1):
        whole = " ".join(line.text for line in lines[:count])
        key = _letters(whole)
        if key in named and len(whole) < 250 and all(_letters(line.text) for line in lines[:count]):
            return replace(lines[0], text=whole, heading=min(6, named.pop(key) + 2)), count
    return lines[0], 1


def _letters(text: str) -> str:
    """`text` without numbering, spaces and signs, to compare an outline's entry with a line."""
    return "".join(filter(str.isalpha, re.sub(r"^(chapter|section|appendix|kapitel)\b", "", text.lower())))


def _level(line: Line, body: float, looks_count: bool) -> int:
    """The level of the heading that `line` is by its own looks, or 0."""
    text = line.text
    if len(text) > 100 or _LEADER.search(text) or not (line.bold or line.size > body * 1.08):
        return 0
    if _NAMED.fullmatch(text):
        return 2
    if not looks_count or text.endswith((",", ";", ".")):
        return 0
    if _ROMAN.fullmatch(text):
        return 2
    if line.size > 1.25 * body and text[0].isupper() and len(text) <= 80 and _is_wording(text):
        return 2
    numbered = _NUMBERED.fullmatch(text)
    return min(6, 2 + numbered["number"].count(".")) if numbered else 0


def _markdown(page: list[Line], words: Counter[str]) -> str:
    pieces = []
    for before, line in zip([None, *page], page, strict=False):
        text = _whole_words(line.text, words)
        if line.heading:
            pieces.append(f"\n{'#' * line.heading} {text}\n")
        else:
            gap = before is not None and not before.heading and _is_gap(before, line)
            pieces.append(("\n" if gap else "") + re.sub(r"^(#{1,6}(?:\s|$)|\|)", r"\\\1", text))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(pieces))


def _is_gap(before: Line, line: Line) -> bool:
    """Whether more white than within a paragraph stands between two lines, or the text jumps to another column."""
    step = before.bottom - line.bottom
    rows = 1 + before.text.count("\ufffe")  # a divided word hides the line's end in it
    return step > (rows + 0.7) * max(before.size, line.size) or step < -2 * line.size


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
