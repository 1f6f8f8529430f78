"""`refdesk index`."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from assistant.cli_options import LIBRARY, comma_separated

if TYPE_CHECKING:
    from ingest.sync import Progress, Report

commands = typer.Typer()

SOME_FAILED = 3
_LINE_SECONDS = 15.0


@commands.command()
def index(
    paths: Annotated[list[Path], typer.Argument(help="Folders and files to read, each a source of its own.")],
    library: LIBRARY = Path("library"),
    readers: Annotated[
        str | None, typer.Option(help="Groups that may read these documents; default: as before, else everyone.")
    ] = None,
    retry: Annotated[bool, typer.Option("--retry", help="Try files again that could not be read before.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Read documents into a library; run again, it touches only what changed.

    Exit code 0: all read; 3: some files failed, the rest is indexed; 2: bad usage; 1: nothing was done.
    """
    from assistant.types import Access
    from ingest.sync import build_library

    groups = comma_separated(readers or "")
    if readers is not None and not groups:
        raise typer.BadParameter("name at least one group", param_hint="--readers")
    missing = [str(path) for path in paths if not path.exists()]
    if missing:
        raise typer.BadParameter(f"there is nothing at {', '.join(missing)}", param_hint="PATHS")
    with _progress(quiet=as_json) as progress:
        report = build_library(
            paths, library, access=Access.of(*groups) if groups else None, retry=retry, progress=progress
        )
    if as_json:
        print(json.dumps(asdict(report), ensure_ascii=False))
    else:
        _print(report, library)
    if report.count("failed"):
        raise typer.Exit(SOME_FAILED)


@contextmanager
def _progress(*, quiet: bool) -> Iterator[Progress | None]:
    """On standard error: a progress bar where that is a terminal, elsewhere a line now and then."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    if quiet:
        yield None
        return
    if not console.is_terminal:
        yield _lines_now_and_then()
        return
    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("looking at the files", total=None)

        def show(done: int, total: int, key: str) -> None:
            bar.update(task, completed=done, total=total, description=key[-60:])

        yield show


def _lines_now_and_then() -> Progress:
    last = time.monotonic()

    def show(done: int, total: int, key: str) -> None:
        nonlocal last
        if time.monotonic() - last >= _LINE_SECONDS:
            last = time.monotonic()
            print(f"{done} of {total} files, {key}", file=sys.stderr)

    return show


def _print(report: Report, library: Path) -> None:
    """One line a file that was read, refused or removed, the refused ones last, then the sums."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console()
    order = ["indexed", "removed", "skipped", "failed"]
    table = Table("", "source", "file", "why", box=None, pad_edge=False)
    for line in sorted(report.lines, key=lambda line: order.index(line.outcome) if line.outcome in order else -1):
        if line.outcome != "unchanged":
            why = f"{line.chunks} chunks" if line.outcome == "indexed" else f"{line.reason}: {line.detail}".strip(": ")
            table.add_row(line.outcome, escape(line.source), escape(line.key), escape(" ".join(why.split())[:160]))
    if table.row_count:
        console.print(table)
    sums = [f"{report.count(o)} {o}" for o in ("indexed", "unchanged", "removed", "skipped", "failed")]
    console.print(
        f"{', '.join(sums)}. {report.embedded} chunks embedded, {report.seconds:.1f} s. "
        f"Library {library}, generation {report.generation}.",
        highlight=False,
    )
