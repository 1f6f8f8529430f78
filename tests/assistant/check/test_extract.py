"""The statements that answer a question, with the real embedder on passages written for this test."""

from __future__ import annotations

import pytest

from assistant.check.extract import Evidence, answer, choose, extract, rank
from assistant.embed import Embedder
from assistant.types import Passage

SOURCES = (
    "## How many wiki pages?\n\nThe laboratory keeps its knowledge in many places:\n\n"
    "- The wiki (Confluence) holds more than 1M pages.\n"
    "- The document server holds more than 500k documents.\n"
    "- Its home page has 10k web pages.\n"
)
MODELS = (
    "| Model | Parameters | Released |\n|---|---|---|\n"
    "| Aurora | 1.3 billion | June 2024 |\n| ClimaX | 108 million | January 2023 |\n"
)
PEOPLE = (
    "The allocation committee meets every month. Who leads it? Leopold Achterberg has led it since 2021. "
    "The committee grants computing time."
)
PAPERS = "Achterberg et al., Allocating time on accelerators, arXiv:2101.00001, 2021."


def passage(rank: int, text: str, title: str, section: tuple[str, ...] = ()) -> Passage:
    return Passage(rank, 1.0, "fused", rank, title, "s", f"{rank}", "r", "", "md", None, section, 0, len(text), text)


SHOWN = [
    passage(1, SOURCES, "Knowledge sources"),
    passage(2, MODELS, "Weather models"),
    passage(3, PEOPLE, "Allocation committee"),
    passage(4, PAPERS, "Allocation committee", ("References",)),
]


@pytest.mark.parametrize(
    ("question", "best", "number"),
    [
        ("How many pages does the wiki hold?", "The wiki (Confluence) holds more than 1M pages.", 1),
        ("How many documents are on the document server?", "The document server holds more than 500k documents.", 1),
        ("How many parameters does ClimaX have?", "Model: ClimaX; Parameters: 108 million; Released: January 2023", 2),
        ("When was Aurora released?", "Model: Aurora; Parameters: 1.3 billion; Released: June 2024", 2),
        ("Who has led the allocation committee since 2021?", "Leopold Achterberg has led it since 2021.", 3),
    ],
)
def test_the_best_statement_answers_with_its_marker(embedder: Embedder, question: str, best: str, number: int) -> None:
    evidence = extract(question, SHOWN, embedder.embed_passages, 1)
    outcome = answer(evidence, SHOWN, 0.5, question)
    assert outcome.text == f"{best} [{number}]"
    (citation,) = outcome.citations
    source = SHOWN[number - 1].text
    assert source[citation.start : citation.end] == citation.quote == source[evidence[0].start : evidence[0].end]


def test_the_scores_are_what_they_say(embedder: Embedder) -> None:
    question = "How many pages does the wiki hold?"
    ranked = rank(question, SHOWN, embedder.embed_passages)
    assert [one.score for one in ranked] == sorted((one.score for one in ranked), reverse=True)
    vectors = embedder.embed_passages(
        [question, "The laboratory keeps its knowledge in many places: The wiki (Confluence) holds more than 1M pages."]
    )
    assert ranked[0].cosine == pytest.approx(float(vectors[0] @ vectors[1]), abs=1e-5)
    assert ranked[0].coverage == 1.0  # wiki, page, hold


def test_everything_is_embedded_in_one_call(embedder: Embedder) -> None:
    calls: list[list[str]] = []

    def embed(texts: list[str]):  # type: ignore[no-untyped-def]
        calls.append(texts)
        return embedder.embed_passages(texts)

    rank("How many pages does the wiki hold?", SHOWN, embed)
    assert len(calls) == 1


def test_rare_words_weigh_more_with_idf(embedder: Embedder) -> None:
    plain = rank("Aurora pages?", SHOWN, embedder.embed_passages)
    weighed = rank("Aurora pages?", SHOWN, embedder.embed_passages, lambda stem: 9.0 if stem == "aurora" else 1.0)
    coverage = [next(one.coverage for one in ranked if "Aurora" in one.shown) for ranked in (plain, weighed)]
    assert coverage == [pytest.approx(0.5), pytest.approx(0.9)]


def test_headings_questions_and_bibliographies_are_no_evidence(embedder: Embedder) -> None:
    ranked = rank("Who leads the allocation committee?", SHOWN, embedder.embed_passages)
    assert not any(one.passage == 3 or one.shown.startswith("#") for one in ranked)
    assert all(one.shown != "Who leads it?" for one in ranked[:3])


def test_the_same_thing_is_not_said_twice(embedder: Embedder) -> None:
    copies = [passage(n, SOURCES, "Knowledge sources") for n in (1, 2, 3)]
    chosen = extract("How many pages does the wiki hold?", copies, embedder.embed_passages, 5)
    assert len({one.shown for one in chosen}) == len(chosen)


def test_near_copies_with_another_number_are_both_said() -> None:
    def evidence(shown: str) -> Evidence:
        return Evidence(0, 0, 1, 1.0, 1.0, 1.0, shown)

    old, new, copy = "The wiki holds 1M pages.", "The wiki holds 2M pages.", "The wiki holds 1 million pages."
    assert [one.shown for one in choose([evidence(old), evidence(new), evidence(copy)], 3)] == [old, new]


def test_nothing_comes_of_nothing(embedder: Embedder) -> None:
    assert extract("Why?", [], embedder.embed_passages, 3) == []
    assert answer([], [], 0.5).text == ""
