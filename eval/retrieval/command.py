"""`refdesk eval retrieval`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from assistant.cli_options import AS_JSON

if TYPE_CHECKING:
    from assistant.settings import Settings
    from eval.progress import Progress
    from eval.retrieval.collection import Collection
    from eval.retrieval.queries import Query

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
    out: Annotated[Path | None, typer.Option(help="The folder of the run; default: one below `eval.runs`.")] = None,
    as_json: AS_JSON = False,
) -> None:
    """Measure how well documents are found, by each stage of search and by LlamaIndex and LangChain.

    Give a BEIR folder, or questions whose `documents` name what holds the answer. The same command again goes on where
    it stopped.
    """
    from assistant.settings import load
    from eval.progress import shown_progress
    from eval.retrieval.measure import measure
    from eval.runs.report import write
    from eval.runs.show import print_figures

    if (beir is None) == (questions is None):
        raise typer.BadParameter("give one of the two", param_hint="--beir, --questions")
    settings = load()
    with shown_progress() as progress:
        try:
            with (
                _beir(beir, split or "train", library, settings, progress)
                if beir
                else _questions(questions or Path(), split, library or Path("library"), settings)
            ) as (name, queries, notes, collection):
                record = measure(
                    name, queries, collection, settings, progress, notes=notes, with_baselines=baselines, out=out
                )
        except ValueError as error:
            raise typer.BadParameter(str(error), param_hint="--beir" if beir else "--questions") from error
    write(record)
    print_figures(record, as_json)


Prepared = tuple[str, "list[Query]", list[str], "Collection"]


@contextmanager
def _beir(folder: Path, split: str, library: Path | None, settings: Settings, progress: Progress) -> Iterator[Prepared]:
    from eval.retrieval.beir import read_judgements, read_queries
    from eval.retrieval.collection import indexed
    from eval.retrieval.queries import of_beir

    texts, judgements = read_queries(folder), read_judgements(folder, split)
    with TemporaryDirectory() as temporary, indexed(folder, library or Path(temporary), settings, progress) as found:
        queries, notes = of_beir(texts, judgements, split, found.documents)
        yield f"{folder.resolve().name} {split}", queries, notes, found


@contextmanager
def _questions(file: Path, split: str | None, library: Path, settings: Settings) -> Iterator[Prepared]:
    from eval.questions import read_questions
    from eval.retrieval.collection import opened
    from eval.retrieval.queries import of_questions

    if split not in (None, "dev", "test"):
        raise ValueError(f"there is no split {split!r} of questions; there are dev and test")
    asked = [one for one in read_questions(file) if split in (None, one.split)]
    with opened(library, settings) as found:
        queries, notes = of_questions(asked, found.documents)
        yield f"{file.stem} {split}" if split else file.stem, queries, notes, found
