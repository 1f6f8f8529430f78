"""The text of a document as HTML to read, with the cited characters between `<mark>` and `</mark>`.

Everything from the document is escaped. Nothing is added and nothing left out: the text content of the HTML is the text
itself, so what is marked is exactly what was cited. Markdown's own signs (`##`, `**`, `|`) stay, but are not shown.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape

from assistant.text.blocks import HEADING, Block, blocks, lines, stripped

ANCHOR = "cited"
"""The id of the first `<mark>`."""
Span = tuple[int, int]

_INLINE = re.compile(
    r"(?P<code>(?<!`)`(?!`)[^`\n]+`(?!`))"
    r"|(?P<math>(?<![\\$])\$(?=[^\s$])[^$\n]*[^\s$\\]\$(?!\d)|(?<![\\$])\$[^\s$]\$(?!\d))"
    r"|(?P<strong>(?<!\*)\*\*(?=[^\s*])[^*\n]+(?<=\S)\*\*(?!\*))"
)
_DELIMITER_ROW = re.compile(r"\s*\|(?:\s*:?-+:?\s*\|)+\s*")
_BULLET = re.compile(r"[-*+]\s+")
_PIPE = re.compile(r"(?<!\\)\|")


def document_html(text: str, start: int, end: int, mark: Span | None = None) -> str:
    """`text[start:end]` as HTML; what lies in both this span and `mark` is marked.

    `start` and `end` had better be at line starts, where blocks begin.
    """
    return "".join(_Page(text, mark).parts(start, end))


@dataclass
class _Page:
    text: str
    mark: Span | None
    anchored: bool = False
    level: int = 1
    """Of the last heading; 1 is the page's own."""

    def parts(self, start: int, end: int) -> Iterator[str]:
        at = start
        for block in blocks(self.text, start, end):
            yield self.leaf(at, block.start)
            yield self.block(block)
            at = block.end
        yield self.leaf(at, end)

    def block(self, block: Block) -> str:
        if block.kind == "heading":
            return self.heading(block)
        if block.kind == "table" and self.text[block.start] == "|":
            return self.table(block)
        if block.kind in ("code", "equation", "table"):
            return f'<pre tabindex="0">{self.leaf(block.start, block.end)}</pre>'
        bullet = _BULLET.match(self.text, block.start, block.end) if block.kind == "item" else None
        begin = bullet.end() if bullet else block.start
        content = self.signs(block.start, begin) + self.inline(begin, block.end)
        return f'<div class="{block.kind}{" bullet" if bullet else ""}">{content}</div>'

    def heading(self, block: Block) -> str:
        """A level that the document skips is not skipped here, where screen readers go by levels."""
        signs = HEADING.match(self.text[block.start : block.end])
        assert signs  # or `blocks` would not call it a heading
        self.level = min(len(signs[1]) + 1, self.level + 1, 6)
        begin = stripped(self.text, block.start + signs.end(), block.end)[0]
        content = self.signs(block.start, begin) + self.inline(begin, block.end)
        return f"<h{self.level}>{content}</h{self.level}>"

    def table(self, block: Block) -> str:
        spans = lines(self.text, block.start, block.end)
        rules = [bool(_DELIMITER_ROW.fullmatch(self.text[a:b])) for a, b in spans]
        rows = []
        for number, (a, b) in enumerate(spans):
            stop = min(b + 1, block.end)  # the line feed belongs to the last cell: between rows it would be moved
            if rules[number]:
                rows.append(f'<tr class="signs"><td>{self.leaf(a, stop)}</td></tr>')
            else:
                rows.append(self.row(a, stop, "th" if rules[number + 1 : number + 2] == [True] else "td"))
        return f'<div class="table" role="region" aria-label="Table" tabindex="0"><table>{"".join(rows)}</table></div>'

    def row(self, start: int, end: int, tag: str) -> str:
        """A row of cells, each with the bar before it; the last also with the bar after it."""
        bars = [start + bar.start() for bar in _PIPE.finditer(self.text[start:end])]
        closing = bars.pop() if len(bars) > 1 and not self.text[bars[-1] + 1 : end].strip() else end
        cells = []
        for begin, stop in zip([start, *bars[1:]], [*bars[1:], closing], strict=True):
            bar = _PIPE.search(self.text, begin, stop)
            first, last = stripped(self.text, bar.end() if bar else begin, stop)
            after = end if stop == closing else stop
            cells.append(self.signs(begin, first) + self.inline(first, last) + self.signs(last, after))
        return "<tr>" + "".join(f"<{tag}>{cell}</{tag}>" for cell in cells) + "</tr>"

    def inline(self, start: int, end: int) -> str:
        """Text with its code, formulas and strong words."""
        parts, at = [], start
        for found in _INLINE.finditer(self.text, start, end):
            a, b = found.span()
            width = 2 if found.lastgroup == "strong" else 1
            tag = "strong" if found.lastgroup == "strong" else "code"
            inner = self.signs(a, a + width) + self.leaf(a + width, b - width) + self.signs(b - width, b)
            parts += [self.leaf(at, a), f"<{tag}>{inner}</{tag}>"]
            at = b
        return "".join([*parts, self.leaf(at, end)])

    def signs(self, start: int, end: int) -> str:
        return f'<span class="signs">{self.leaf(start, end)}</span>' if start < end else ""

    def leaf(self, start: int, end: int) -> str:
        """Escaped text, with the part of it that is cited marked."""
        a, b = self.mark or (start, start)
        a, b = max(start, a), min(end, b)
        if a >= b:
            return escape(self.text[start:end])
        anchor = "" if self.anchored else f' id="{ANCHOR}" tabindex="-1"'
        self.anchored = True
        cited = f"<mark{anchor}>{escape(self.text[a:b])}</mark>"
        return escape(self.text[start:a]) + cited + escape(self.text[b:end])
