"""A small MMLU, written for this project, in the published layout."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import pytest

_PHYSICS = [
    ("What is the unit of electric charge?", "volt", "coulomb", "tesla", "henry", "B"),
    ("Light in glass, compared with light in vacuum, is", "slower", "faster", "as fast", "None", "A"),
    (
        "A body in free fall near the ground gains about",
        "1 m/s each second",
        "5 m/s",
        "50 m/s",
        "10 m/s each second",
        "D",
    ),
    ("Which particle has no electric charge?", "proton", "electron", "neutron", "muon", "C"),
    ("Sound cannot travel through", "air", "a vacuum", "water", "steel", "B"),
    (
        ' Twice the speed means a kinetic energy that is, "all else equal",',
        "half",
        "the same",
        "twice",
        "four times",
        "D",
    ),
    ("A calorimeter measures", "energy", "charge, only", "spin", "colour", "A"),
    ("Read this:\n\nA coil turns in a magnetic field.\nWhat appears in it?", "heat", "a voltage", "light", "mass", "B"),
]
_ASTRONOMY = [
    ("Which planet is nearest to the Sun?", "Venus", "Earth", "Mercury", "Mars", "C"),
    ("A light year measures", "time", "distance", "speed", "brightness", "B"),
    ("The Moon goes round the Earth in about", "a day", "a week", "27 days", "a year", "C"),
    ("The Sun is", "a star", "a planet", "a comet", "a galaxy", "A"),
    ("Seasons come from", "the Moon", "sunspots", "the distance to the Sun", "the tilt of the Earth's axis", "D"),
    ("Galaxies far away are seen to", "approach", "recede", "stand still", "vanish", "B"),
    ("The largest planet is", "Saturn", "Neptune", "Earth", "Jupiter", "D"),
]
SETS = {"conceptual_physics": _PHYSICS, "astronomy": _ASTRONOMY}


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """Threads that wait for each other are slow where other programs run."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def mmlu(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`dev/` with five examples of two subjects, and `val/` with the rest: three questions and two."""
    folder = tmp_path_factory.mktemp("mmlu")
    for split, rows in (("dev", slice(0, 5)), ("val", slice(5, None))):
        (folder / split).mkdir()
        for subject, questions in SETS.items():
            with (folder / split / f"{subject}_{split}.csv").open("w", newline="", encoding="utf-8") as file:
                csv.writer(file).writerows(questions[rows])
    return folder
