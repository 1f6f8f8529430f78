"""Puts every question to every system, and keeps each result as soon as it is there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from assistant.progress import Progress
from eval.answers.judge import Judge, judge_values
from eval.answers.likelihood import answer_likelihood
from eval.answers.score import are_verbatim, result
from eval.answers.systems import Reply, System
from eval.metric import Result
from eval.questions import Question

if TYPE_CHECKING:
    from assistant import Assistant
    from eval.harness.served import ServedModel
    from eval.metrics.overlap import Meteor
    from eval.runs.run import Run


@dataclass(frozen=True, slots=True)
class Instruments:
    """What measures and may be missing: WordNet's METEOR, a model that tells probabilities, a judge."""

    meteor: Meteor | None = None
    probabilities: ServedModel | None = None
    judge: Judge | None = None

    @property
    def settings(self) -> dict[str, Any]:
        """What results depend on: two runs that measured other things are not the same."""
        return {
            "meteor": self.meteor is not None,
            "perplexity": self.probabilities is not None,
            "judge": self.judge.settings if self.judge else None,
        }


def require_documents(questions: Sequence[Question], assistant: Assistant) -> None:
    """Raises ValueError if a document that a question names is not in the library."""
    keys = {document.key for document in assistant.documents()}
    lacking = [(one.id, key) for one in questions for key in one.documents if key not in keys]
    if lacking:
        raise ValueError(
            f"The library lacks {len(lacking)} documents that questions name, first {lacking[0][1]!r} of question "
            f"{lacking[0][0]!r}. Its keys look like {min(keys, default='(it is empty)')!r}; index the folder that the "
            "names in the questions start from."
        )


def ask_all(
    questions: Sequence[Question],
    systems: Sequence[System],
    run: Run,
    assistant: Assistant,
    instruments: Instruments,
    progress: Progress,
) -> None:
    """Adds to `run` what each system says to each question that it has no result for. Raises LLMError."""
    contents = {one.id: asdict(one) for one in questions}
    by_id = {one.id: one for one in questions}
    for system in systems:
        todo = run.todo(system.name, contents)
        if todo:
            assistant.search(by_id[todo[0]].asked)  # the first search opens what the others find open
        progress(len(questions) - len(todo), len(questions), f"questions, {system.name}")
        for number, id_ in enumerate(todo, start=len(questions) - len(todo)):
            run.add(system.name, _ask(by_id[id_], system, assistant, instruments))
            progress(number + 1, len(questions), f"questions, {system.name}")


def _ask(question: Question, system: System, assistant: Assistant, instruments: Instruments) -> Result:
    reply = system.ask(question.asked)
    found = result(question, reply, are_verbatim(reply.citations, assistant), instruments.meteor)
    values, detail = dict(found.values), dict(found.detail)
    if question.answerable and reply.told and instruments.probabilities:
        values |= answer_likelihood(instruments.probabilities, reply.told, question.answers[0])
    if question.answerable and reply.answered and instruments.judge:
        verdicts = _judged(question, reply, instruments.judge)
        values |= judge_values(verdicts, bool(values["right"]))
        detail["judge"] = list(verdicts)
    return replace(found, values=values, detail=detail)


def _judged(question: Question, reply: Reply, judge: Judge) -> tuple[str, str]:
    return judge.verdicts(question.asked, " / ".join(question.answers), reply.text)
