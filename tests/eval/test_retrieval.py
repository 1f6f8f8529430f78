from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from assistant.library import Library
from assistant.settings import SearchSettings
from assistant.text.passage_text import passage_text
from eval.cli import commands
from eval.retrieval import Judgement, evaluate, index_corpus, measure, rankings, read_documents, read_judgements
from ingest.split import split

if TYPE_CHECKING:
    from assistant.embed import Embedder

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


def silent(done: int, what: str) -> None:
    pass


@pytest.fixture
def beir(tmp_path: Path) -> Path:
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


def ndcg_by_hand(relevance: dict[str, int], ranked: list[str]) -> float:
    """Linear gain over log2 of the rank plus one, divided by that of the best order."""
    gain = sum(relevance.get(key, 0) / math.log2(rank + 1) for rank, key in enumerate(ranked[:10], start=1))
    best = sorted(relevance.values(), reverse=True)[:10]
    return gain / sum(value / math.log2(rank + 1) for rank, value in enumerate(best, start=1))


KEYS = [f"d{n}" for n in range(15)]


@given(
    st.lists(st.dictionaries(st.sampled_from(KEYS), st.integers(1, 3), min_size=1), min_size=1, max_size=4),
    st.lists(st.permutations(KEYS), min_size=4, max_size=4),
)
def test_measures_equal_their_definitions(relevances: list[dict[str, int]], orders: list[list[str]]) -> None:
    judgements = [Judgement(str(q), d, r) for q, relevance in enumerate(relevances) for d, r in relevance.items()]
    scores = measure(judgements, {str(q): order[:10] for q, order in enumerate(orders)})
    ndcg = [ndcg_by_hand(relevance, order) for relevance, order in zip(relevances, orders, strict=False)]
    recall = [len(set(rel) & set(order[:10])) / len(rel) for rel, order in zip(relevances, orders, strict=False)]
    assert scores.ndcg_at_10 == pytest.approx(sum(ndcg) / len(ndcg))
    assert scores.recall_at_10 == pytest.approx(sum(recall) / len(recall))


def test_a_query_that_found_nothing_counts_as_nothing_and_one_without_relevant_documents_not_at_all() -> None:
    judgements = [Judgement("a", "d1", 1), Judgement("b", "d1", 1), Judgement("c", "d1", 0)]
    scores = measure(judgements, {"a": ["d1"], "c": ["d1"]})
    assert (scores.ndcg_at_10, scores.recall_at_10) == (0.5, 0.5)
    with pytest.raises(ValueError, match="No query has a relevant document"):
        measure(judgements[2:], {"c": ["d1"]})


def test_dense_ranking_equals_exhaustive_search(beir: Path, tmp_path: Path, embedder: Embedder) -> None:
    library = Library.open_or_create(tmp_path / "library", embedder)
    source = index_corpus(beir, library, embedder, silent)
    found = rankings(library, embedder, SearchSettings(), QUERIES, stage="dense", source=source, progress=silent)
    best: dict[str, dict[str, float]] = {query: {} for query in QUERIES}
    for document in read_documents(beir):
        chunks = split(document, embedder.token_starts, embedder.max_tokens)
        vectors = embedder.embed_passages([passage_text(document.title, c.section, c.text) for c in chunks])
        for query, text in QUERIES.items():
            best[query][document.key] = float((vectors @ embedder.embed_query(text)).max())
    for query, scores in best.items():
        assert found[query] == sorted(scores, key=lambda key: -scores[key])


def test_a_document_whose_chunks_come_first_does_not_hide_the_others(
    beir: Path, tmp_path: Path, embedder: Embedder
) -> None:
    """With one candidate at a time, `d1` alone has several chunks about tides."""
    library = Library.open_or_create(tmp_path / "library", embedder)
    source = index_corpus(beir, library, embedder, silent)
    settings = SearchSettings(candidates=1)
    found = rankings(library, embedder, settings, {"q": "tides"}, stage="dense", source=source, progress=silent)
    assert sorted(found["q"]) == sorted(CORPUS)


def test_an_index_made_again_follows_the_corpus(beir: Path, tmp_path: Path, embedder: Embedder) -> None:
    first = evaluate(beir, "test", tmp_path / "library", embedder, SearchSettings())
    again = evaluate(beir, "test", tmp_path / "library", embedder, SearchSettings())
    assert again == first
    assert (first.documents, first.queries) == (6, 3)
    assert first.chunks > first.documents
    assert list(first.scores) == ["lexical", "dense", "fused"]
    lines = (beir / "corpus.jsonl").read_text().splitlines(keepends=True)
    (beir / "corpus.jsonl").write_text("".join(lines[:3]))
    assert evaluate(beir, "test", tmp_path / "library", embedder, SearchSettings()).documents == 3


def test_a_title_stands_in_for_a_missing_text(beir: Path) -> None:
    assert {document.key: document.text for document in read_documents(beir)}["d6"] == "A title without a text"


@pytest.mark.parametrize(
    ("file", "line", "message"),
    [
        ("corpus.jsonl", '{"_id": 7, "text": "x"}', r"corpus.jsonl, line 7: '_id' must be a text, found 7"),
        ("corpus.jsonl", '{"_id": "7", ', r"corpus.jsonl, line 7: not JSON"),
        ("queries.jsonl", "[]", r"queries.jsonl, line 5: expected an object"),
        ("qrels/test.tsv", "q1 d1 1", r"test.tsv, line 7: expected query-id, corpus-id and score, found 'q1 d1 1'"),
        ("qrels/test.tsv", "q9\td1\t1", r"lacks 1 queries of split 'test', 'q9' first"),
    ],
)
def test_a_malformed_line_is_named(
    beir: Path, tmp_path: Path, embedder: Embedder, file: str, line: str, message: str
) -> None:
    with (beir / file).open("a") as opened:
        opened.write(line + "\n")
    with pytest.raises(ValueError, match=message):
        evaluate(beir, "test", tmp_path / "library", embedder, SearchSettings())


def test_a_split_that_is_not_there_is_named_with_those_that_are(beir: Path) -> None:
    with pytest.raises(ValueError, match=r"no split 'dev' .* found: test"):
        read_judgements(beir, "dev")


def run(*arguments: Any) -> Any:
    return CliRunner().invoke(commands, ["eval", *map(str, arguments)])


def test_the_command_prints_a_table_or_json(beir: Path, tmp_path: Path) -> None:
    as_json = run("retrieval", "--beir", beir, "--split", "test", "--library", tmp_path / "library", "--json")
    report = json.loads(as_json.stdout)
    assert (report["documents"], report["queries"]) == (6, 3)
    assert 0 < report["scores"]["fused"]["ndcg_at_10"] <= 1
    shown = run("retrieval", "--beir", beir, "--split", "test")
    assert shown.exit_code == 0
    assert f"{report['scores']['lexical']['ndcg_at_10']:.4f}" in shown.stdout
    assert run("retrieval", "--beir", beir, "--split", "no").exit_code == 2
