"""JSON Lines are read line by line, and what is wrong is named with its line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.json_lines import objects

TEXTS = st.text(st.characters(codec="utf-8"))


@given(st.lists(st.dictionaries(TEXTS, TEXTS)), st.sampled_from(["\n", "\r\n", "\n\n"]))
def test_any_text_comes_through(tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, str]], end: str) -> None:
    file = tmp_path_factory.mktemp("lines") / "rows.jsonl"
    file.write_bytes("".join(json.dumps(row, ensure_ascii=False) + end for row in rows).encode())
    step = end.count("\n")
    assert list(objects(file)) == [(f"{file}, line {1 + step * n}", row) for n, row in enumerate(rows)]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{}\n{"a": ', r"rows\.jsonl, line 2: not JSON"),
        (b"{}\n\n[1]\n", r"rows\.jsonl, line 3: expected an object, found '\[1\]'"),
        (b"[" * 100_000, r"rows\.jsonl, line 1: JSON that is nested too deeply"),
        (b'{"a": "\xff"}', r"rows\.jsonl is not UTF-8"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, content: bytes, message: str) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_bytes(content)
    with pytest.raises(ValueError, match=message):
        list(objects(file))
