"""`refdesk eval mmlu`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from assistant.cli_options import AS_GROUPS, AS_JSON, comma_separated
from eval.options import OUT


def mmlu(
    data: Annotated[
        str | None,
        typer.Argument(
            help="A folder with MMLU's CSV files (dev/ and val/ or test/), or a dataset in the format of MMLU, "
            "MMLU-Pro or ARC: its name at the hub, or a folder that holds it."
        ),
    ] = None,
    split: Annotated[str | None, typer.Option(help="Which questions; default: test, else validation.")] = None,
    config: Annotated[str | None, typer.Option(help="A dataset's configuration, such as ARC-Challenge.")] = None,
    task: Annotated[
        str | None, typer.Option(help="Instead of DATA: a task of lm-evaluation-harness, or a YAML file with one.")
    ] = None,
    shots: Annotated[
        int | None, typer.Option(min=0, help="Solved examples before each question; default: 5, or what the task says.")
    ] = None,
    library: Annotated[
        Path | None, typer.Option("--library", "-l", help="Measure also with passages of this library in the prompt.")
    ] = None,
    passage_tokens: Annotated[int, typer.Option(min=1, help="Most tokens of passages in a prompt.")] = 1_000,
    groups: AS_GROUPS = "",
    in_process: Annotated[
        bool, typer.Option("--in-process", help="Load the model here instead of asking the LLM server.")
    ] = False,
    adapter: Annotated[
        str | None,
        typer.Option(
            help="A LoRA adapter: its folder with --in-process, else its name at the server, a name for each training."
        ),
    ] = None,
    out: OUT = None,
    as_json: AS_JSON = False,
) -> None:
    """Measure the LLM on multiple choice (MMLU), or on any task of lm-evaluation-harness, with and without a library.

    The same command again goes on where it stopped.
    """
    os.environ.setdefault("TQDM_DISABLE", "1")  # lm-eval's own bars; tqdm looks when it is imported
    from assistant.people import People
    from assistant.progress import shown_progress
    from assistant.settings import load
    from eval.harness.measure import Measured, measure_choices, measure_task
    from eval.runs.show import write_and_print

    if (data is None) == (task is None):
        raise typer.BadParameter("Give either DATA or --task.")
    if task is not None and (split or config):
        raise typer.BadParameter("--split and --config choose from DATA; a task says itself.", param_hint="--task")
    if groups and library is None:
        raise typer.BadParameter("who asks matters to a --library only, and none is named", param_hint="--as")
    settings = load()
    held = People(settings.people).named(comma_separated(groups))
    measured = Measured(
        library=library, groups=held, passage_tokens=passage_tokens, in_process=in_process, adapter=adapter
    )
    with shown_progress() as progress:
        try:
            if data is not None:
                record = measure_choices(
                    data, measured, settings, progress, split=split, config=config, shots=shots, out=out
                )
            else:
                record = measure_task(task or "", measured, settings, progress, shots=shots, out=out)
        except ValueError as error:
            raise typer.BadParameter(str(error), param_hint="--task" if task else "DATA") from error
    write_and_print(record, as_json)
