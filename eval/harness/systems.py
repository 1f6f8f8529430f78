"""The language model that is measured, alone and with a library, and what has to be said of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assistant.llm.vllm import place
from eval.harness.passages import WithPassages
from eval.weights import served, weights

if TYPE_CHECKING:
    from assistant import Assistant
    from assistant.settings import LLMSettings, Settings
    from eval.harness.mmlu import Model

WITHOUT, WITH = "without retrieval", "with retrieval"


def open_model(settings: LLMSettings, in_process: bool, adapter: str | None) -> tuple[Model, dict[str, Any]]:
    """The model, loaded here or behind the server, and its settings as a run records them.

    Raises ModelNotFound and, of a server, LLMUnavailable and LLMGarbage.
    """
    about = {
        "model": settings.model,
        "precision": settings.precision,
        "context_tokens": settings.context_tokens,
        "adapter": adapter,
    }
    if in_process:
        from eval.harness.local import LocalModel

        local = LocalModel(settings, Path(adapter) if adapter else None)
        files = {"weights": weights(place(settings.model)), "adapter_weights": weights(adapter)}
        return local, {**about, "through": "transformers", **files}
    from eval.harness.served import ServedModel

    model = ServedModel(settings, adapter)
    return model, {**about, **served(settings, model.base), "way": model.way}


def systems(
    model: Model, about: dict[str, Any], settings: Settings, assistant: Assistant | None, passage_tokens: int
) -> tuple[Mapping[str, Model], dict[str, dict[str, Any]]]:
    """The model without retrieval and, if there is an assistant, with the passages it finds; and their settings."""
    if assistant is None:
        return {WITHOUT: model}, {WITHOUT: about}
    k = settings.answer.k
    reading = WithPassages(model, lambda question: assistant.search(question, k), passage_tokens)
    searching = {
        "k": k,
        "passage_tokens": passage_tokens,
        "search": settings.search.model_dump(mode="json"),
        **assistant.models,
    }
    return {WITHOUT: model, WITH: reading}, {WITHOUT: about, WITH: {**about, **searching}}
