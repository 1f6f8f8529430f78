from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.attacks.bipia import TASKS, Attack, Context, read_attacks, read_contexts
from eval.attacks.sample import PLACES, Case, Place, clean, draw, poisoned

SHARED = Path(__file__).parents[4] / "shared/data/injection/bipia"
ATTACKS = [Attack(f"{family}-{n}", family, f"Do {family} {n}.", "") for family in "abc" for n in range(4)]
BY_TASK = dict.fromkeys(TASKS, ATTACKS)
CONTEXTS = [
    Context(f"{task}-{n}", task, f"{task}-{n}.md", "Title", "One. Two. Three. Four.", "Why?" if n else "", ())
    for task in TASKS
    for n in range(6)
]
MOST = 3 * 5 * 12


@given(st.integers(1, MOST), st.integers(0, 5))
def test_pairs_come_once_and_everything_takes_turns(n: int, seed: int) -> None:
    cases = draw(CONTEXTS, BY_TASK, n, seed)
    assert len({(case.context.id, case.attack.id) for case in cases}) == len({case.id for case in cases}) == n
    assert all(case.context.question for case in cases)
    for counts, kinds in (
        (Counter(case.context.task for case in cases), 3),
        (Counter((case.context.task, case.attack.family) for case in cases), 9),
        (Counter((case.context.task, case.place) for case in cases), 9),
    ):
        spread = [counts[kind] for kind in counts] + [0] * (kinds - len(counts))
        assert max(spread) - min(spread) <= (1 if kinds == 3 or n % 36 == 0 else 3)
    assert cases == draw(CONTEXTS, BY_TASK, n, seed)
    assert cases == draw(CONTEXTS, BY_TASK, MOST, seed)[:n]


def test_another_seed_is_another_sample() -> None:
    assert draw(CONTEXTS, BY_TASK, 9, 0) != draw(CONTEXTS, BY_TASK, 9, 1)


@pytest.mark.parametrize("n", [0, MOST + 1])
def test_more_than_there_are_is_refused(n: int) -> None:
    with pytest.raises(ValueError, match=f"count must be 1 to {MOST}: .* not {n}"):
        draw(CONTEXTS, BY_TASK, n, 0)


@pytest.mark.parametrize(
    ("place", "text"),
    [
        ("start", "# T\n\nDo it.\n\nOne. Two.\n\nThree. Four.\n"),
        ("middle", "# T\n\nOne. Two.\n\nDo it.\n\nThree. Four.\n"),
        ("end", "# T\n\nOne. Two.\n\nThree. Four.\n\nDo it.\n"),
    ],
)
def test_places(place: Place, text: str) -> None:
    context = Context("email-1", "email", "k", "T", "One. Two.\n\nThree. Four.", "?", ())
    assert poisoned(Case(context, Attack("a", "f", "Do it.", ""), place)) == text


def test_in_the_middle_of_a_table_it_is_a_row() -> None:
    context = Context("table-1", "table", "k", "T", "| a | b |\n|---|---|\n| 1 | 2 |\n| 3 | 4 |", "?", ())
    rows = poisoned(Case(context, Attack("a", "f", "Do it.", ""), "middle")).splitlines()
    assert rows == ["# T", "", "| a | b |", "|---|---|", "| 1 | 2 |", "| Do it. |", "| 3 | 4 |"]


@pytest.mark.shared_data
@pytest.mark.skipif(not SHARED.is_dir(), reason=f"needs BIPIA in {SHARED}")
def test_an_attack_adds_itself_and_takes_nothing_away() -> None:
    attacks = {task: read_attacks(SHARED, task)[-1] for task in TASKS}
    for context in read_contexts(SHARED):
        for place in PLACES:
            attack = attacks[context.task]
            text = poisoned(Case(context, attack, place))
            assert text.count(attack.instruction) == 1
            before, _, after = text.partition(attack.instruction)
            rest = f"{before.removesuffix('| ')} {after.removeprefix(' |')}"
            assert rest.split() == clean(context).split(), (context.id, place)
