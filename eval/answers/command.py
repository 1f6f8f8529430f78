"""`refdesk eval answers` and `refdesk eval pubmedqa`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from assistant.cli_options import AS_GROUPS, AS_JSON, LIBRARY, comma_separated
from eval.options import OUT

commands = typer.Typer()


@commands.command()
def answers(
    questions: Annotated[
        Path, typer.Argument(help="Questions with known answers, JSON Lines.", exists=True, dir_okay=False)
    ],
    library: LIBRARY = Path("library"),
    system: Annotated[
        list[str] | None,
        typer.Option(help="extract, generate or closed-book; may be repeated. Default: all that can be asked here."),
    ] = None,
    split: Annotated[
        Literal["dev", "test"] | None, typer.Option(help="Only the questions of this split; default: all.")
    ] = None,
    groups: AS_GROUPS = "",
    judge: Annotated[str, typer.Option(metavar="URL", help="An LLM server whose model judges the answers, too.")] = "",
    out: OUT = None,
    as_json: AS_JSON = False,
) -> None:
    """Ask questions with known answers and measure answers, refusals, citations and confidence.

    The same command again goes on where it stopped.
    """
    from assistant.people import People
    from assistant.progress import shown_progress
    from assistant.settings import load
    from eval.answers.measure import measure
    from eval.runs.show import write_and_print

    settings = load()
    held = People(settings.people).named(comma_separated(groups))
    with shown_progress() as progress:
        try:
            record = measure(
                questions, library, settings, system or [], progress, split=split, groups=held, judge=judge, out=out
            )
        except ValueError as error:
            raise typer.BadParameter(str(error), param_hint="QUESTIONS") from error
    write_and_print(record, as_json)


@commands.command()
def pubmedqa(
    questions: Annotated[
        Path, typer.Argument(help="PubMedQA's PQA-L, such as its 500 test questions.", exists=True, dir_okay=False)
    ],
    library: Annotated[
        Path | None, typer.Option("--library", "-l", help="Keep the indexed abstracts here; default: nowhere.")
    ] = None,
    out: OUT = None,
    as_json: AS_JSON = False,
) -> None:
    """Answer PubMedQA's questions with yes, no or maybe: without abstracts, with the right one, with those found.

    The abstracts become a library. The language model's answer is the likeliest of the three. The same command again
    goes on where it stopped.
    """
    from tempfile import TemporaryDirectory

    from assistant.progress import shown_progress
    from assistant.settings import load
    from eval.answers.pubmedqa import measure
    from eval.runs.show import write_and_print

    with TemporaryDirectory() as temporary, shown_progress() as progress:
        try:
            record = measure(questions, library or Path(temporary) / "library", load(), progress, out)
        except ValueError as error:
            raise typer.BadParameter(str(error), param_hint="QUESTIONS") from error
    write_and_print(record, as_json)
