"""Embedding on a CPU against sentence-transformers as it comes, and against what the machine can multiply.

All ways embed the same texts in turn, round after round, so that what else the machine does meets them all.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import median
from typing import TYPE_CHECKING, Any

from assistant.embed import open_embedder
from assistant.embed.precision import Precision
from assistant.embed.weights import hub_folder, load_sentence_transformer, model_folder
from assistant.settings import EmbedderSettings
from eval.speed.process import say

if TYPE_CHECKING:
    from assistant.embed import Embedder

REFERENCE = "sentence-transformers"
PRECISIONS: tuple[Precision, ...] = ("int8", "bf16", "f32")
_MATRIX = 1024
"""Rows and columns of the matrices whose product measures the peak: they fit into the cache of a core or two."""


@dataclass(frozen=True, slots=True)
class EmbeddingWay:
    """One way to embed. `chunks_per_s`, `tokens_per_s` and `gflops` are medians over the rounds.

    `times` is how many times as fast as sentence-transformers it was in the same round: the median, and the least and
    the greatest round. `share_of_peak` is `gflops` over the best matrix product in the way's precision, 0 to 1.
    """

    name: str
    fingerprint: str
    chunks_per_s: float
    tokens_per_s: float
    gflops: float
    times: float
    least_times: float
    greatest_times: float
    share_of_peak: float


@dataclass(frozen=True, slots=True)
class EmbeddingSpeed:
    """`peak_gflops` is the fastest product of two large matrices in each precision that PyTorch has, on all cores.

    `ways` begins with sentence-transformers. `tokens` include the special ones, not padding.
    """

    chunks: int
    tokens: int
    rounds: int
    peak_gflops: Mapping[Precision, float]
    ways: tuple[EmbeddingWay, ...]


def measure(texts: Sequence[str], model: str = EmbedderSettings().model, rounds: int = 5) -> EmbeddingSpeed:
    """Embeds `texts` in every precision and by sentence-transformers in f32 on the CPU, `rounds` times.

    Raises ValueError without texts or rounds, ModelNotFound as `open_embedder` does.
    """
    if not texts or rounds < 1:
        raise ValueError(f"at least one text and one round are needed, not {len(texts)} and {rounds}")
    reference = load_sentence_transformer(model_folder(model) or hub_folder(model), "cpu")
    embedders = {p: open_embedder(EmbedderSettings(model=model, precision=p)) for p in PRECISIONS}
    runs: dict[str, Callable[[], object]] = {REFERENCE: partial(_encode, reference, texts)}
    runs |= {p: partial(embedders[p].embed_passages, texts) for p in PRECISIONS}
    say(f"each way embeds {len(texts)} texts once")
    for run in runs.values():  # kernels are made for the lengths that occur
        run()
    peaks: list[dict[Precision, float]] = []
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for number in range(rounds):
        say(f"round {number + 1} of {rounds}: products of matrices")
        peaks.append({p: _peak_gflops(p) for p in PRECISIONS})
        for name, run in runs.items():
            say(f"round {number + 1} of {rounds}: {name}")
            seconds[name].append(_seconds(run))
    lengths = [len(ids) for ids in reference.tokenizer(list(texts), truncation=True)["input_ids"]]
    peak = {p: max(found[p] for found in peaks) for p in PRECISIONS}
    work = sum(_gflop(reference, tokens) for tokens in lengths)
    ways = tuple(_way(name, seconds, lengths, work, embedders, peak) for name in runs)
    return EmbeddingSpeed(len(texts), sum(lengths), rounds, peak, ways)


def _way(
    name: str,
    seconds: Mapping[str, Sequence[float]],
    lengths: Sequence[int],
    work: float,
    embedders: Mapping[Precision, Embedder],
    peak: Mapping[Precision, float],
) -> EmbeddingWay:
    precision: Precision = next((p for p in PRECISIONS if p == name), "f32")
    times = [theirs / ours for theirs, ours in zip(seconds[REFERENCE], seconds[name], strict=True)]
    typical = median(seconds[name])
    return EmbeddingWay(
        name,
        embedders[precision].fingerprint,
        len(lengths) / typical,
        sum(lengths) / typical,
        work / typical,
        median(times),
        min(times),
        max(times),
        work / typical / peak[precision],
    )


def _encode(reference: Any, texts: Sequence[str]) -> object:
    return reference.encode(list(texts), normalize_embeddings=True, show_progress_bar=False)


def _seconds(run: Callable[[], object]) -> float:
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


def _gflop(reference: Any, tokens: int) -> float:
    """Multiplications and additions of a BERT encoder for one text, in 10^9.

    2 (4 h^2 + 2 h f) a token and layer for the projections and the two feed-forward products, and 4 h for each pair of
    tokens in attention (h: width, f: feed-forward width); all else is small and not counted.
    """
    config = reference[0].model.config
    width, inner, layers = config.hidden_size, config.intermediate_size, config.num_hidden_layers
    linear = 2 * (4 * width**2 + 2 * width * inner) * tokens
    return float(layers * (linear + 4 * width * tokens**2)) / 1e9


def _peak_gflops(precision: Precision) -> float:
    """The fastest of some products of two square matrices, in 10^9 multiplications and additions a second."""
    import torch

    if precision == "int8":
        left, right = (torch.randint(-127, 127, (_MATRIX, _MATRIX), dtype=torch.int8) for _ in range(2))
        product: Callable[[], object] = partial(torch._int_mm, left, right)
    elif precision == "bf16":
        left, right = (torch.randn(_MATRIX, _MATRIX).to(torch.bfloat16) for _ in range(2))
        product = partial(torch.mm, left, right)
    else:
        left, right = (torch.randn(_MATRIX, _MATRIX) for _ in range(2))
        product = partial(torch.mm, left, right)
    products = [product]
    if precision == "f32" and hasattr(torch.ops.mkldnn, "_linear_pointwise"):  # on AMD twice as fast as torch.mm's MKL
        products.append(partial(torch.ops.mkldnn._linear_pointwise, left, right, None, "none", [], ""))
    for product in products:
        product()
    return float(2 * _MATRIX**3 / min(_seconds(product) for product in products for _ in range(30)) / 1e9)
