"""Tasks of lm-evaluation-harness, ours and its own, answered part by part, so that what is answered can be kept."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from datasets import Dataset
from lm_eval.api.metrics import mean
from lm_eval.api.task import ConfigurableTask, Task
from lm_eval.tasks import TaskManager

from eval.harness.questions import LETTERS, ChoiceQuestion

_SEED = 1234
"""What lm-eval draws solved examples with."""
_REPLY_TOKENS = 16


@dataclass(frozen=True, slots=True)
class Answered:
    """What a model said to one document of a task. `responses` are in the order of the task's requests: for a choice
    (log-likelihood, whether it is the likeliest text), for a text the text. `values` are the task's metrics, which are
    named `metric` or, where a task reads responses in several ways, `metric, way`."""

    index: int
    doc: dict[str, Any]
    prompt: str
    responses: tuple[Any, ...]
    values: dict[str, Any]


def choice_task(examples: Sequence[ChoiceQuestion], questions: Sequence[ChoiceQuestion]) -> Task:
    """The log-likelihood of each letter after the solved `examples` and a question: lm-eval's task `mmlu`."""
    return _task(examples, questions, output_type="multiple_choice", doc_to_choice=_letters, doc_to_target=_answer)


def letter_task(examples: Sequence[ChoiceQuestion], questions: Sequence[ChoiceQuestion]) -> Task:
    """The same prompts; the model writes a line."""
    return _task(
        examples,
        questions,
        output_type="generate_until",
        doc_to_target=lambda doc: LETTERS[doc["answer"]],
        generation_kwargs={"until": ["\n"], "max_gen_toks": _REPLY_TOKENS, "do_sample": False},
    )


def _task(examples: Sequence[ChoiceQuestion], questions: Sequence[ChoiceQuestion], **kind: Any) -> Task:
    subject = questions[0].subject
    data = {"dev": _rows(examples or questions[:1]), "test": _rows(questions)}
    about = subject.replace("_", " ")
    metric = "acc" if kind["output_type"] == "multiple_choice" else "exact_match"
    with quiet():
        return ConfigurableTask(
            config={
                "task": subject,
                "custom_dataset": lambda **_: data,
                "test_split": "test",
                "fewshot_split": "dev",
                "fewshot_config": {"sampler": "first_n"},
                "num_fewshot": len(examples),
                "description": f"The following are multiple choice questions (with answers) about {about}.\n\n",
                "doc_to_text": _asked,
                "metric_list": [{"metric": metric, "aggregation": "mean", "higher_is_better": True}],
                **kind,
            }
        )


def _rows(questions: Sequence[ChoiceQuestion]) -> Dataset:
    return Dataset.from_list(
        [{"question": one.question, "choices": list(one.choices), "answer": one.answer} for one in questions]
    )


def _asked(doc: dict[str, Any]) -> str:
    choices = "".join(f"{letter}. {choice}\n" for letter, choice in zip(LETTERS, doc["choices"], strict=False))
    return f"{doc['question'].strip()}\n{choices}Answer:"


def _letters(doc: dict[str, Any]) -> list[str]:
    return list(LETTERS[: len(doc["choices"])])


def _answer(doc: dict[str, Any]) -> int:
    return int(doc["answer"])


def named_tasks(name: str, shots: int | None) -> dict[str, Task]:
    """lm-eval's own task or group of this name, or of a YAML file; `shots` solved examples, or as many as it says.

    Raises ValueError for a name that lm-eval does not know, for a task that runs code or shows pictures, and where the
    task's data cannot be had.
    """
    in_file = name.endswith((".yaml", ".yml"))
    with quiet():
        manager = TaskManager(include_defaults=not in_file)  # reading all of lm-eval's takes 10 s
        if not in_file and name not in manager.all_tasks:
            raise ValueError(f"lm-evaluation-harness has no task {name!r}; `lm_eval ls tasks` lists them.")
        try:
            tasks = manager.load(name)["tasks"]
        except (OSError, ValueError, KeyError) as error:
            raise ValueError(f"The task {name} cannot be had: {error}") from error
    for task in tasks.values():
        if getattr(task, "UNSAFE_CODE", False) or getattr(task, "MULTIMODAL", False):
            raise ValueError(f"The task {task.task_name} runs code that the model writes, or shows pictures.")
        given = task.get_config("num_fewshot")
        task.set_config("num_fewshot", (given or 0) if shots is None or given == 0 else shots)
        task.set_fewshot_seed(_SEED)
    return dict(tasks)


def means(task: Task) -> dict[str, bool]:
    """The metrics of a task that are the mean of one number a document -> whether higher is better."""
    better = task.higher_is_better()
    return {name: bool(better.get(name, True)) for name, how in task.aggregation().items() if how is mean}


def requests_of(task: Task) -> dict[int, list[Any]]:
    """What a model is asked for each document of a task, by its index.

    All are made at once, in lm-eval's order, as a task may draw the solved examples of one after those of another.
    """
    with quiet():
        task.build_all_requests()
    found: dict[int, list[Any]] = {}
    for request in task.instances:
        found.setdefault(request.doc_id, []).append(request)
    return {index: sorted(requests, key=lambda one: one.idx) for index, requests in found.items()}


def answered(model: Any, task: Task, requests: Mapping[int, list[Any]], size: int) -> Iterator[list[Answered]]:
    """The documents with these `requests`, in parts of `size`."""
    indices = list(requests)
    for start in range(0, len(indices), size):
        yield _answer_part(model, task, {index: requests[index] for index in indices[start : start + size]})


def _answer_part(model: Any, task: Task, part: dict[int, list[Any]]) -> list[Answered]:
    flat = [request for same in part.values() for request in same for _ in range(request.repeats or 1)]
    with quiet():
        for request, response in zip(flat, getattr(model, flat[0].request_type)(flat), strict=True):
            request.resps.append(response)
        for way in task._filters:
            way.apply(flat)
        found = []
        for index, requests in part.items():
            values: dict[str, Any] = {}
            for way in requests[0].filtered_resps:
                scored = task.process_results(requests[0].doc, [one.filtered_resps[way] for one in requests])
                values |= {name if way == "none" else f"{name}, {way}": value for name, value in scored.items()}
            responses = tuple(one.resps[0] for one in requests)
            found.append(Answered(index, requests[0].doc, requests[0].args[0], responses, values))
    return found


@contextmanager
def quiet() -> Iterator[None]:
    """Only errors of lm-eval: it warns of every default."""
    logger = logging.getLogger("lm_eval")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)
