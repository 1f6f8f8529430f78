"""What MMLU and the tasks of lm-evaluation-harness measure. Imports nothing heavy, as every report needs it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from assistant.errors import RunError
from eval.metric import Metric

if TYPE_CHECKING:
    from eval.runs.about import About

_CUT = Metric(
    "cut_prompts", "share of prompts that lost their beginning to fit into the context", ("cut",), better="lower"
)
METRICS = (
    Metric("accuracy", "share of questions whose right choice has the highest log-likelihood", ("correct",)),
    Metric("macro_accuracy", "mean over subjects of the accuracy in each", ("correct",), macro=True),
    Metric("written_accuracy", "share of questions to which the model wrote the right letter", ("written_correct",)),
    Metric("no_letter", "share of questions without a written letter; they count as wrong", ("no_letter",), "lower"),
    _CUT,
)

_SHARES = {"acc", "acc_norm", "acc_bytes", "acc_mutual_info", "exact_match", "f1"}
"""Metrics of lm-eval from 0 to 1."""


def metrics_of_tasks(about: About) -> tuple[Metric, ...]:
    """The metrics of a run of named tasks, as its systems' settings name them. Raises RunError where they do not."""
    named = next(iter(about.systems.values()), {}).get("metrics")
    if not isinstance(named, dict) or not named or any(better not in ("higher", "lower") for better in named.values()):
        raise RunError(
            f"The run of {about.data.name} is damaged: `metrics` of its systems in run.json is to name metrics, each "
            f"with higher or lower, and is {named!r}. Run the evaluation again."
        )
    found = []
    for name, better in named.items():
        bounds = (0.0, 1.0) if name.partition(", ")[0] in _SHARES else None
        says = f"lm-evaluation-harness's {name}, mean over documents"
        found.append(Metric(name, says, (name,), better, over="documents", bounds=bounds))
    return (*found, _CUT)
