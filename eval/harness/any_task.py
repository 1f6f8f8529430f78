"""Any task of lm-evaluation-harness by its name, with and without a library."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from assistant.progress import Progress
from eval.harness.mmlu import Model
from eval.harness.passages import WithPassages, query
from eval.harness.tasks import Answered, answered, means, requests_of
from eval.metric import Result
from eval.runs.about import Data, content_hash

if TYPE_CHECKING:
    from lm_eval.api.task import Task

    from eval.runs.run import Run


class NamedTasks:
    """The tasks that a name stands for, with all that a model is asked in them."""

    def __init__(self, name: str, tasks: Mapping[str, Task]) -> None:
        """Raises ValueError for a task none of whose metrics is a mean over documents: they alone have intervals."""
        for task, made in tasks.items():
            if not means(made):
                raise ValueError(
                    f"The metrics of {task} ({', '.join(made.aggregation())}) are no means over its documents, so they "
                    "have no intervals here; run lm-evaluation-harness itself."
                )
        self._tasks = tasks
        self._requests = {task: requests_of(made) for task, made in tasks.items()}
        self._contents = {
            f"{task}-{index}": {
                "asked": [list(one.args) for one in requests],
                "target": str(tasks[task].doc_to_target(requests[0].doc)),
            }
            for task, of_task in self._requests.items()
            for index, requests in of_task.items()
        }
        self.data = Data(name, content_hash(self._contents), len(self._contents))

    @property
    def drawn(self) -> bool:
        """Whether what is written is drawn at random, so that it is another time by time."""
        asked = [one for of_task in self._requests.values() for same in of_task.values() for one in same]
        return any(
            one.args[1].get("do_sample") or one.args[1].get("temperature")
            for one in asked
            if one.request_type == "generate_until"
        )

    @property
    def metrics(self) -> dict[str, str]:
        """Name -> `higher` or `lower`, whichever is better. Where a task reads replies in several ways: `name, way`."""
        found: dict[str, str] = {}
        for task in self._tasks.values():
            ways = ["" if way.name == "none" else f", {way.name}" for way in task._filters]
            found |= {f"{n}{way}": "higher" if up else "lower" for n, up in means(task).items() for way in ways}
        return found

    def evaluate(self, systems: Mapping[str, Model], run: Run, progress: Progress) -> None:
        """Adds to `run` the result of every system for every document that it lacks."""
        for name, model in systems.items():
            left = set(run.todo(name, self._contents))
            done = len(self._contents) - len(left)
            for task, made in self._tasks.items():
                requests = {i: one for i, one in self._requests[task].items() if f"{task}-{i}" in left}
                for part in answered(model, made, requests, model.together):
                    for one in part:
                        run.add(name, _result(task, made, one, model))
                    done += len(part)
                    progress(done, len(self._contents), f"documents, {name}")


def _result(name: str, task: Task, one: Answered, model: Model) -> Result:
    wanted = means(task)
    values = {n: float(value) for n, value in one.values.items() if n.partition(", ")[0] in wanted}
    detail: dict[str, Any] = {
        "question": query(one.doc, one.prompt),
        "answer": str(task.doc_to_target(one.doc)),
        "responses": [response if isinstance(response, str) else response[0] for response in one.responses],
    }
    if isinstance(model, WithPassages):
        detail["passages"] = list(model.shown.get(detail["question"], ()))
    return Result(f"{name}-{one.index}", name, {**values, "cut": float(one.prompt in model.cut)}, detail)
