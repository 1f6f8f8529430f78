"""`refdesk finetune data`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from assistant.cli_options import AS_JSON

commands = typer.Typer()


@commands.command()
def data(
    description: Annotated[
        Path, typer.Argument(help="What the data are made of, in TOML.", exists=True, dir_okay=False)
    ],
    out: Annotated[Path, typer.Option(help="The folder to write into.")] = Path("training-data"),
    as_json: AS_JSON = False,
) -> None:
    """Make training data: questions, the passages that answer them, and hard negatives, dealt by document.

    Questions come from SQuAD, SciFact, BEIR folders, reviewed question files and the app's feedback. The card says what
    the data are; who may read all of them may use what is trained on them.
    """
    import json

    from assistant.progress import shown_progress
    from assistant.settings import load
    from finetune.data.card import as_markdown
    from finetune.data.description import read_description
    from finetune.data.make import make_data

    settings = load()
    try:
        wanted = read_description(description)
        with shown_progress() as progress:
            card = make_data(wanted, out, settings, progress)
    except (ValueError, FileNotFoundError) as error:
        raise typer.BadParameter(str(error), param_hint="DESCRIPTION") from error
    print(json.dumps(asdict(card), indent=1, ensure_ascii=False) if as_json else as_markdown(card))
