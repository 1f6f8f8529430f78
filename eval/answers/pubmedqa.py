"""PubMedQA: questions on biomedical studies that want yes, no or maybe.

Jin et al., "PubMedQA: a dataset for biomedical research question answering", EMNLP 2019; its 500 test questions that
experts labelled (PQA-L). The prompt and the way to answer, the likeliest of " yes", " no" and " maybe", are those of
lm-evaluation-harness' task `pubmedqa`. `always yes` is the most frequent answer, and what others must be better than.
`extract` quotes: it has no accuracy here, but can be asked whether it finds the abstract that the question is about.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assistant.errors import LLMError, ModelNotFound
from assistant.progress import Progress
from eval.answers.likelihood import log_likelihoods, open_model
from eval.answers.studies import DECISIONS, Study, index_abstracts, read_studies
from eval.metric import Metric, Result
from eval.metrics.abstention import risk_coverage_area
from eval.metrics.classes import class_metrics
from eval.weights import served, without_llm

if TYPE_CHECKING:
    from assistant import Assistant
    from assistant.settings import Settings
    from assistant.types import Passage
    from eval.harness.served import ServedModel
    from eval.runs.run import Record, Run

ALWAYS_YES, CLOSED_BOOK, OWN_ABSTRACT, RETRIEVAL, EXTRACT = (
    "always yes",
    "closed-book",
    "with its abstract",
    "with retrieval",
    "extract",
)
_AT_ONCE = 16
"""Questions whose likelihoods are asked for together: more is faster, and more is lost if the server dies."""

METRICS = (
    *class_metrics(len(DECISIONS)),
    Metric(
        "risk_coverage_area",
        "mean share of wrong answers, over all thresholds of the answer's probability (AURC)",
        ("confidence", "correct"),
        better="lower",
        statistic=risk_coverage_area,
        over="questions with a confidence",
    ),
    Metric(
        "own_abstract",
        "share where the abstract that the question is about is among the passages",
        ("own_abstract",),
        over="questions that are searched for",
    ),
    Metric("seconds", "for search and answer, asked in batches", ("seconds",), better="lower", bounds=None),
)


def measure(file: Path, library: Path, settings: Settings, progress: Progress, out: Path | None = None) -> Record:
    """Puts the questions of a file to all systems, and returns the run, finished.

    Without a server of a language model that tells probabilities only `always yes` and `extract` are asked, and the
    run's notes say so. Raises ValueError for a malformed file, LLMError where the server fails half-way, RunError.
    """
    from eval.runs.about import About, Data, library_of
    from eval.runs.run import begin, run_folder

    studies = read_studies(file)
    assistant = index_abstracts(studies, library, settings, progress)
    notes: list[str] = []
    model = None
    try:
        model = open_model(settings.llm)
    except (LLMError, ModelNotFound) as error:
        notes.append(without_llm([CLOSED_BOOK, OWN_ABSTRACT, RETRIEVAL], error))
    reading = {**assistant.models, "search": settings.search.model_dump(), "passages": settings.answer.k}
    systems: dict[str, dict[str, Any]] = {ALWAYS_YES: {}}
    if model:
        limits = settings.llm.model_dump(include={"context_tokens", "precision"})
        llm = {**served(settings.llm, model.model), "way": model.way, **limits}
        systems |= {CLOSED_BOOK: llm, OWN_ABSTRACT: llm, RETRIEVAL: {**llm, **reading}}
    systems[EXTRACT] = {**reading, "answer": settings.answer.model_dump()}
    data = Data(file.stem, hashlib.sha256(file.read_bytes()).hexdigest(), len(studies))
    about = About.of("pubmedqa", data, systems, library={**library_of(assistant), "corpus": "PubMedQA"})
    folder = out or run_folder(Path(settings.eval.runs), about)
    with begin(folder, about, notes) as run:
        ask_all(studies, tuple(systems), run, assistant, model, settings.answer.k, progress)
        return run.finish()


def ask_all(
    studies: Sequence[Study],
    systems: Sequence[str],
    run: Run,
    assistant: Assistant,
    model: ServedModel | None,
    k: int,
    progress: Progress,
) -> None:
    """Adds to `run` what each system says to each question that it has no result for. Raises LLMError."""
    by_id = {study.id: study for study in studies}
    for system in systems:
        todo = run.todo(system, {study.id: asdict(study) for study in studies})
        done = len(studies) - len(todo)
        for start in range(0, len(todo), _AT_ONCE):
            batch = [by_id[id_] for id_ in todo[start : start + _AT_ONCE]]
            progress(done + start, len(studies), f"questions, {system}")
            for result in _answers(system, batch, assistant, model, k):
                run.add(system, result)


def _answers(
    system: str, batch: Sequence[Study], assistant: Assistant, model: ServedModel | None, k: int
) -> Iterator[Result]:
    if system == ALWAYS_YES:
        yield from (_result(study, (1.0, 0.0, 0.0), None, None, 0.0) for study in batch)
    elif system == EXTRACT:
        yield from (_quoted(study, assistant) for study in batch)
    else:
        assert model
        started = time.perf_counter()
        found = [assistant.search(study.question, k) if system == RETRIEVAL else None for study in batch]
        shown = [
            "\n".join(one.text for one in passages) if passages else study.abstract if system == OWN_ABSTRACT else ""
            for study, passages in zip(batch, found, strict=True)
        ]
        pairs = [
            (prompt(study.question, abstract), f" {decision}")
            for study, abstract in zip(batch, shown, strict=True)
            for decision in DECISIONS
        ]
        likelihoods = log_likelihoods(model, pairs)
        seconds = (time.perf_counter() - started) / len(batch)
        for number, (study, passages) in enumerate(zip(batch, found, strict=True)):
            three = likelihoods[len(DECISIONS) * number :][: len(DECISIONS)]
            yield _result(study, probabilities_of(three), three, passages, seconds)


def prompt(question: str, abstract: str) -> str:
    """As lm-evaluation-harness' task puts it; without an abstract, only the question."""
    return f"Abstract: {abstract}\nQuestion: {question}\nAnswer:" if abstract else f"Question: {question}\nAnswer:"


def probabilities_of(log_likelihoods: Sequence[float]) -> tuple[float, ...]:
    """Of each answer, if it is one of them."""
    most = max(log_likelihoods)
    weights = [math.exp(one - most) for one in log_likelihoods]
    return tuple(weight / sum(weights) for weight in weights)


def _result(
    study: Study,
    probabilities: Sequence[float],
    likelihoods: Sequence[float] | None,
    passages: Sequence[Passage] | None,
    seconds: float,
) -> Result:
    """`likelihoods` is None for a system that has no probabilities, `passages` for one that does not search."""
    given = max(range(len(DECISIONS)), key=lambda number: probabilities[number])
    right = DECISIONS.index(study.decision)
    values = {
        "right_class": float(right),
        "given_class": float(given),
        "right": float(given == right),
        "seconds": seconds,
    }
    detail = _detail(study, DECISIONS[given], passages or ())
    if likelihoods:
        values |= {"confidence": probabilities[given], "correct": float(given == right)}
        detail["log_likelihoods"] = dict(zip(DECISIONS, likelihoods, strict=True))
    if passages is not None:
        values["own_abstract"] = float(any(one.key == study.id for one in passages))
    return Result(study.id, study.decision, values, detail)


def _quoted(study: Study, assistant: Assistant) -> Result:
    started = time.perf_counter()
    answer = assistant.ask(study.question, mode="extract")
    seconds = time.perf_counter() - started
    values = {"seconds": seconds, "own_abstract": float(any(one.key == study.id for one in answer.passages))}
    said = answer.text if answer.answered else ""
    return Result(study.id, study.decision, values, _detail(study, said, answer.passages))


def _detail(study: Study, answer: str, passages: Sequence[Passage]) -> dict[str, Any]:
    from eval.answers.score import as_json

    return {
        "question": study.question,
        "accepted": [study.decision],
        "answer": answer,
        "documents": [study.id],
        "passages": [as_json(one) for one in passages],
    }
