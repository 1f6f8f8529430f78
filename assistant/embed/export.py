"""A sentence-transformers model as one OpenVINO graph, from token numbers to unit vectors.

The graph is made once, in single precision, compared with sentence-transformers, and kept in the cache folder.
Attention stays one operation in it, which OpenVINO then computes without writing the scores to memory: a third faster
than as matrix products and a softmax, which is what an export by way of ONNX gives.
"""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from assistant.embed.no_reports import import_openvino
from assistant.embed.weights import fingerprint, load_sentence_transformer
from assistant.settings import cache_folder

TOLERANCE = 1e-4
"""Largest difference of one coordinate between the graph and the model; single precision gives about 2e-7."""

LAYOUT = "graph2"
"""Changes when what is kept does, so that an older Refdesk's is not taken for it."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What must be known of a model besides its graph. `refused` says why there is no graph, empty if there is one."""

    fingerprint: str
    dimensions: int
    max_seq_length: int
    query_prompt: str
    passage_prompt: str
    refused: str = ""


def exported(folder: Path) -> tuple[Path, ModelFacts]:
    """Where the graph of the sentence-transformers model in `folder` is, with its tokenizer; made now if it never was.

    Raises ModelNotFound if `folder` holds no model.
    """
    target = cache_folder() / "embedders" / f"{_folder_stamp(folder)}-{LAYOUT}"
    if not (target / "facts.json").exists():
        with all_or_nothing(target, "facts.json") as work:
            _export(folder, work)
    return target, ModelFacts(**json.loads((target / "facts.json").read_text()))


@contextmanager
def all_or_nothing(target: Path, last: str) -> Iterator[Path]:
    """A new folder that becomes `target` when the context ends well; if another process was quicker, its own stays.

    `last` is a file that a whole folder has.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(dir=target.parent, prefix=".export-"))
    try:
        yield work
        try:
            work.replace(target)
        except OSError:
            if not (target / last).exists():
                raise
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _folder_stamp(folder: Path) -> str:
    """Changes when a file of the model does; cheap, because it is asked at every start."""
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    parts = [f"{f.relative_to(folder).as_posix()}:{f.stat().st_size}:{f.stat().st_mtime_ns}" for f in files]
    return hashlib.sha256("\n".join([str(folder.resolve()), *parts]).encode()).hexdigest()[:16]


def _export(folder: Path, work: Path) -> None:
    """Writes model.xml, model.bin, tokenizer.json and facts.json to `work`, or facts.json alone that says why not."""
    model = load_sentence_transformer(folder, "cpu")
    refused = ""
    if any(not getattr(module, "include_prompt", True) for module in model):
        refused = "it leaves its prompt out of the mean"
    elif not getattr(model.tokenizer, "is_fast", False):
        refused = "it has no fast tokenizer"
    else:
        graph = _graph(model)
        difference = _difference(model, graph)
        _log.info("the graph of the embedder in %s differs from the model by %.1e", folder, difference)
        if not difference < TOLERANCE:
            refused = f"its graph differs from the model by {difference:.1e} in a coordinate, more than {TOLERANCE}"
        else:
            import_openvino().save_model(graph, work / "model.xml", compress_to_fp16=False)
            model.tokenizer.save_pretrained(work)
    facts = ModelFacts(
        fingerprint(folder),
        int(model.get_embedding_dimension()),
        int(model.max_seq_length),
        model.prompts.get("query", ""),
        model.prompts.get("document", model.prompts.get("passage", "")),
        refused,
    )
    (work / "facts.json").write_text(json.dumps(asdict(facts), indent=1))


def _graph(model: Any) -> Any:
    """The model with pooling and normalisation, of two inputs: token numbers and mask, both (texts, tokens)."""
    openvino = import_openvino()
    import torch

    needs_types = "token_type_ids" in model.tokenizer.model_input_names

    class Pipeline(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
            features = {"input_ids": input_ids, "attention_mask": attention_mask}
            if needs_types:
                features["token_type_ids"] = torch.zeros_like(input_ids)
            vectors = self.model(features)["sentence_embedding"]
            return torch.nn.functional.normalize(vectors, dim=-1)

    example = model.tokenizer(["a first text", "another one, longer"], padding=True, return_tensors="pt")
    axes = {
        0: torch.export.Dim("texts", min=1, max=4096),
        1: torch.export.Dim("tokens", min=2, max=model.max_seq_length),
    }
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        program = torch.export.export(
            Pipeline().eval(), (example["input_ids"], example["attention_mask"]), dynamic_shapes=(axes, axes)
        )
        return openvino.convert_model(program)


def _difference(model: Any, graph: Any) -> float:
    """The largest difference of one coordinate between graph and model, over short and long texts in one batch."""
    import numpy as np

    openvino = import_openvino()
    texts = ["How many?", "A calorimeter measures the energy of particles. " * 3, "Ünïcode — 1.5 TeV. " * 60]
    expected = model.encode(texts, normalize_embeddings=True, show_progress_bar=False)
    tokens = model.tokenizer(texts, padding=True, truncation=True, max_length=model.max_seq_length, return_tensors="np")
    compiled = openvino.compile_model(graph, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    found = compiled([tokens["input_ids"].astype(np.int64), tokens["attention_mask"].astype(np.int64)])[0]
    return float(np.abs(expected - found).max())
