"""A report as Markdown, for a merge request or an electronic logbook: tables without plots."""

from __future__ import annotations

import re
from collections.abc import Sequence

from eval.runs.sections import Section, Table
from eval.runs.wording import printable

_SPECIAL = re.compile(r"[\\`*_{}<>#|~!&$]|\](?=[(\[:])")


def markdown(title: str, lead: str, sections: Sequence[Section]) -> str:
    """The whole file; plots are in the HTML."""
    parts = [f"# {escaped(title)}", escaped(lead)]
    for section in sections:
        if not (section.tables or section.says):
            continue
        parts.append(f"## {escaped(section.title)}")
        parts += map(escaped, section.says)
        for table in section.tables:
            parts += [f"**{escaped(table.caption)}**", _table(table)]
    return "\n\n".join(parts) + "\n"


def escaped(text: str) -> str:
    """Reads as `text` does, in one line: what documents say loads no picture and is no link, formula or table."""
    return _SPECIAL.sub(lambda found: f"\\{found[0]}", printable(" ".join(text.split())))


def _table(table: Table) -> str:
    lines = [table.header, ("---",) * len(table.header)]
    rows = [" | ".join(map(escaped, row)) for row in table.rows]
    return "\n".join(f"| {line} |" for line in [" | ".join(map(escaped, lines[0])), " | ".join(lines[1]), *rows])
