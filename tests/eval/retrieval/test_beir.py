from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from assistant.settings import Settings
from eval.retrieval.collection import indexed
from ingest.beir import read_documents, read_judgements, read_queries

if TYPE_CHECKING:
    pass


def silent(done: int, total: int, what: str) -> None:
    pass


def test_files_are_read(beir: Path) -> None:
    documents = {one.key: one for one in read_documents(beir)}
    assert list(documents) == ["d1", "d2", "d3", "d4", "d5", "d6"]
    assert (documents["d4"].title, documents["d4"].text) == ("Bees", "Honey bees dance to tell where flowers are.")
    assert documents["d6"].text == "A title without a text"  # which stands in for it
    assert read_queries(beir)["q3"] == "lava and melted rock"
    assert [(j.query, j.document, j.relevance) for j in read_judgements(beir, "test")][1:3] == [
        ("q2", "d1", 2),
        ("q2", "d5", 1),
    ]


@pytest.mark.usefixtures("embedder")
def test_an_index_made_again_follows_the_corpus(beir: Path, tmp_path: Path) -> None:
    library = tmp_path / "library"
    with indexed(beir, library, Settings(), silent) as first:
        assert [one.key for one in first.documents] == ["d1", "d2", "d3", "d4", "d5", "d6"]
        assert first.documents[0].chunks > 1
        assert {one.source for one in first.documents} == {"small"}
        second = first.texts()[1]
        assert (second.place, second.text[:40]) == (("small", "d2"), "Volcanoes\n\nMolten rock rises from the ma")
    with indexed(beir, library, Settings(), silent) as again:
        assert (again.documents, again.library) == (first.documents, first.library)
    lines = (beir / "corpus.jsonl").read_text().splitlines(keepends=True)
    (beir / "corpus.jsonl").write_text("".join(lines[:3]))
    with indexed(beir, library, Settings(), silent) as less:
        assert [one.key for one in less.documents] == ["d1", "d2", "d3"]
        assert less.library["content"] != first.library["content"]


@pytest.mark.usefixtures("embedder")
def test_two_corpora_in_one_library_stay_apart(beir: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "corpus.jsonl").write_text(json.dumps({"_id": "d1", "title": "Bees again", "text": "bees"}) + "\n")
    for folder in (beir, other):
        with indexed(folder, tmp_path / "library", Settings(), silent) as found:
            pass
    with indexed(other, tmp_path / "library", Settings(), silent) as found:
        assert [one.title for one in found.documents] == ["Bees again"]
        assert found.library["documents"] == 7
        hits = found.view.search_lexical("bees", 10, found.wanted)
        assert [passage.title for passage in found.view.passages(hits, "lexical")] == ["Bees again"]


@pytest.mark.parametrize(
    ("file", "line", "message"),
    [
        ("corpus.jsonl", '{"_id": 7, "text": "x"}', r"corpus.jsonl, line 7: '_id' must be a text, found 7"),
        ("corpus.jsonl", '{"_id": "7", ', r"corpus.jsonl, line 7: not JSON"),
        ("queries.jsonl", "[]", r"queries.jsonl, line 5: expected an object"),
        ("qrels/test.tsv", "q1 d1 1", r"test.tsv, line 7: expected query-id, corpus-id and score, found 'q1 d1 1'"),
    ],
)
def test_a_malformed_line_is_named(beir: Path, file: str, line: str, message: str) -> None:
    with (beir / file).open("a") as opened:
        opened.write(line + "\n")
    with pytest.raises(ValueError, match=message):
        list(read_documents(beir)), read_queries(beir), read_judgements(beir, "test")


def test_what_is_not_there_is_named_with_what_is(beir: Path) -> None:
    with pytest.raises(ValueError, match=r"no split 'dev' .* found: test"):
        read_judgements(beir, "dev")
    (beir / "queries.jsonl").unlink()
    with pytest.raises(ValueError, match=r"queries.jsonl is missing; a BEIR folder has"):
        read_queries(beir)
