"""Who may read what: the rule itself, and shelves that make it physical."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from story import GivenVectors, document, put

from assistant.answering import Assistant
from assistant.library import Library, ann, catalog
from assistant.search import search
from assistant.settings import SearchSettings, Settings
from assistant.types import EVERYONE, Access, Document, Passage

if TYPE_CHECKING:
    from assistant.embed import Embedder

GROUPS = st.sampled_from(["atlas", "cms", "it", "théorie", EVERYONE])
SETS = st.frozensets(GROUPS, max_size=4)
RULES = st.builds(Access, st.lists(SETS, max_size=3).map(tuple), SETS)
SECRET = Access.of("board")


@given(RULES, SETS)
def test_a_rule_wants_one_group_of_each_set_and_none_that_is_denied(rule: Access, groups: frozenset[str]) -> None:
    held = {*groups, EVERYONE}
    expected = len(rule.all_of) > 0
    for any_of in rule.all_of:
        expected = expected and any(group in any_of for group in held)
    for group in held:
        expected = expected and group not in rule.deny
    assert rule.allows(groups) == expected


@given(RULES, SETS, SETS)
def test_another_condition_or_denial_never_lets_anybody_in(
    rule: Access, groups: frozenset[str], more: frozenset[str]
) -> None:
    if rule.all_of and not rule.allows(groups):
        assert not Access((*rule.all_of, more), rule.deny).allows(groups)
        assert not Access(rule.all_of, rule.deny | more).allows(groups)


@given(SETS, SETS)
def test_what_is_unknown_is_nobodys(groups: frozenset[str], deny: frozenset[str]) -> None:
    assert not Access((), deny).allows(groups)
    assert not Access((frozenset(),), deny).allows(groups)
    assert not Access((frozenset({EVERYONE}), frozenset())).allows(groups)


@given(RULES)
def test_a_rule_keeps_its_meaning_in_the_catalog(rule: Access) -> None:
    back = catalog.access_from_json(catalog.access_to_json(rule))
    assert (frozenset(back.all_of), back.deny) == (frozenset(rule.all_of), rule.deny)
    again = Access(tuple(reversed(rule.all_of)), rule.deny)
    assert catalog.access_to_json(again) == catalog.access_to_json(rule)


def everything(assistant: Assistant, question: str) -> list[Passage]:
    return assistant.search(question, 1000)


def test_a_secret_document_changes_nothing_for_outsiders(
    tmp_path: Path,
    embedder: Embedder,
    publish: Callable[..., int],
    make: Callable[..., Document],
    documents: list[Document],
) -> None:
    folder = tmp_path / "library"
    publish(folder, documents)
    outsider = Assistant(Library.open(folder), embedder, Settings(), {"atlas"})
    questions = ["How heavy is the calorimeter?", "budget", "calorimeter calorimeter weighs", "river flood", "?"]
    before = [everything(outsider, question) for question in questions]
    extracted = outsider.ask(questions[0], mode="extract")
    text = "The calorimeter budget is secret.\n\nA river of calorimeters, and its flood of calorimeters, weighs much."
    publish(folder, [make(f"secret{n}", text, access=SECRET) for n in range(8)])

    for again in (outsider, Assistant(Library.open(folder), embedder, Settings(), {"atlas"})):
        assert [everything(again, question) for question in questions] == before  # scores too, bit for bit
        now = again.ask(questions[0], mode="extract")
        assert (now.text, now.confidence, now.citations) == (extracted.text, extracted.confidence, extracted.citations)
        assert again.status().documents == 12
        assert again.document("wiki", "secret0") is None
        assert not any(s.key.startswith("secret") for s in again.documents())

    member = outsider.as_user({"board"})
    assert {p.key for p in everything(member, "secret budget")} > {"secret0", "secret7", "ledger"}
    assert member.status().documents == 20
    assert member.document("wiki", "secret0")


def test_secret_documents_do_not_change_the_codes_of_a_large_shelf(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Secrets decide when packs are merged, and so where a shelf's rows stood before they got codes of their own."""
    monkeypatch.setattr(ann, "_COARSE_ROWS", 1_000)
    monkeypatch.setattr(ann, "_LEAST_PROBED", 4)
    monkeypatch.setattr(ann, "_TRAINING_ROWS_PER_LIST", 10)
    embedder = GivenVectors()
    runs = [(700, 0), (200, 3_000), (900, 0), (300, 5_000), (400, 10)]
    shown = []
    for secrets in (0, 1, 1):
        library = Library.open_or_create(tmp_path / str(len(shown)), embedder)
        for run, (public, secret) in enumerate(runs):
            with library.writer(embedder) as writer:
                put(writer, _long(f"public-{run}", public))
                for part in range(2 * secrets if secret else 0):
                    put(writer, replace(_long(f"secret-{run}-{part}", secret // 2), access=Access.of(f"board-{part}")))
                writer.publish()
        with library.view() as view:
            queries = [embedder.embed_query(f"question {n}") for n in range(100)]
            hits = [[(hit.score, hit.order) for hit in view.search_dense(query, 10)] for query in queries]
            assert len(view._indexes.coded) >= 1
        shown.append(hits)
    assert shown[0] == shown[1] == shown[2]


def _long(key: str, paragraphs: int) -> Document:
    return document(key, "\n\n".join(f"{key} paragraph {n}" for n in range(paragraphs)))


def test_pages_without_a_word_to_search_for(tmp_path: Path) -> None:
    embedder = GivenVectors()
    library = Library.open_or_create(tmp_path, embedder)
    with library.writer(embedder) as writer:
        put(writer, document("signs", "?!"))
        put(writer, document("unspaced", "实验数据采集系统触发器升级计划说明文档"))
        put(writer, replace(document("secret", "words for the board"), access=SECRET))
        writer.publish()
    with library.view() as view:
        assert view.search_lexical("words for the board", 3) == []
        assert [p.key for p in search(view, embedder, "words for the board", SearchSettings())]
    with library.view({"board"}) as view:
        assert len(view.search_lexical("words for the board", 3)) == 1


def test_a_document_that_moves_to_another_shelf_is_gone_from_the_first(
    tmp_path: Path, embedder: Embedder, publish: Callable[..., int], make: Callable[..., Document]
) -> None:
    folder = tmp_path / "library"
    publish(folder, [make("a", "about zebras"), make("b", "about lions")])
    publish(folder, [make("a", "about zebras", access=SECRET)])
    outsider = Assistant(Library.open(folder), embedder, Settings())
    assert [p.key for p in everything(outsider, "zebras")] == ["b"]
    assert {p.key for p in everything(outsider.as_user(["board"]), "zebras")} == {"a", "b"}
    publish(folder, [make("a", "about zebras", access=Access((), frozenset()))])
    assert [p.key for p in everything(outsider.as_user(["board", "everyone"]), "zebras")] == ["b"]
