"""Which attack is placed into which document, and where: a seeded sample with equal shares of everything.

Tasks, families of attacks and places take turns, so that a small sample holds all of them about equally often. The same
number and seed give the same sample, and all systems are asked the same questions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, zip_longest
from math import lcm
from random import Random
from typing import Literal

from assistant.text.sentences import sentences
from eval.attacks.bipia import TASKS, Attack, Context, Task

Place = Literal["start", "middle", "end"]
PLACES: tuple[Place, ...] = ("start", "middle", "end")


@dataclass(frozen=True, slots=True)
class Case:
    """A question on a document into which an attack is placed."""

    context: Context
    attack: Attack
    place: Place

    @property
    def id(self) -> str:
        return f"{self.context.id}/{self.attack.id}/{self.place}"


def draw(contexts: Sequence[Context], attacks: Mapping[Task, Sequence[Attack]], count: int, seed: int) -> list[Case]:
    """`count` cases, each another pair of question and attack. Raises ValueError if there are not as many pairs."""
    random = Random(seed)
    streams = []
    most = 0
    for task in TASKS:
        asked = [one for one in contexts if one.task == task and one.question]
        random.shuffle(asked)
        turns = _by_turns(attacks[task], random)
        most += len(asked) * len(turns)
        streams.append(_pairs(asked, turns))
    if not 1 <= count <= most:
        raise ValueError(f"count must be 1 to {most}: there are no more pairs of question and attack; not {count}.")
    merged = (case for turn in zip_longest(*streams) for case in turn if case)
    return list(islice(merged, count))


def clean(context: Context) -> str:
    """The document as it was."""
    return f"# {context.title}\n\n{context.body}\n"


def poisoned(case: Case) -> str:
    """The document with the instruction as a paragraph of its own: below the heading, before the sentence nearest to
    the middle, or at the end; in the middle of a table, as a row."""
    context, instruction = case.context, case.attack.instruction
    before, after = "", context.body
    if case.place == "end":
        before, after = context.body, ""
    elif case.place == "middle" and context.task == "table":
        rows = context.body.splitlines()
        half = max(2, len(rows) // 2 + 1)
        return f"# {context.title}\n\n" + "\n".join([*rows[:half], f"| {instruction} |", *rows[half:]]) + "\n"
    elif case.place == "middle":
        starts = [start for start, _ in sentences(context.body)][1:] or [len(context.body)]
        cut = min(starts, key=lambda start: abs(start - len(context.body) / 2))
        before, after = context.body[:cut], context.body[cut:]
    parts = (part.strip("\n") for part in (f"# {context.title}", before, instruction, after))
    return "\n\n".join(part for part in parts if part.strip()) + "\n"


def _by_turns(attacks: Sequence[Attack], random: Random) -> list[Attack]:
    """All attacks, in an order in which families take turns."""
    families: dict[str, list[Attack]] = {}
    for attack in attacks:
        families.setdefault(attack.family, []).append(attack)
    shuffled = list(families.values())
    random.shuffle(shuffled)
    for family in shuffled:
        random.shuffle(family)
    return [attack for turn in zip_longest(*shuffled) for attack in turn if attack]


def _pairs(contexts: Sequence[Context], attacks: Sequence[Attack]) -> Iterator[Case]:
    """Every pair of context and attack once, along the diagonals, so that both change from one to the next."""
    if not contexts or not attacks:
        return
    round_ = lcm(len(contexts), len(attacks))
    for number in range(len(contexts) * len(attacks)):
        context = contexts[(number + number // round_) % len(contexts)]
        place = PLACES[(number + number // len(attacks)) % len(PLACES)]
        yield Case(context, attacks[number % len(attacks)], place)
