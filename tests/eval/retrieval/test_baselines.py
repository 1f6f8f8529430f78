"""The default retrievers of LlamaIndex and LangChain, compared with an exhaustive search by hand."""

from __future__ import annotations

import sqlite3
import stat
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from assistant.embed.weights import MINILM, load_sentence_transformer, model_folder
from eval.retrieval.baselines import Text, baselines
from eval.retrieval.vectors import FILE, Vectors

TIDES = " ".join(f"The moon raises the tide of day {n} in the ocean of the earth." for n in range(400))
TEXTS = [
    Text(("web", "long"), f"A diary\n\n{TIDES} Yeast makes dough rise because it gives off gas."),
    Text(("web", "lava"), "Volcanoes\n\nMolten rock rises from the mantle and erupts as lava."),
    Text(("web", "bees"), "Bees\n\nHoney bees dance to tell where flowers are."),
    Text(("web", "ice"), "Ice flows slowly downhill under its own weight."),
    Text(("wiki", "lava"), "The same key at another source: a crater lake."),
]
QUESTIONS = ["why does dough rise", "what raises the tide", "melted rock", "bees", "a lake in a crater"]


def silent(done: int, total: int, what: str) -> None:
    pass


@pytest.fixture(scope="module")
def model() -> Any:
    folder = model_folder(MINILM)
    assert folder
    return load_sentence_transformer(folder, "cpu")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, model_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Without vectors, but with the converted model."""
    (tmp_path / "cache").mkdir()
    for made in model_cache.iterdir():
        if made.is_dir():
            (tmp_path / "cache" / made.name).symlink_to(made)
    monkeypatch.setenv("REFDESK_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def vectors(cache: Path) -> Any:
    with closing(Vectors(MINILM)) as opened:
        yield opened


def by_llama_index(text: str) -> list[str]:
    from llama_index.core.node_parser import SentenceSplitter

    return SentenceSplitter(chunk_size=1024, chunk_overlap=200).split_text(text)


def by_langchain(text: str) -> list[str]:
    from langchain_text_splitters import RecursiveCharacterTextSplitter

    return RecursiveCharacterTextSplitter(chunk_size=4000, chunk_overlap=200).split_text(text)


@pytest.mark.parametrize(("name", "split"), [("llama-index", by_llama_index), ("langchain", by_langchain)])
def test_a_baseline_ranks_by_the_best_chunk_of_its_own(
    name: str, split: Callable[[str], list[str]], vectors: Vectors, model: Any
) -> None:
    system = {one.name: one for one in baselines(lambda: TEXTS, vectors)}[name]
    rank = system.open(silent)
    chunks = [(one.place, chunk) for one in TEXTS for chunk in split(one.text)]
    assert len(chunks) > len(TEXTS) + 1
    rows = model.encode([chunk for _, chunk in chunks])
    for question in QUESTIONS:
        best: dict[tuple[str, str], float] = {}
        for (place, _), score in zip(chunks, (rows @ model.encode([question])[0]).tolist(), strict=True):
            best[place] = max(score, best.get(place, -1.0))
        assert rank(question) == sorted(best, key=lambda place: -best[place])


def test_settings_say_what_a_baseline_is_made_of(vectors: Vectors) -> None:
    said = {one.name: one.settings for one in baselines(lambda: TEXTS, vectors)}
    assert said["llama-index"]["package"].startswith("llama-index-core 0.")
    assert said["langchain"]["package"].startswith("langchain-text-splitters ")
    assert {one["weights"] for one in said.values()} == {vectors.fingerprint}


def test_vectors_are_those_of_sentence_transformers_and_made_once(cache: Path, model: Any) -> None:
    texts = [*QUESTIONS, TIDES, "", QUESTIONS[0]]
    seen: list[tuple[int, int]] = []

    def note(done: int, total: int, what: str) -> None:
        seen.append((done, total))

    with closing(Vectors(MINILM)) as first:
        rows = first.of(texts, note)
    np.testing.assert_allclose(rows, model.encode(texts, batch_size=1), atol=2e-6)
    with closing(Vectors(MINILM)) as again:
        np.testing.assert_array_equal(again.of([*reversed(texts)], note), rows[::-1])
        assert seen == [(7, 7)]  # and nothing the second time
        again.of(["ice", *texts], note)
    assert seen == [(7, 7), (1, 1)]
    assert stat.S_IMODE((cache / FILE).stat().st_mode) == 0o600
    with closing(sqlite3.connect(cache / FILE)) as kept:
        assert kept.execute("SELECT model, count(*) FROM vector GROUP BY model").fetchall() == [(first.fingerprint, 8)]
    assert first.fingerprint.endswith("-f32")
