"""Lexical search: one tantivy index per shelf, in `lexical/<shelf>`.

Scores are BM25 (Robertson and Zaragoza, 2009) with tantivy's k1 = 1.2 and b = 0.75 over stemmed English words of
heading path and text in one field. Over several shelves the rarity of a word (idf) is counted over all of them
together; the average length stays each shelf's own.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from assistant.errors import LibraryDamaged

FOLDER = "lexical"
_HEAP_BYTES = 64_000_000


@cache
def _analyzer() -> Any:
    """The same words as tantivy's `en_stem`."""
    from tantivy import Filter, TextAnalyzerBuilder, Tokenizer

    builder = TextAnalyzerBuilder(Tokenizer.simple())
    return builder.filter(Filter.remove_long(40)).filter(Filter.lowercase()).filter(Filter.stemmer("english")).build()


def words(text: str) -> list[str]:
    """The index's words of a text, in order, with repetitions."""
    return list(_analyzer().analyze(text))


def open_index(folder: Path, shelf: int, *, create: bool = False) -> Any:
    """The tantivy index of a shelf; raises FileNotFoundError where it has none, LibraryDamaged where it is broken."""
    import tantivy

    path = folder / FOLDER / str(shelf)
    if create:
        path.mkdir(parents=True, exist_ok=True)
    elif not (path / "meta.json").exists():
        raise FileNotFoundError(path)
    schema = (
        tantivy.SchemaBuilder()
        .add_unsigned_field("chunk", stored=False, indexed=True, fast=True)
        .add_text_field("text", stored=False, tokenizer_name="en_stem", index_option="freq")
        .build()
    )
    try:
        return tantivy.Index(schema, path=str(path))
    except (ValueError, OSError) as error:
        raise LibraryDamaged(
            f"The lexical index {path} cannot be opened ({error}). "
            "Restore it from a copy, or index again into a new folder."
        ) from error


def shelves(folder: Path) -> list[int]:
    """The shelves that have an index, published or not."""
    return sorted(int(path.name) for path in (folder / FOLDER).glob("*") if path.name.isdecimal())


def require(folder: Path, shelf: int) -> None:
    """Raises LibraryDamaged where a shelf that has chunks has no index."""
    if not (folder / FOLDER / str(shelf) / "meta.json").exists():
        raise LibraryDamaged(
            f"The lexical index {folder / FOLDER / str(shelf)} is missing from the library. "
            "Restore it from a copy, or index again into a new folder."
        )


class LexicalWriter:
    """Adds to and removes from one shelf's index; nothing is durable before `commit`."""

    def __init__(self, folder: Path, shelf: int) -> None:
        self._index = open_index(folder, shelf, create=True)
        self._writer = self._index.writer(heap_size=_HEAP_BYTES, num_threads=1)

    def add(self, chunk_id: int, text: str) -> None:
        import tantivy

        document = tantivy.Document()
        document.add_unsigned("chunk", chunk_id)
        document.add_text("text", text)
        self._writer.add_document(document)

    def remove(self, chunk_ids: Iterable[int]) -> None:
        from tantivy import Query

        # delete_documents_by_term takes a Python integer for a signed term, which matches nothing in this field.
        self._writer.delete_documents_by_query(Query.term_set_query(self._index.schema, "chunk", list(chunk_ids)))

    def remove_above(self, chunk_id: int) -> None:
        """Removes chunks that an unfinished run left: their ids lie above all that the catalog ever published."""
        self._writer.delete_documents_by_query(_above(self._index, chunk_id))

    def commit(self) -> None:
        self._writer.commit()

    def close(self) -> None:
        self._writer.wait_merging_threads()


def holds_above(folder: Path, shelf: int, chunk_id: int) -> bool:
    """Whether a shelf's index holds a chunk with a higher id than this one."""
    try:
        index = open_index(folder, shelf)
    except FileNotFoundError:
        return False
    return bool(searcher(index).search(_above(index, chunk_id), limit=1).hits)


def _above(index: Any, chunk_id: int) -> Any:
    from tantivy import FieldType, Query

    return Query.range_query(index.schema, "chunk", FieldType.Unsigned, lower_bound=chunk_id, include_lower=False)


def searcher(index: Any) -> Any:
    """A view of the index as it is now, which later commits do not change; raises LibraryDamaged if it is broken."""
    try:
        index.reload()
        view = index.searcher()
        view.doc_freq("text", "")  # opens the postings of every segment, which is where a missing file is noticed
    except ValueError as error:
        raise LibraryDamaged(
            f"A lexical index of the library cannot be read ({error}). "
            "Restore it from a copy, or index again into a new folder."
        ) from error
    return view


def idf(word: str, searchers: Sequence[Any]) -> float:
    """log(1 + (N - n + 0.5) / (n + 0.5)) over all searchers together: N chunks, n of which hold the word."""
    total = sum(s.num_docs for s in searchers)
    holding = min(total, sum(s.doc_freq("text", word) for s in searchers))
    return math.log(1 + (total - holding + 0.5) / (holding + 0.5))


def search(shelves: Sequence[tuple[Any, Any]], question_words: Sequence[str], limit: int) -> list[tuple[int, float]]:
    """The `limit` best (chunk id, BM25) over shelves given as (index, searcher), best first, equal scores by id."""
    from tantivy import Occur, Query

    searchers = [view for _, view in shelves]
    hits: list[tuple[int, float]] = []
    for index, view in shelves:
        terms = []
        for word in sorted(set(question_words)):
            own = idf(word, [view])
            weight = idf(word, searchers) / own if own and len(shelves) > 1 else 1.0
            terms.append(
                (Occur.Should, Query.boost_query(Query.term_query(index.schema, "text", word, "freq"), weight))
            )
        if not terms or not view.num_docs:
            continue
        # tantivy makes room for `limit` hits before it has any, and ends the process where there is not enough.
        most = min(limit, view.num_docs)
        found = view.search(Query.boolean_query(terms), limit=most, count=False).hits
        ids = view.fast_field_values("chunk", [address for _, address in found])
        hits += [(int(chunk_id), float(score)) for chunk_id, (score, _) in zip(ids, found, strict=True)]
    hits.sort(key=lambda hit: (-hit[1], hit[0]))
    return hits[:limit]
