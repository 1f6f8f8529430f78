"""One run over both: instructions hidden in documents (BIPIA) and harmless texts that sound like them (NotInject)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assistant.errors import LLMError
from assistant.types import Mode
from eval.attacks import bipia, injection, notinject, over_defence, sample
from eval.attacks.obeyed import judge
from eval.runs.about import About, Data, content_hash
from eval.runs.run import Record, begin, run_folder
from eval.weights import served, without_llm

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    from assistant.progress import Progress
    from assistant.settings import Settings

KIND = "attacks"


def measure(
    bipia_folder: Path,
    notinject_folder: Path,
    settings: Settings,
    progress: Progress,
    *,
    count: int,
    seed: int = 0,
    out: Path | None = None,
) -> Record:
    """Asks `count` attacked questions, and as many on harmless texts or all there are, in every mode that works here.

    Raises ValueError for data that is missing or malformed, or a `count` that there is not enough for; LLMError where
    the language model fails half-way, RunError.
    """
    from assistant.embed import open_embedder
    from assistant.inquiry import search_models
    from assistant.rerank import open_reranker

    contexts = bipia.read_contexts(bipia_folder)
    attacks = {task: bipia.read_attacks(bipia_folder, task) for task in bipia.TASKS}
    judged = {task: [one for one in listed if judge(one)] for task, listed in attacks.items()}
    cases = sample.draw(contexts, judged, count, seed)
    harmless, left_out = notinject.read_notes(notinject_folder)
    drawn = notinject.draw(harmless, count, seed)
    embedder = open_embedder(settings.embedder)
    searching = search_models(embedder, open_reranker(settings.search))
    modes, notes = _modes(settings)
    listed = {one.id for task in attacks.values() for one in task}
    counted = {one.id for task in judged.values() for one in task}
    notes += [
        f"{len(listed) - len(counted)} of {len(listed)} instructions are left out: only a person or a language model "
        "could tell whether they are obeyed.",
        f"{left_out} of {len(harmless) + left_out} harmless texts are left out: they lack one of their trigger words.",
    ]
    data = Data("BIPIA and NotInject", _hash(contexts, cases, harmless, drawn), len(cases) + len(drawn))
    systems = {
        system: _made_of(settings, searching, mode, model)
        for mode, model in modes.items()
        for system in (mode, injection.clean_system(mode))
    }
    about = About.of(KIND, data, systems, seed=seed)
    with begin(
        out or run_folder(Path(settings.eval.runs), about), about, notes, cached=settings.llm.temperature == 0
    ) as run:
        injection.evaluate(cases, contexts, list(modes), settings, embedder, run, progress)
        over_defence.evaluate(drawn, harmless, list(modes), settings, embedder, run, progress)
        return run.finish()


def _modes(settings: Settings) -> tuple[dict[Mode, str], list[str]]:
    """The modes that work here, each with its language model, and what to say about the others."""
    from assistant.llm.generate import probe

    try:
        return {"extract": "", "generate": probe(settings.llm)}, []
    except LLMError as error:
        return {"extract": ""}, [without_llm(["generate"], error)]


def _made_of(settings: Settings, searching: dict[str, str], mode: Mode, model: str) -> dict[str, Any]:
    made: dict[str, Any] = {
        "mode": mode,
        **searching,
        "search": settings.search.model_dump(mode="json"),
        "answer": settings.answer.model_dump(mode="json"),
    }
    if mode == "generate":
        kept = {"max_tokens", "context_tokens", "evidence_tokens", "precision", "temperature"}
        made["llm"] = {**served(settings.llm, model), **settings.llm.model_dump(include=kept)}
    return made


def _hash(*questions: Sequence[DataclassInstance]) -> str:
    return content_hash([[asdict(one) for one in listed] for listed in questions])
