"""Small libraries made without parsing: every paragraph of a document is a chunk."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from assistant.types import PUBLIC, Access, Chunk, ChunkKind, Document, Section

if TYPE_CHECKING:
    from assistant.answering import Assistant
    from assistant.embed import Embedder

TEXTS = {
    "calorimeter": "The tile calorimeter weighs 2900 tonnes.\n\nIts light is read out by 9852 photomultipliers.",
    "magnets": "The solenoid gives a field of 2 tesla.\n\nEach toroid coil is cooled with liquid helium at 4.5 kelvin.",
    "weather": "A forecast model learns from forty years of reanalysis.\n\nRain over mountains stays hard to predict.",
    "rivers": "The gauge at the mill measures the discharge of the river.\n\nA flood warning goes at 300 cubic metres.",
    "library": "Books are lent for four weeks.\n\nThe reading room closes at eight in the evening.",
    "kitchen": "Bread needs flour, water, salt and yeast.\n\nThe dough rests for an hour before it is baked.",
    "orchard": "Apples ripen in September and pears in October.\n\nThe old trees are pruned in winter.",
    "trains": "The night train to Vienna leaves at ten.\n\nSeats must be reserved two days before.",
    "stars": "A supernova shines for some weeks.\n\nNeutron stars are denser than any nucleus.",
    "ledger": "The budget for graphics cards is 120 thousand francs.\n\nTravel is paid from another account.",
    "choir": "The choir rehearses on Thursdays.\n\nThe concert in December is sold out.",
    "references": "The discussion of floods is in the next part.\n\nBrown, A. Floods of the river. Journal 3, 2019.",
}


def _document(
    key: str,
    text: str,
    *,
    source: str = "wiki",
    title: str = "",
    kind: str = "markdown",
    access: Access = PUBLIC,
    revision: str = "1",
) -> Document:
    section = Section(0, len(text), (title,) if title else ())
    return Document(source, key, revision, title, f"https://wiki.example/{key}", kind, text, (section,), (), access)


def _chunks(document: Document) -> list[Chunk]:
    section = document.sections[0].path
    found = []
    for number, match in enumerate(re.finditer(r"\S(?:[^\n]|\n(?!\n))*", document.text), start=1):
        page = number if document.kind == "pdf" else None
        kind: ChunkKind = "bibliography" if "Journal" in match[0] else "text"
        found.append(Chunk(match.start(), match.end(), match[0], section, page, kind))
    return found


@pytest.fixture(scope="session")
def make() -> Callable[..., Document]:
    """Makes a document: make(key, text, source=, title=, kind=, access=, revision=)."""
    return _document


@pytest.fixture(scope="session")
def chunks() -> Callable[[Document], list[Chunk]]:
    """Cuts a document at its blank lines."""
    return _chunks


@pytest.fixture(scope="session")
def documents() -> list[Document]:
    """Twelve public documents of two chunks each, from two sources and of two kinds."""
    return [
        _document(
            key,
            text,
            source="papers" if number % 3 == 0 else "wiki",
            title=key.title(),
            kind="pdf" if number % 4 == 0 else "markdown",
        )
        for number, (key, text) in enumerate(TEXTS.items())
    ]


@pytest.fixture(scope="session")
def publish(embedder: Embedder) -> Callable[..., int]:
    """Puts documents into the library in a folder in one run, removes others, and returns the generation."""
    from assistant.library import Library

    def run(folder: Path, new: Sequence[Document] = (), gone: Sequence[tuple[str, str]] = ()) -> int:
        with Library.open_or_create(folder, embedder).writer(embedder) as writer:
            for source, key in gone:
                writer.remove(source, key)
            for one in new:
                writer.put(one, _chunks(one))
            return writer.publish()

    return run


@pytest.fixture(scope="session")
def desk(
    tmp_path_factory: pytest.TempPathFactory,
    embedder: Embedder,
    publish: Callable[..., int],
    documents: list[Document],
) -> Assistant:
    """An assistant on those documents."""
    from assistant.answering import Assistant
    from assistant.library import Library
    from assistant.settings import Settings

    folder = tmp_path_factory.mktemp("desk") / "library"
    publish(folder, documents)
    return Assistant(Library.open(folder), embedder, Settings())


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a second sentence-transformers model: two layers, 32 dimensions, random weights."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
    from transformers import AutoTokenizer, BertConfig, BertModel

    torch.manual_seed(1)
    letters = [chr(n) for n in range(33, 127)]
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *(f"##{letter}" for letter in letters)]
    folder = tmp_path_factory.mktemp("tiny")
    (folder / "bert").mkdir()
    (folder / "bert/vocab.txt").write_text("\n".join(words))
    config = BertConfig(
        vocab_size=len(words),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=64,
    )
    BertModel(config).save_pretrained(folder / "bert")
    AutoTokenizer.from_pretrained(folder / "bert", model_max_length=64).save_pretrained(folder / "bert")
    reads = Transformer(str(folder / "bert"), max_seq_length=64)
    SentenceTransformer(modules=[reads, Pooling(32, pooling_mode="mean")]).save(str(folder / "model"))
    return folder / "model"
