"""`refdesk index` and `refdesk sync`."""

from __future__ import annotations

import json
import sys
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from assistant.cli_options import LIBRARY, comma_separated

if TYPE_CHECKING:
    from ingest.report import Report, SourceReport

commands = typer.Typer()

SOME_FAILED = 3
NOT_READ = 4
LOCKED = 75
"""EX_TEMPFAIL of sysexits.h."""

_RETRY = Annotated[bool, typer.Option("--retry", help="Try items again that could not be read before.")]
_ALLOW_DELETIONS = Annotated[
    bool, typer.Option("--allow-deletions", help="Remove what has vanished, however much it is.")
]

_SOURCES = Annotated[
    list[str], typer.Option("--source", help="The name of a source, to read only this one; may be repeated.")
]
_FULL = Annotated[
    bool,
    typer.Option("--full", help="Ask for all items, also where a source can say what changed since the last run."),
]
_DRY_RUN = Annotated[
    bool, typer.Option("--dry-run", help="Say what would be new, changed or removed; fetch and write nothing.")
]
_METRICS = Annotated[
    Path | None,
    typer.Option(help="Also write what was done into this file, NAME.prom, for Prometheus' node exporter."),
]
_INSTALL_CRON = Annotated[
    bool,
    typer.Option("--install-cron", help="Read nothing now, but put a line into your crontab that runs this command."),
]
_SCHEDULE = Annotated[str, typer.Option(help="With --install-cron: when, in five fields as in a crontab.")]


@commands.command()
def index(
    paths: Annotated[list[Path], typer.Argument(help="Folders and files to read, each a source of its own.")],
    library: LIBRARY = Path("library"),
    readers: Annotated[
        str | None, typer.Option(help="Groups that may read these documents; default: as before, else everyone.")
    ] = None,
    retry: _RETRY = False,
    allow_deletions: _ALLOW_DELETIONS = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Read documents into a library; run again, it touches only what changed.

    Exit code 0: all was read.
    3: some files failed, the rest is indexed.
    4: all files of a folder have vanished; what they held was kept.
    2: the command line is wrong.
    1: it could not be done, and standard error says why.
    """
    from assistant.types import Access
    from ingest.progress import shown_progress
    from ingest.sync import build_library

    groups = comma_separated(readers or "")
    if readers is not None and not groups:
        raise typer.BadParameter("name at least one group", param_hint="--readers")
    missing = [str(path) for path in paths if not path.exists()]
    if missing:
        raise typer.BadParameter(f"there is nothing at {', '.join(missing)}", param_hint="PATHS")
    access = Access.of(*groups) if groups else None
    with nullcontext() if as_json else shown_progress() as progress:
        report = build_library(
            paths, library, access=access, retry=retry, allow_deletions=allow_deletions, progress=progress
        )
    if as_json:
        print(json.dumps(asdict(report), ensure_ascii=False))
    else:
        _print(report, library)
    raise typer.Exit(_exit_code(report))


@commands.command()
def sync(
    library: LIBRARY = Path("library"),
    sources: _SOURCES = [],  # noqa: B006  (typer copies it)
    full: _FULL = False,
    dry_run: _DRY_RUN = False,
    retry: _RETRY = False,
    allow_deletions: _ALLOW_DELETIONS = False,
    metrics: _METRICS = None,
    install_cron: _INSTALL_CRON = False,
    schedule: _SCHEDULE = "17 * * * *",
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON lines, as happens anyway where the output is no terminal.")
    ] = False,
) -> None:
    """Bring the library up to date with the sources that `refdesk.toml` lists.

    Exit code 0: all was read.
    3: some items failed, the rest is in the library.
    4: a source was not read to its end, or more of it had vanished than a run may remove; what it held was kept.
    75: another run is under way.
    2: the command line is wrong.
    1: it could not be done, and standard error says why.
    """
    from assistant.errors import LibraryLocked
    from assistant.settings import load
    from ingest.metrics import write_metrics
    from ingest.progress import json_progress, json_summary, shown_progress
    from ingest.sources import sources_of
    from ingest.sync import sync_sources

    if install_cron:
        from ingest.cron import install

        if sources or full or dry_run or retry or allow_deletions:
            raise typer.BadParameter("only --library, --metrics and --schedule go with it", param_hint="--install-cron")
        print(install(schedule, library, metrics))
        return
    settings = load()
    as_json = as_json or not sys.stdout.isatty()
    try:
        with nullcontext(json_progress(_say)) if as_json else shown_progress() as progress:
            report = sync_sources(
                sources_of(settings, tuple(sources)),
                library,
                settings=settings,
                full=full,
                dry_run=dry_run,
                retry=retry,
                allow_deletions=allow_deletions,
                progress=progress,
            )
    except LibraryLocked as error:
        print(f"refdesk: {error}", file=sys.stderr)
        raise typer.Exit(LOCKED) from error
    code = _exit_code(report)
    if as_json:
        for line in json_summary(report, code, dry_run=dry_run):
            _say(line)
    else:
        _print(report, library, dry_run=dry_run)
    if metrics and not dry_run:
        write_metrics(report, code, metrics)
    raise typer.Exit(code)


def _say(line: str) -> None:
    print(line, flush=True)


def _exit_code(report: Report) -> int:
    if not all(source.trusted for source in report.sources):
        return NOT_READ
    return SOME_FAILED if report.count("failed") else 0


def _sums(source: SourceReport) -> str:
    """A source in one line: what became of its items, and what is to be done if it was not read to its end."""
    from ingest.report import OUTCOMES

    said = [f"{count} {outcome}" for outcome in OUTCOMES if (count := source.counts.get(outcome, 0))]
    if source.access_changed:
        said.append(f"{source.access_changed} with other readers")
    if source.nobodys:
        said.append(f"{source.nobodys} that nobody may read")
    said = said or ["nothing was read" if source.error else "nothing changed"]
    line = f"{source.source}: {', '.join(said)}; {source.seconds:.1f} s."
    if source.error:
        line += f" It was not read to its end: {source.error}"
        line += "" if "removed" in source.error else " (Nothing was removed.)"
    if source.held_back:
        line += (
            f" {source.held_back} items have vanished. They were kept: that is more than a run may remove. If they are "
            "really gone: --allow-deletions"
        )
    return line


def _print(report: Report, library: Path, *, dry_run: bool = False) -> None:
    """One line an item that was read, refused or removed, the refused ones last; then a line a source, and the sums."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from ingest.report import OUTCOMES

    console = Console()
    table = Table("", "source", "item", "why", box=None, pad_edge=False)
    for line in sorted(report.lines, key=lambda line: OUTCOMES.index(line.outcome)):
        why = f"{line.chunks} chunk{'s' * (line.chunks > 1)}" if line.chunks else ""
        why = f"{line.reason}: {line.detail}".strip(": ") or why
        table.add_row(line.outcome, escape(line.source), escape(line.key), escape(" ".join(why.split())[:160]))
    if table.row_count:
        console.print(table)
    for source in report.sources:
        console.print(_sums(source), markup=False, highlight=False, soft_wrap=True)
    if dry_run:
        console.print("This was a dry run: nothing was fetched, and the library is as it was.")
        return
    console.print(
        f"{report.embedded} chunks embedded, {report.seconds:.1f} s. Library {library}, generation "
        f"{report.generation}.",
        highlight=False,
    )
