"""`refdesk eval retrieval`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from assistant.cli_options import AS_GROUPS, AS_JSON, comma_separated
from eval.options import OUT

commands = typer.Typer()


@commands.command()
def retrieval(
    beir: Annotated[
        Path | None, typer.Option(help="A BEIR folder: corpus.jsonl, queries.jsonl, qrels/<split>.tsv.")
    ] = None,
    questions: Annotated[
        Path | None, typer.Option(help="Questions about a library of yours, JSON Lines.", exists=True, dir_okay=False)
    ] = None,
    split: Annotated[
        str | None, typer.Option(help="Which queries: a split of BEIR (default: train); dev or test questions (all).")
    ] = None,
    library: Annotated[
        Path | None,
        typer.Option("--library", "-l", help="The library; for BEIR where to index (default: a temporary folder)."),
    ] = None,
    baselines: Annotated[
        bool, typer.Option(help="Also LlamaIndex and LangChain, for which every document is embedded once more.")
    ] = True,
    groups: AS_GROUPS = "",
    out: OUT = None,
    as_json: AS_JSON = False,
) -> None:
    """Measure how well documents are found, by each stage of search and by LlamaIndex and LangChain.

    Give a BEIR folder, or questions whose `documents` name what holds the answer. The same command again goes on where
    it stopped. Documents that those who ask may not see are there for no system.
    """
    from assistant.people import People
    from assistant.progress import shown_progress
    from assistant.settings import load
    from eval.retrieval.measure import measure
    from eval.retrieval.prepare import of_beir_folder, of_question_file
    from eval.runs.show import write_and_print

    if (beir is None) == (questions is None):
        raise typer.BadParameter("give one of the two", param_hint="--beir, --questions")
    settings = load()
    held = People(settings.people).named(comma_separated(groups))
    with shown_progress() as progress:
        try:
            with (
                of_beir_folder(beir, split or "train", library, settings, progress, held)
                if beir
                else of_question_file(questions or Path(), split, library or Path("library"), settings, held)
            ) as (name, queries, notes, collection):
                record = measure(
                    name, queries, collection, settings, progress, notes=notes, with_baselines=baselines, out=out
                )
        except ValueError as error:
            raise typer.BadParameter(str(error), param_hint="--beir" if beir else "--questions") from error
    write_and_print(record, as_json)
