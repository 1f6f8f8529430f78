"""Which language model it is that answers, as far as can be told from here, and what is left out without one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from assistant.embed.weights import fingerprint
from assistant.errors import RefdeskError
from assistant.llm.bounded import is_local
from assistant.llm.vllm import place
from assistant.settings import LLMSettings


def served(settings: LLMSettings, model: str) -> dict[str, str]:
    """What a run records of the model that the server at `settings.url` calls `model`.

    Where it is on this machine, at whatever port, and serves a folder as `refdesk llm start` does, `weights` is the
    hash of the files. Of any other a name is all there is; `server` keeps those of two servers apart.
    """
    if not is_local(settings.url):
        return {"model": model, "server": settings.url}
    if model == settings.model and (folder := Path(place(model))).is_dir():
        return {"model": model, "weights": fingerprint(folder)}
    return {"model": model, "server": "this machine"}


def without_llm(systems: Sequence[str], error: RefdeskError) -> str:
    """What the notes of a run say of systems that could not be asked for want of a language model."""
    return f"What needs a language model is left out ({', '.join(systems)}). {error}"


def weights(folder: str | None) -> str | None:
    """The hash of a model's or an adapter's files; None without a folder, as for a model of the hub."""
    return fingerprint(Path(folder)) if folder and Path(folder).is_dir() else None
