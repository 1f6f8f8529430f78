"""A small library's life: the runs that the crash tests interrupt, and a digest of all that it shows."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Collection, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assistant.errors import LibraryNotFound, LibraryTooOld
from assistant.library import Library, compaction
from assistant.search import search
from assistant.settings import SearchSettings
from assistant.types import PUBLIC, Access, Chunk, Document, Item, Section

if TYPE_CHECKING:
    from assistant.library.view import View
    from assistant.types import FloatArray

BOARD = Access.of("board")
CALLERS: dict[str, Collection[str]] = {"outsider": (), "member": ("board", "atlas")}
QUESTIONS = ("river flood warning", "common budget of the detector", "heron")
DIMENSIONS = 16
MOST = 100
"""Passages that are asked for: all that there are, but for `settle`."""


class GivenVectors:
    """An embedder whose vectors are drawn at random, the text being the seed."""

    name, fingerprint, dimensions, max_tokens = "given", "given16", DIMENSIONS, 10_000

    def embed_passages(self, texts: Sequence[str]) -> FloatArray:
        import numpy as np

        return np.stack([self.embed_query(text) for text in texts])

    def embed_query(self, text: str) -> FloatArray:
        import numpy as np

        seed = int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")
        row = np.random.default_rng(seed).standard_normal(DIMENSIONS)
        return (row / np.linalg.norm(row)).astype(np.float32)

    def token_starts(self, text: str) -> Sequence[int]:
        return range(len(text))


def document(key: str, text: str, *, access: Access = PUBLIC, revision: str = "1", source: str = "wiki") -> Document:
    """One section of paragraphs, each of which becomes a chunk."""
    section = Section(0, len(text), (key,))
    return Document(source, key, revision, key.title(), f"https://wiki.example/{key}", "markdown", text, (section,),
                    (0,), access)  # fmt: skip


def chunks(one: Document) -> list[Chunk]:
    found, start = [], 0
    for paragraph in one.text.split("\n\n"):
        found.append(Chunk(start, start + len(paragraph), paragraph, one.sections[0].path, 1))
        start += len(paragraph) + 2
    return found


def put(writer: Any, one: Document) -> None:
    writer.put(one, chunks(one))
    writer.record(Item(one.source, one.key, "indexed", "", one.revision, one.revision), one.access)


FIRST = [
    document("river", "The river rises in spring.\n\nA flood warning goes at 300 cubic metres, by night as by day."),
    document("heron", "A heron stands in the river, and another heron behind it.\n\nIt eats common frogs."),
    document("detector", "The common detector has 9852 photomultipliers.\n\nIts budget is 120 thousand francs."),
    document("minutes", "The board met on Monday.\n\nThe budget of the detector is too small, said the chair.",
             access=BOARD),
    document("salaries", "Nobody but the board reads this heron.", access=BOARD, source="papers"),
]  # fmt: skip


def index(folder: Path) -> None:
    """The first run: makes the library and fills it."""
    embedder = GivenVectors()
    with Library.open_or_create(folder, embedder).writer(embedder) as writer:
        for one in FIRST:
            put(writer, one)
        writer.record(Item("wiki", "scan", "skipped", "needs_ocr", "1", "1"), BOARD)
        writer.publish()


def update(folder: Path) -> None:
    """Changes one document, removes one, adds one, and opens and closes one each."""
    embedder = GivenVectors()
    with Library.open(folder).writer(embedder) as writer:
        put(writer, document("river", "The river is dry.\n\nNo flood warning goes this common year.", revision="2"))
        writer.remove("wiki", "heron")
        put(writer, document("owl", "The owl hunts by night.\n\nIts budget is common mice by the river.", revision="2"))
        put(writer, document("minutes", FIRST[3].text, revision="2"))
        put(writer, document("detector", FIRST[2].text, access=Access.of("atlas"), revision="2"))
        writer.record(Item("wiki", "scan", "failed", "corrupt", "2", "2"), PUBLIC)
        writer.publish()


def grow(folder: Path, number: int) -> None:
    """One more document on each of two shelves."""
    embedder = GivenVectors()
    with Library.open(folder).writer(embedder) as writer:
        put(writer, document(f"note-{number}", f"Note {number} names the heron" + " again" * number + "."))
        text = f"Secret {number} of the budget" + " itself" * number + "."
        put(writer, document(f"secret-{number}", text, access=BOARD))
        if number > 2:
            writer.remove("wiki", f"note-{number - 2}")
        writer.publish()


def compact(folder: Path) -> None:
    """A run that finds as many segments as are merged at once."""
    grow(folder, 1000)


def settle(folder: Path) -> None:
    """A run by which a shelf gets too large to be compared row by row, and so a segment of its own with codes."""
    embedder = GivenVectors()
    with Library.open(folder).writer(embedder) as writer:
        put(writer, long_document(1000))
        writer.remove("wiki", "heron")
        writer.publish()


def long_document(number: int) -> Document:
    paragraphs = (f"Paragraph {number}-{at} of the river" + " bank" * (at % 7) + "." for at in range(100))
    return document(f"long-{number}", "\n\n".join(paragraphs))


def rollback(folder: Path) -> None:
    Library.open(folder).rollback()


def nothing(folder: Path) -> None:
    """A run that finds nothing changed."""
    embedder = GivenVectors()
    with Library.open_or_create(folder, embedder).writer(embedder) as writer:
        writer.publish()


def migrate(folder: Path) -> None:
    """Brings a library of format 1 up to date."""
    from assistant.library.migration import migrate as bring_up_to_date

    bring_up_to_date(folder, GivenVectors())


def before_migrate(folder: Path) -> None:
    shutil.copytree(Path(__file__).parent / "format1", folder)


def before_index(folder: Path) -> None:
    """Nothing is there yet, not even the folder."""


def before_update(folder: Path) -> None:
    index(folder)


def before_compact(folder: Path) -> None:
    """As many runs as it takes until the next one leaves fewer segments than it found."""
    import tempfile

    index(folder)
    for number in range(100):
        with tempfile.TemporaryDirectory() as elsewhere:
            trial = Path(elsewhere) / "library"
            shutil.copytree(folder, trial)
            compact(trial)
            nothing(trial)
            if len(segments(trial)) < len(segments(folder)):
                return
        grow(folder, number)
    raise AssertionError("a hundred runs merged no segments")


def before_settle(folder: Path) -> None:
    """Just small enough."""
    index(folder)
    embedder = GivenVectors()
    with Library.open(folder).writer(embedder) as writer:
        for number in range(compaction.LARGE // 100):
            put(writer, long_document(number))
        writer.publish()


def before_rollback(folder: Path) -> None:
    index(folder)
    update(folder)


def segments(folder: Path) -> list[Path]:
    return [file for file in folder.rglob("*") if file.is_file() and "segment" in file.name]


def state(folder: Path) -> dict[str, Any]:
    """What a library shows through its public interface: its generation, -1 where there is no library, and a digest
    for each caller and question."""
    try:
        library = Library.open(folder)
    except LibraryNotFound:
        return {"generation": -1}
    except LibraryTooOld:
        return {"generation": "too old"}
    found: dict[str, Any] = {}
    for caller, groups in CALLERS.items():
        with library.view(groups) as view:
            found |= {f"{caller}: {what}": digest(shown) for what, shown in shows(view).items()}
            found["generation"] = view.generation
    return found


def problems(folder: Path) -> list[str]:
    """What `verify` says; nothing where there is no library, or an old one."""
    try:
        return [str(problem) for problem in Library.open(folder).verify()]
    except (LibraryNotFound, LibraryTooOld):
        return []


def seen(folder: Path) -> dict[str, Any]:
    """All that there is to see of a library."""
    return {"state": state(folder), "problems": problems(folder), "files": files(folder)}


def shows(view: View) -> dict[str, Any]:
    """Everything that a view shows, with exact scores; the cosines of a chunk with each axis are its vector."""
    import numpy as np

    embedder = GivenVectors()
    shown: dict[str, Any] = {
        "documents": [asdict(view.document(s.source, s.key)) for s in view.summaries()],  # type: ignore[arg-type]
        "summaries": [asdict(summary) for summary in view.summaries()],
        "items": [asdict(item) for item in view.items()],
        "counts": view.counts(),
    }
    for question in QUESTIONS:
        shown[f"lexical {question}"] = hits(view.passages(view.search_lexical(question, MOST), "lexical"))
        shown[f"dense {question}"] = hits(
            view.passages(view.search_dense(embedder.embed_query(question), MOST), "dense")
        )
        shown[f"fused {question}"] = hits(search(view, embedder, question, SearchSettings(), k=MOST))
    for axis in range(DIMENSIONS):
        query = np.eye(DIMENSIONS, dtype=np.float32)[axis]
        shown[f"dense {axis}"] = [(hit.score, hit.order) for hit in view.search_dense(query, MOST)]
    return shown


def hits(passages: Sequence[Any]) -> list[Any]:
    """Passages without the number of the chunk, which is no content, those of equal score by document."""
    rows = [asdict(passage) for passage in passages]
    if [row["score"] for row in rows] != sorted((row["score"] for row in rows), reverse=True):
        raise AssertionError("the best passage does not come first")
    for row in rows:
        del row["chunk_id"], row["rank"]
    return sorted(rows, key=lambda row: (-row["score"], row["source"], row["key"], row["start"]))


def digest(shown: Any) -> str:
    text = json.dumps(shown, sort_keys=True, default=lambda value: sorted(value))
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def files(folder: Path) -> list[str]:
    """The kinds of file that a library consists of, without SQLite's own that come and go; [] where there is none."""
    found = (file for file in folder.rglob("*") if file.is_file() and not file.name.endswith(("-wal", "-shm")))
    return sorted(f"{file.parent.relative_to(folder)}/*{file.suffix}" for file in found)
