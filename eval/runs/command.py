"""`refdesk eval report` and `refdesk eval compare`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from assistant.cli_options import AS_JSON
from eval.options import metric_named

if TYPE_CHECKING:
    from eval.runs.compare import Change, RunChange, SystemChange

commands = typer.Typer()

_MOST_QUESTIONS = 20


@commands.command()
def report(
    run: Annotated[Path, typer.Argument(help="The folder of a run.", exists=True, file_okay=False)],
    as_json: AS_JSON = False,
) -> None:
    """Write the report of a run, report.md and report.html in its folder, and print its figures."""
    from eval.runs.run import read_run
    from eval.runs.show import write_and_print

    write_and_print(read_run(run), as_json)


@commands.command()
def compare(
    before: Annotated[Path, typer.Argument(help="The folder of a run.", exists=True, file_okay=False)],
    after: Annotated[
        Path | None, typer.Argument(help="Another over the same questions; default: the same run.", show_default=False)
    ] = None,
    system: Annotated[
        list[str] | None,
        typer.Option(help="Only this system; twice: the first of BEFORE and the second of AFTER. Default: all shared."),
    ] = None,
    metric: Annotated[
        str, typer.Option(help="For which metric questions are named; default: the first of the kind.")
    ] = "",
    as_json: AS_JSON = False,
) -> None:
    """Say what changed between two runs: settings, every metric with its chance, and which questions."""
    from eval.kinds import metrics_of
    from eval.runs.compare import compare_runs
    from eval.runs.run import read_run
    from eval.runs.show import print_json

    first = read_run(before)
    second = read_run(after) if after else first
    metrics = metrics_of(second.about)
    name = metric_named(second.about, metric or metrics[0].name).name
    try:
        change = compare_runs(first, second, system or [], metrics)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--system") from error
    print_json(asdict(change)) if as_json else print_change(change, name)


def print_change(change: RunChange, name: str) -> None:
    """A comparison for people, with the questions that changed in the metric `name`."""
    from eval.runs.show import print_lines
    from eval.runs.wording import HOW_SURE

    typer.echo(f"before: {change.before}\nafter:  {change.after}")
    print_lines("Beware:", change.notes)
    print_lines("What differs beside the systems:", change.about)
    for system in change.systems:
        _print_system(system, name)
    typer.echo(f"\n{HOW_SURE}")


def _print_system(change: SystemChange, name: str) -> None:
    from eval.runs.sections import change_table, reasons
    from eval.runs.show import print_lines, print_table, say

    typer.echo(f"\n{change.before if change.before == change.after else f'{change.before} → {change.after}'}")
    print_lines("What differs in its settings:", change.about)
    typer.echo(f"{change.questions} questions in both, {change.answers} with another answer.\n")
    print_table(change_table(change))
    print_lines("\nNot defined:", reasons(one.comparison for one in change.metrics.values()))
    chosen = change.metrics[name]
    for said, changes in (
        (f"Better in {name}", chosen.gained),
        (f"Worse in {name}", chosen.lost),
        (f"{name} is defined in one of the two only", chosen.other),
    ):
        if changes:
            typer.echo(f"\n{said} ({len(changes)}):")
            for one in changes[:_MOST_QUESTIONS]:
                say(_said(one))
            if len(changes) > _MOST_QUESTIONS:
                typer.echo(f"  and {len(changes) - _MOST_QUESTIONS} more; --json names all")


def _said(one: Change) -> str:
    from eval.runs.sections import cut

    before, after = (cut(text) or "(no answer)" for text in (one.answer_before, one.answer_after))
    return f"  {one.id}: {cut(one.question)}\n    before: {before}\n    after:  {after}"
