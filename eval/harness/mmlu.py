"""MMLU's protocol for multiple choice, with and without a library.

Hendrycks et al., "Measuring massive multitask language understanding", ICLR 2021: solved examples of the subject, the
question, and as answer the letter with the highest log-likelihood; the prompt is that of lm-eval's task `mmlu`.
MMLU-Pro and ARC are asked in the same way with as many letters as there are choices; their own protocols are lm-eval's
tasks `mmlu_pro` and `arc_challenge`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Protocol

from assistant.progress import Progress
from eval.harness.letters import letter
from eval.harness.passages import WithPassages
from eval.harness.questions import ChoiceQuestion, ChoiceSet
from eval.harness.tasks import Answered, answered, choice_task, letter_task, requests_of
from eval.metric import Result
from eval.runs.about import content_hash

if TYPE_CHECKING:
    from eval.runs.run import Run


class Model(Protocol):
    """What answers: a model of lm-eval that says which prompts it had to cut.

    `together` is how many questions it is asked at a time, and so how many are lost when the machine stops.
    """

    @property
    def cut(self) -> set[str]: ...
    @property
    def together(self) -> int: ...

    def loglikelihood(self, requests: list[Any]) -> list[tuple[float, bool]]: ...
    def generate_until(self, requests: list[Any]) -> list[str]: ...


def evaluate(asked: ChoiceSet, systems: Mapping[str, Model], run: Run, progress: Progress) -> None:
    """Adds to `run` the result of every system for every question that it lacks."""
    for name, model in systems.items():
        examples = {subject: content_hash([asdict(one) for one in found]) for subject, found in asked.examples.items()}
        everything = [one for questions in asked.questions.values() for one in questions]
        left = set(run.todo(name, {one.id: {**asdict(one), "examples": examples[one.subject]} for one in everything}))
        done = len(everything) - len(left)
        for subject, questions in asked.questions.items():
            if not (missing := [one for one in questions if one.id in left]):
                continue
            shown = asked.examples[subject]
            choosing, writing = choice_task(shown, missing), letter_task(shown, missing)
            parts = zip(
                answered(model, choosing, requests_of(choosing), model.together),
                answered(model, writing, requests_of(writing), model.together),
                strict=True,
            )
            for chosen, written in parts:
                for choice, text in zip(chosen, written, strict=True):
                    run.add(name, _result(missing[choice.index], choice, text, model))
                done += len(chosen)
                progress(done, len(everything), f"questions, {name}")


def _result(question: ChoiceQuestion, choice: Answered, text: Answered, model: Model) -> Result:
    likelihoods = [likelihood for likelihood, _ in choice.responses]
    prediction = likelihoods.index(max(likelihoods))
    wrote = letter(text.responses[0], len(question.choices))
    values = {
        "correct": float(prediction == question.answer),
        "written_correct": float(wrote == question.answer),
        "no_letter": float(wrote is None),
        "cut": float(choice.prompt in model.cut),
    }
    detail = {
        "question": question.question,
        "choices": list(question.choices),
        "answer": question.answer,
        "log_likelihoods": likelihoods,
        "prediction": prediction,
        "written": text.responses[0],
    }
    if isinstance(model, WithPassages):
        detail["passages"] = list(model.shown[question.question])
    return Result(question.id, question.subject, values, detail)
