"""When the changes since a cursor are enough."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from ingest.sync.state import SourceState

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def test_it_survives_being_written() -> None:
    state = SourceState().after("c1", "options", NOW, listed=True)
    assert SourceState.parse(state.written()) == state
    assert SourceState.parse("") == SourceState()


@pytest.mark.parametrize(
    ("hours", "options", "full_hours", "cursor"),
    [
        (1, "options", 24, "c1"),
        (23.9, "options", 24, "c1"),
        (24, "options", 24, ""),
        (1, "others", 24, ""),
        (0, "options", 0, ""),
        (1000, "options", float("inf"), "c1"),
    ],
)
def test_everything_is_listed_when_it_is_time(hours: float, options: str, full_hours: float, cursor: str) -> None:
    state = SourceState().after("c1", "options", NOW, listed=True)
    assert state.since(options, full_hours, NOW + timedelta(hours=hours)) == cursor


def test_changes_do_not_count_as_a_listing() -> None:
    state = SourceState().after("c1", "o", NOW, listed=True)
    later = state.after("c2", "o", NOW + timedelta(hours=20), listed=False)
    assert (later.cursor, later.listed, later.read) == ("c2", state.listed, "2026-11-21T08:00:00+00:00")
    assert later.since("o", 24, NOW + timedelta(hours=25)) == ""


def test_without_a_cursor_everything_is_listed() -> None:
    assert SourceState().since("o", 24, NOW) == ""
    assert SourceState().after("", "o", NOW, listed=True).since("o", 24, NOW) == ""
