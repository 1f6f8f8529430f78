"""Nothing of what a caller may not read comes out, whatever is asked, and nothing changes when it changes.

Each document carries a word of its own in title, key, URL, headings and text. Everything that Refdesk says to a caller
is searched for the words of all documents that this caller may not read: each word that is looked for in one thing
said is a check.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assistant.answering import Assistant
from assistant.errors import RefdeskError
from assistant.library import Library
from assistant.settings import Settings
from assistant.types import EVERYONE, Access, Chunk, Document, Item, Section

if TYPE_CHECKING:
    from collections.abc import Sequence

    from assistant.types import FloatArray

GROUPS = ["atlas", "cms", "it", "board"]
SETS = st.frozensets(st.sampled_from([*GROUPS, EVERYONE]), max_size=2)
RULES = st.builds(Access, st.lists(SETS, max_size=2).map(tuple), st.frozensets(st.sampled_from(GROUPS), max_size=1))
CALLERS = st.frozensets(st.sampled_from(GROUPS), max_size=3)
PLAIN = ["detector", "budget", "magnet", "result", "weighs", "tonnes", "cooled"]
QUESTIONS = st.lists(st.sampled_from([*PLAIN, "secret000", "secret003", "how", "much"]), min_size=1, max_size=5).map(
    " ".join
)


class Hashing:
    """An embedder that adds up a random vector for each word."""

    name, fingerprint, dimensions, max_tokens = "hashing", "hashing", 16, 256

    def embed_passages(self, texts: Sequence[str]) -> FloatArray:
        return np.stack([self.embed_query(text) for text in texts])

    def embed_query(self, text: str) -> FloatArray:
        drawn = [np.random.default_rng(list(word.encode())).normal(size=16) for word in ["", *text.lower().split()]]
        total = np.sum(drawn, axis=0).astype(np.float32)
        return np.asarray(total / np.linalg.norm(total), np.float32)

    def token_starts(self, text: str) -> Sequence[int]:
        return []


EMBEDDER = Hashing()


def document(number: int, rule: Access, words: Sequence[str], revision: int = 0) -> tuple[Document, list[Chunk]]:
    own = f"secret{number:03}"
    text = f"The {own} detector {' '.join(words)} {revision}.\n\nIts {own} magnet weighs {number + 3} tonnes."
    cut = text.index("\n\n")
    sections = (Section(0, len(text), (own,)),)
    found = Document("wiki", f"{own}.md", f"{own}-{revision}", own, f"https://w/{own}", "md", text, sections, (), rule)
    return found, [Chunk(0, cut, text[:cut], (own,), None), Chunk(cut + 2, len(text), text[cut + 2 :], (own,), None)]


def put(library: Library, documents: Sequence[tuple[Document, list[Chunk]]], gone: Sequence[str] = ()) -> None:
    with library.writer(EMBEDDER) as writer:
        for key in gone:
            writer.remove("wiki", key)
        for one, chunks in documents:
            writer.put(one, chunks)
            writer.record(Item("wiki", one.key, "indexed", "", one.revision, "stamp"), one.access)
        writer.publish()


def said(assistant: Assistant, questions: Sequence[str], keys: Sequence[str]) -> Iterator[Any]:
    """Everything that a caller can get out of the library, errors included."""

    def answer(ask: Callable[[], Any]) -> Any:
        try:
            return ask()
        except (RefdeskError, ValueError, TypeError) as error:
            return repr(error)

    yield assistant.status()
    yield assistant.documents()
    for key in keys:
        yield answer(lambda key=key: assistant.document("wiki", key))  # type: ignore[misc]
    for question in questions:
        yield answer(lambda q=question: assistant.search(q, 50))  # type: ignore[misc]
        yield answer(lambda q=question: assistant.search(q, 0))  # type: ignore[misc]
        yield answer(lambda q=question: assistant.search(q, 3, sources=["wiki"], kinds=["md"]))  # type: ignore[misc]
        yield answer(lambda q=question: list(assistant.stream(q, mode="extract")))  # type: ignore[misc]


def check_everything(library: Library, documents: Sequence[Document], caller: frozenset[str], asked: list[str]) -> int:
    assistant = Assistant(library, EMBEDDER, Settings()).as_user(caller)
    hidden = [d.key.removesuffix(".md") for d in documents if not d.access.allows(caller)]
    shown = [d for d in documents if d.access.allows(caller)]
    checks = 0
    for thing in said(assistant, asked, [d.key for d in documents]):
        text = repr(thing)
        for question in asked:
            text = text.replace(repr(question), "")  # an answer repeats its question
        for word in hidden:
            assert word not in text, f"{word} came out in {text[:500]}"
            checks += 1
    status = assistant.status()
    assert (status.documents, status.chunks, len(status.items)) == (len(shown), 2 * len(shown), len(shown))
    return checks


DOCUMENTS = st.lists(st.tuples(RULES, st.lists(st.sampled_from(PLAIN), max_size=5)), min_size=4, max_size=24)


def nothing_comes_out(drawn: list[Any], callers: list[frozenset[str]], questions: list[str]) -> int:
    with TemporaryDirectory() as folder:
        library = Library.open_or_create(Path(folder) / "library", EMBEDDER)
        made = [document(n, rule, words) for n, (rule, words) in enumerate(drawn)]
        put(library, made)
        documents = [one for one, _ in made]
        # All callers use one library, so that whatever it keeps for one is there when the next one asks.
        return sum(check_everything(library, documents, caller, questions) for caller in callers)


CASES = (DOCUMENTS, st.lists(CALLERS, min_size=1, max_size=4), st.lists(QUESTIONS, min_size=1, max_size=3))


@settings(max_examples=30, suppress_health_check=list(HealthCheck))
@given(*CASES)
def test_nothing_unreadable_comes_out(drawn: list[Any], callers: list[frozenset[str]], questions: list[str]) -> None:
    nothing_comes_out(drawn, callers, questions)


@pytest.mark.long
def test_nothing_unreadable_comes_out_in_a_million_checks() -> None:
    checks = 0

    @settings(max_examples=3_000, suppress_health_check=list(HealthCheck))
    @given(*CASES)
    def run(drawn: list[Any], callers: list[frozenset[str]], questions: list[str]) -> None:
        nonlocal checks
        checks += nothing_comes_out(drawn, callers, questions)

    while checks < 1_000_000:
        run()


CHANGES = st.lists(
    st.tuples(st.sampled_from(["add", "change", "remove"]), st.integers(0, 40), st.lists(st.sampled_from(PLAIN))),
    min_size=1,
    max_size=8,
)


@settings(max_examples=25, suppress_health_check=list(HealthCheck))
@given(DOCUMENTS, CHANGES, CALLERS, st.lists(QUESTIONS, min_size=1, max_size=3))
def test_unreadable_changes_leave_every_bit(
    drawn: list[Any], changes: list[Any], caller: frozenset[str], questions: list[str]
) -> None:
    """Adding, changing and removing what a caller may not read: results, scores, answers and generation stay."""
    hidden = Access.of("nobody but them")
    with TemporaryDirectory() as folder:
        library = Library.open_or_create(Path(folder) / "library", EMBEDDER)
        put(library, [document(n, rule, words) for n, (rule, words) in enumerate(drawn)])
        secrets = [document(100 + n, hidden, ["budget"]) for n in range(5)]
        put(library, secrets)
        assistant = Assistant(library, EMBEDDER, Settings()).as_user(caller)
        keys = [f"secret{n:03}.md" for n in range(len(drawn))]
        before = list(said(assistant, questions, keys))
        for what, number, words in changes:
            if what == "remove":
                put(library, [], [f"secret{100 + number}.md"])
            else:
                put(library, [document(100 + number, hidden, words, revision=1 + (what == "change"))])
        assert list(said(assistant, questions, keys)) == before
        again = Assistant(Library.open(library.path), EMBEDDER, Settings()).as_user(caller)
        assert list(said(again, questions, keys)) == before


def test_revoking_takes_effect_at_the_next_question(tmp_path: Path) -> None:
    library = Library.open_or_create(tmp_path, EMBEDDER)
    one, chunks = document(1, Access.of("atlas"), ["budget"])
    put(library, [(one, chunks)])
    assistant = Assistant(library, EMBEDDER, Settings())
    member = assistant.as_user({"atlas"})
    assert [p.key for p in member.search("budget")] == ["secret001.md"] * 2
    assert assistant.as_user(set()).search("budget") == []  # the caller lost the group
    put(library, [(replace(one, access=Access.of("board")), chunks)])  # the page lost the group
    assert member.search("budget") == []
    assert member.status().documents == 0
    assert [p.key for p in assistant.as_user({"board"}).search("budget")] == ["secret001.md"] * 2
