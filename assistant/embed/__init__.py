"""Text to vectors: which embedder is used, and what one must offer.

    precision.py             int8, bf16 or f32: what is fastest here, or what a library was made with
    export.py                a sentence-transformers model becomes an OpenVINO graph, once
    quantize.py              the graph in int8, once
    openvino.py              the graph at work, on a CPU
    sentence_transformer.py  the model as it comes, by PyTorch: on a GPU, and where no graph can be made
    weights.py               the files of a model

A graph is made because PyTorch takes several seconds to import, which a question from the shell should not wait for,
and embeds several times more slowly on a CPU.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from assistant.embed.export import exported
from assistant.embed.precision import Precision, choose, has_cuda
from assistant.embed.quantize import quantized
from assistant.embed.weights import hub_folder, model_folder
from assistant.settings import EmbedderSettings

if TYPE_CHECKING:
    from assistant.types import FloatArray

_log = logging.getLogger(__name__)


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


def open_embedder(settings: EmbedderSettings, made_with: str | None = None) -> Embedder:
    """The embedder that the settings name.

    `made_with` is the fingerprint of the library to be opened, if there is one: with `embedder.precision` at `auto` its
    precision is taken again, so that a library can go from a machine to another. Where a model cannot run in the
    precision that was chosen, a warning says why and what is used instead, which the fingerprint names, too.

    Raises ModelNotFound if the model is no folder, nor the one that comes by pip, nor on the hub or in its cache.
    """
    folder = model_folder(settings.model) or hub_folder(settings.model)
    precision = choose(settings.precision, made_with)
    if precision == "f32" and has_cuda():
        return _by_pytorch(settings, folder, "cuda")
    return _by_openvino(settings, folder, precision)


def _by_openvino(settings: EmbedderSettings, folder: Path, precision: Precision) -> Embedder:
    from assistant.embed.openvino import OpenVINOEmbedder

    graph, facts = exported(folder)
    if facts.refused:
        _log.warning("The embedder %s cannot run by OpenVINO: %s. PyTorch runs it in f32.", folder, facts.refused)
        return _by_pytorch(settings, folder, "cpu")
    weights = graph
    if precision == "int8":
        weights, refused = quantized(graph)
        if refused:
            _log.warning("The embedder %s cannot run in int8: %s.", folder, refused)
            return _by_openvino(settings, folder, choose("bf16"))
    return OpenVINOEmbedder(settings.model, graph, weights, facts, precision)


def _by_pytorch(settings: EmbedderSettings, folder: Path, device: str) -> Embedder:
    from assistant.embed.sentence_transformer import SentenceTransformerEmbedder

    return SentenceTransformerEmbedder(settings, folder, device)
