"""Options that several commands share, so that they read the same everywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from assistant.types import Mode

LIBRARY = Annotated[
    Path,
    typer.Option("--library", "-l", envvar="REFDESK_LIBRARY", help="The folder of the library."),
]
AS_JSON = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
AS_GROUPS = Annotated[
    str,
    typer.Option(
        "--as",
        metavar="GROUP,...",
        help="Who asks: groups, or `user:NAME`, with the groups that `people.groups_file` adds to them.",
    ),
]
SOURCES = Annotated[list[str], typer.Option("--source", help="Only documents of this source; may be repeated.")]
MODE = Annotated[
    Mode | None,
    typer.Option(help="extract: quote the library; generate: let the LLM write; default: what is there."),
]
KINDS = Annotated[
    list[str], typer.Option("--kind", help="Only this kind of document (pdf, twiki, ...); may be repeated.")
]


def comma_separated(text: str) -> list[str]:
    """The names in a list such as "atlas, cms"."""
    return [name.strip() for name in text.split(",") if name.strip()]
