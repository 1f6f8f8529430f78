"""`refdesk llm start|status|stop`. Exit codes: 0 done, 1 failed, 2 wrong usage, 3 `status` finds no server running."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING

import typer

from assistant.cli_options import AS_JSON

if TYPE_CHECKING:
    from assistant.llm.server import LLMServer

llm = typer.Typer(help="The LLM server of this machine (vLLM).", no_args_is_help=True)

_LINE_SECONDS = 15.0
_NOT_RUNNING = 3


@llm.command()
def start() -> None:
    """Start vLLM with the configured model and wait until it answers."""
    from assistant.llm import server
    from assistant.settings import load

    settings = load().llm
    with _progress() as report:
        before = server.status(settings)
        started = server.start(settings, report)
    typer.echo(f"{'Already running' if before.state == 'running' else 'Started'}: {_line(started)}")


@llm.command()
def status(as_json: AS_JSON = False) -> None:
    """Say whether a server answers at the configured URL, and with which model."""
    from assistant.llm import server
    from assistant.settings import load

    found = server.status(load().llm)
    if as_json:
        typer.echo(json.dumps({**asdict(found), "log": str(found.log) if found.log else None}, indent=2))
    else:
        typer.echo(_line(found))
    if found.state != "running":
        raise typer.Exit(_NOT_RUNNING)


@llm.command()
def stop() -> None:
    """Stop the server that `refdesk llm start` started, with all its processes."""
    from assistant.llm import server

    with _progress() as report:
        stopped = server.stop(report)
    typer.echo("Stopped." if stopped else "Nothing to stop: Refdesk has started no server.")


@contextmanager
def _progress() -> Iterator[Callable[[str], None]]:
    """Shows the latest message on a terminal; elsewhere prints one line every 15 s. On stderr."""
    from rich.console import Console
    from rich.markup import escape

    console = Console(stderr=True)
    if console.is_terminal:
        with console.status("") as shown:
            yield lambda message: shown.update(escape(message))
        return
    last = float("-inf")

    def line(message: str) -> None:
        nonlocal last
        if time.monotonic() - last >= _LINE_SECONDS:
            last = time.monotonic()
            typer.echo(message, err=True)

    yield line


def _line(server: LLMServer) -> str:
    what = f"{server.state} at {server.url}"
    what += f", model {server.model}" if server.model else ""
    what += f", process {server.pid}, log {server.log}" if server.pid else ""
    return what
