"""The embedder in single precision against sentence-transformers itself; other precisions in test_precision.py."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers.pre_tokenizers import ByteLevel, Metaspace

from assistant.embed import open_embedder, openvino
from assistant.embed.weights import MINILM, fingerprint, load_sentence_transformer, model_folder
from assistant.errors import ModelNotFound
from assistant.settings import EmbedderSettings

if TYPE_CHECKING:
    from assistant.embed import Embedder

TEXTS = [
    "",
    " ",
    "muon",
    "How many wiki pages does CERN's Confluence hold?",
    "Straße, naïve, 北京大学, Ελληνικά, שלום, 😀🎉, a\u0301 é",
    "$E = mc^2$ and \\frac{1}{2} | a | b |\n| --- | --- |",
    "word " * 253,
    "word " * 254,
    "word " * 255,
    "long " * 2000,
    "x" * 5000,
    "\0 \x07 \ufeff \u200b",
]


@pytest.fixture(scope="module")
def embedder() -> Embedder:
    """all-MiniLM-L6-v2 in single precision, because it is compared with the model as it comes."""
    return open_embedder(EmbedderSettings(precision="f32"))


@pytest.fixture(scope="module")
def reference() -> Any:
    folder = model_folder(MINILM)
    assert folder
    return load_sentence_transformer(folder, "cpu")


def test_vectors_are_those_of_sentence_transformers(embedder: Embedder, reference: Any) -> None:
    expected = reference.encode(TEXTS, normalize_embeddings=True, show_progress_bar=False)
    found = embedder.embed_passages(TEXTS)
    assert found.shape == (len(TEXTS), embedder.dimensions) == (len(TEXTS), 384)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1e-5)
    np.testing.assert_allclose(np.stack([embedder.embed_query(text) for text in TEXTS]), expected, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)


def test_no_text_gives_no_row(embedder: Embedder) -> None:
    assert embedder.embed_passages([]).shape == (0, 384)


def test_exactly_max_tokens_count(embedder: Embedder) -> None:
    assert embedder.max_tokens == 254
    at, over, far_over = embedder.embed_passages(
        [("word " * n) + tail for n, tail in ((254, ""), (254, "muon"), (254, "ion"))]
    )
    np.testing.assert_allclose(at, over, atol=1e-6)
    np.testing.assert_allclose(at, far_over, atol=1e-6)
    below, other = embedder.embed_passages(["word " * 253 + "muon", "word " * 253 + "word"])
    assert np.abs(below - other).max() > 1e-4


WORDS = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=30)


@settings(max_examples=50)
@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=200))
def test_token_starts_ascend_and_agree_with_the_tokenizer(embedder: Embedder, reference: Any, text: str) -> None:
    starts = list(embedder.token_starts(text))
    assert starts == sorted(starts)
    assert all(0 <= start < len(text) for start in starts)
    assert len(starts) == len(reference.tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"])


@settings(max_examples=50)
@given(st.lists(WORDS, min_size=1), st.integers(1, 300))
def test_token_starts_of_a_long_text_are_those_of_the_whole(
    embedder: Embedder, reference: Any, words: list[str], times: int
) -> None:
    text = " ".join(words * times)
    whole = reference.tokenizer(text, add_special_tokens=False, return_offsets_mapping=True, verbose=False)
    assert list(embedder.token_starts(text)) == [start for start, _ in whole["offset_mapping"]]


@given(st.text(alphabet="ab  \n.é", max_size=80))
def test_a_text_is_cut_where_no_kind_of_tokenizer_notices(text: str) -> None:
    """Metaspace and byte-level tokenizers join runs of white space, and some a mark with the line break behind it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(openvino, "_PART", 3)
        cuts = list(openvino._cuts(text))
    assert all(text[cut] == " " and not text[cut - 1].isspace() and not text[cut + 1].isspace() for cut in cuts)
    assert cuts == sorted(set(cuts))
    pieces = [text[start:end] for start, end in pairwise([0, *cuts, len(text)])]
    for tokenizer in (Metaspace(), ByteLevel(add_prefix_space=False)):
        whole = [word for word, _ in tokenizer.pre_tokenize_str(text)]
        assert [word for piece in pieces if piece for word, _ in tokenizer.pre_tokenize_str(piece)] == whole


def test_token_starts_point_at_the_tokens(embedder: Embedder) -> None:
    text = "The photomultipliers, Straße 北京."
    starts = embedder.token_starts(text)
    assert [0, 4, text.index(","), text.index("Stra"), text.index("北"), text.index("京")] == [
        *(s for s in starts if s in {0, 4, text.index(","), text.index("Stra"), text.index("北"), text.index("京")})
    ]
    assert len(list(embedder.token_starts("word " * 1000))) == 1000


def test_any_other_model_by_its_folder(tiny_model: Path) -> None:
    found = open_embedder(EmbedderSettings(model=str(tiny_model), precision="f32"))
    reference = load_sentence_transformer(tiny_model, "cpu")
    texts = ["abc", "a longer text of letters", "z" * 100, ""]
    expected = reference.encode(texts, normalize_embeddings=True, show_progress_bar=False)
    np.testing.assert_allclose(found.embed_passages(texts), expected, atol=1e-5)
    assert (found.dimensions, found.max_tokens, found.name) == (32, 62, str(tiny_model))
    assert list(found.token_starts("ab c")) == [0, 1, 3]


def test_the_fingerprint_tells_models_apart(embedder: Embedder, tiny_model: Path, tmp_path: Path) -> None:
    folder = model_folder(MINILM)
    assert folder
    assert embedder.fingerprint == f"{fingerprint(folder)}-f32"
    assert fingerprint(folder) != fingerprint(tiny_model)
    (tmp_path / "config.json").write_text("{}")
    before = fingerprint(tmp_path)
    (tmp_path / "README.md").write_text("says nothing about vectors")
    assert fingerprint(tmp_path) == before
    (tmp_path / "config.json").write_text("{ }")
    assert fingerprint(tmp_path) != before


@pytest.mark.parametrize("name", ["no-such/model-anywhere", "not a name at all!"])
def test_a_model_that_is_nowhere(name: str) -> None:
    with pytest.raises(ModelNotFound, match="not a folder here"):
        open_embedder(EmbedderSettings(model=name))


def test_a_folder_that_is_no_model(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no model")
    with pytest.raises(ModelNotFound, match="cannot be loaded"):
        open_embedder(EmbedderSettings(model=str(tmp_path)))
