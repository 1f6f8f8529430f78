"""BM25 of a shelf, and of several, against a computation by hand with tantivy's formula."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assistant.library import lexical

# The stemmer leaves these as they are. Fewer than 40 words in a text: from there on tantivy rounds its length.
WORDS = ["muon", "pion", "jet", "calorimet", "ring", "qxz1", "beam", "über"]
TEXTS = st.lists(st.lists(st.sampled_from(WORDS), min_size=1, max_size=39), min_size=1, max_size=12)
K1, B = 1.2, 0.75


def bm25(shelf: list[list[str]], number: int, question: set[str], everywhere: list[list[str]]) -> float:
    """Robertson and Zaragoza (2009), idf as Lucene has it and counted over `everywhere`; length over the shelf."""
    average = sum(map(len, shelf)) / len(shelf)
    text = Counter(shelf[number])
    total = 0.0
    for word in question:
        holding = sum(word in other for other in everywhere)
        idf = math.log(1 + (len(everywhere) - holding + 0.5) / (holding + 0.5))
        length = K1 * (1 - B + B * len(shelf[number]) / average)
        total += idf * text[word] * (K1 + 1) / (text[word] + length)
    return total


def search(shelves: list[list[list[str]]], question: list[str], limit: int) -> dict[int, float]:
    """Chunk id -> score; chunk ids count on over all shelves, from 1."""
    with TemporaryDirectory() as folder:
        opened = []
        number = 0
        for shelf, texts in enumerate(shelves, start=1):
            writer = lexical.LexicalWriter(Path(folder), shelf)
            for text in texts:
                number += 1
                writer.add(number, " ".join(text))
            writer.commit()
            writer.close()
            index = lexical.open_index(Path(folder), shelf)
            opened.append((index, lexical.searcher(index)))
        hits = lexical.search(opened, question, limit)
    assert hits == sorted(hits, key=lambda hit: (-hit[1], hit[0]))
    return dict(hits)


def test_the_vocabulary_is_not_stemmed() -> None:
    assert [lexical.words(word) for word in WORDS] == [[word] for word in WORDS]


@settings(max_examples=20, deadline=None)
@given(st.lists(TEXTS, min_size=1, max_size=3), st.lists(st.sampled_from(WORDS), min_size=1, max_size=4))
def test_scores_are_bm25(shelves: list[list[list[str]]], question: list[str]) -> None:
    everywhere = [text for shelf in shelves for text in shelf]
    expected = {}
    first = 1
    for shelf in shelves:
        for number in range(len(shelf)):
            if score := bm25(shelf, number, set(question), everywhere):
                expected[first + number] = score
        first += len(shelf)
    assert search(shelves, question, 100) == pytest.approx(expected, rel=1e-4)


def test_the_best_come_first_and_no_more_than_asked_for() -> None:
    texts = [["muon"] * n + ["ring"] * (10 - n) for n in range(10)]
    assert list(search([texts], ["muon"], 3)) == [10, 9, 8]
    assert list(search([texts], ["muon"], 10**15)) == [10, 9, 8, 7, 6, 5, 4, 3, 2]


def test_words_are_stemmed_and_lowered() -> None:
    assert lexical.words("The Calorimeters were measuring: 1.5 TeV, naïve!") == [
        *("the", "calorimet", "were", "measur", "1", "5", "tev", "naïv")
    ]
    assert lexical.words("?!… 😀 \0") == []


def test_without_words_or_texts_nothing_is_found() -> None:
    assert search([[["muon"]]], [], 5) == {}
    assert search([[]], ["muon"], 5) == {}


def test_idf_is_about_zero_for_a_word_in_every_chunk() -> None:
    with TemporaryDirectory() as folder:
        writer = lexical.LexicalWriter(Path(folder), 1)
        for number in range(1, 21):
            writer.add(number, "muon")
        writer.commit()
        view = [lexical.searcher(lexical.open_index(Path(folder), 1))]
        assert lexical.idf("muon", view) == pytest.approx(math.log(1 + 0.5 / 20.5))
        assert lexical.idf("pion", view) == pytest.approx(math.log(1 + 20.5 / 0.5))
        writer.close()


def test_what_is_removed_counts_no_more() -> None:
    with TemporaryDirectory() as folder:
        writer = lexical.LexicalWriter(Path(folder), 1)
        for number in range(1, 10):
            writer.add(number, "muon")
        writer.commit()
        writer.remove([1, 2])
        writer.remove_above(7)
        writer.commit()
        writer.close()
        index = lexical.open_index(Path(folder), 1)
        view = lexical.searcher(index)
        assert view.num_docs == 5
        assert [number for number, _ in lexical.search([(index, view)], ["muon"], 100)] == [3, 4, 5, 6, 7]
