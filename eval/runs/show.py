"""What a command of `refdesk eval` prints: the figures of a run, and where the rest of it is."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import typer

from eval.kinds import metrics_of
from eval.runs.figures import figures_of
from eval.runs.report import write
from eval.runs.sections import Table, figures_table, lead_of, title_of, undefined_tables
from eval.runs.wording import printable

if TYPE_CHECKING:
    from eval.runs.run import Record

_WIDTH_OF_A_FILE = 240
"""Where there is no terminal that says how wide it is, lines are as long as they need to be."""


def write_and_print(record: Record, as_json: bool = False) -> None:
    """How each evaluation ends: the report is written into the run's folder, every metric printed for every system."""
    metrics = metrics_of(record.about)
    figures = figures_of(record, metrics)
    report = write(record, figures, metrics)
    if as_json:
        print_json(
            {"folder": str(record.folder), "finished": record.finished, "notes": record.notes, **asdict(figures)}
        )
        return
    print_table(figures_table(figures, metrics))
    for undefined in undefined_tables(figures):
        typer.echo("")
        print_table(undefined)
    say(f"\n{title_of(record.about)}. {lead_of(record.about, record.created, record.finished)}")
    for note in record.notes:
        say(note)
    typer.echo(str(report))


def print_table(table: Table) -> None:
    from rich.console import Console
    from rich.table import Column
    from rich.table import Table as RichTable
    from rich.text import Text

    console = Console()
    if not console.is_terminal:
        console = Console(width=_WIDTH_OF_A_FILE)
    shown = RichTable(*(Column(Text(printable(name))) for name in table.header), box=None, pad_edge=False)
    for row in table.rows:
        shown.add_row(*(Text(printable(text)) for text in row))
    console.print(shown)


def print_lines(title: str, lines: Sequence[str]) -> None:
    """A list with its title; nothing where it is empty."""
    if lines:
        say("\n".join([title, *(f"  {line}" for line in lines)]))


def say(text: str) -> None:
    """Prints what may quote questions and documents."""
    typer.echo(printable(text))


def print_json(value: Any) -> None:
    say(json.dumps(value, ensure_ascii=False, indent=2))
