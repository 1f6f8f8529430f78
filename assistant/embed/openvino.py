"""A sentence-transformers model on a CPU: its graph, exported once, run by OpenVINO.

The export is kept in the cache folder under the model's fingerprint. It is compared with sentence-transformers when
it is made, in single precision, so vectors of the two can stand in one library.
"""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
import tempfile
import threading
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assistant.embed.weights import fingerprint, load_sentence_transformer
from assistant.errors import ModelNotFound
from assistant.settings import EmbedderSettings, cache_folder

if TYPE_CHECKING:
    from assistant.types import FloatArray

TOLERANCE = 1e-4
"""Largest difference of one coordinate between the export and the model; single precision gives about 2e-7."""

_log = logging.getLogger(__name__)


class OpenVINOEmbedder:
    """Embeds in single precision; safe to call from several threads, which take turns."""

    def __init__(self, settings: EmbedderSettings, exported: Path) -> None:
        import openvino
        from tokenizers import Tokenizer

        about = json.loads((exported / "embedder.json").read_text())
        self.name = settings.model
        self.fingerprint: str = about["fingerprint"]
        self.dimensions: int = about["dimensions"]
        self._query_prompt: str = about["query_prompt"]
        self._passage_prompt: str = about["passage_prompt"]
        self._batch_size = settings.batch_size
        self._tokenizer = Tokenizer.from_file(str(exported / "tokenizer.json"))
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        self._limit: int = about["max_seq_length"]
        self.max_tokens = self._limit - self._tokenizer.num_special_tokens_to_add(is_pair=False)
        self._truncating = Tokenizer.from_file(str(exported / "tokenizer.json"))
        self._truncating.no_padding()
        self._truncating.enable_truncation(self._limit)
        self._model = openvino.Core().compile_model(
            str(exported / "model.xml"), "CPU", {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}
        )
        self._lock = threading.Lock()

    @classmethod
    def open(cls, settings: EmbedderSettings, folder: Path) -> OpenVINOEmbedder:
        """The embedder for the sentence-transformers model in `folder`, exported now if it never was."""
        exported = cache_folder() / "embedders" / _folder_stamp(folder)
        if not (exported / "embedder.json").exists():
            _export(folder, exported)
        return cls(settings, exported)

    def embed_passages(self, texts: Sequence[str]) -> FloatArray:
        return self._embed([self._passage_prompt + text for text in texts])

    def embed_query(self, text: str) -> FloatArray:
        row: FloatArray = self._embed([self._query_prompt + text])[0]
        return row

    def token_starts(self, text: str) -> Sequence[int]:
        return [start for start, _ in self._tokenizer.encode(text, add_special_tokens=False).offsets]

    def _embed(self, texts: list[str]) -> FloatArray:
        import numpy as np

        tokens = [encoded.ids for encoded in self._truncating.encode_batch(texts)]
        rows = np.empty((len(texts), self.dimensions), dtype=np.float32)
        # Texts of like length share a batch, so that little of it is padding.
        by_length = sorted(range(len(tokens)), key=lambda i: len(tokens[i]))
        for first in range(0, len(by_length), self._batch_size):
            batch = by_length[first : first + self._batch_size]
            ids = np.zeros((len(batch), max(len(tokens[i]) for i in batch)), dtype=np.int64)
            mask = np.zeros_like(ids)
            for row, i in enumerate(batch):
                ids[row, : len(tokens[i])] = tokens[i]
                mask[row, : len(tokens[i])] = 1
            with self._lock:
                rows[batch] = self._model([ids, mask])[0]
        return rows


def _folder_stamp(folder: Path) -> str:
    """Changes when a file of the model does; cheap, because it is asked at every start."""
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    parts = [f"{f.relative_to(folder).as_posix()}:{f.stat().st_size}:{f.stat().st_mtime_ns}" for f in files]
    return hashlib.sha256("\n".join([str(folder.resolve()), *parts]).encode()).hexdigest()[:16]


def _export(folder: Path, target: Path) -> None:
    """Writes model.xml, model.bin, tokenizer.json and embedder.json to `target`, all or nothing."""
    model = load_sentence_transformer(folder, "cpu")
    if any(not getattr(module, "include_prompt", True) for module in model):
        raise ModelNotFound(
            f"The embedder in {folder} leaves its prompt out of the mean, which the CPU export cannot do. "
            f"Use it on a GPU machine, or another model."
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(dir=target.parent, prefix=".export-"))
    try:
        _write_graph(model, work)
        model.tokenizer.save_pretrained(work)
        about = {
            "fingerprint": fingerprint(folder),
            "dimensions": model.get_embedding_dimension(),
            "max_seq_length": model.max_seq_length,
            "query_prompt": model.prompts.get("query", ""),
            "passage_prompt": model.prompts.get("document", model.prompts.get("passage", "")),
        }
        (work / "embedder.json").write_text(json.dumps(about, indent=1))
        _compare(model, OpenVINOEmbedder(EmbedderSettings(model=str(folder)), work))
        _keep(work, target)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _keep(work: Path, target: Path) -> None:
    try:
        work.replace(target)
    except OSError:
        if not (target / "embedder.json").exists():  # else another process exported the same model meanwhile
            raise


def _write_graph(model: Any, work: Path) -> None:
    import openvino
    import torch

    needs_types = "token_type_ids" in model.tokenizer.model_input_names

    class Pipeline(torch.nn.Module):
        """Transformer, pooling and normalisation in one graph of two inputs."""

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
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        graph = torch.onnx.export(
            Pipeline().eval(),
            (example["input_ids"], example["attention_mask"]),
            dynamic_shapes=(axes, axes),
            dynamo=True,
            verbose=False,
        )
    assert graph is not None  # dynamo=True returns the program
    graph.save(str(work / "model.onnx"))
    openvino.save_model(openvino.Core().read_model(work / "model.onnx"), work / "model.xml", compress_to_fp16=False)
    for leftover in work.glob("model.onnx*"):
        leftover.unlink()


def _compare(model: Any, exported: OpenVINOEmbedder) -> None:
    import numpy as np

    texts = ["How many?", "A calorimeter measures the energy of particles. " * 3, "Ünïcode — 1.5 TeV. " * 60]
    expected = model.encode_document(texts, normalize_embeddings=True, show_progress_bar=False)
    difference = float(np.abs(expected - exported.embed_passages(texts)).max())
    _log.info("exported embedder differs from sentence-transformers by %.1e", difference)
    if not difference < TOLERANCE:
        raise ModelNotFound(
            f"The export of the embedder {exported.name} differs from the model by {difference:.1e} in a coordinate "
            f"(at most {TOLERANCE} is allowed), so it is not used. Use it on a GPU machine, or another model."
        )
