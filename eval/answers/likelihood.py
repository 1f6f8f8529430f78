"""How likely a language model finds the right answer, after what it was shown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from assistant.settings import LLMSettings
    from eval.harness.served import ServedModel


def open_model(limits: LLMSettings) -> ServedModel:
    """The model at `limits.url`, which has been seen to tell how likely it finds a text.

    Raises LLMUnavailable, LLMGarbage where the server does not tell, and ModelNotFound as `ServedModel` does.
    """
    from eval.harness.served import ServedModel

    model = ServedModel(limits)
    log_likelihoods(model, [("Yes or no?", " Yes, it is.")])
    return model


def answer_likelihood(model: ServedModel, told: Sequence[dict[str, str]], answer: str) -> dict[str, float]:
    """The columns of perplexity: minus the log-likelihood of `answer` in nats, and its tokens.

    The prompt is what the chat template makes of `told`, up to where the model's own words begin. Raises LLMError.
    """
    prompt = model.apply_chat_template(list(told), add_generation_prompt=True)
    # Not by `loglikelihood`, which counts blanks at the end of a prompt, such as a template's last line break, as said.
    context, whole = model.tok_encode(prompt), model.tok_encode(prompt + answer)
    said = whole[len(context) :]
    return {"nats": -model.log_likelihood(context, said), "answer_tokens": float(len(said))}


def log_likelihoods(model: ServedModel, pairs: Sequence[tuple[str, str]]) -> list[float]:
    """The log-likelihood, in nats, of each continuation after its context."""
    from lm_eval.api.instance import Instance

    asked: list[Any] = [Instance("loglikelihood", {}, pair, number) for number, pair in enumerate(pairs)]
    return [float(likelihood) for likelihood, _ in model.loglikelihood(asked)]
