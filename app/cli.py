"""`refdesk app` and `refdesk demo`."""

from __future__ import annotations

import typer

commands = typer.Typer()
