from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from assistant.text.passage_text import MOST_BYTES, heading_path, passage_text


def test_the_path_runs_from_the_title_inwards_and_stands_on_a_line_of_its_own() -> None:
    assert passage_text("Guide", ("Set-up", "On a laptop"), "Run it.") == "Guide > Set-up > On a laptop\nRun it."
    assert passage_text("", (), "Run it.") == "Run it."


def test_a_heading_that_repeats_the_title_is_written_once() -> None:
    assert heading_path("Guide", ("GUIDE", "Set-up")) == "Guide > Set-up"


def test_what_is_too_long_loses_its_outermost_parts() -> None:
    long = "word " * 40
    assert heading_path(long, ("Middle", "Inner")) == f"{long.strip()} > Middle > Inner"
    assert heading_path(long, (long, "Inner")) == f"{long.strip()} > Inner"
    assert heading_path("Title", ("é" * 200,)) == "é" * (MOST_BYTES // 2)


@given(st.text(max_size=300), st.lists(st.text(max_size=300), max_size=4).map(tuple))
def test_the_path_is_one_line_of_bounded_length(title: str, section: tuple[str, ...]) -> None:
    path = heading_path(title, section)
    assert len(path.encode()) <= MOST_BYTES
    assert len(path.splitlines()) <= 1
    assert path == path.strip()
