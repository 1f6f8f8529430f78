"""`refdesk eval mmlu`."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from assistant.cli_options import AS_JSON

if TYPE_CHECKING:
    from eval.harness.mmlu import Model
    from eval.progress import Progress
    from eval.runs.about import Data
    from eval.runs.run import Run

    Evaluate = Callable[[Mapping[str, Model], Run, Progress], None]

_SHOTS = 5


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
    in_process: Annotated[
        bool, typer.Option("--in-process", help="Load the model here instead of asking the LLM server.")
    ] = False,
    adapter: Annotated[
        str | None, typer.Option(help="A LoRA adapter: its folder with --in-process, else its name at the server.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="The folder of the run; default: one below `eval.runs`.")] = None,
    as_json: AS_JSON = False,
) -> None:
    """Measure the LLM on multiple choice (MMLU), or on any task of lm-evaluation-harness, with and without a library.

    The same command again goes on where it stopped.
    """
    os.environ.setdefault("TQDM_DISABLE", "1")  # lm-eval's own bars; tqdm looks when it is imported
    from eval.harness import mmlu as choice
    from eval.harness.any_task import NamedTasks
    from eval.harness.questions import read
    from eval.harness.tasks import named_tasks
    from eval.runs.about import Data

    if (data is None) == (task is None):
        raise typer.BadParameter("Give either DATA or --task.")
    what = _What(library, passage_tokens, in_process, adapter, out, as_json)
    if data is not None:
        shown = _SHOTS if shots is None else shots
        try:
            asked = read(data, split, config, shown)
        except ValueError as error:
            raise typer.BadParameter(str(error), param_hint="DATA") from error
        about = Data(data, asked.sha256, len(asked))
        _run("mmlu", about, {"shots": shown}, what, lambda *rest: choice.evaluate(asked, *rest))
        return
    assert task is not None
    try:
        named = NamedTasks(task, named_tasks(task, shots))
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--task") from error
    _run("task", named.data, {"metrics": named.metrics}, what, named.evaluate)


@dataclass(frozen=True, slots=True)
class _What:
    """What is measured, and where it goes."""

    library: Path | None
    passage_tokens: int
    in_process: bool
    adapter: str | None
    out: Path | None
    as_json: bool


def _run(kind: str, data: Data, asked: dict[str, Any], what: _What, evaluate: Evaluate) -> None:
    from assistant import Assistant
    from assistant.errors import LLMError
    from assistant.settings import load
    from eval.harness.systems import open_model, systems
    from eval.progress import shown_progress
    from eval.runs import report
    from eval.runs.about import About, library_of
    from eval.runs.run import begin, run_folder
    from eval.runs.show import print_figures

    settings = load()
    assistant = Assistant.open(what.library, settings) if what.library else None
    model, about_model = open_model(settings.llm, what.in_process, what.adapter)
    models, described = systems(model, {**about_model, **asked}, settings, assistant, what.passage_tokens)
    about = About.of(kind, data, described, library=library_of(assistant) if assistant else None)
    folder = what.out or run_folder(Path(settings.eval.runs), about)
    with begin(folder, about) as run, shown_progress() as progress:
        try:
            evaluate(models, run, progress)
        except LLMError as error:
            raise type(error)(f"{error} What was answered is kept in {folder}; the same command goes on.") from error
        record = run.finish()
    report.write(record)
    print_figures(record, what.as_json)
