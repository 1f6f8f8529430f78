"""One evaluation of answers from beginning to end: what can be measured here, the questions, the run."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from assistant.errors import LLMError, ModelNotFound
from assistant.llm.generate import probe
from assistant.progress import Progress
from assistant.types import EVERYONE
from eval.answers.ask import Instruments, ask_all, require_documents
from eval.answers.judge import Judge
from eval.answers.likelihood import open_model
from eval.answers.systems import NAMES, open_systems
from eval.questions import read_questions
from eval.weights import without_llm

if TYPE_CHECKING:
    from assistant.settings import LLMSettings, Settings
    from eval.harness.served import ServedModel
    from eval.metrics.overlap import Meteor
    from eval.runs.run import Record


def measure(
    file: Path,
    library: Path,
    settings: Settings,
    names: Sequence[str],
    progress: Progress,
    *,
    split: str | None = None,
    groups: Collection[str] = (),
    judge: str = "",
    out: Path | None = None,
) -> Record:
    """Puts the questions of a file to the systems of those names, and returns the run, finished.

    `groups` ask, and see what those may read. Without names it is all of `NAMES`, of which those that need a language
    model are left out where no server answers; the run's notes say so. `judge` is the URL of a server whose model
    judges. Raises ValueError for a malformed file, documents that the library lacks and unknown names; LLMError where a
    server that is needed fails; RunError.
    """
    from assistant import Assistant
    from eval.runs.about import About, Data, library_of
    from eval.runs.run import begin, run_folder

    questions = read_questions(file, split)
    if unknown := [name for name in names if name not in NAMES]:
        raise ValueError(f"There is no system {unknown[0]!r}; there are: {', '.join(NAMES)}.")
    assistant = Assistant.open(library, settings).as_user(groups)
    require_documents(questions, assistant)
    notes: list[str] = []
    names, model = _possible(names, settings.llm, notes)
    instruments = _instruments(settings.llm, model, judge, notes)
    systems = open_systems(names, assistant, settings, model)
    about = About.of(
        "answers",
        Data(file.stem + (f" {split}" if split else ""), hashlib.sha256(file.read_bytes()).hexdigest(), len(questions)),
        {one.name: {**one.settings, "measured": instruments.settings} for one in systems},
        library=library_of(assistant),
        groups={*groups, EVERYONE},
    )
    folder = out or run_folder(Path(settings.eval.runs), about)
    with begin(folder, about, notes, cached=settings.llm.temperature == 0) as run:
        ask_all(questions, systems, run, assistant, instruments, progress)
        return run.finish()


def _possible(names: Sequence[str], limits: LLMSettings, notes: list[str]) -> tuple[list[str], str]:
    """The systems that can be asked here, and the language model: "" where none is needed."""
    if names and not set(names) - {"extract"}:
        return list(names), ""
    try:
        model = probe(limits)
    except LLMError as error:
        if names:
            raise
        notes.append(without_llm(["generate", "closed-book"], error))
        return ["extract"], ""
    return list(dict.fromkeys(names or NAMES)), model


def _instruments(limits: LLMSettings, model: str, judge: str, notes: list[str]) -> Instruments:
    return Instruments(_meteor(notes), _probabilities(limits, notes) if model else None, _judge(limits, judge))


def _meteor(notes: list[str]) -> Meteor | None:
    from eval.metrics.overlap import Meteor

    try:
        return Meteor.open()
    except ValueError as error:
        notes.append(f"METEOR is not measured: {error}")
        return None


def _probabilities(limits: LLMSettings, notes: list[str]) -> ServedModel | None:
    try:
        return open_model(limits)
    except (LLMError, ModelNotFound) as error:
        notes.append(f"Perplexity is not measured: {error}")
        return None


def _judge(limits: LLMSettings, url: str) -> Judge | None:
    if not url:
        return None
    elsewhere = limits.model_copy(update={"url": url})
    return Judge(elsewhere, probe(elsewhere))
