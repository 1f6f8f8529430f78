"""`refdesk eval`."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from assistant.cli_options import AS_JSON
from eval.answers.command import commands as _answers
from eval.runs.command import commands as _runs

if TYPE_CHECKING:
    from rich.console import Console

    from eval.retrieval import RetrievalReport
    from eval.speed.process import Machine
    from eval.speed.table import Line

commands = typer.Typer()
_eval = typer.Typer(help="Measure how good search and answers are.", no_args_is_help=True)
commands.add_typer(_eval, name="eval")
_eval.add_typer(_answers)
_eval.add_typer(_runs)


@_eval.command()
def retrieval(
    beir: Annotated[Path, typer.Option(help="A BEIR folder: corpus.jsonl, queries.jsonl, qrels/<split>.tsv.")],
    split: Annotated[str, typer.Option(help="Which queries.")] = "train",
    library: Annotated[
        Path | None, typer.Option("--library", "-l", help="Keep the index here; default: a temporary folder.")
    ] = None,
    as_json: AS_JSON = False,
) -> None:
    """Index a corpus and measure nDCG@10 and Recall@10 of lexical, dense and fused search."""
    from assistant.embed import open_embedder
    from assistant.library import Library
    from assistant.settings import load
    from eval.retrieval import evaluate

    settings = load()
    with TemporaryDirectory() as temporary, _progress() as progress:
        try:
            embedder = open_embedder(settings.embedder, Library.fingerprint_at(library) if library else None)
            report = evaluate(beir, split, library or Path(temporary), embedder, settings.search, progress)
        except ValueError as error:
            raise typer.BadParameter(str(error), param_hint="--beir") from error
    if as_json:
        print(json.dumps(asdict(report), indent=2))
    else:
        _print_retrieval(report)


@_eval.command()
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


@contextmanager
def _progress() -> Iterator[Callable[[int, str], None]]:
    """A count on standard error where that is a terminal."""
    from rich.console import Console

    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda done, what: None
        return
    with console.status("looking at the files") as status:
        yield lambda done, what: status.update(f"{done} {what}")


def _print_retrieval(report: RetrievalReport) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("", "nDCG@10", "Recall@10", box=None, pad_edge=False)
    for stage, scores in report.scores.items():
        table.add_row(stage, f"{scores.ndcg_at_10:.4f}", f"{scores.recall_at_10:.4f}")
    console = Console()
    console.print(table)
    console.print(
        f"{report.queries} queries over {report.documents} documents in {report.chunks} chunks, {report.embedder}.",
        highlight=False,
    )


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
