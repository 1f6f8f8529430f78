from __future__ import annotations

import pytest

from eval.harness.letters import letter


@pytest.mark.parametrize(
    ("reply", "index"),
    [
        *[("B", 1), (" B\n", 1), ("B.", 1), ("(B)", 1), ("(B).", 1), ("D", 3), ("Answer: C", 2), ("Answer: (A)", 0)],
        *[("Answer: B. As it is charge", 1), ("Answer:B", 1), ("Answer: A\nbecause", 0)],
    ],
)
def test_a_letter(reply: str, index: int) -> None:
    assert letter(reply, 4) == index


@pytest.mark.parametrize(
    "reply",
    [
        *["", "b", "E", "AB", "B because", "B) coulomb", "(B", "The answer is B", "Answer: A good one", "A coil"],
        *["Answer: Because", "answer: B", "Answer: E", "B or C", "Answer: BC", "Answer: "],
    ],
)
def test_no_letter(reply: str) -> None:
    assert letter(reply, 4) is None


def test_as_many_letters_as_choices() -> None:
    assert letter("J", 10) == 9
    assert letter("J", 9) is None
    assert letter("C", 2) is None
