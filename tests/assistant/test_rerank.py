"""Reranking with a real cross-encoder, compared with transformers called by hand."""

from __future__ import annotations

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from assistant.answering import Assistant
from assistant.embed.weights import MINILM, model_folder
from assistant.errors import ModelNotFound, SettingsError
from assistant.library.view import Filter
from assistant.rerank import Reranker, open_reranker
from assistant.search import search
from assistant.settings import SearchSettings, Settings
from assistant.types import Passage

QUESTION = "How heavy is the calorimeter?"


@pytest.fixture(scope="module")
def reranker(reranker_folder: Path) -> Reranker:
    opened = open_reranker(SearchSettings(reranker=str(reranker_folder)))
    assert opened
    return opened


@pytest.fixture(scope="module")
def logits(reranker_folder: Path) -> Any:
    """A pair's logit by transformers alone."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    model = AutoModelForSequenceClassification.from_pretrained(reranker_folder).eval()
    tokenizer = AutoTokenizer.from_pretrained(reranker_folder)

    def by_hand(question: str, passage: Passage) -> float:
        assert passage.section in ((), (passage.title,))  # which is read once
        text = f"{passage.title}\n{passage.text}" if passage.title else passage.text
        with torch.no_grad():
            read = tokenizer(question, text, return_tensors="pt", truncation=True, max_length=256)
            return float(model(**read).logits[0, 0])

    return by_hand


def find(desk: Assistant, reranker: Reranker, k: int, rerank: int = 30, **more: Any) -> list[Passage]:
    with desk._library.view() as view:
        settings = SearchSettings(rerank=rerank)
        return search(view, desk._embedder, QUESTION, settings, k=k, reranker=reranker, **more)


def test_scores_are_the_logits_of_question_and_passage(desk: Assistant, reranker: Reranker, logits: Any) -> None:
    passages = [*desk.search(QUESTION, 24), replace(desk.search(QUESTION, 1)[0], text="dough " * 600)]
    expected = [logits(QUESTION, passage) for passage in passages]
    assert reranker.scores(QUESTION, passages) == pytest.approx(expected, abs=1e-5)
    assert max(expected) - min(expected) > 1  # it was taught something
    assert reranker.scores(QUESTION, []).shape == (0,)


@pytest.mark.parametrize("first", [1, 5, 24, 30])
def test_the_first_fused_passages_come_in_the_order_of_the_reranker(
    desk: Assistant, reranker: Reranker, logits: Any, first: int
) -> None:
    fused = desk.search(QUESTION, 24)
    by_hand = sorted(fused[:first], key=lambda passage: -logits(QUESTION, passage)) + fused[first:]
    found = find(desk, reranker, 24, first)
    assert [p.chunk_id for p in found] == [p.chunk_id for p in by_hand]
    assert [p.score for p in found[:first]] == pytest.approx([logits(QUESTION, p) for p in by_hand[:first]], abs=1e-5)
    assert [p.score for p in found] == sorted((p.score for p in found), reverse=True)
    assert [p.rank for p in found] == list(range(1, 25))
    assert {p.stage for p in found} == {"reranked"}
    assert find(desk, reranker, 3, first) == found[:3]


def test_the_passage_that_it_was_taught_to_prefer_comes_first(desk: Assistant, reranker: Reranker) -> None:
    assert find(desk, reranker, 1)[0].text == "The dough rests for an hour before it is baked."
    assert "dough" not in desk.search(QUESTION, 1)[0].text
    assert find(desk, reranker, 5, wanted=Filter(sources=["nowhere"])) == []


def test_an_assistant_reranks_where_the_settings_say_so(
    desk: Assistant, reranker: Reranker, reranker_folder: Path
) -> None:
    settings = Settings(search=SearchSettings(reranker=str(reranker_folder)))
    reranking = Assistant(desk._library, desk._embedder, settings)
    assert reranking.search(QUESTION, 24) == find(desk, reranker, 24)
    assert reranking.as_user({"atlas"}).search(QUESTION, 5) == find(desk, reranker, 5)
    answer = reranking.ask("How long does the dough rest?", mode="extract")
    assert "dough rests for an hour" in answer.text
    assert answer.passages[0].stage == "reranked"
    assert answer.models["reranker"] == f"{reranker_folder} ({reranker.fingerprint})"
    assert reranking.models == answer.models
    assert "reranker" not in desk.ask(QUESTION, mode="extract").models


def test_several_threads_get_the_same_scores(desk: Assistant, reranker: Reranker) -> None:
    passages = desk.search(QUESTION, 24)
    parts = [passages[: 1 + n % 24] for n in range(48)]
    expected = [reranker.scores(QUESTION, part).tolist() for part in parts]
    with ThreadPoolExecutor(6) as pool:
        assert [s.tolist() for s in pool.map(lambda part: reranker.scores(QUESTION, part), parts)] == expected


def test_what_has_no_score_is_refused(tmp_path: Path, reranker_folder: Path) -> None:
    two = tmp_path / "two labels"
    sys.modules["fixtures_reranker"].small_classifier(two, reranker_folder, labels=2)
    with pytest.raises(SettingsError, match=r"search\.reranker names .*two labels, a classifier with 2 labels"):
        open_reranker(SearchSettings(reranker=str(two)))
    embedder = model_folder(MINILM)
    with pytest.raises(ModelNotFound, match=r"holds no cross-encoder: .* is BertModel, .* cannot rerank"):
        open_reranker(SearchSettings(reranker=MINILM))
    with pytest.raises(ModelNotFound, match=r"holds no cross-encoder: .* is not given"):
        open_reranker(SearchSettings(reranker=str(tmp_path)))
    assert embedder
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(ModelNotFound, match=r"config\.json, .*search\.reranker, is not JSON"):
        open_reranker(SearchSettings(reranker=str(tmp_path)))
    (tmp_path / "config.json").write_text(json.dumps({"architectures": ["BertForSequenceClassification"]}))
    with pytest.raises(ModelNotFound, match="cannot be loaded"):
        open_reranker(SearchSettings(reranker=str(tmp_path)))
    with pytest.raises(ModelNotFound, match=r"`search\.reranker`"):
        open_reranker(SearchSettings(reranker="nobody/no-such-model"))
    assert open_reranker(SearchSettings()) is None
