"""One evaluation of a language model from beginning to end: what is asked, which systems, the run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assistant.types import EVERYONE
from eval.harness import mmlu
from eval.harness.any_task import NamedTasks
from eval.harness.questions import SHOTS, read
from eval.harness.systems import open_model, systems
from eval.harness.tasks import named_tasks
from eval.runs.about import About, Data, library_of
from eval.runs.run import begin, run_folder

if TYPE_CHECKING:
    from assistant.progress import Progress
    from assistant.settings import Settings
    from eval.harness.mmlu import Model
    from eval.runs.run import Record, Run

    Evaluate = Callable[[Mapping[str, Model], Run, Progress], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """The language model of the settings, behind its server or `in_process`, with an `adapter` if it is named; also
    with at most `passage_tokens` of passages of a `library`, if there is one, that `groups` may read."""

    library: Path | None = None
    groups: frozenset[str] = frozenset((EVERYONE,))
    passage_tokens: int
    in_process: bool = False
    adapter: str | None = None


def measure_choices(
    data: str,
    measured: Measured,
    settings: Settings,
    progress: Progress,
    *,
    split: str | None = None,
    config: str | None = None,
    shots: int | None = None,
    out: Path | None = None,
) -> Record:
    """The run of a set of multiple-choice questions (see `eval.harness.questions.read`), finished.

    Raises ValueError for questions that are malformed; ModelNotFound, LLMError, LibraryError, RunError.
    """
    shots = SHOTS if shots is None else shots
    asked = read(data, split, config, shots)
    about = Data(asked.name, asked.sha256, len(asked))
    return _run(
        "mmlu", about, {"shots": shots}, measured, settings, progress, out, lambda *rest: mmlu.evaluate(asked, *rest)
    )


def measure_task(
    name: str,
    measured: Measured,
    settings: Settings,
    progress: Progress,
    *,
    shots: int | None = None,
    out: Path | None = None,
) -> Record:
    """The run of a task of lm-evaluation-harness, finished. Raises as `measure_choices` does."""
    named = NamedTasks(name, named_tasks(name, shots))
    asked = {"metrics": named.metrics}
    return _run("task", named.data, asked, measured, settings, progress, out, named.evaluate, cached=not named.drawn)


def _run(
    kind: str,
    data: Data,
    asked: dict[str, Any],
    measured: Measured,
    settings: Settings,
    progress: Progress,
    out: Path | None,
    evaluate: Evaluate,
    *,
    cached: bool = True,
) -> Record:
    from assistant import Assistant

    assistant = Assistant.open(measured.library, settings).as_user(measured.groups) if measured.library else None
    model, about_model = open_model(settings.llm, measured.in_process, measured.adapter)
    models, described = systems(model, {**about_model, **asked}, settings, assistant, measured.passage_tokens)
    about = About.of(
        kind, data, described, library=library_of(assistant) if assistant else None, groups=measured.groups
    )
    folder = out or run_folder(Path(settings.eval.runs), about)
    with begin(folder, about, cached=cached) as run:
        evaluate(models, run, progress)
        return run.finish()
