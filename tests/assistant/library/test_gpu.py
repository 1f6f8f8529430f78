"""Dense search on a GPU gives what it gives on a CPU. Without one, a FAISS index of the CPU takes its place: it has the
same methods, and compares in single precision."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from assistant.errors import ModelNotFound
from assistant.library import Library, dense, gpu
from assistant.library.indexes import Indexes
from assistant.types import Document

if TYPE_CHECKING:
    from assistant.embed import Embedder
    from assistant.library.view import View

QUESTIONS = ["How heavy is the calorimeter?", "A text about number 7", "?"]


def has_gpu() -> bool:
    import faiss

    return hasattr(faiss, "StandardGpuResources") and faiss.get_num_gpus() > 0


@pytest.fixture
def folder(tmp_path: Path, embedder: Embedder, publish: Callable[..., int], make: Callable[..., Document]) -> Path:
    """Sixty texts, twenty of them the same one, in two segments with dead rows."""
    publish(tmp_path, [make(f"d{n}", f"A text about number {max(0, n - 20)}") for n in range(60)])
    publish(tmp_path, [make(f"d{n}", f"A new text about number {n}") for n in range(30, 36)], [("wiki", "d50")])
    return tmp_path


def indexes_of(view: View) -> Indexes:
    return view._indexes


def test_a_gpu_index_holds_what_is_shown(folder: Path, embedder: Embedder) -> None:
    import faiss

    with Library.open(folder).view() as view:
        on_cpu = indexes_of(view)
        index, rows = gpu.load(on_cpu, make=faiss.IndexFlatIP)
        assert index.ntotal == len(rows) == 59
        on_gpu = Indexes([part.segment for part in on_cpu._parts], {}, [1], "gpu")
        on_gpu.alive, on_gpu.on_gpu = on_cpu.alive, (index, rows)
        for question in QUESTIONS:
            query = embedder.embed_query(question)
            for limit in (1, 5, 21, 59, 500):
                assert same(dense.search(on_gpu, query, limit), dense.search(on_cpu, query, limit))


def same(one: tuple[Any, Any], other: tuple[Any, Any]) -> bool:
    """The same rows with the same bits of their scores."""
    return dict(zip(one[1].tolist(), one[0].tolist(), strict=True)) == dict(
        zip(other[1].tolist(), other[0].tolist(), strict=True)
    )


@pytest.mark.skipif(has_gpu(), reason="there is a GPU")
def test_a_missing_gpu_is_said(folder: Path, embedder: Embedder) -> None:
    with (
        Library.open(folder, "gpu").view() as view,
        pytest.raises(ModelNotFound, match=r"set `search\.device` to cpu"),
    ):
        view.search_dense(embedder.embed_query("calorimeter"), 5)


@pytest.mark.gpu
@pytest.mark.skipif(not has_gpu(), reason="needs an NVIDIA GPU and faiss-gpu")
def test_a_gpu_finds_what_the_cpu_finds(folder: Path, embedder: Embedder) -> None:
    for question in QUESTIONS:
        query = embedder.embed_query(question)
        for limit in (1, 5, 21, 59):
            with Library.open(folder).view() as cpu, Library.open(folder, "gpu").view() as gpu_view:
                assert gpu_view.search_dense(query, limit) == cpu.search_dense(query, limit)
