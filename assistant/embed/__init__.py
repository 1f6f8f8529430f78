"""Text to vectors: which embedder is used, and what one must offer.

A model is loaded by sentence-transformers, whatever its architecture. On a CPU its graph is then exported once
(`assistant.embed.openvino`), because importing PyTorch and sentence-transformers takes several seconds and a
question from the shell should not wait for that; with a CUDA device sentence-transformers itself embeds.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from assistant.embed.weights import hub_folder, model_folder
from assistant.settings import EmbedderSettings

if TYPE_CHECKING:
    from assistant.types import FloatArray


class Embedder(Protocol):
    """Turns text into unit vectors."""

    @property
    def name(self) -> str:
        """The model's name, as the settings give it."""

    @property
    def fingerprint(self) -> str:
        """Identifies weights, tokenizer and precision: vectors of two fingerprints must never meet in one library."""

    @property
    def dimensions(self) -> int: ...

    @property
    def max_tokens(self) -> int:
        """Longest text that is embedded whole, in tokens without the special ones."""

    def embed_passages(self, texts: Sequence[str]) -> FloatArray:
        """One unit row per text, shape (len(texts), dimensions); what is over `max_tokens` does not count."""

    def embed_query(self, text: str) -> FloatArray:
        """A unit vector, shape (dimensions,)."""

    def token_starts(self, text: str) -> Sequence[int]:
        """The character offset at which each token of `text` starts, ascending, of any length of text."""


def has_cuda() -> bool:
    """Whether an NVIDIA driver is loaded; cheaper than asking PyTorch, which takes a second to import."""
    return Path("/proc/driver/nvidia/version").exists() and os.environ.get("CUDA_VISIBLE_DEVICES") != ""


def open_embedder(settings: EmbedderSettings) -> Embedder:
    """The embedder that the settings name.

    Raises ModelNotFound if it is neither a folder, nor the model that comes by pip, nor on the hub or in its cache.
    """
    from assistant.embed.openvino import OpenVINOEmbedder

    folder = model_folder(settings.model) or hub_folder(settings.model)
    if has_cuda():
        from assistant.embed.sentence_transformer import SentenceTransformerEmbedder

        return SentenceTransformerEmbedder(settings, folder)
    return OpenVINOEmbedder.open(settings, folder)
