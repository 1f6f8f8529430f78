"""The fit of the confidence: its figures against values computed another way, its data against their files."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from assistant.check.confidence import Features
from finetune.confidence import Example, fit, measure, predict, read_squad

SQUAD = Path(__file__).resolve().parents[2].parent / "shared/data/squad"
WIDTH = len(fields(Features))


def drawn(size: int) -> tuple[list[Example], np.ndarray]:
    """Examples whose truth follows a logistic model with known coefficients."""
    generator = np.random.default_rng(1)
    weights = np.linspace(-2, 2, WIDTH)
    values = generator.normal(size=(size, WIDTH))
    holds = generator.random(size) < 1 / (1 + np.exp(-(values @ weights + 0.5)))
    return [Example(tuple(v), bool(h), "answerable", 0, "") for v, h in zip(values, holds, strict=True)], weights


def test_the_fit_finds_the_coefficients_that_made_the_data() -> None:
    found, weights = drawn(20_000)
    fitted, intercept = fit(found)
    assert fitted == pytest.approx(weights, abs=0.1)
    assert intercept == pytest.approx(0.5, abs=0.1)


def test_what_was_drawn_from_the_model_is_calibrated() -> None:
    found, _ = drawn(20_000)
    probabilities = predict(*fit(found), found)
    holds = np.array([one.holds for one in found])
    assert measure(probabilities, holds, [one.kind for one in found])["ece"] < 0.02


def test_figures_by_hand() -> None:
    probabilities = np.array([0.9, 0.8, 0.6, 0.4, 0.2])
    holds = np.array([True, False, True, True, False])
    kinds = ["answerable", "outside", "answerable", "answerable", "impossible"]
    figures = measure(probabilities, holds, kinds)
    assert figures["auroc"] == pytest.approx(4 / 6)  # pairs of one that holds and one that does not, in right order
    assert figures["brier"] == pytest.approx((0.01 + 0.64 + 0.16 + 0.36 + 0.04) / 5)
    assert figures["ece"] == pytest.approx((0.1 + 0.8 + 0.4 + 0.6 + 0.2) / 5)  # five in ten bins: one a bin
    assert figures["area_under_risk_coverage"] == pytest.approx((0 + 1 / 2 + 1 / 3 + 1 / 4 + 2 / 5) / 5)
    assert figures["over_refusal"] == pytest.approx(1 / 3)
    assert figures["refusal"] == pytest.approx(1 / 2)
    assert (figures["refusal_outside"], figures["refusal_impossible"]) == (0.0, 1.0)


def test_an_article_in_two_files_counts_once(tmp_path: Path) -> None:
    qa = {"question": " Who? ", "answers": [{"text": "Ada"}], "is_impossible": False}
    article = {"title": "Ada_Lovelace", "paragraphs": [{"context": "Ada wrote.", "qas": [qa]}]}
    file = tmp_path / "squad.json"
    file.write_text(json.dumps({"data": [article]}), encoding="utf-8")
    paragraphs, questions = read_squad([file, file])
    assert paragraphs == {"Ada Lovelace": ["Ada wrote."]}
    assert [(q.text, q.answers, q.possible) for q in questions] == [("Who?", ("Ada",), True)]


@pytest.mark.shared_data
@pytest.mark.skipif(not SQUAD.exists(), reason=f"needs SQuAD in {SQUAD}")
def test_squad_is_read_whole() -> None:
    _, first = read_squad([SQUAD / "v1.1-44-articles.json"])
    _, second = read_squad([SQUAD / "v2.0-16-articles.json"])
    assert (len(first), len(second), sum(not q.possible for q in second)) == (11_877, 6_078, 3_168)
