"""A small BEIR folder."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

CORPUS = {
    "d1": ("Tides", "The moon raises two tides a day in the ocean. " * 50 + "Spring tides come at full moon."),
    "d2": ("Volcanoes", "Molten rock rises from the mantle and erupts as lava."),
    "d3": ("Bread", "Yeast makes dough rise because it gives off carbon dioxide."),
    "d4": ("Bees", "Honey bees dance to tell where flowers are."),
    "d5": ("Glaciers", "Ice flows slowly downhill under its own weight."),
    "d6": ("A title without a text", ""),
}
QUERIES = {
    "q1": "why does dough rise",
    "q2": "what causes tides in the sea",
    "q3": "lava and melted rock",
    "q4": "bees",
}


@pytest.fixture
def beir(tmp_path: Path) -> Path:
    """Six documents, four queries, three of which have a relevant document."""
    folder = tmp_path / "small"
    (folder / "qrels").mkdir(parents=True)
    rows = [{"_id": key, "title": title, "text": text} for key, (title, text) in CORPUS.items()]
    (folder / "corpus.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "queries.jsonl").write_text(
        "".join(json.dumps({"_id": key, "text": text}) + "\n" for key, text in QUERIES.items())
    )
    judged = "q1\td3\t1\nq2\td1\t2\nq2\td5\t1\nq3\td2\t1\nq4\td4\t0\n"
    (folder / "qrels/test.tsv").write_text("query-id\tcorpus-id\tscore\n" + judged)
    return folder
