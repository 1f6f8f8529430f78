"""int8 and bf16: how near to single precision, what chooses them, and that no vector depends on its batch."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assistant.embed import open_embedder, openvino, quantize
from assistant.embed.export import exported
from assistant.embed.precision import Precision, choose, of_fingerprint
from assistant.embed.weights import MINILM, fingerprint, model_folder
from assistant.settings import EmbedderSettings

if TYPE_CHECKING:
    from assistant.embed import Embedder
    from assistant.types import FloatArray

PRECISIONS: tuple[Precision, ...] = ("int8", "bf16", "f32")
CORPUS = Path(__file__).parents[4] / "shared/data/scifact/corpus.jsonl"
WORDS = ["the", "energy", "of", "muon", "tracks", "in", "13", "TeV", "is", "measured,", "floods", "follow", "rain"]


@pytest.fixture(scope="module")
def embedders(model_cache: Path) -> dict[Precision, Embedder]:
    return {precision: open_embedder(EmbedderSettings(precision=precision)) for precision in PRECISIONS}


def top(vectors: FloatArray, k: int) -> list[set[int]]:
    """The k nearest others of each row."""
    scores = vectors @ vectors.T
    np.fill_diagonal(scores, -1)
    return [set(row) for row in np.argsort(-scores, axis=1)[:, :k].tolist()]


def agreement(one: FloatArray, other: FloatArray, k: int = 10) -> float:
    return float(np.mean([len(a & b) / k for a, b in zip(top(one, k), top(other, k), strict=True)]))


@pytest.fixture(scope="module")
def documents_text() -> list[str]:
    """Titles of scientific articles and their beginnings, of 5 to 250 tokens."""
    if not CORPUS.exists():
        pytest.skip(f"{CORPUS} is not there")
    rows = [json.loads(line) for line in CORPUS.read_text(encoding="utf-8").splitlines()[:100]]
    return [f"{row['title']}\n{row['text'][: 15 * n]}" for n, row in enumerate(rows)]


@pytest.fixture(scope="module")
def expected(embedders: dict[Precision, Embedder], documents_text: list[str]) -> FloatArray:
    return embedders["f32"].embed_passages(documents_text)


@pytest.mark.shared_data
@pytest.mark.parametrize(("precision", "cosine", "overlap"), [("int8", 0.98, 0.88), ("bf16", 0.9995, 0.98)])
def test_near_single_precision(
    embedders: dict[Precision, Embedder],
    documents_text: list[str],
    expected: FloatArray,
    precision: Precision,
    cosine: float,
    overlap: float,
) -> None:
    found = embedders[precision].embed_passages(documents_text)
    assert found.shape == expected.shape
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)
    assert (found * expected).sum(axis=1).min() >= cosine
    assert agreement(found, expected) >= overlap
    assert np.abs(found - expected).max() > 1e-5  # else it is not another precision at all


some_text = st.lists(st.sampled_from(WORDS), max_size=320).map(" ".join)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_vector_does_not_depend_on_its_batch(embedders: dict[Precision, Embedder], precision: Precision) -> None:
    embedder = embedders[precision]

    @settings(max_examples=15)
    @given(st.lists(some_text, min_size=1, max_size=24), st.randoms(use_true_random=False))
    def check(texts: list[str], order: object) -> None:
        together = embedder.embed_passages(texts)
        mixed = list(range(len(texts)))
        order.shuffle(mixed)  # type: ignore[attr-defined]
        shuffled = embedder.embed_passages([texts[i] for i in mixed])
        np.testing.assert_array_equal(shuffled, together[mixed])
        np.testing.assert_array_equal(embedder.embed_passages(texts[-1:])[0], together[-1])
        np.testing.assert_array_equal(embedder.embed_query(texts[0]), together[0])

    check()


@pytest.mark.parametrize("copies", [1, 2, 3, 8, 9, 40])
def test_many_of_one_length_are_each_as_if_alone(embedders: dict[Precision, Embedder], copies: int) -> None:
    texts = [" ".join(WORDS[(n + i) % len(WORDS)] for i in range(40)) for n in range(copies)]
    alone = np.stack([embedders["int8"].embed_query(text) for text in texts])
    np.testing.assert_array_equal(embedders["int8"].embed_passages(texts), alone)


def test_several_threads(embedders: dict[Precision, Embedder]) -> None:
    texts = [" ".join(WORDS[: n % 17 + 1]) for n in range(60)]
    embedder = embedders["int8"]
    expected = embedder.embed_passages(texts)

    def run(n: int) -> FloatArray:
        return embedder.embed_passages(texts) if n % 2 else np.stack([embedder.embed_query(text) for text in texts])

    with ThreadPoolExecutor(6) as pool:
        for found in pool.map(run, range(12)):
            np.testing.assert_array_equal(found, expected)


def test_more_texts_than_are_held_at_a_time(embedders: dict[Precision, Embedder]) -> None:
    texts = [f"{WORDS[n % 7]} {WORDS[n % 11]}" for n in range(openvino.AT_ONCE + 3)]
    found = embedders["int8"].embed_passages(texts)
    np.testing.assert_array_equal(found[-3:], embedders["int8"].embed_passages(texts[-3:]))
    np.testing.assert_array_equal(found[77], found[0])  # 7 * 11: the same text again


@given(st.lists(st.integers(1, 32).map(lambda n: n * openvino.STEP), max_size=200))
def test_batches_hold_each_text_once_with_its_like(lengths: list[int]) -> None:
    found = list(openvino.batches(lengths))
    assert sorted(index for batch in found for index in batch) == list(range(len(lengths)))
    for batch in found:
        assert len({lengths[index] for index in batch}) == 1
        assert len(batch).bit_count() == 1
        assert len(batch) * lengths[batch[0]] <= openvino.BATCH_TOKENS


def test_the_fingerprint_names_the_precision(embedders: dict[Precision, Embedder]) -> None:
    folder = model_folder(MINILM)
    assert folder
    weights = fingerprint(folder)
    assert embedders["f32"].fingerprint == f"{weights}-f32"
    assert embedders["bf16"].fingerprint == f"{weights}-bf16"
    assert embedders["int8"].fingerprint == f"{weights}-int8.{quantize.recipe()}"
    for precision, embedder in embedders.items():
        assert of_fingerprint(embedder.fingerprint) == precision


@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_library_gets_its_own_precision_again(embedders: dict[Precision, Embedder], precision: Precision) -> None:
    made_with = embedders[precision].fingerprint
    assert open_embedder(EmbedderSettings(), made_with).fingerprint == made_with
    # Who names a precision gets that one, and the library says that it is another.
    assert open_embedder(EmbedderSettings(precision="f32"), made_with).fingerprint == embedders["f32"].fingerprint


@pytest.mark.parametrize("made_with", [None, "0123456789abcdef", "0123456789abcdef-fp4", ""])
def test_without_a_known_precision_the_fastest_is_taken(made_with: str | None) -> None:
    flags = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    if "vnni" not in flags or Path("/proc/driver/nvidia/version").exists():
        pytest.skip("this machine has a GPU, or no instructions for int8")
    assert choose("auto", made_with) == "int8"


def test_the_cache_is_used_again(embedders: dict[Precision, Embedder], model_cache: Path) -> None:
    def state() -> dict[str, int]:
        files = (model_cache / "embedders").rglob("*")
        return {str(file): file.stat().st_mtime_ns for file in files if file.is_file()}

    before = state()
    query = "How many muons?"
    again = open_embedder(EmbedderSettings(precision="int8"))
    np.testing.assert_array_equal(again.embed_query(query), embedders["int8"].embed_query(query))
    after = state()  # which other workers may share, and add to
    assert {file: after[file] for file in before} == before
    assert not [folder for folder in (model_cache / "embedders").iterdir() if folder.name.startswith(".")]


def test_the_graph_serves_where_the_compiled_model_does_not_fit(embedders: dict[Precision, Embedder]) -> None:
    """As after an update of OpenVINO, or on another CPU that shares the cache."""
    folder = model_folder(MINILM)
    assert folder
    graph, _ = exported(folder)
    compiled_for = quantize.quantized(graph)[0] / "compiled_for.txt"
    said = compiled_for.read_text()
    texts = [" ".join(WORDS), "muon"]
    try:
        compiled_for.write_text("OpenVINO 1999 on a Z80")
        found = open_embedder(EmbedderSettings(precision="int8")).embed_passages(texts)
    finally:
        compiled_for.write_text(said)
    np.testing.assert_array_equal(found, embedders["int8"].embed_passages(texts))


def leaving_out_the_prompt(folder: Path, tiny: Path) -> Path:
    """A copy of the tiny model whose pooling leaves the prompt out, which the graph cannot do."""
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(tiny), device="cpu", prompts={"query": "ask ", "document": "say "})
    model[1].include_prompt = False
    model.save(str(folder))
    return folder


def test_what_openvino_cannot_do_pytorch_does_and_says_so(
    tiny_model: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = leaving_out_the_prompt(tmp_path / "model", tiny_model)
    with caplog.at_level(logging.WARNING):
        found = open_embedder(EmbedderSettings(model=str(folder), precision="int8"))
    assert "leaves its prompt out of the mean" in caplog.text
    assert found.fingerprint == f"{fingerprint(folder)}-f32"
    from sentence_transformers import SentenceTransformer

    reference = SentenceTransformer(str(folder), device="cpu")
    expected = reference.encode_document(["some text", "other"], normalize_embeddings=True)
    np.testing.assert_allclose(found.embed_passages(["some text", "other"]), expected, atol=1e-6)
    expected = reference.encode_query(["some text"], normalize_embeddings=True)[0]
    np.testing.assert_allclose(found.embed_query("some text"), expected, atol=1e-6)


def without_the_common_part(folder: Path, tiny: Path) -> Path:
    """The tiny model with words that hardly differ, so that all vectors are alike, and that likeness taken away at the
    end: what is left is small against the steps of 8 bits."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.base.modules import Dense

    model = SentenceTransformer(str(tiny), device="cpu")
    with torch.no_grad():
        model[0].model.embeddings.word_embeddings.weight *= 0.01
    vectors = model.encode(quantize.calibration_texts(), normalize_embeddings=True)
    common = torch.from_numpy(vectors.mean(axis=0))
    last = Dense(32, 32, bias=False, activation_function=torch.nn.Identity())
    last.linear.weight.data = torch.eye(32) - torch.outer(common, common) / common.dot(common)
    model.append(last)
    model.save(str(folder))
    return folder


def test_what_suffers_in_int8_runs_in_another_precision_and_says_so(
    tiny_model: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = without_the_common_part(tmp_path / "model", tiny_model)
    for _ in range(2):  # made now, then from the cache
        caplog.clear()
        found = open_embedder(EmbedderSettings(model=str(folder), precision="int8"))
        assert "cannot run in int8" in caplog.messages[-1]
    assert found.fingerprint in {f"{fingerprint(folder)}-bf16", f"{fingerprint(folder)}-f32"}


def test_no_usage_report_is_sent() -> None:
    """In a process of its own, as other tests may have imported anything."""
    code = (
        "import sys; from assistant.embed.no_reports import import_openvino; import_openvino(); import nncf;"
        "sys.exit(str([m for m in sys.modules if m.startswith('openvino_telemetry') and sys.modules[m]]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.strip().splitlines()[-1] == "[]"


def test_the_calibration_text_is_varied_and_short() -> None:
    texts: Sequence[str] = quantize.calibration_texts()
    assert 100 <= len(texts) <= 200
    assert len(set(texts)) == len(texts)
    assert all(text.strip() for text in texts)
