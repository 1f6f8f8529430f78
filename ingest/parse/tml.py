"""Topic markup (TWiki, Foswiki) to HTML, line by line. HTML in a topic is passed through."""

from __future__ import annotations

import re
from itertools import groupby

_HEADING = re.compile(r"---\+{1,6}")
_ITEM = re.compile(r"((?: {3}|\t)+)(\*|\d+\.?|[AaIi]\.)[ \t]+(.*)")
_TERM = re.compile(r"(?: {3}|\t)+\$[ \t]+(.+?):[ \t]+(.*)")
_ROW = re.compile(r"[ \t]*\|.*\|[ \t]*")


def to_html(text: str) -> str:
    """`text` as HTML for pandoc."""
    text = re.sub(r"\\\n[ \t]*", " ", text)  # a backslash joins a line with the next
    out: list[str] = []
    for is_row, group in groupby(text.split("\n"), lambda line: bool(_ROW.fullmatch(line))):
        lines = list(group)
        out += [_table(lines)] if is_row else _blocks(lines)
    return "\n".join(out)


def _blocks(lines: list[str]) -> list[str]:
    """Headings, lists and paragraphs. A line that is indented below an item belongs to it."""
    out: list[str] = []
    items: list[tuple[int, str, str]] = []
    in_table = False
    for line in lines:
        item = _ITEM.fullmatch(line)
        if item:
            depth = len(item[1].replace("\t", "   ")) // 3
            items.append((depth, "ul" if item[2] == "*" else "ol", item[3]))
            continue
        if items and line.startswith((" ", "\t")) and line.strip() and not _TERM.fullmatch(line):
            depth, kind, text = items[-1]
            items[-1] = (depth, kind, f"{text} {line.strip()}")
            continue
        out += _list(items)
        items = []
        in_table = (in_table or "<table" in line.lower()) and "</table" not in line.lower()
        out.append(_line(line, in_table))
    return out + _list(items)


def _line(line: str, in_table: bool) -> str:
    if heading := _HEADING.match(line):
        level = heading.end() - 3
        return f"<h{level}>{_inline(line[heading.end() :].lstrip('!').strip())}</h{level}>"
    if not line.strip():
        return "" if in_table else "<p>"
    if re.fullmatch(r"-{3,}[ \t]*", line):
        return "<hr>"
    if re.fullmatch(r"#[A-Z][A-Za-z0-9_]*[ \t]*", line):  # an anchor
        return ""
    if term := _TERM.fullmatch(line):
        return f"<dl><dt>{_inline(term[1])}</dt><dd>{_inline(term[2])}</dd></dl>"
    return _inline(line)


def _list(items: list[tuple[int, str, str]]) -> list[str]:
    """Items of (depth, ul or ol, text) as nested lists."""
    out: list[str] = []
    open_lists: list[str] = []
    for depth, kind, text in items:
        while len(open_lists) > depth or (len(open_lists) == depth and open_lists[-1] != kind):
            out.append(f"</li></{open_lists.pop()}>")
        if len(open_lists) == depth:
            out.append("</li>")
        while len(open_lists) < depth:
            open_lists.append(kind)
            out.append(f"<{kind}>" + ("<li>" if len(open_lists) < depth else ""))
        out.append(f"<li>{_inline(text)}")
    while open_lists:
        out.append(f"</li></{open_lists.pop()}>")
    return out


def _table(rows: list[str]) -> str:
    """Rows between bars; a cell all in asterisks is a header; `^` continues the cell above."""
    out = ["<table>"]
    for number, row in enumerate(rows):
        cells = row.strip()[1:-1].split("|")
        is_head = number == 0 and all(re.fullmatch(r"\s*\*.*\*\s*", cell) or not cell.strip() for cell in cells)
        tag = "th" if is_head else "td"
        out.append("<tr>" + "".join(f"<{tag}>{_cell(cell, is_head)}</{tag}>" for cell in cells) + "</tr>")
    return "\n".join([*out, "</table>"])


def _cell(text: str, is_head: bool) -> str:
    text = text.strip()
    if text == "^":
        return ""
    return _inline(text.strip("*").strip() if is_head else text)


_EMPHASIS = [
    (re.compile(rf"(^|[\s(>]){mark}(?=\S)(?!{re.escape(mark[-1])})(.+?)(?<=\S){mark}(?=$|[\s,.;:!?)<])", re.M), html)
    for mark, html in (
        ("==", r"\1<strong><code>\2</code></strong>"),
        ("=", r"\1<code>\2</code>"),
        ("__", r"\1<strong><em>\2</em></strong>"),
        (r"\*", r"\1<strong>\2</strong>"),
        ("_", r"\1<em>\2</em>"),
    )
]


def _inline(text: str) -> str:
    text = re.sub(r"\[\[([^\]]*)\]\[([^\]]*)\]\]", _link, text)
    text = re.sub(r"\[\[([^\]]*)\]\]", lambda link: link[1].strip("# "), text)
    text = re.sub(r"(^|[\s(|>])!(?=[A-Z\[%])", r"\1", text)  # `!` keeps a word from becoming a link
    text = re.sub(r"&(?!#?\w+;)", "&amp;", re.sub(r"<(?![a-zA-Z/!\x02])", "&lt;", text))
    for pattern, html in _EMPHASIS:
        text = pattern.sub(html, text)
    return text


def _link(link: re.Match[str]) -> str:
    target, text = link[1].strip(), link[2].strip()
    return f'<a href="{target}">{text}</a>' if re.match(r"(https?|mailto):", target) else text
