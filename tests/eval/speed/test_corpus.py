"""Texts are read as they stand, and a corpus of any size is made of them, the same each time."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from eval.speed.corpus import READERS, Corpus, SentenceMeans
from eval.speed.texts import read_texts

if TYPE_CHECKING:
    from assistant.embed import Embedder


def test_texts_are_read_from_each_format_and_embedded_once(data: Path, embedder: Embedder, tmp_path: Path) -> None:
    import numpy as np

    first = read_texts(data, embedder, tmp_path, most_sentences=10_000, queries=1_000)
    assert len(first.queries) == 41
    written = " ".join(file.read_text() for file in data.rglob("*") if file.is_file())
    assert len(first.sentences) == len(set(first.sentences)) >= 300
    assert all(sentence in written for sentence in first.sentences)
    assert np.abs(first.vectors[7] - embedder.embed_passages([first.sentences[7]])[0]).max() < 1e-3
    (kept,) = tmp_path.glob("*.npz")
    before = kept.stat().st_mtime_ns
    again = read_texts(data, embedder, tmp_path, most_sentences=10_000, queries=1_000)
    assert (again.vectors == first.vectors).all()
    assert kept.stat().st_mtime_ns == before
    with pytest.raises(ValueError, match="0 questions"):
        read_texts(data / "pages", embedder, tmp_path, most_sentences=100, queries=10)


def test_a_corpus_is_the_same_each_time_and_its_chunks_are_cut_from_its_documents(corpus: Corpus) -> None:
    total = 0
    for number in range(corpus.documents):
        document, chunks = corpus.document(number)
        total += len(chunks)
        assert all(document.text[chunk.start : chunk.end] == chunk.text for chunk in chunks)
        assert document.access.allows({READERS})
        assert not document.access.allows({"others"})
    assert total == corpus.chunks
    assert corpus.document(11) == corpus.document(11)
    assert corpus.document(11) != corpus.document(11, revision=1)
    assert len({corpus.document(number)[0].access for number in range(9)}) == 3
    original, copy = (set(corpus.document(n)[0].text.split("\n")) for n in (4, 9))
    assert len(original & copy) > 0.5 * len(original)
    assert original != copy
    others = [replace(corpus, chunks=10), replace(corpus, shelves=1), replace(corpus, seed=1)]
    assert len({corpus.name, *(other.name for other in others)}) == 4


def test_vectors_depend_on_the_text_alone_and_lie_near_their_sentences(corpus: Corpus) -> None:
    import numpy as np

    embedder = SentenceMeans(corpus.texts)
    first, second, third = corpus.texts.sentences[:3]
    together = embedder.embed_passages([f"{first}\n{second}", f"{first}\n{second}", third, "unknown"])
    assert np.abs(np.linalg.norm(together, axis=1) - 1).max() < 1e-6
    assert (together[0] == together[1]).all()
    assert (embedder.embed_query(third) == together[2]).all()
    mean = corpus.texts.vectors[0] + corpus.texts.vectors[1]
    assert together[0] @ mean / np.linalg.norm(mean) > 0.95
    assert together[2] @ corpus.texts.vectors[2] > 0.95
