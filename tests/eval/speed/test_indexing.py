"""Indexing is measured on the files and documents that it says, and in a process of its own."""

from __future__ import annotations

import os
import random
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from eval.speed import files, pipelines
from eval.speed.process import forget_peak, in_fresh_process, memory
from eval.speed.texts import Texts, documents

if TYPE_CHECKING:
    from assistant.embed import Embedder


def _take(size: int) -> tuple[int, int, int]:
    forget_peak()
    before = memory()
    taken = bytearray(os.urandom(size))
    del taken
    return os.getpid(), before.peak - before.resident, memory().peak - before.peak


def test_a_fresh_process_measures_its_own_memory() -> None:
    pid, above, grown = in_fresh_process(_take, 2**26)
    assert pid != os.getpid()
    assert above < 2**22
    assert 2**26 <= grown < 2**28


def test_scanning_finds_the_change_and_leaves_nothing(texts: Texts, tmp_path: Path) -> None:
    found = files.scan(texts, 60, tmp_path, runs=2)
    assert (found.files, found.found) == (60, True)
    assert 0 < found.unchanged < found.first
    assert found.searchable > 0
    assert list(tmp_path.iterdir()) == []


def test_indexed_files_are_counted(texts: Texts, tmp_path: Path) -> None:
    found = files.index(texts, 20, tmp_path)
    assert found.files == 20
    assert found.chunks >= 200
    assert 0 < found.memory < 2**30


@pytest.mark.long  # it opens three embedders in processes of their own
def test_pipelines_read_the_same_documents_and_only_ours_loses_nothing(
    data: Path, texts: Texts, embedder: Embedder, tmp_path: Path
) -> None:
    from langchain_text_splitters import RecursiveCharacterTextSplitter

    found = {one.pipeline: one for one in pipelines.compare(data, 3, tmp_path, rounds=1)}
    assert {name: one.documents for name, one in found.items()} == dict.fromkeys(pipelines.PIPELINES, 3)
    assert found["refdesk"].lost == 0
    read = list(documents(data))
    random.Random(0).shuffle(read)
    words = [len(embedder.token_starts(text)) for text in read[:3]]
    assert found["refdesk"].tokens >= sum(words)
    pieces = [piece for text in read[:3] for piece in RecursiveCharacterTextSplitter().split_text(text)]
    lengths = [len(embedder.token_starts(piece)) for piece in pieces]
    assert found["langchain"].chunks == len(pieces)
    assert found["langchain"].tokens == sum(min(length, 254) for length in lengths)
    assert found["langchain"].lost == sum(max(length - 254, 0) for length in lengths) > 0
    assert found["llama_index"].lost > 0
    for one in found.values():
        assert 0 < one.embedding_seconds < one.seconds
