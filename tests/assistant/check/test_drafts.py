"""A draft is taken apart into sentences, each with the markers that belong to it."""

from __future__ import annotations

import pytest

from assistant.check.drafts import Claim, claims, is_refusal


@pytest.mark.parametrize(
    ("draft", "expected"),
    [
        ("Water is wet [1].", [Claim("Water is wet.", (1,))]),
        ("Water is wet. [1] Ice is cold. [2]", [Claim("Water is wet.", (1,)), Claim("Ice is cold.", (2,))]),
        ("Water is wet.[1][3] Ice is cold.", [Claim("Water is wet.", (1, 3)), Claim("Ice is cold.", ())]),
        ("Water is wet [1, 3] and ice is cold [5-7].", [Claim("Water is wet and ice is cold.", (1, 3, 5, 6, 7))]),
        ("Water is wet [Passage 2].", [Claim("Water is wet.", (2,))]),
        ("[1] Water is wet.\n[2] Ice is cold.", [Claim("Water is wet.", (1,)), Claim("Ice is cold.", (2,))]),
        ("1. Water is wet [1]\n2. Ice is cold [2]", [Claim("Water is wet", (1,)), Claim("Ice is cold", (2,))]),
        ("According to the provided documents, water is wet [1].", [Claim("Water is wet.", (1,))]),
        ("The passages [1] and [2] differ.", [Claim("The passages and differ.", (1, 2))]),
        ("Answer: **Water** is wet.", [Claim("Water is wet.", ())]),
        ("The array [0.1, 0.2] is short.", [Claim("The array [0.1, 0.2] is short.", ())]),
        ("[1]", []),
        ("", []),
    ],
)
def test_sentences_and_their_markers(draft: str, expected: list[Claim]) -> None:
    assert claims(draft) == expected


@pytest.mark.parametrize(
    ("sentence", "refuses"),
    [
        ("I cannot answer this from the library.", True),
        ("The passages do not explicitly mention the budget.", True),
        ("The context doesn't provide enough detail.", True),
        ("I don't know.", True),
        ("There is no information about Fermilab.", True),
        ("The detector cannot measure neutrinos.", False),
        ("Brain images are not public.", False),
    ],
)
def test_refusals(sentence: str, refuses: bool) -> None:
    assert is_refusal(sentence) is refuses
