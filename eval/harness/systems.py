"""The language model that is measured, alone and with a library, and what has to be said of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assistant.embed.weights import fingerprint
from assistant.llm.vllm import place
from eval.harness.passages import WithPassages

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
        weights = {"weights": _weights(place(settings.model)), "adapter_weights": _weights(adapter)}
        return local, {**about, "through": "transformers", **weights}
    from eval.harness.served import ServedModel

    served = ServedModel(settings, adapter)
    return served, {**about, "model": served.model, "through": "a server", "way": served.way}


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


def _weights(folder: str | None) -> str | None:
    """What a model or adapter holds, so that one trained anew is not taken for the one before; None without a folder,
    as for a model of the hub, which is known by its name."""
    return fingerprint(Path(folder)) if folder and Path(folder).is_dir() else None
