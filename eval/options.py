"""Options that commands of `refdesk eval` share, so that they read the same everywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

OUT = Annotated[Path | None, typer.Option(help="The folder of the run; default: one below `eval.runs`.")]
