"""Put, replace, remove, publish: what a library shows afterwards, compared with a computation of our own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from assistant.errors import LibraryDamaged, LibraryError, LibraryMismatch, LibraryNotFound, LibraryTooNew
from assistant.library import Library, database
from assistant.text.passage_text import passage_text
from assistant.types import Chunk, Document

if TYPE_CHECKING:
    from assistant.embed import Embedder
    from assistant.types import FloatArray

Publish = Callable[..., int]
Make = Callable[..., Document]
Cut = Callable[[Document], list[Chunk]]


def dense_hits(library: Library, embedder: Embedder, question: str, k: int = 1000) -> list[tuple[str, int, float]]:
    with library.view() as view:
        hits = view.search_dense(embedder.embed_query(question), k)
        return [(p.key, p.start, p.score) for p in view.passages(hits, "dense")]


def exhaustive(documents: list[Document], cut: Cut, embedder: Embedder, question: str) -> list[tuple[str, int, float]]:
    """The same by one matrix product over freshly embedded texts."""
    spans = [(d, c) for d in documents for c in cut(d)]
    rows = embedder.embed_passages([passage_text(d.title, c.section, c.text) for d, c in spans])
    scores = rows.astype(np.float16).astype(np.float64) @ embedder.embed_query(question).astype(np.float64)
    return [(spans[i][0].key, spans[i][1].start, float(scores[i])) for i in np.argsort(-scores)]


def assert_same_ranking(found: list[tuple[str, int, float]], expected: list[tuple[str, int, float]]) -> None:
    assert [hit[:2] for hit in found] == [hit[:2] for hit in expected]
    assert [hit[2] for hit in found] == pytest.approx([hit[2] for hit in expected], abs=1e-6)


def test_dense_search_equals_an_exhaustive_one_over_many_runs(
    tmp_path: Path, embedder: Embedder, publish: Publish, make: Make, documents: list[Document], chunks: Cut
) -> None:
    """Segments come, shrink and are merged; the result is that of one matrix product all the while."""
    library = tmp_path / "library"
    held: dict[str, Document] = {}
    for run, one in enumerate(documents):
        gone = [("wiki", "magnets")] if run == 5 else []
        new = [one]
        if run == 8:
            new.append(make("rivers", "The river is dry.\n\nNothing flows.", source="papers", title="Rivers"))
        assert publish(library, new, gone) == run + 1
        held |= {d.key: d for d in new}
        for _, key in gone:
            del held[key]
        if run in (0, 5, 8, 11):
            question = "How much water is in the river?"
            expected = exhaustive(list(held.values()), chunks, embedder, question)
            assert_same_ranking(dense_hits(Library.open(library), embedder, question), expected)
            assert_same_ranking(dense_hits(Library.open(library), embedder, question, k=3), expected[:3])


def test_what_was_put_comes_back(tmp_path: Path, publish: Publish, documents: list[Document]) -> None:
    library = tmp_path / "library"
    odd = replace(
        documents[0],
        key="odd \n key/ü😀.md",
        title='O\'Brien; DROP TABLE "document"',
        text="First – “quoted” 1.5 µm.\n\n😀 After an emoji, offsets count characters.",
    )
    odd = replace(odd, sections=(replace(odd.sections[0], end=len(odd.text), path=("A > B", "ü")),), pages=(0, 25))
    publish(library, [*documents, odd])
    with Library.open(library).view() as view:
        for one in [*documents, odd]:
            assert view.document(one.source, one.key) == one
        assert view.counts() == (13, 26)
        assert [s.key for s in view.summaries() if s.source == "papers"] == sorted(
            d.key for d in [*documents, odd] if d.source == "papers"
        )
        found = view.passages(view.search_lexical("emoji", 5), "lexical")
    assert [p.text for p in found] == ["😀 After an emoji, offsets count characters."]
    assert odd.text[found[0].start : found[0].end] == found[0].text


def test_a_replaced_document_is_found_by_its_new_words_only(tmp_path: Path, publish: Publish, make: Make) -> None:
    library = tmp_path / "library"
    publish(library, [make("a", "about zebras"), make("b", "about lions")])
    publish(library, [make("a", "about walruses", revision="2")])
    with Library.open(library).view() as view:
        assert view.search_lexical("zebras", 5) == []
        assert [p.revision for p in view.passages(view.search_lexical("walruses", 5), "lexical")] == ["2"]
        assert view.counts() == (2, 2)


def test_putting_twice_in_one_run_keeps_the_last(tmp_path: Path, publish: Publish, make: Make) -> None:
    publish(tmp_path / "library", [make("a", "about zebras"), make("a", "about walruses")])
    with Library.open(tmp_path / "library").view() as view:
        assert view.search_lexical("zebras", 5) == []
        assert len(view.search_lexical("walruses", 5)) == 1
        assert view.counts() == (1, 1)


def test_a_run_that_changes_nothing_keeps_the_generation(tmp_path: Path, publish: Publish, make: Make) -> None:
    assert publish(tmp_path / "library") == 0
    assert publish(tmp_path / "library", [make("a", "text")]) == 1
    assert publish(tmp_path / "library", gone=[("wiki", "never there")]) == 1


def test_an_emptied_library_answers_with_nothing(
    tmp_path: Path, embedder: Embedder, publish: Publish, make: Make
) -> None:
    library = tmp_path / "library"
    publish(library, [make("a", "about zebras")])
    publish(library, gone=[("wiki", "a")])
    assert dense_hits(Library.open(library), embedder, "zebras") == []
    with Library.open(library).view() as view:
        assert view.search_lexical("zebras", 5) == []
        assert view.counts() == (0, 0)
    publish(library, [make("b", "about lions")])  # until then, a rollback may want the file
    assert len(list((library / "segments").iterdir())) == 1


def test_a_chunk_that_is_not_cut_from_its_text_is_refused(
    tmp_path: Path, embedder: Embedder, make: Make, chunks: Cut
) -> None:
    document = make("a", "one two three")
    wrong = replace(chunks(document)[0], start=1)
    with Library.open_or_create(tmp_path, embedder).writer(embedder) as writer, pytest.raises(ValueError, match="cut"):
        writer.put(document, [wrong])


def test_known_text_is_not_embedded_again(tmp_path: Path, embedder: Embedder, make: Make, chunks: Cut) -> None:
    def put(*documents: Document) -> int:
        with Library.open_or_create(tmp_path, embedder).writer(embedder) as writer:
            for one in documents:
                writer.put(one, chunks(one))
            writer.publish()
            return writer.embedded

    assert put(make("a", "same\n\nsame\n\nother")) == 2
    assert put(make("a", "other\n\nsame", revision="2"), make("b", "same")) == 0
    assert put(make("b", "same", title="Now with a title")) == 1


def test_readers_see_one_generation_while_a_writer_publishes(
    tmp_path: Path, embedder: Embedder, publish: Publish, make: Make
) -> None:
    """Every document says in which run it was written: a view that held two runs would show two numbers."""
    library_folder = tmp_path / "library"

    def write(run: int) -> None:
        publish(library_folder, [make(f"d{n}", f"common words of run{run}") for n in range(5)])

    write(0)
    library, query = Library.open(library_folder), embedder.embed_query("common words")
    failures: list[str] = []
    seen: set[str] = set()
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            with library.view() as view:
                for hits in (view.search_lexical("common words", 100), view.search_dense(query, 100)):
                    texts = [p.text for p in view.passages(hits, "dense")]
                    if len(texts) != 5 or len(set(texts)) != 1:
                        failures.append(f"generation {view.generation}: {texts}")
                    seen.update(texts)

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for run in range(1, 8):
        write(run)
    done.set()
    for reader in readers:
        reader.join()
    assert not failures
    assert len(seen) >= 2


def test_an_open_view_keeps_its_generation(tmp_path: Path, embedder: Embedder, publish: Publish, make: Make) -> None:
    publish(tmp_path / "library", [make("a", "about zebras")])
    library = Library.open(tmp_path / "library")
    with library.view() as before:
        publish(tmp_path / "library", [make("a", "about walruses")], [])
        assert [p.text for p in before.passages(before.search_lexical("zebras", 5), "lexical")] == ["about zebras"]
        assert len(before.search_dense(embedder.embed_query("zebras"), 5)) == 1
        assert before.search_lexical("walruses", 5) == []
    with library.view() as after:
        assert after.search_lexical("zebras", 5) == []
        assert after.generation == 2


def test_no_library_is_said_with_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(LibraryNotFound, match="refdesk index"):
        Library.open(tmp_path)


def test_a_library_where_no_folder_can_be_is_an_error_of_ours(tmp_path: Path, embedder: Embedder) -> None:
    file = tmp_path / "file"
    file.write_text("not a folder")
    for place in (file, file / "library"):
        with pytest.raises(LibraryError, match="cannot be written"):
            Library.open_or_create(place, embedder)


def test_another_embedder_is_refused(tmp_path: Path, embedder: Embedder, tiny_model: Path, publish: Publish) -> None:
    from assistant.answering import Assistant
    from assistant.embed import open_embedder
    from assistant.settings import EmbedderSettings, Settings

    publish(tmp_path / "library")
    settings = Settings(embedder=EmbedderSettings(model=str(tiny_model)))
    other = open_embedder(settings.embedder)
    with pytest.raises(LibraryMismatch, match="all-MiniLM-L6-v2"):
        Library.open(tmp_path / "library").writer(other)
    with pytest.raises(LibraryMismatch, match="index into a new folder"):
        Assistant.open(tmp_path / "library", settings)


def test_a_newer_format_is_refused(tmp_path: Path, publish: Publish) -> None:
    publish(tmp_path / "library")
    with closing(database.connect(tmp_path / "library/catalog.sqlite", write=True)) as connection:
        connection.execute("UPDATE meta SET value = '99' WHERE key = 'format'")
    with pytest.raises(LibraryTooNew, match="format 99"):
        Library.open(tmp_path / "library")


@pytest.mark.parametrize(
    ("pattern", "damage", "named"),
    [
        ("segments/*.segment", "cut", r"segments/\w+\.segment"),
        ("segments/*.segment", "remove", r"segments/\w+\.segment"),
        ("catalog.sqlite", "cut", "catalog.sqlite"),
    ],
)
def test_damage_is_named_to_reader_and_writer(
    tmp_path: Path, embedder: Embedder, publish: Publish, make: Make, pattern: str, damage: str, named: str
) -> None:
    library = tmp_path / "library"
    publish(library, [make("a", "about zebras"), make("b", "about lions")])
    file = next(library.glob(pattern))
    if damage == "cut":
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 3])
    else:
        file.unlink()
    with pytest.raises(LibraryDamaged, match=named), Library.open(library).view() as view:
        view.counts()
    with pytest.raises(LibraryDamaged, match=named):
        publish(library, [make("c", "about walruses")], [("wiki", "a")])


class Dying:
    """The embedder, until it has embedded so many texts."""

    def __init__(self, embedder: Embedder, texts: int) -> None:
        self.name, self.fingerprint = embedder.name, embedder.fingerprint
        self.dimensions, self.max_tokens = embedder.dimensions, embedder.max_tokens
        self.embed_query, self.token_starts = embedder.embed_query, embedder.token_starts
        self._embedder, self._left = embedder, texts

    def embed_passages(self, texts: Sequence[str]) -> FloatArray:
        self._left -= len(texts)
        if self._left < 0:
            raise KeyboardInterrupt
        return self._embedder.embed_passages(texts)


class Counting(Dying):
    """An embedder that notes how many texts it was given at once."""

    def __init__(self, embedder: Embedder) -> None:
        super().__init__(embedder, 10**9)
        self.sizes: list[int] = []

    def embed_passages(self, texts: Sequence[str]) -> FloatArray:
        self.sizes.append(len(texts))
        return super().embed_passages(texts)


def test_a_long_document_is_embedded_in_pieces(
    tmp_path: Path, embedder: Embedder, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    from assistant.library import writer as room

    monkeypatch.setattr(room, "_EMBED_AT_ONCE", 10)
    monkeypatch.setattr(room, "_SEGMENT_ROWS", 20)
    counting = Counting(embedder)
    texts = [f"text number {n}" for n in range(75)]
    document = make("long", "\n".join(texts))
    starts = [
        document.text.index(text + "\n") if text != texts[-1] else len(document.text) - len(text) for text in texts
    ]
    chunks = [Chunk(start, start + len(text), text, (), None) for start, text in zip(starts, texts, strict=True)]
    with Library.open_or_create(tmp_path, counting).writer(counting) as writer:
        writer.put(document, chunks)
        writer.publish()
    assert max(counting.sizes) < 20
    assert sum(counting.sizes) == 75
    assert len(list((tmp_path / "segments").iterdir())) == 1
    with Library.open(tmp_path).view(()) as view:
        assert len(view.search_lexical("text number", 100)) == 75
    assert dense_hits(Library.open(tmp_path), embedder, "text number 40")


def test_a_stopped_run_leaves_what_it_embedded(
    tmp_path: Path, embedder: Embedder, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    from assistant.library import writer as room

    monkeypatch.setattr(room, "_EMBED_AT_ONCE", 10)
    monkeypatch.setattr(room, "_SEGMENT_ROWS", 20)
    documents = [make(f"d{n}", f"text number {n}") for n in range(60)]

    def put(with_: Embedder) -> int:
        with Library.open_or_create(tmp_path, with_).writer(with_) as writer:
            for one in documents:
                writer.put(one, [Chunk(0, len(one.text), one.text, (), None)])
            writer.publish()
            return writer.embedded

    with pytest.raises(KeyboardInterrupt):
        put(Dying(embedder, 50))
    assert put(Dying(embedder, 50)) == 20  # forty stood in segments that were not published
    assert len(list((tmp_path / "segments").iterdir())) == 1
    assert len(dense_hits(Library.open(tmp_path), embedder, "text")) == 60
