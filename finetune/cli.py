"""`refdesk finetune`: from a library to adapters."""

from __future__ import annotations

import typer

from finetune.data.command import commands as data

commands = typer.Typer()
_finetune = typer.Typer(help="Train models on what a library holds.", no_args_is_help=True)
commands.add_typer(_finetune, name="finetune")
_finetune.add_typer(data)


@_finetune.callback()
def _room() -> None:
    """Train models on what a library holds."""
