"""Options that commands of `refdesk eval` share, so that they read the same everywhere."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from eval.metric import Metric
    from eval.runs.about import About

OUT = Annotated[Path | None, typer.Option(help="The folder of the run; default: one below `eval.runs`.")]


def metric_named(about: About, name: str) -> Metric:
    """A metric of a run's kind, as `--metric` names it."""
    from eval.kinds import metrics_of

    known = {one.name: one for one in metrics_of(about)}
    if name not in known:
        raise typer.BadParameter(f"There is no metric {name!r}; known are {', '.join(known)}.", param_hint="--metric")
    return known[name]
