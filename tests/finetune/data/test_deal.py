"""No question has a foot in two parts, the same text is in one part, and what is added moves nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finetune.data.deal import PARTS, Deal, text_name

NAMES = st.integers(0, 30).map(str)
JOINED = st.lists(st.sets(NAMES, min_size=1, max_size=3), max_size=12)


@given(JOINED, st.integers())
def test_what_is_joined_is_in_one_part(joined: list[set[str]], seed: int) -> None:
    deal = Deal(joined, 0.3, 0.3, seed)
    for names in joined:
        assert len({deal.part(name) for name in names}) == 1


@given(JOINED, st.randoms(use_true_random=False), st.integers())
def test_the_order_makes_no_difference(joined: list[set[str]], random: object, seed: int) -> None:
    other = list(joined)
    random.shuffle(other)  # type: ignore[attr-defined]
    names = sorted({name for names in joined for name in names} | {"alone"})
    one, two = Deal(joined, 0.3, 0.3, seed), Deal(other, 0.3, 0.3, seed)
    assert [one.part(name) for name in names] == [two.part(name) for name in names]


@given(JOINED, st.integers())
def test_what_is_added_moves_nothing_else(joined: list[set[str]], seed: int) -> None:
    before, after = Deal(joined, 0.3, 0.3, seed), Deal([{"x", "y"}, *joined], 0.3, 0.3, seed)
    for name in map(str, range(31)):
        assert after.part(name) == before.part(name)


def test_parts_are_as_large_as_wished() -> None:
    deal = Deal([], 0.1, 0.25, seed=3)
    dealt = [deal.part(str(number)) for number in range(10_000)]
    assert set(dealt) == set(PARTS)
    assert dealt.count("validation") == pytest.approx(1000, abs=4 * 30)
    assert dealt.count("test") == pytest.approx(2500, abs=4 * 43)


@pytest.mark.parametrize(("validation", "test"), [(-0.1, 0.2), (0.1, -0.2), (0.5, 0.5)])
def test_shares_that_leave_nothing_are_refused(validation: float, test: float) -> None:
    with pytest.raises(ValueError, match="leave something to train on"):
        Deal([], validation, test, 1)


def test_a_text_has_one_name_however_it_is_set() -> None:
    assert text_name("Gulls\n breed  here.") == text_name("gulls breed here.") != text_name("Gulls breed there.")
