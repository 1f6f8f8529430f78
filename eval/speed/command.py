"""`refdesk eval speed`."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from assistant.cli_options import AS_JSON

if TYPE_CHECKING:
    from rich.console import Console

    from eval.speed.process import Machine
    from eval.speed.table import Line

commands = typer.Typer()


@commands.command()
def speed(
    rows: Annotated[
        list[str] | None, typer.Argument(help="Which rows of the table; default: all but growth.", show_default=False)
    ] = None,
    data: Annotated[
        Path, typer.Option(help="Real texts and questions: Markdown, BEIR and SQuAD files below it.")
    ] = Path("../shared/data"),
    work: Annotated[
        Path | None, typer.Option(help="Keep here what is slow to make, and the plot; default: a temporary folder.")
    ] = None,
    chunks: Annotated[int, typer.Option(min=100, help="Size of the library that is searched.")] = 1_000_000,
    documents: Annotated[int, typer.Option(min=4, help="Documents for the row ingest.")] = 2_000,
    files: Annotated[int, typer.Option(min=10, help="Files for the rows unchanged and one-changed.")] = 10_000,
    as_json: AS_JSON = False,
) -> None:
    """Measure how fast indexing and search are on this machine, beside what is wanted.

    Rows: embedding, ingest, unchanged, one-changed, search, shelves-200, shelves-5000, commit, memory, growth. A
    million chunks take half an hour and 10 GB of disk; with --work the second time is quicker. The lines of a row are
    printed once it is measured, to standard error with --json.
    """
    from rich.console import Console

    from eval.speed.process import say
    from eval.speed.table import ROWS, Extent, measure

    named = rows or [row for row in ROWS if row != "growth"]
    console = Console(stderr=as_json)

    def begun(row: str) -> None:
        print(f"measuring {row}", file=sys.stderr, flush=True)

    def measured(lines: Sequence[Line]) -> None:
        say("")
        _print_lines(lines, console)

    with TemporaryDirectory() as temporary:
        extent = Extent(data, work or Path(temporary), chunks, documents, files)
        try:
            report = measure(named, extent, begun, measured)
        except ValueError as error:
            raise typer.BadParameter(str(error)) from error
        finally:
            say("")
    if as_json:
        print(json.dumps(asdict(report), indent=2))
    else:
        _print_machine(report.machine, console)


def _print_lines(lines: Sequence[Line], console: Console) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, show_header=False)
    for line in lines:
        verdict = "" if line.met is None else "met" if line.met else "NOT MET"
        table.add_row(line.row, line.what, line.measured, line.wanted, verdict)
    console.print(table)


def _print_machine(found: Machine, console: Console) -> None:
    versions = ", ".join(f"{package} {number}" for package, number in found.versions.items())
    console.print(
        f"{found.processor}, {found.cores} cores, {found.memory / 2**30:.0f} GiB memory, "
        f"load {found.load:.1f}, {found.system}, "
        f"Python {found.python}, {versions}.",
        highlight=False,
    )
