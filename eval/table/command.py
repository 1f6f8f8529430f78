"""`refdesk eval table`."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from assistant.settings import Settings

commands = typer.Typer()
_SECTIONS = ("scifact", "meridian", "pubmedqa", "mmlu")


@commands.command()
def table(
    sections: Annotated[
        list[str] | None, typer.Argument(help=f"Which of {', '.join(_SECTIONS)}; default: all.", show_default=False)
    ] = None,
    data: Annotated[Path, typer.Option(help="Has the folders scifact, pubmedqa and mmlu.")] = Path("../shared/data"),
    work: Annotated[Path, typer.Option(help="Keeps the libraries that are asked.")] = Path("table"),
) -> None:
    """Measure the README's table, on any machine, and print it as Markdown.

    An LLM server is started if none answers. On 2 CPU cores the whole takes hours; the same command goes on where it
    stopped, and what was measured before is not measured again.
    """
    os.environ.setdefault("TQDM_DISABLE", "1")  # lm-eval's own bars; tqdm looks when it is imported
    from assistant.progress import shown_progress
    from assistant.settings import load
    from eval.kinds import metrics_of
    from eval.runs.figures import figures_of
    from eval.runs.report import write
    from eval.table.parts import markdown, parts

    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C, so that the LLM server ends too
    settings = load()
    by_name = dict(zip(_SECTIONS, parts(data, work, settings), strict=True))
    if unknown := [name for name in sections or () if name not in by_name]:
        raise typer.BadParameter(f"there is no {unknown[0]!r}; there are: {', '.join(by_name)}")
    chosen = [by_name[name] for name in sections or _SECTIONS]
    if missing := [str(part.data) for part in chosen if part.data and not part.data.is_dir()]:
        raise typer.BadParameter(f"there is no {', no '.join(missing)}", param_hint="--data")
    with ExitStack() as running:
        if any(part.asks_llm for part in chosen):
            running.enter_context(
                _language_model(settings, lambda message: print(message, file=sys.stderr, flush=True))
            )
        for part in chosen:
            with shown_progress() as progress:
                try:
                    record = part.measure(progress)
                except ValueError as error:
                    raise typer.BadParameter(str(error), param_hint="--data") from error
            metrics = metrics_of(record.about)
            figures = figures_of(record, metrics)
            write(record, figures, metrics)
            print("\n".join(markdown(part, record, figures)), flush=True)


@contextmanager
def _language_model(settings: Settings, say: Callable[[str], None]) -> Iterator[None]:
    """A server of the language model: the one that answers, else one that is started for the time being."""
    from assistant.errors import LLMUnavailable
    from assistant.llm.generate import probe
    from assistant.llm.server import serving

    try:
        probe(settings.llm)
    except LLMUnavailable:
        with serving(settings.llm, say):
            yield
        return
    yield
