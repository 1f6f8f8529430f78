"""`refdesk app` and `refdesk demo`."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from assistant.cli_options import AS_GROUPS, LIBRARY

if TYPE_CHECKING:
    from assistant.settings import Settings

commands = typer.Typer()

QUESTION = "How many wiki pages does CERN's Confluence hold?"
PORT = Annotated[int, typer.Option(min=1, max=65535, help="Where the app listens, on this machine only.")]


@commands.command()
def app(library: LIBRARY = Path("library"), port: PORT = 8501, groups: AS_GROUPS = "") -> None:
    """Open the app in the browser's reach: ask, search, look into documents. Ctrl-C ends it."""
    from app.serve import serve

    serve(library, port, groups)


@commands.command()
def demo(
    once: Annotated[bool, typer.Option("--once", help="Answer one question and stop, without the app.")] = False,
    # Not $REFDESK_LIBRARY: the demonstration must not end up in a library that is in use.
    library: Annotated[Path, typer.Option("--library", "-l", help="The folder of the library.")] = Path("demo-library"),
    port: PORT = 8501,
) -> None:
    """Show everything at once: index the demonstration documents, start the LLM, ask a question, open the app.

    Exit code 0: done; 1: the LLM could not be started, and the answer is quoted from the library instead.
    """
    from app.serve import serve
    from assistant import Assistant
    from assistant.cli import print_answer
    from assistant.settings import load

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that the LLM server ends too
    settings = load()
    _index(library, settings)
    with ExitStack() as running:
        started = _start_llm(running, settings)
        print(f"\n{QUESTION}")
        print_answer(Assistant.open(library, settings).ask(QUESTION))
        if not once:
            print()
            serve(library, port, "")
    raise typer.Exit(0 if started else 1)


def _index(library: Path, settings: Settings) -> None:
    from ingest import build_library
    from ingest.demo import documents
    from ingest.report import OUTCOMES

    with _telling() as tell:
        tell("Reading the demonstration documents ...")
        report = build_library(
            [documents()],
            library,
            settings=settings,
            progress=lambda done, seen, line: tell(f"Reading the demonstration documents: {done}, {line.key}"),
        )
    counts = ", ".join(f"{n} {outcome}" for outcome in OUTCOMES if (n := report.count(outcome)))
    print(f"Demonstration documents: {counts}. Library {library}, generation {report.generation}.", flush=True)


def _start_llm(running: ExitStack, settings: Settings) -> bool:
    """Whether there is an LLM server now; it ends with `running` if it was not there before."""
    from assistant.errors import LLMError, ModelNotFound, SettingsError
    from assistant.llm.server import serving

    try:
        with _telling() as tell:
            server = running.enter_context(serving(settings.llm, tell))
    except (LLMError, ModelNotFound, SettingsError) as error:
        print(f"The LLM could not be started: {error}\nThe answer is quoted from the library instead.", flush=True)
        return False
    print(f"The LLM {server.model} answers at {server.url}.", flush=True)
    return True


@contextmanager
def _telling() -> Iterator[Callable[[str], None]]:
    """Shows the latest message on a terminal, and elsewhere only the first; on standard error."""
    from rich.console import Console
    from rich.markup import escape

    console = Console(stderr=True)
    if console.is_terminal:
        with console.status("") as shown:
            yield lambda message: shown.update(escape(message))
        return
    told: list[str] = []

    def tell(message: str) -> None:
        if not told:
            print(message, file=sys.stderr, flush=True)
        told.append(message)

    yield tell
