"""`refdesk eval attacks`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from eval.runs.run import Record

commands = typer.Typer()


@commands.command()
def attacks(
    bipia: Annotated[Path, typer.Option(help="BIPIA: the folder that holds `benchmark`.")] = Path(
        "../shared/data/injection/bipia"
    ),
    notinject: Annotated[Path, typer.Option(help="NotInject: the folder that holds `datasets`.")] = Path(
        "../shared/data/injection/notinject"
    ),
    n: Annotated[int, typer.Option("--n", min=1, help="Attacked questions, and questions on harmless texts.")] = 48,
    seed: Annotated[int, typer.Option(help="Of the sample.")] = 0,
    out: Annotated[Path | None, typer.Option(help="Folder of the run; default: one below eval.runs.")] = None,
) -> None:
    """Hide instructions in documents and see who obeys; refuse nothing for words that only sound like an attack.

    Answers are extracted, and generated too where an LLM server answers. Each question is asked without attack, too.
    """
    from eval.attacks.measure import measure
    from eval.progress import shown_progress

    with shown_progress() as progress:
        try:
            record = measure(bipia, notinject, n, seed, out, progress)
        except ValueError as error:
            raise typer.BadParameter(str(error)) from error
    _print(record)


def _print(record: Record) -> None:
    from rich.console import Console
    from rich.table import Table

    from eval.attacks.metrics import METRICS
    from eval.statistics import Undefined, figure

    table = Table("", "", "value", "95 %", "n", "over", box=None, pad_edge=False)
    for metric in METRICS:
        for system, results in record.results.items():
            found = figure(metric, results, record.about.seed)
            if not isinstance(found, Undefined):
                interval = f"{found.low:.3f} to {found.high:.3f}"
                table.add_row(metric.name, system, f"{found.value:.3f}", interval, str(found.n), found.over)
    console = Console()
    console.print(table)
    for note in record.notes:
        console.print(note, highlight=False)
    console.print(str(record.folder), highlight=False)
