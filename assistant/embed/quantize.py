"""A graph in int8: weights and activations of the matrix products in 8 bits, the rest in single precision.

Post-training quantisation by nncf: symmetric weights, asymmetric activations (preset MIXED) whose ranges are those of
`calibration.txt`, after outliers were moved from activations into weights (Xiao et al., "SmoothQuant", ICML 2023). It
needs no labels. Bias correction is left out: it takes a third of the time and changed no figure.
"""

from __future__ import annotations

import hashlib
import json
import logging
import sys
from contextlib import redirect_stdout
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from assistant.embed.export import all_or_nothing
from assistant.embed.no_reports import import_openvino

MIN_COSINE = 0.98
"""Least mean cosine between the vectors in int8 and in single precision, over the calibration text."""

F32 = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}

_log = logging.getLogger(__name__)


def calibration_texts() -> list[str]:
    """The lines of calibration.txt: what a research collaboration writes, in one or more sentences each."""
    return (files("assistant.embed") / "calibration.txt").read_text(encoding="utf-8").splitlines()


@cache
def recipe() -> str:
    """Names how the int8 model is made: another calibration text gives other vectors."""
    return hashlib.sha256("\n".join(["smooth MIXED", *calibration_texts()]).encode()).hexdigest()[:8]


def quantized(graph: Path) -> tuple[Path, str]:
    """Where the int8 form of the graph in a folder is, made now if it never was, and why there is none, or ''."""
    target = graph.with_name(f"{graph.name}-int8.{recipe()}")
    if not (target / "outcome.json").exists():
        with all_or_nothing(target, "outcome.json") as work:
            (work / "outcome.json").write_text(json.dumps(_quantize(graph, work)))
    refused: str = json.loads((target / "outcome.json").read_text())
    return target, refused


def compiled_for(openvino: Any) -> str:
    """What a compiled model depends on; it is loaded in half the time, but nowhere else."""
    core = openvino.Core()
    capabilities = sorted(core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"))
    return " ".join([openvino.get_version(), core.get_property("CPU", "FULL_DEVICE_NAME"), *capabilities])


def _quantize(graph: Path, work: Path) -> str:
    """Writes model.xml, model.bin and the compiled model to `work`, or returns why that cannot be."""
    openvino = import_openvino()
    import nncf  # type: ignore[import-untyped]

    samples = _samples(graph)
    plain = openvino.Core().read_model(graph / "model.xml")
    # Its own `set_log_level` changes handlers, too, and they may be those of the program that Refdesk is a part of.
    logging.getLogger("nncf").setLevel(logging.ERROR)
    try:
        with redirect_stdout(sys.stderr):  # for its progress bars, which are no part of a command's answer
            quantized = nncf.quantize(
                plain,
                nncf.Dataset(samples),
                preset=nncf.QuantizationPreset.MIXED,
                model_type=nncf.ModelType.TRANSFORMER,
                subset_size=len(samples),
                advanced_parameters=nncf.AdvancedQuantizationParameters(disable_bias_correction=True),
            )
    except (nncf.UnsupportedModelError, nncf.ValidationError, nncf.InternalError, RuntimeError) as error:
        return f"nncf cannot quantise it ({error})"
    compiled = openvino.compile_model(quantized, "CPU", F32)
    cosine = _mean_cosine(openvino.compile_model(plain, "CPU", F32), compiled, samples)
    _log.info("mean cosine of int8 and f32 over the calibration text: %.4f", cosine)
    if not cosine >= MIN_COSINE:
        return f"its vectors in int8 have a mean cosine of {cosine:.3f} with those in f32, below {MIN_COSINE}"
    openvino.save_model(quantized, work / "model.xml", compress_to_fp16=False)
    (work / "compiled").write_bytes(compiled.export_model().getvalue())
    (work / "compiled_for.txt").write_text(compiled_for(openvino))
    return ""


def _samples(graph: Path) -> list[list[Any]]:
    """Token numbers and mask of each calibration text, each of shape (1, tokens)."""
    import numpy as np
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(graph / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(json.loads((graph / "facts.json").read_text())["max_seq_length"])
    rows = [np.array([encoded.ids], dtype=np.int64) for encoded in tokenizer.encode_batch(calibration_texts())]
    return [[row, np.ones_like(row)] for row in rows]


def _mean_cosine(plain: Any, quantized: Any, samples: list[list[Any]]) -> float:
    import numpy as np

    return float(np.mean([float((plain(sample)[0] * quantized(sample)[0]).sum()) for sample in samples]))
