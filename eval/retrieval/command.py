"""`refdesk eval retrieval`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any

import typer

from assistant.cli_options import AS_JSON

if TYPE_CHECKING:
    from assistant.settings import Settings
    from eval.progress import Progress
    from eval.retrieval.collection import Collection
    from eval.retrieval.queries import Query
    from eval.runs.run import Record

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
    _print_json(record) if as_json else _print(record)


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


def _print_json(record: Record) -> None:
    from eval.metrics.ranking import METRICS
    from eval.retrieval.measure import gains
    from eval.statistics import figure

    found: dict[str, Any] = {
        "folder": str(record.folder),
        "about": asdict(record.about),
        "notes": record.notes,
        "figures": {
            system: [asdict(figure(metric, results, record.about.seed)) for metric in METRICS]
            for system, results in record.results.items()
        },
        "gains": {system: [asdict(one) for one in compared] for system, compared in gains(record).items()},
    }
    typer.echo(json.dumps(found, ensure_ascii=False, indent=2))


def _print(record: Record) -> None:
    from rich.console import Console
    from rich.table import Table

    from eval.metrics.ranking import METRICS
    from eval.retrieval.measure import gains
    from eval.statistics import Comparison, Figure, figure

    console = Console()
    table = Table("", "nDCG@10 [95 %]", *(metric.name for metric in METRICS[1:]), box=None, pad_edge=False)
    for system, results in record.results.items():
        first, *others = [figure(metric, results, record.about.seed) for metric in METRICS]
        assert isinstance(first, Figure)  # there are no queries that it is not defined for
        shown = [f"{one.value:.3f}" if isinstance(one, Figure) else "–" for one in others]
        table.add_row(system, f"{first.value:.3f} [{first.low:.3f}, {first.high:.3f}]", *shown)
    console.print(table)
    for other, (one, *_) in gains(record).items():
        assert isinstance(one, Comparison)
        gain = f"{one.difference:+.3f} [{one.low:+.3f}, {one.high:+.3f}], p = {one.p_differs:.4f}"
        console.print(f"{one.metric} above {other}: {gain}", highlight=False)
    for said in (*record.notes, f"{record.about.data.questions} queries; {record.folder}"):
        console.print(said, highlight=False)
