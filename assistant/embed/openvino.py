"""A sentence-transformers model on a CPU: its graph, exported once, run by OpenVINO.

The vector of a text does not depend on what else is embedded with it, bit for bit. Padding changes the last digit of a
sum, and rounding to int8 or bf16 makes 3e-3 of that. So each text is padded to a length that follows from its own (the
next multiple of `STEP` tokens) and shares a batch only with texts of that length; how many those are, and on how many
threads, changes nothing in the kernels' sums. This costs 4 % in padding.
"""

from __future__ import annotations

import os
import re
import threading
from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assistant.embed.export import ModelFacts
from assistant.embed.no_reports import import_openvino
from assistant.embed.precision import Precision
from assistant.embed.quantize import compiled_for, recipe

if TYPE_CHECKING:
    from assistant.types import FloatArray

STEP = 16
"""Texts are padded to a multiple of this many tokens. OpenVINO makes kernels for every shape, at 17 ms and 5 MB each
for all 254 lengths of MiniLM; this leaves 16 lengths."""

BATCH_TOKENS = 2048
"""Most tokens in a batch: enough to keep the kernels busy, few enough for the activations to stay near the cache."""

MOST_STREAMS = 8
"""Batches computed at once; each has activations and kernels of its own, some 50 MB."""

AT_ONCE = 4096
"""Texts that are held as tokens at a time."""

_PART = 1_000
"""Characters from which on a text is cut into parts, so that all cores look for its tokens."""


class OpenVINOEmbedder:
    """Embeds in one precision; safe to call from several threads. Passages take turns, and so do queries."""

    def __init__(self, name: str, graph: Path, weights: Path, facts: ModelFacts, precision: Precision) -> None:
        """`graph` is the folder of `exported`, `weights` that folder again or, for int8, the one of `quantized`."""
        from tokenizers import Tokenizer

        self.name = name
        self.fingerprint = f"{facts.fingerprint}-{precision}" + (f".{recipe()}" if precision == "int8" else "")
        self.dimensions = facts.dimensions
        self._facts = facts
        self._weights = weights
        self._precision = "bf16" if precision == "bf16" else "f32"
        self._tokenizer = Tokenizer.from_file(str(graph / "tokenizer.json"))
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        self.max_tokens = facts.max_seq_length - self._tokenizer.num_special_tokens_to_add(is_pair=False)
        self._truncating = Tokenizer.from_file(str(graph / "tokenizer.json"))
        self._truncating.no_padding()
        self._truncating.enable_truncation(facts.max_seq_length)
        self._query_lock = threading.Lock()
        self._passages_lock = threading.Lock()

    def embed_passages(self, texts: Sequence[str]) -> FloatArray:
        import numpy as np

        rows = np.empty((len(texts), self.dimensions), dtype=np.float32)
        with self._passages_lock:
            for first in range(0, len(texts), AT_ONCE):
                part = [self._facts.passage_prompt + text for text in texts[first : first + AT_ONCE]]
                self._embed(part, rows[first : first + AT_ONCE])
        return rows

    def embed_query(self, text: str) -> FloatArray:
        (encoded,) = self._truncating.encode_batch_fast([self._facts.query_prompt + text])
        with self._query_lock:
            row: FloatArray = self._one_stream(self._padded([encoded.ids]))[0][0].copy()
        return row

    def token_starts(self, text: str) -> Sequence[int]:
        cuts = [0, *_cuts(text), len(text)]
        parts = [text[start:end] for start, end in pairwise(cuts)]
        found = self._tokenizer.encode_batch(parts, add_special_tokens=False)  # by as many threads as there are cores
        return [cut + start for cut, encoded in zip(cuts, found, strict=False) for start, _ in encoded.offsets]

    def _embed(self, texts: list[str], rows: FloatArray) -> None:
        """Writes the vector of each text to its row."""
        tokens = [encoded.ids for encoded in self._truncating.encode_batch_fast(texts)]
        for batch in batches([self._padded_length(len(ids)) for ids in tokens]):
            self._streams.start_async(self._padded([tokens[i] for i in batch]), (rows, batch))
        self._streams.wait_all()

    def _padded_length(self, tokens: int) -> int:
        return min(-(-tokens // STEP) * STEP, self._facts.max_seq_length)

    def _padded(self, batch: list[list[int]]) -> list[Any]:
        """Token numbers and mask, both (texts, tokens)."""
        import numpy as np

        ids = np.zeros((len(batch), self._padded_length(len(batch[0]))), dtype=np.int64)
        mask = np.zeros_like(ids)
        for row, tokens in enumerate(batch):
            ids[row, : len(tokens)] = tokens
            mask[row, : len(tokens)] = 1
        return [ids, mask]

    @cached_property
    def _one_stream(self) -> Any:
        """The model for one text at a time. Other threads and streams give the same vectors."""
        return self._compiled({"PERFORMANCE_HINT": "LATENCY"})

    @cached_property
    def _streams(self) -> Any:
        """The model for many texts: a queue of batches, each computed by one core where there are few."""
        openvino = import_openvino()
        streams = min(_cores(), MOST_STREAMS)
        queue = openvino.AsyncInferQueue(self._compiled({"NUM_STREAMS": streams}), 2 * streams)
        queue.set_callback(_keep)
        return queue

    def _compiled(self, config: dict[str, Any]) -> Any:
        openvino = import_openvino()
        config = config | {"INFERENCE_PRECISION_HINT": self._precision}
        kept = self._weights / "compiled_for.txt"
        if kept.exists() and kept.read_text() == compiled_for(openvino):
            return openvino.Core().import_model((self._weights / "compiled").read_bytes(), "CPU", config)
        return openvino.Core().compile_model(str(self._weights / "model.xml"), "CPU", config)


def _cuts(text: str) -> Iterator[int]:
    """Single spaces, some `_PART` characters from each other: no token reaches over them, and none depends on them."""
    at = _PART
    while space := re.compile(r"(?<=\S) (?=\S)").search(text, at):
        yield space.start()
        at = space.start() + _PART


def batches(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Groups of texts of the same length in tokens, as indexes, long texts first, at most `BATCH_TOKENS` a group.

    Their sizes are powers of two, so that few shapes occur.
    """
    by_length = defaultdict(list)
    for index, length in enumerate(lengths):
        by_length[length].append(index)
    for length, waiting in sorted(by_length.items(), reverse=True):
        first = 0
        while first < len(waiting):
            most = max(1, min(len(waiting) - first, BATCH_TOKENS // length))
            size = 1 << (most.bit_length() - 1)
            yield waiting[first : first + size]
            first += size


def _keep(request: Any, place: tuple[FloatArray, list[int]]) -> None:
    rows, batch = place
    rows[batch] = request.get_output_tensor(0).data


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
