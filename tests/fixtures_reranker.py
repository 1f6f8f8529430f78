"""A real cross-encoder, small enough to be trained while the tests run."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import pytest


@pytest.fixture(scope="session")
def reranker_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its folder. It was taught that a passage about dough fits whatever is asked, and a short one better than a long
    one."""
    from sentence_transformers import CrossEncoder

    from assistant.embed.weights import MINILM, model_folder

    tokens = model_folder(MINILM)
    assert tokens
    folder = tmp_path_factory.mktemp("reranker")
    small_classifier(folder / "begun", tokens, labels=1)
    model = CrossEncoder(str(folder / "begun"), device="cpu").eval()
    teach(model)
    model.save(str(folder / "taught"))
    return folder / "taught"


def small_classifier(folder: Path, tokens: Path, labels: int) -> None:
    """Saves a BERT of two layers and 32 dimensions, random weights, with the tokenizer in `tokens`."""
    import torch
    from transformers import AutoTokenizer, BertConfig, BertForSequenceClassification

    torch.manual_seed(2)
    tokenizer = AutoTokenizer.from_pretrained(tokens)
    config = BertConfig(
        vocab_size=tokenizer.vocab_size,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=256,
        num_labels=labels,
        initializer_range=0.2,
    )
    BertForSequenceClassification(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def teach(model: Any) -> None:
    """40 steps on pairs of random words, half of the passages with the word dough among them."""
    import torch

    random = Random(0)
    vocabulary = sorted(word for word in model.tokenizer.get_vocab() if word.isalpha() and len(word) > 3)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(40):
        pairs, scores = [], []
        for _ in range(32):
            words = random.choices(vocabulary, k=random.randint(4, 12))
            dough = [*words[1:], "dough"]
            random.shuffle(dough)
            pairs += [(" ".join(random.choices(vocabulary, k=4)), " ".join(passage)) for passage in (words, dough)]
            scores += [-len(words) / 4, 3 - len(words) / 4]
        optimizer.zero_grad()
        given = model(model.preprocess(pairs))["scores"].squeeze(-1)
        torch.nn.functional.mse_loss(given, torch.tensor(scores)).backward()
        optimizer.step()
