"""The kinds of evaluation, and what each of them measures."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from assistant.errors import RunError

if TYPE_CHECKING:
    from eval.metric import Metric
    from eval.runs.about import About

_ROOMS = {
    "answers": "eval.answers",
    "attacks": "eval.attacks",
    "mmlu": "eval.harness",
    "pubmedqa": "eval.answers.pubmedqa",
    "retrieval": "eval.retrieval",
}
_TASK = "task"
"""A task of lm-evaluation-harness, which says itself what it measures."""


def metrics_of(about: About) -> tuple[Metric, ...]:
    """The metrics of a run, the most telling first. Raises RunError for a kind that this Refdesk does not know."""
    if about.kind == _TASK:
        from eval.harness.metrics import metrics_of_tasks

        return metrics_of_tasks(about)
    if about.kind not in _ROOMS:
        raise RunError(
            f"There is no evaluation of kind {about.kind!r}; known are {', '.join((*_ROOMS, _TASK))}. A newer Refdesk "
            "may have made this run."
        )
    return tuple(import_module(_ROOMS[about.kind]).METRICS)
