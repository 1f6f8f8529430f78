"""Whatever happens to a library, it is the same as one that is built afresh, and finds what exhaustive search finds.

A library goes through random runs of puts, removals, changes of access and rollbacks. Small limits make every kind of
segment appear. After each run it is compared with a library that was built at once from what should be in it, and its
searches with scores that are computed here from the texts and vectors alone.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assistant.library import Library, compaction, merge
from assistant.library.view import View
from assistant.types import EVERYONE, PUBLIC, Access, Chunk, Document, Item

if TYPE_CHECKING:
    from collections.abc import Sequence

    from assistant.types import FloatArray

# The stemmer leaves these as they are.
WORDS = ["muon", "pion", "jet", "calorimet", "ring", "qxz1", "beam", "über"]
RULES = [PUBLIC, Access.of("atlas"), Access.of("cms", "atlas"), Access((frozenset({"it"}),), frozenset({"cms"}))]
CALLERS = [(), ("atlas",), ("cms",), ("it", "cms"), ("it", "atlas")]
DIMENSIONS = 24


class Given:
    """An embedder that draws a unit vector for each text from the text's own hash."""

    name, fingerprint, dimensions, max_tokens = "given", "given", DIMENSIONS, 256

    def embed_passages(self, texts: Sequence[str]) -> FloatArray:
        return np.stack([self.embed_query(text) for text in texts])

    def embed_query(self, text: str) -> FloatArray:
        drawn = np.random.default_rng(list(text.encode())).normal(size=DIMENSIONS).astype(np.float32)
        return drawn / np.float32(np.linalg.norm(drawn))

    def token_starts(self, text: str) -> Sequence[int]:
        return []


EMBEDDER = Given()
TEXTS = st.lists(st.sampled_from(WORDS), min_size=1, max_size=8).map(" ".join)
DOCUMENTS = st.builds(
    lambda key, texts, rule: (key, tuple(texts), rule),
    st.integers(0, 9),
    st.lists(TEXTS, min_size=1, max_size=6),
    st.sampled_from(RULES),
)
RUNS = st.one_of(
    st.lists(st.one_of(DOCUMENTS, st.integers(0, 9)), max_size=5),  # documents to put, keys to remove
    st.just("rollback"),
)


@pytest.fixture(autouse=True, scope="module")
def _small_segments() -> Any:
    """Every kind of segment within a few chunks: the constants are the only thing that is changed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compaction, "LARGE", 12)
        patch.setattr(compaction, "LARGEST", 15)
        patch.setattr(merge, "_JOIN_AT_ONCE", 30)
        patch.setattr(merge, "_COPY_AT_ONCE", 7)
        yield


def document_of(key: int, texts: tuple[str, ...], rule: Access) -> tuple[Document, list[Chunk]]:
    text = "\n\n".join(texts)
    chunks, start = [], 0
    for part in texts:
        chunks.append(Chunk(start, start + len(part), part, (), None))
        start += len(part) + 2
    return Document("wiki", f"page{key}", str(hash(texts)), "", f"https://w/{key}", "wiki", text, (), (), rule), chunks


def run(library: Library, actions: list[Any]) -> None:
    with library.writer(EMBEDDER) as writer:
        for action in actions:
            if isinstance(action, int):
                writer.remove("wiki", f"page{action}")
            else:
                document, chunks = document_of(*action)
                writer.put(document, chunks)
                writer.record(Item("wiki", document.key, "indexed", "", document.revision, "s"), document.access)
        writer.publish()


def after(state: dict[int, Any], actions: list[Any]) -> dict[int, Any]:
    state = dict(state)
    for action in actions:
        if isinstance(action, int):
            state.pop(action, None)
        else:
            state[action[0]] = action
    return state


def shown(view: View, queries: list[str]) -> list[Any]:
    """Everything that a view says, without what differs between libraries: the ids of documents, and the stamps of
    items, which a rollback forgets."""

    def found(hits: list[Any], stage: Any) -> list[Any]:
        return [replace(p, rank=0) for p in view.passages(hits, stage)]

    documents = [view.document(s.source, s.key) for s in view.summaries()]
    searches = [found(view.search_lexical(q, 5), "lexical") for q in queries]
    dense = [found(view.search_dense(EMBEDDER.embed_query(q), 5), "dense") for q in queries]
    items = [replace(item, stamp="") for item in view.items()]
    return [view.summaries(), items, view.counts(), documents, searches, dense]


def bm25(texts: list[list[str]], words: set[str]) -> list[float]:
    """Robertson and Zaragoza (2009), idf as Lucene has it."""
    average = sum(map(len, texts)) / len(texts)
    scores = []
    for text in texts:
        score, counts = 0.0, Counter(text)
        for word in words & set(text):
            holding = sum(word in other for other in texts)
            idf = math.log(1 + (len(texts) - holding + 0.5) / (holding + 0.5))
            score += idf * counts[word] * 2.2 / (counts[word] + 1.2 * (0.25 + 0.75 * len(text) / average))
        scores.append(score)
    return scores


def assert_exhaustive(view: View, state: dict[int, Any], groups: tuple[str, ...], query: str) -> None:
    texts = [
        (f"page{key}", text)
        for key, texts, rule in state.values()
        if rule.allows({*groups, EVERYONE})
        for text in texts
    ]
    if not texts:
        assert view.search_lexical(query, 5) == view.search_dense(EMBEDDER.embed_query(query), 5) == []
        return
    expected = sorted(bm25([text.split() for _, text in texts], set(query.split())), reverse=True)
    best = [score for score in expected if score > 0][:7]
    assert [hit.score for hit in view.search_lexical(query, 7)] == pytest.approx(best, rel=1e-5)
    wanted = EMBEDDER.embed_query(query)
    cosines = sorted((float(EMBEDDER.embed_query(text) @ wanted) for _, text in texts), reverse=True)
    assert [hit.score for hit in view.search_dense(wanted, 7)] == pytest.approx(cosines[:7], abs=2e-3)


@settings(max_examples=15, suppress_health_check=list(HealthCheck))
@given(st.lists(RUNS, min_size=1, max_size=6), st.lists(TEXTS, min_size=2, max_size=2))
def test_any_history_gives_the_library_of_a_fresh_build(runs: list[Any], queries: list[str]) -> None:
    with TemporaryDirectory() as folder:
        library = Library.open_or_create(Path(folder) / "lived", EMBEDDER)
        state: dict[int, Any] = {}
        previous: dict[int, Any] | None = None
        for actions in runs:
            if actions == "rollback":
                if previous is None:
                    continue
                library.rollback()
                state, previous = previous, None
                continue
            before = library.generation()
            run(library, actions)
            if library.generation() != before:
                state, previous = after(state, actions), state
        assert library.verify() == []
        fresh = Library.open_or_create(Path(folder) / "fresh", EMBEDDER)
        run(fresh, list(state.values()))
        for groups in CALLERS:
            with library.view(groups) as lived, fresh.view(groups) as new:
                assert shown(lived, queries) == shown(new, queries)
                for query in queries:
                    assert_exhaustive(lived, state, groups, query)
