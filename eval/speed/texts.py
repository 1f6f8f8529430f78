"""Real sentences and questions with their embeddings, from which benchmarks make large corpora.

Read from a folder that holds Markdown, RST and text files, BEIR folders (`corpus.jsonl`, `queries.jsonl`) and SQuAD
files (`*.json` with `data`), anywhere below it.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assistant.text.passage_text import passage_text
from assistant.text.sentences import sentences
from assistant.types import Document, Section
from eval.speed.process import say
from ingest.split import split

if TYPE_CHECKING:
    from assistant.embed import Embedder
    from assistant.types import FloatArray

_SUFFIXES = {".md", ".rst", ".txt"}
_LARGEST_FILE = 200_000
_WORDS = range(6, 61)
"""Of a sentence that is used: shorter ones are captions, longer ones tables."""
_PASSAGE_WORDS = 150


@dataclass(frozen=True, slots=True)
class Texts:
    """`passages` are runs of sentences that stand together in a document, as numbers into `sentences`; `vectors`
    (n, dimensions) and `query_vectors` are the unit embeddings of `sentences` and `queries`."""

    sentences: tuple[str, ...]
    passages: tuple[tuple[int, ...], ...]
    queries: tuple[str, ...]
    vectors: FloatArray
    query_vectors: FloatArray


def read_texts(folder: Path, embedder: Embedder, work: Path, *, most_sentences: int, queries: int) -> Texts:
    """The texts of a folder, taken evenly from it, embedded once: the vectors are kept in `work`.

    Raises ValueError where the folder holds too little text or no questions.
    """
    found, passages = _sampled(list(documents(folder)), most_sentences)
    asked = list(questions(folder))
    if len(passages) < 2 or not asked:
        raise ValueError(f"{folder} holds {len(found)} sentences and {len(asked)} questions; both are needed.")
    random.Random(0).shuffle(asked)
    asked = asked[:queries]
    kept = work / f"texts-{embedder.fingerprint}-{len(found)}-{len(asked)}.npz"
    vectors, query_vectors = _embedded(kept, embedder, found, asked)
    return Texts(tuple(found), passages, tuple(asked), vectors, query_vectors)


def documents(folder: Path) -> Iterator[str]:
    """The text of each document below a folder, in the order of their names."""
    for file in sorted(folder.rglob("*")):
        if file.suffix in _SUFFIXES and file.stat().st_size <= _LARGEST_FILE:
            yield file.read_text(encoding="utf-8", errors="replace")
        elif file.name == "corpus.jsonl":
            yield from (json.loads(line)["text"] for line in file.open(encoding="utf-8"))
        elif file.suffix == ".json" and (articles := _squad(file)):
            yield from (part["context"] for article in articles for part in article["paragraphs"])


def real_chunks(folder: Path, embedder: Embedder, most: int) -> list[str]:
    """At most `most` passages of documents below a folder, in a random order, split as Refdesk splits plain text."""
    found = list(documents(folder))
    random.Random(0).shuffle(found)
    texts: list[str] = []
    for text in found:
        document = Document("benchmark", "", "", "", "", "text", text, (Section(0, len(text), ()),))
        cut = split(document, embedder.token_starts, embedder.max_tokens)
        texts += [passage_text(document.title, chunk.section, chunk.text) for chunk in cut]
        if len(texts) >= most:
            break
    return texts[:most]


def questions(folder: Path) -> Iterator[str]:
    """The questions and claims below a folder, each once."""
    found: dict[str, None] = {}
    for file in sorted(folder.rglob("*")):
        if file.name == "queries.jsonl":
            found |= dict.fromkeys(json.loads(line)["text"] for line in file.open(encoding="utf-8"))
        elif file.suffix == ".json":
            for article in _squad(file):
                found |= dict.fromkeys(qa["question"].strip() for p in article["paragraphs"] for qa in p["qas"])
    yield from found


def _squad(file: Path) -> list[dict[str, Any]]:
    """The articles of a SQuAD file, none if it is another JSON file."""
    with file.open(encoding="utf-8") as stream:
        if '"data"' not in stream.read(4096):
            return []
        stream.seek(0)
        found = json.load(stream)
    return list(found["data"]) if isinstance(found, dict) and isinstance(found.get("data"), list) else []


def _sampled(texts: list[str], most: int) -> tuple[list[str], tuple[tuple[int, ...], ...]]:
    """About `most` sentences out of texts taken in a random order, each once, and the passages that they make."""
    random.Random(0).shuffle(texts)
    numbers: dict[str, int] = {}
    passages: list[tuple[int, ...]] = []
    for text in texts:
        passage: list[int] = []
        words = 0
        for sentence in _usable(text):
            passage.append(numbers.setdefault(sentence, len(numbers)))
            words += len(sentence.split())
            if words >= _PASSAGE_WORDS:
                passages.append(tuple(passage))
                passage, words = [], 0
        if len(numbers) >= most:
            break
    return list(numbers), tuple(passages)


def _usable(text: str) -> Iterator[str]:
    """The sentences of running prose, each on one line."""
    for start, end in sentences(text):
        sentence = " ".join(text[start:end].split())
        prose = sum(character.isalpha() or character == " " for character in sentence)
        if len(sentence.split()) in _WORDS and prose > 0.8 * len(sentence):
            yield sentence


def _embedded(kept: Path, embedder: Embedder, found: list[str], asked: list[str]) -> tuple[FloatArray, FloatArray]:
    import numpy as np

    digest = hashlib.sha256("\n".join([*found, *asked]).encode()).hexdigest()
    if kept.exists():
        with np.load(kept) as stored:
            if str(stored["digest"]) == digest:
                return stored["vectors"], stored["query_vectors"]
    say(f"embedding {len(found)} sentences and {len(asked)} questions")
    vectors = embedder.embed_passages(found)
    query_vectors = np.stack([embedder.embed_query(question) for question in asked])
    kept.parent.mkdir(parents=True, exist_ok=True)
    np.savez(kept, digest=digest, vectors=vectors, query_vectors=query_vectors)
    return vectors, query_vectors
