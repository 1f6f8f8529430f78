"""A report as one HTML file that asks for nothing else and runs nothing: no scripts, fonts or pictures from afar."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from eval.runs.sections import Section, Table

_NUMBERS = frozenset("0123456789.,+-–[] <")
_HEAD = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; --line: light-dark(#d5dae2, #3d4450); --faint: light-dark(#4a5261, #aab3c2); }}
body {{ font: 16px/1.5 system-ui, sans-serif; margin: 0; }}
body {{ background: light-dark(#fff, #14171c); color: light-dark(#1b2230, #e6e9ef); }}
main {{ max-width: 66rem; margin: 0 auto; padding: 2rem 1.25rem 4rem; }}
h1 {{ font-size: 1.9rem; margin: 0; overflow-wrap: anywhere; }}
h2 {{ font-size: 1.3rem; margin: 2.5rem 0 0.5rem; border-top: 1px solid var(--line); padding-top: 1.25rem; }}
p {{ max-width: 46rem; margin: 0.5rem 0; }}
.lead {{ font-size: 1.1rem; color: var(--faint); }}
.says {{ color: var(--faint); font-size: 0.9rem; }}
.table {{ overflow-x: auto; margin: 1rem 0 1.75rem; }}
table {{ border-collapse: collapse; font-size: 0.9rem; min-width: 50%; }}
caption {{ text-align: left; font-weight: 600; padding-bottom: 0.35rem; }}
th, td {{ text-align: left; vertical-align: top; border-bottom: 1px solid var(--line); }}
th, td {{ padding: 0.3rem 1.25rem 0.3rem 0; }}
td {{ min-width: 5rem; max-width: 24rem; overflow-wrap: break-word; }}
thead th {{ color: var(--faint); font-weight: 600; vertical-align: bottom; }}
tbody th {{ font-weight: 600; min-width: 7rem; }}
.number {{ font-variant-numeric: tabular-nums; white-space: nowrap; }}
.interval {{ color: var(--faint); font-size: 0.86em; }}
figure {{ margin: 1.25rem 0 2.25rem; }}
figure svg {{ display: block; width: 100%; height: auto; }}
figcaption {{ color: var(--faint); font-size: 0.9rem; margin-top: 0.4rem; }}
@media print {{ .table {{ overflow: visible; }} figure, tr {{ break-inside: avoid; }} }}
</style>
</head>
<body>
<main>
"""


def html(title: str, lead: str, sections: Sequence[Section]) -> str:
    """The whole file."""
    parts = [
        _HEAD.format(title=escape(title)),
        f'<h1>{escape(title)}</h1>\n<p class="lead">{escape(lead)}</p>\n',
        *map(_section, sections),
        "</main>\n</body>\n</html>\n",
    ]
    return "".join(parts)


def table_html(table: Table) -> str:
    """In a region that scrolls by itself, by keyboard too."""
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in table.header)
    body = "".join(f"<tr>{_cells(row)}</tr>\n" for row in table.rows)
    return (
        f'<div class="table" role="region" aria-label="{escape(table.caption)}" tabindex="0">'
        f"<table><caption>{escape(table.caption)}</caption>\n<thead><tr>{head}</tr></thead>\n"
        f"<tbody>\n{body}</tbody></table></div>\n"
    )


def _section(section: Section) -> str:
    says = "".join(f'<p class="says">{escape(text)}</p>\n' for text in section.says)
    figures = "".join(
        f'<figure>\n<div role="img" aria-label="{escape(plot.alt)}">{plot.svg}</div>\n'
        f"<figcaption>{escape(plot.caption)}</figcaption>\n</figure>\n"
        for plot in section.plots
    )
    tables = "".join(map(table_html, section.tables))
    return f"<section>\n<h2>{escape(section.title)}</h2>\n{says}{figures}{tables}</section>\n"


def _cells(row: Sequence[str]) -> str:
    return f'<th scope="row">{escape(row[0])}</th>' + "".join(map(_cell, row[1:]))


def _cell(text: str) -> str:
    """Numbers stand in a line; an interval is fainter than its value."""
    if not text or not set(text) <= _NUMBERS:
        return f"<td>{escape(text)}</td>"
    value, space, interval = text.partition(" [")
    rest = f' <span class="interval">[{escape(interval)}</span>' if space else ""
    return f'<td class="number">{escape(value)}{rest}</td>'
