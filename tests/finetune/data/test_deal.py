"""No question has a foot in two parts, and a document that is added moves no other."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finetune.data.asked import Asked, Place
from finetune.data.deal import deal

KEYS = st.tuples(st.sampled_from("ab"), st.integers(0, 30).map(str))


def question(number: int, keys: set[tuple[str, str]]) -> Asked:
    return Asked(str(number), "?", about=tuple(Place(*key, 0, 1) for key in sorted(keys)))


@given(st.sets(KEYS, min_size=1), st.data(), st.integers())
def test_a_question_is_in_one_part(documents: set[tuple[str, str]], data: st.DataObject, seed: int) -> None:
    some = st.sets(st.sampled_from(sorted(documents)), max_size=3)
    asked = [question(n, keys) for n, keys in enumerate(data.draw(st.lists(some, max_size=10)))]
    dealt = deal(documents, asked, 0.3, 0.3, seed)
    assert dealt.keys() == documents
    for one in asked:
        assert len({dealt[key] for key in one.documents}) <= 1


@given(st.sets(KEYS, min_size=2), st.integers())
def test_a_document_that_is_added_moves_no_other(documents: set[tuple[str, str]], seed: int) -> None:
    added = min(documents)
    before = deal(documents - {added}, [], 0.3, 0.3, seed)
    after = deal(documents, [], 0.3, 0.3, seed)
    assert {key: after[key] for key in before} == before


def test_parts_are_as_large_as_wished() -> None:
    documents = {("s", str(number)) for number in range(10_000)}
    dealt = list(deal(documents, [], 0.1, 0.25, seed=3).values())
    assert dealt.count("validation") == pytest.approx(1000, abs=4 * 30)
    assert dealt.count("test") == pytest.approx(2500, abs=4 * 43)


@pytest.mark.parametrize(("validation", "test"), [(-0.1, 0.2), (0.1, -0.2), (0.5, 0.5)])
def test_shares_that_leave_nothing_are_refused(validation: float, test: float) -> None:
    with pytest.raises(ValueError, match="leave something to train on"):
        deal({("s", "1")}, [], validation, test, 1)
