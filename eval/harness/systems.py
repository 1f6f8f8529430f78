"""The language model that is measured, alone and with a library, and what has to be said of it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
        return local, {**about, "through": "transformers", "adapter_weights": _weights(adapter)}
    from eval.harness.served import ServedModel

    served = ServedModel(settings, adapter)
    way = "log-probabilities of named tokens" if served.named else "log-probabilities of the prompt"
    return served, {**about, "model": served.model, "through": settings.url, "way": way}


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
        "embedder": settings.embedder.model_dump(mode="json"),
    }
    return {WITHOUT: model, WITH: reading}, {WITHOUT: about, WITH: {**about, **searching}}


def _weights(adapter: str | None) -> str | None:
    """The hash of an adapter's weights, so that one trained anew is not taken for the one before."""
    if adapter is None:
        return None
    digest = hashlib.sha256()
    for file in sorted(Path(adapter).glob("adapter_*")):
        digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()
