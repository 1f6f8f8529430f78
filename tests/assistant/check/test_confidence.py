"""How sure the extractive answer is, with the coefficients as they were fitted."""

from __future__ import annotations

import json
import math
from dataclasses import asdict

import pytest

from assistant.check.confidence import FILE, Features, confidence, features
from assistant.check.extract import rank
from assistant.embed import Embedder
from assistant.types import Passage

TEXT = (
    "CERN has many data bases:\n\n- CERN wiki (Confluence): > 1M wiki pages.\n"
    "- CERN Document Server (CDS): > 500k documents.\n- CERN home: > 10k webpages.\n"
)
OTHER = "AtmoRep is a model of the atmosphere with 3.5 billion parameters. It was trained on ERA5 in 2023."


def passage(rank: int, text: str, title: str) -> Passage:
    return Passage(rank, 1.0, "fused", rank, title, "s", f"{rank}", "r", "", "md", None, (), 0, len(text), text)


SHOWN = [passage(1, TEXT, "AccGPT"), passage(2, OTHER, "Weather models")]


def sure(embedder: Embedder, question: str) -> float:
    return confidence(question, SHOWN, rank(question, SHOWN, embedder.embed_passages))


@pytest.mark.parametrize(
    ("held", "near_miss"),
    [
        ("How many wiki pages does CERN's Confluence hold?", "How many wiki pages does Fermilab's Confluence hold?"),
        ("How many documents are in the CERN Document Server?", "How many documents are in the DESY Document Server?"),
        ("How many parameters does AtmoRep have?", "How many parameters does GraphCast have?"),
        ("When was AtmoRep trained on ERA5?", "When was Aurora trained on ERA5?"),
    ],
)
def test_a_near_miss_is_refused_where_the_question_is_answered(embedder: Embedder, held: str, near_miss: str) -> None:
    assert sure(embedder, held) > 0.5 > sure(embedder, near_miss)


@pytest.mark.parametrize(
    "question", ["What is the capital of Australia?", "How do I renew a passport?", "Who won the world cup in 1998?"]
)
def test_other_subjects_are_refused(embedder: Embedder, question: str) -> None:
    assert sure(embedder, question) < 0.1


def test_features_by_hand(embedder: Embedder) -> None:
    question = "How many wiki pages did Fermilab's Confluence hold in 2019?"
    weights = {"wiki": 2.0, "page": 1.0, "fermilab": 4.0, "confluenc": 3.0, "hold": 1.0}
    ranked = rank(question, SHOWN, embedder.embed_passages, weights.__getitem__)
    found = features(question, SHOWN, ranked)
    expected = {
        "cosine": ranked[0].cosine,
        "coverage": (2 + 1 + 3) / 11,
        "names_missing": 1 / 2,
        "names_nowhere": 1.0,
        "numbers_missing": 1.0,
    }
    assert asdict(found) == pytest.approx(expected)


def test_the_probability_is_the_logistic_function_of_the_features(embedder: Embedder) -> None:
    fitted = json.loads(FILE.read_text(encoding="utf-8"))
    question = "How many parameters does AtmoRep have?"
    ranked = rank(question, SHOWN, embedder.embed_passages)
    values = asdict(features(question, SHOWN, ranked))
    logit = fitted["intercept"] + sum(fitted["coefficients"][name] * value for name, value in values.items())
    assert confidence(question, SHOWN, ranked) == pytest.approx(1 / (1 + math.exp(-logit)))


def test_the_file_says_where_its_coefficients_come_from() -> None:
    fitted = json.loads(FILE.read_text(encoding="utf-8"))
    assert list(fitted["coefficients"]) == list(Features.__dataclass_fields__)
    assert {"data", "questions", "embedder", "seed", "held_out"} <= set(fitted["provenance"])
    for name, (value, low, high) in fitted["provenance"]["held_out"].items():
        assert 0 <= low <= value <= high <= 1, name


def test_without_evidence_nothing_is_sure() -> None:
    assert confidence("Why?", [], []) == 0.0
