"""A language model that reads in a library before it answers, for any task of lm-evaluation-harness."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from typing import Any

from lm_eval.api.model import LM, TemplateLM

from assistant.llm.prompts import whole
from assistant.types import Passage


class WithPassages(LM):  # type: ignore[misc]
    """The same model, shown what a library holds on the question.

    A prompt becomes

        Passages:

        [1] Title > Heading
        text of the first passage

        [2] ...

        (the task's own prompt, unchanged: description, solved examples, question)

    The query is the field `question` of the task's document, else the last paragraph of the prompt. The solved examples
    get no passages. Passages are shown whole, best first, as many as fit into `tokens` and into what the prompt leaves
    of the model's context; where not even the first fits, the prompt is as it was. So is an empty prompt, by which some
    tasks measure how likely an answer is by itself.
    """

    def __init__(self, model: TemplateLM, search: Callable[[str], Sequence[Passage]], tokens: int) -> None:
        super().__init__()
        self._model, self._search, self._tokens = model, search, tokens
        self._found: dict[str, Sequence[Passage]] = {}
        self.shown: dict[str, tuple[dict[str, Any], ...]] = {}
        """Query -> the passages that were shown, best first, as a result's details name them."""

    @property
    def together(self) -> int:
        return int(self._model.together)

    @property
    def cut(self) -> set[str]:
        """The prompts that lost their beginning to fit; they were shown no passages."""
        return self._model.cut  # type: ignore[no-any-return]

    def loglikelihood(self, requests: list[Any]) -> list[tuple[float, bool]]:
        return self._model.loglikelihood([self._informed(one) for one in requests])  # type: ignore[no-any-return]

    def generate_until(self, requests: list[Any]) -> list[str]:
        return self._model.generate_until([self._informed(one) for one in requests])  # type: ignore[no-any-return]

    def loglikelihood_rolling(self, requests: list[Any]) -> list[float]:
        raise ValueError("A task that measures the likelihood of whole texts has no question to search for.")

    def _informed(self, request: Any) -> Any:
        context, *others = request.args
        if not context:
            return request
        asked = query(request.doc, context)
        if asked not in self._found:
            self._found[asked] = self._search(asked) if asked.strip() else ()
        reserve = self._reserve(request.request_type, others)
        room = min(self._tokens, self._model.max_length - reserve - len(self._model.tok_encode(context)))
        fitting: Sequence[Passage] = ()
        for number in range(1, len(self._found[asked]) + 1):
            if len(self._model.tok_encode(_before(self._found[asked][:number]))) > room:
                break
            fitting = self._found[asked][:number]
        if request.request_type == "loglikelihood" or asked not in self.shown:  # a written reply leaves less room
            self.shown[asked] = tuple(map(_named, fitting))
        informed = copy(request)
        informed.arguments = (_before(fitting) + context, *others) if fitting else request.arguments
        return informed

    def _reserve(self, kind: str, others: list[Any]) -> int:
        """Tokens to leave for what follows the prompt. A few more, as texts that are joined may have more tokens."""
        if kind == "generate_until":
            return int(others[0].get("max_gen_toks", self._model.max_gen_toks)) + 8
        return len(self._model.tok_encode(others[0])) + 8


def query(doc: Any, context: str) -> str:
    """What to search for: the document's `question`, else the last paragraph of the prompt."""
    if isinstance(doc, dict) and isinstance(doc.get("question"), str):
        return str(doc["question"])
    return context.rstrip().rpartition("\n\n")[2]


def _named(one: Passage) -> dict[str, Any]:
    """Where a passage stands; its text can be read there."""
    return {name: getattr(one, name) for name in ("rank", "title", "source", "key", "revision", "start", "end")}


def _before(passages: Sequence[Passage]) -> str:
    return whole(passages) + "\n\n"
