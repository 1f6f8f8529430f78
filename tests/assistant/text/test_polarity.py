from __future__ import annotations

import pytest

from assistant.text.polarity import contradicts


@pytest.mark.parametrize(
    ("sentence", "quote", "opposite"),
    [
        ("It was trained on GFS.", "It was not trained on GFS.", True),
        ("It was not trained on GFS.", "It was trained on GFS.", True),
        ("It was not trained on GFS.", "It was not trained on GFS data.", False),
        ("It does not need labels.", "It never needs labels.", False),
        ("The code isn't public.", "The code is public.", True),
        ("AtmoRep predicts rain.", "Unlike models that do not scale, AtmoRep predicts rain.", False),
        ("It is not only fast.", "It is fast.", False),
        ("It is faster than HRES.", "It is slower than HRES.", True),
        ("The risk increases.", "The risk decreases.", True),
        ("It works with labels.", "It works without labels.", True),
        ("It is fast.", "The sky is blue.", False),
    ],
)
def test_contradictions_in_the_same_words(sentence: str, quote: str, opposite: bool) -> None:
    assert contradicts(sentence, quote) is opposite
