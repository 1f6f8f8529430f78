"""The default retrievers of LlamaIndex and LangChain, compared with an exhaustive search by hand."""

from __future__ import annotations

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
    Text("long", f"A diary\n\n{TIDES} Yeast makes dough rise because it gives off gas."),
    Text("lava", "Volcanoes\n\nMolten rock rises from the mantle and erupts as lava."),
    Text("bees", "Bees\n\nHoney bees dance to tell where flowers are."),
    Text("ice", "Ice flows slowly downhill under its own weight."),
    Text("lava", "The same key at another source: a crater lake."),
]
QUESTIONS = ["why does dough rise", "what raises the tide", "melted rock", "bees", "a lake in a crater"]


def silent(done: int, total: int, what: str) -> None:
    pass


@pytest.fixture(scope="module")
def model() -> Any:
    folder = model_folder(MINILM)
    assert folder
    return load_sentence_transformer(folder, "cpu")


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def vectors(cache: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("REFDESK_CACHE", str(cache))
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
    assert len(split(TEXTS[0].text)) > 2
    for question in QUESTIONS:
        asked = model.encode([question])[0]
        best: dict[str, float] = {}
        for one in TEXTS:
            score = float((model.encode(split(one.text)) @ asked).max())
            best[one.key] = max(score, best.get(one.key, -1.0))
        assert rank(question) == sorted(best, key=lambda key: -best[key])


def test_settings_say_what_a_baseline_is_made_of(vectors: Vectors) -> None:
    said = {one.name: one.settings for one in baselines(lambda: TEXTS, vectors)}
    assert said["llama-index"]["package"].startswith("llama-index-core 0.")
    assert said["langchain"]["package"].startswith("langchain-text-splitters ")
    assert {one["weights"] for one in said.values()} == {vectors.fingerprint}


def test_vectors_are_those_of_sentence_transformers_and_made_once(
    tmp_path: Path, model: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REFDESK_CACHE", str(tmp_path / "new"))
    texts = [*QUESTIONS, TIDES, "", QUESTIONS[0], "a lone \ud800 surrogate"[:6]]
    seen: list[tuple[int, int]] = []
    with closing(Vectors(MINILM)) as first:
        rows = first.of(texts, lambda done, total, what: seen.append((done, total)))
        assert first.of([]).shape[0] == 0
    np.testing.assert_allclose(rows, model.encode(texts, batch_size=1), atol=2e-6)
    assert seen == [(8, 8)]
    assert stat.S_IMODE((tmp_path / "new" / FILE).stat().st_mode) == 0o600
    with closing(Vectors(MINILM)) as again:
        np.testing.assert_array_equal(again.of(list(reversed(texts))), rows[::-1])
        assert "_model" not in vars(again)  # so nothing was embedded


def test_a_model_never_gets_the_vectors_of_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny_model: Path
) -> None:
    monkeypatch.setenv("REFDESK_CACHE", str(tmp_path))
    with closing(Vectors(MINILM)) as one, closing(Vectors(str(tiny_model))) as other:
        assert (one.of(["bees"]).shape, other.of(["bees"]).shape) == ((1, 384), (1, 32))
        assert (one.of(["bees"]).shape, other.of(["bees"]).shape) == ((1, 384), (1, 32))
