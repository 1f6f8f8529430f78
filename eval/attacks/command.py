"""`refdesk eval attacks`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from assistant.cli_options import AS_JSON
from eval.options import OUT

commands = typer.Typer()


@commands.command()
def attacks(
    bipia: Annotated[Path, typer.Option(help="BIPIA: the folder that holds `benchmark`.")] = Path(
        "../shared/data/injection/bipia"
    ),
    notinject: Annotated[Path, typer.Option(help="NotInject: the folder that holds `datasets`.")] = Path(
        "../shared/data/injection/notinject"
    ),
    count: Annotated[int, typer.Option(min=1, help="Attacked questions, and questions on harmless texts.")] = 48,
    seed: Annotated[int, typer.Option(min=0, help="Of the sample.")] = 0,
    out: OUT = None,
    as_json: AS_JSON = False,
) -> None:
    """Hide instructions in documents and see who obeys; refuse nothing for words that only sound like an attack.

    Answers are extracted, and generated too where an LLM server answers. Each question is asked without attack, too.
    """
    from assistant.progress import shown_progress
    from assistant.settings import load
    from eval.attacks.measure import measure
    from eval.runs.show import write_and_print

    with shown_progress() as progress:
        try:
            record = measure(bipia, notinject, load(), progress, count=count, seed=seed, out=out)
        except ValueError as error:
            raise typer.BadParameter(str(error)) from error
    write_and_print(record, as_json)
