"""`refdesk eval answers` and `refdesk eval pubmedqa`."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from assistant.cli_options import AS_JSON, LIBRARY

if TYPE_CHECKING:
    from eval.metric import Metric
    from eval.runs.run import Record

commands = typer.Typer()


@commands.command()
def answers(
    questions: Annotated[Path, typer.Argument(help="Questions with known answers, JSON Lines.", exists=True)],
    library: LIBRARY = Path("library"),
    system: Annotated[
        list[str] | None,
        typer.Option(help="extract, generate or closed-book; may be repeated. Default: all that can be asked here."),
    ] = None,
    split: Annotated[
        Literal["dev", "test"] | None, typer.Option(help="Only the questions of this split; default: all.")
    ] = None,
    judge: Annotated[str, typer.Option(metavar="URL", help="An LLM server whose model judges the answers, too.")] = "",
    out: Annotated[Path | None, typer.Option(help="The folder of the run; default: one below `eval.runs`.")] = None,
    as_json: AS_JSON = False,
) -> None:
    """Ask questions with known answers and measure answers, refusals, citations and confidence.

    The same command again goes on where it stopped.
    """
    from assistant.settings import load
    from eval.answers.measure import measure
    from eval.answers.metrics import METRICS
    from eval.progress import shown_progress

    with shown_progress() as progress:
        try:
            record = measure(questions, library, load(), system or [], progress, split=split, judge=judge, out=out)
        except ValueError as error:
            raise typer.BadParameter(str(error), param_hint="QUESTIONS") from error
    _print_json(record, METRICS) if as_json else _print(record, METRICS)


@commands.command()
def pubmedqa(
    questions: Annotated[Path, typer.Argument(help="PubMedQA's PQA-L, such as its 500 test questions.", exists=True)],
    library: Annotated[
        Path | None, typer.Option("--library", "-l", help="Keep the indexed abstracts here; default: nowhere.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="The folder of the run; default: one below `eval.runs`.")] = None,
    as_json: AS_JSON = False,
) -> None:
    """Answer PubMedQA's questions with yes, no or maybe: without abstracts, with the right one, with those found.

    The abstracts become a library. The language model's answer is the likeliest of the three. The same command again
    goes on where it stopped.
    """
    from tempfile import TemporaryDirectory

    from assistant.settings import load
    from eval.answers.pubmedqa import METRICS, measure
    from eval.progress import shown_progress

    with TemporaryDirectory() as temporary, shown_progress() as progress:
        try:
            record = measure(questions, library or Path(temporary) / "library", load(), progress, out)
        except ValueError as error:
            raise typer.BadParameter(str(error), param_hint="QUESTIONS") from error
    _print_json(record, METRICS) if as_json else _print(record, METRICS)


def _print_json(record: Record, metrics: tuple[Metric, ...]) -> None:
    from eval.statistics import Figure, figure

    found: dict[str, Any] = {"folder": str(record.folder), "notes": record.notes, "figures": {}, "undefined": {}}
    for system, results in record.results.items():
        figures = {metric.name: figure(metric, results, record.about.seed) for metric in metrics}
        found["figures"][system] = {name: asdict(one) for name, one in figures.items() if isinstance(one, Figure)}
        found["undefined"][system] = {name: one.why for name, one in figures.items() if not isinstance(one, Figure)}
    typer.echo(json.dumps(found, ensure_ascii=False, indent=2))


def _print(record: Record, metrics: tuple[Metric, ...]) -> None:
    """A row for each metric, a column for each system."""
    from rich.console import Console
    from rich.table import Table

    from eval.statistics import Figure, figure

    table = Table("", *record.results, "over", box=None, pad_edge=False)
    missing = []
    for metric in metrics:
        found = [figure(metric, results, record.about.seed) for results in record.results.values()]
        if counts := [str(one.n) for one in found if isinstance(one, Figure)]:
            table.add_row(metric.name, *map(_shown, found), f"{'/'.join(dict.fromkeys(counts))} {metric.over}")
        else:
            missing.append(f"{metric.name} (there are no {metric.over})")
    console = Console()
    console.print(table)
    if missing:
        console.print(f"Not defined here: {', '.join(missing)}.", highlight=False)
    for note in record.notes:
        console.print(note, highlight=False)
    console.print(f"95 % intervals; {record.about.data.questions} questions; {record.folder}", highlight=False)


def _shown(found: Any) -> str:
    from eval.statistics import Figure

    return f"{found.value:.3f} [{found.low:.3f}, {found.high:.3f}]" if isinstance(found, Figure) else "not defined"
