"""Real texts written here, a corpus made of them, and a library built of it, small enough for a test."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from eval.speed import search
from eval.speed.corpus import Corpus
from eval.speed.texts import Texts, read_texts

if TYPE_CHECKING:
    from assistant.embed import Embedder


CHUNKS = 2_000
PROSE = (
    "the of and to in a is that for it as was with be by on not he his but at are this have from or had an they which "
    "detector trigger glacier magnet beam river archive melt column vertex run energy data store grid node cluster "
    "calibration model field pressure sample plot error mass photon track layer wire chamber valve pump ice snow"
)


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Markdown, a BEIR folder and a SQuAD file, of sentences that nobody else wrote."""
    folder = tmp_path_factory.mktemp("data")
    draw = random.Random(1)
    words = PROSE.split()

    def sentence() -> str:
        return " ".join(draw.choice(words) for _ in range(draw.randint(8, 30))).capitalize() + "."

    def text(sentences: int) -> str:
        return " ".join(sentence() for _ in range(sentences))

    (folder / "pages").mkdir()
    for number in range(6):
        (folder / "pages" / f"{number}.md").write_text(f"# Page {number}\n\n{text(30)}\n\n{text(20)}\n")
    rows = [{"_id": str(n), "title": "t", "text": text(12)} for n in range(6)]
    (folder / "corpus.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "queries.jsonl").write_text(json.dumps({"_id": "1", "text": "Does the glacier melt?"}) + "\n")
    asked = [{"question": f"{sentence()[:-1]}?"} for _ in range(40)]
    squad = {"version": "1", "data": [{"paragraphs": [{"context": text(12), "qas": asked}]}]}
    (folder / "squad.json").write_text(json.dumps(squad))
    (folder / "list.json").write_text('["data"]')
    return folder


@pytest.fixture(scope="session")
def texts(data: Path, tmp_path_factory: pytest.TempPathFactory, embedder: Embedder) -> Texts:
    return read_texts(data, embedder, tmp_path_factory.mktemp("texts"), most_sentences=300, queries=30)


@pytest.fixture(scope="session")
def corpus(texts: Texts) -> Corpus:
    return Corpus(texts, CHUNKS, shelves=3)


@pytest.fixture(scope="session")
def library(corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("built") / "library"
    search.build(corpus, folder)
    return folder
