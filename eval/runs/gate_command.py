"""`refdesk eval gate`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from assistant.cli_options import AS_JSON
from eval.options import metric_named

if TYPE_CHECKING:
    from eval.metric import Metric
    from eval.runs.gate import Judged, Verdict

commands = typer.Typer()

_CANNOT_TELL = 3
_MOST_QUESTIONS = 5


@commands.command()
def gate(
    before: Annotated[Path, typer.Argument(help="The run of what is in use.", exists=True, file_okay=False)],
    after: Annotated[Path, typer.Argument(help="The run of what is to replace it.", exists=True, file_okay=False)],
    metric: Annotated[list[str], typer.Option(help="What must not become worse; may be repeated.")],
    system: Annotated[
        list[str] | None,
        typer.Option(
            help="Which system; twice: that of BEFORE and that of AFTER. Default: the one that both have.",
            show_default=False,
        ),
    ] = None,
    as_json: AS_JSON = False,
) -> None:
    """Let a change through, or stop it: exit code 0 if AFTER is not worse than BEFORE, 1 if it is, beyond chance.

    3 if nothing can be told: other questions, an unfinished run, a metric that is not defined. 2 is bad usage.
    """
    from assistant.errors import RunError
    from eval.runs.gate import gate as judge
    from eval.runs.run import read_run
    from eval.runs.show import print_json

    try:
        first, second = read_run(before), read_run(after)
        metrics = [metric_named(second.about, name) for name in dict.fromkeys(metric)]
        verdict = judge(first, second, metrics, system or [])
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--system") from error
    except RunError as error:
        typer.echo(f"refdesk: {error}", err=True)
        raise typer.Exit(_CANNOT_TELL) from error
    if as_json:
        print_json({"worse": verdict.worse, **asdict(verdict)})
    else:
        print_verdict(verdict, metrics)
    raise typer.Exit(int(verdict.worse))


def print_verdict(verdict: Verdict, metrics: Sequence[Metric]) -> None:
    """For people."""
    from eval.runs.show import say

    typer.echo(f"before: {verdict.before} ({verdict.systems[0]})\nafter:  {verdict.after} ({verdict.systems[1]})")
    for judged, metric in zip(verdict.metrics, metrics, strict=True):
        say("\n".join(_lines(judged, metric)))
    typer.echo("Worse beyond chance." if verdict.worse else "Not worse beyond chance.")


def _lines(judged: Judged, metric: Metric) -> list[str]:
    from eval.runs.sections import cut
    from eval.runs.wording import decimals, difference_text, p_text, sides_text

    found = judged.comparison
    was, is_ = sides_text(found)
    small = decimals(-judged.noticeable, judged.noticeable)
    lines = [
        f"{metric.name}: {'WORSE' if judged.worse else 'not worse'}. {was} before, {is_} after: "
        f"{difference_text(found)}, p {p_text(judged.p)}, {found.n} {metric.over} ({metric.better} is better)",
        f"  a change for the worse of {judged.noticeable:.{small}f} would have been noticed with 80 % probability",
    ]
    if judged.worse and judged.lost:
        lines.append(f"  {len(judged.lost)} became worse, these most:")
        lines += [f"    {one.id}: {cut(one.question)}".rstrip(": ") for one in judged.lost[:_MOST_QUESTIONS]]
    if judged.worse and judged.other:
        lines.append(f"  {len(judged.other)} have a value in one run only, {judged.other[0].id} the first")
    return lines
