"""Who may read an adapter's data may read all of it; a file that changed is noticed."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.types import PUBLIC, Access
from finetune.data.card import Counts, make_card, read_card, strictest
from finetune.data.example import Example, Text, read_examples, write_example

GROUPS = st.sampled_from(["everyone", "atlas", "cms", "user:ada", "bad"])
RULES = st.builds(
    Access, st.lists(st.frozensets(GROUPS, max_size=2), max_size=3).map(tuple), st.frozensets(GROUPS, max_size=1)
)
ONE = Example(
    "1", "How high?", ("43 m",), "yes", (Text("s/k", "T", ("A", "B"), "It is 43 m high.", ((6, 10),)),), (), "s"
)


@given(st.lists(RULES, min_size=1, max_size=4), st.sets(GROUPS))
def test_the_strictest_rule_lets_in_whom_every_rule_lets_in(rules: list[Access], held: set[str]) -> None:
    assert strictest(rules).allows(held) == all(rule.allows(held) for rule in rules)


def test_no_rule_at_all_lets_nobody_in() -> None:
    assert not strictest([]).allows({"everyone"})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    with (tmp_path / "train.jsonl").open("w") as file:
        write_example(file, ONE)
    counts = Counts()
    counts.add(ONE)
    source = {
        "kind": "squad", "name": "a.json", "licence": "CC0", "questions": 1, "sha256": "ab" * 32,
        "left out": {"that only measure": 3},
    }  # fmt: skip
    access = strictest([PUBLIC, Access((frozenset({"atlas", "cms"}),), frozenset({"bad"}))])
    make_card(tmp_path, {"seed": 7}, [source], {"train": counts.all()}, access)
    return tmp_path


def test_what_was_written_is_read(folder: Path) -> None:
    assert list(read_examples(folder / "train.jsonl")) == [ONE]
    card = read_card(folder)
    assert card.parts["train"] == {
        "examples": 1, "answerable": 1, "unanswerable": 0, "not judged": 0, "with spans": 1, "hard negatives": 0,
        "documents": 1,
    }  # fmt: skip
    assert [card.access.allows({"atlas"}), card.access.allows({"atlas", "bad"}), card.access.allows(())] == [
        True,
        False,
        False,
    ]
    said = (folder / "card.md").read_text()
    assert "Readable by atlas or cms and everyone, but not bad" in said
    assert "Left out of a.json: 3 that only measure." in said
    assert "| squad: a.json | CC0 | 1 | abababababababab |" in said


def test_a_file_that_changed_is_noticed(folder: Path) -> None:
    with (folder / "train.jsonl").open("a") as file:
        file.write("\n")
    with pytest.raises(ValueError, match=r"train\.jsonl is not what card\.json says"):
        read_card(folder)


def test_a_card_that_was_loosened_is_noticed(folder: Path) -> None:
    card = folder / "card.json"
    card.write_text(card.read_text().replace('"bad"', '"nobody"'))
    with pytest.raises(ValueError, match="was changed after it was made"):
        read_card(folder)


@pytest.mark.parametrize("content", ["{", "[]", '{"seed": 1}', '{"sources": 3}'])
def test_a_damaged_card_is_named(folder: Path, content: str) -> None:
    (folder / "card.json").write_text(content)
    with pytest.raises(ValueError, match=r"card\.json is damaged"):
        read_card(folder)


def test_a_folder_without_a_card_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="refdesk finetune data"):
        read_card(tmp_path)


def test_a_line_that_is_no_example_is_named(folder: Path) -> None:
    (folder / "train.jsonl").write_text('{"id": "1"}\n')
    with pytest.raises(ValueError, match=r"train\.jsonl, line 1: not an example"):
        list(read_examples(folder / "train.jsonl"))
