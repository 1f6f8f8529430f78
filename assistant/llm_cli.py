"""`refdesk llm start|status|stop`. Exit codes: 0 done, 1 failed, 2 wrong usage, 3 `status` finds no server running."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

if TYPE_CHECKING:
    from assistant.llm import LLMServer

llm = typer.Typer(help="The LLM server of this machine (vLLM).", no_args_is_help=True)

_LINE_SECONDS = 15.0
_NOT_RUNNING = 3


@llm.command()
def start() -> None:
    """Start vLLM with the configured model and wait until it answers."""
    from assistant import llm as server
    from assistant.errors import RefdeskError
    from assistant.settings import load

    try:
        settings = load().llm
        with _progress() as report:
            found = server.status(settings)
            started = server.start(settings, report)
    except RefdeskError as error:
        _fail(error)
    typer.echo(f"{'Already running' if found.state == 'running' else 'Started'}: {_line(started)}")


@llm.command()
def status(as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False) -> None:
    """Say whether a server answers at the configured URL, and with which model."""
    from assistant import llm as server
    from assistant.errors import RefdeskError
    from assistant.settings import load

    try:
        found = server.status(load().llm)
    except RefdeskError as error:
        _fail(error)
    if as_json:
        typer.echo(json.dumps({**asdict(found), "log": str(found.log) if found.log else None}, indent=2))
    else:
        typer.echo(_line(found))
    if found.state != "running":
        raise typer.Exit(_NOT_RUNNING)


@llm.command()
def stop() -> None:
    """Stop the server that `refdesk llm start` started, with all its processes."""
    from assistant import llm as server
    from assistant.errors import RefdeskError

    try:
        with _progress() as report:
            stopped = server.stop(report)
    except RefdeskError as error:
        _fail(error)
    typer.echo("Stopped." if stopped else "Nothing to stop: Refdesk has started no server.")


@contextmanager
def _progress() -> Iterator[Callable[[str], None]]:
    """Shows the latest message on a terminal; elsewhere prints one line every 15 s. On stderr."""
    from rich.console import Console

    console = Console(stderr=True)
    if console.is_terminal:
        with console.status("") as shown:
            yield shown.update
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


def _fail(error: Exception) -> NoReturn:
    typer.echo(f"refdesk: {error}", err=True)
    raise typer.Exit(1) from error
