"""In which number format a model computes, and so which vectors can stand beside each other."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Literal, get_args

from assistant.embed.no_reports import import_openvino

Precision = Literal["int8", "bf16", "f32"]

_INT8_INSTRUCTIONS = {"avx512_vnni", "avx_vnni", "amx_int8"}
"""One of these multiplies int8 exactly and several times as fast as f32; without, it saturates and gains little."""

_log = logging.getLogger(__name__)


def has_cuda() -> bool:
    """Whether an NVIDIA driver is loaded; cheaper than asking PyTorch, which takes a second to import."""
    return Path("/proc/driver/nvidia/version").exists() and os.environ.get("CUDA_VISIBLE_DEVICES") != ""


def choose(wanted: Precision | Literal["auto"], made_with: str | None = None) -> Precision:
    """The precision to embed in.

    `wanted` is the setting. With `auto`, a library made with fingerprint `made_with` gets its own again; where there
    is none, the fastest here is taken: f32 on a GPU, else int8, bf16 or f32 as the CPU has instructions for it.
    bf16 on a CPU that lacks it becomes f32, with a warning.
    """
    precision = (made_with and of_fingerprint(made_with)) or _fastest() if wanted == "auto" else wanted
    if precision == "bf16" and not _has_bf16():
        _log.warning("This CPU does not compute in bf16, so the embedder runs in f32.")
        return "f32"
    return precision


def of_fingerprint(fingerprint: str) -> Precision | None:
    """The precision in an embedder's fingerprint, `<weights>-<precision>` or `<weights>-int8.<recipe>`."""
    named = fingerprint.partition("-")[2].partition(".")[0]
    return next((precision for precision in get_args(Precision) if precision == named), None)


def _fastest() -> Precision:
    if has_cuda():
        return "f32"
    if _cpu_flags() & _INT8_INSTRUCTIONS:
        return "int8"
    return "bf16" if _has_bf16() else "f32"


def _cpu_flags() -> set[str]:
    """What Linux says of the first CPU; empty elsewhere."""
    cpus = Path("/proc/cpuinfo")
    lines = cpus.read_text().splitlines() if cpus.exists() else []
    return set(next((line for line in lines if line.startswith("flags")), "").split())


def _has_bf16() -> bool:
    return "BF16" in import_openvino().Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
