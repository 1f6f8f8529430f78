"""Going back, cleaning up, and finding damage."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from assistant.errors import LibraryDamaged, LibraryDiskFull, LibraryError, LibraryNotFound
from assistant.library import catalog, database, segment
from assistant.library.disk import WORK_SUFFIX, refused
from assistant.library.lock import lock
from assistant.library.segment import Segment

if TYPE_CHECKING:
    import apsw


FORMAT_1 = ("lexical", "dense", "vectors-*")
"""What is left of a library that was migrated."""


@dataclass(frozen=True, slots=True)
class Problem:
    """A file of a library that does not hold what it should, and what is wrong with it."""

    file: str
    what: str


def left_segments(folder: Path, connection: apsw.Connection) -> list[Segment]:
    """The whole segments that a run wrote which was stopped before it published them. Their files may then go."""
    named = {name for (name,) in connection.execute("SELECT name FROM segment")}
    left = []
    for file in segment.files(folder):
        if file.suffix == segment.SUFFIX and file.stem not in named:
            with suppress(LibraryDamaged):
                left.append(Segment(folder, file.stem, None))
    return left


def remove_unnamed(folder: Path, connection: apsw.Connection) -> None:
    """Deletes the files that no kept generation names: leftovers of runs that were not published, and of old ones."""
    named = {name + segment.SUFFIX for (name,) in connection.execute("SELECT name FROM segment")}
    with refused(folder):
        for file in segment.files(folder):
            if file.name not in named:
                file.unlink()
        left = [file for pattern in (f"*{WORK_SUFFIX}*", *FORMAT_1) for file in folder.glob(pattern)]
        for file in left:  # SQLite's journals beside its files, too
            if file.is_dir():
                shutil.rmtree(file)
            else:
                file.unlink(missing_ok=True)


def finish_last_run(folder: Path, connection: apsw.Connection) -> None:
    """Does what a run that was stopped had still to do: notes that it was published, or removes what it left."""
    remove_unnamed(folder, connection)
    catalog.mark(folder, int(catalog.meta(connection, "published")))


def note_publish(folder: Path, connection: apsw.Connection, published: int) -> None:
    """What follows a commit. The run has succeeded by then: without room for the note, the next run makes it."""
    with suppress(LibraryDiskFull):
        catalog.mark(folder, published)
    remove_unnamed(folder, connection)


def rollback(folder: Path) -> int:
    """Shows the generation before the present one again and returns its number.

    One generation is kept, so this cannot be done twice in a row. Raises LibraryError where none is kept, LibraryLocked
    where another process is writing, and as `catalog.connect` does.
    """
    with (
        lock(folder),
        database.refused(folder / catalog.FILE),
        closing(catalog.connect(folder, write=True)) as connection,
    ):
        finish_last_run(folder, connection)
        connection.execute("BEGIN IMMEDIATE")
        generation, previous = catalog.meta(connection, "generation"), catalog.meta(connection, "previous")
        if not previous:
            connection.execute("ROLLBACK")
            raise LibraryError(
                f"The library {folder} keeps no generation before {generation}: only the last one can be undone, once."
            )
        catalog.revive(connection, int(generation))
        published = int(catalog.meta(connection, "published")) + 1
        catalog.set_meta(connection, "generation", previous)
        catalog.set_meta(connection, "previous", "")
        catalog.set_meta(connection, "published", published)
        connection.execute("COMMIT")
        note_publish(folder, connection, published)
        return int(previous)


def verify(folder: Path) -> list[Problem]:
    """Reads every byte of a library and says what is wrong, [] if nothing is.

    Compares each page of the catalog and each array of the segments with its checksum, and the chunks of each
    document with the rows of the segments. Raises LibraryNotFound, and LibraryTooNew and LibraryTooOld for another
    format.
    """
    if not (folder / catalog.FILE).exists():
        raise LibraryNotFound(f"There is no library at {folder.resolve()}.")
    problems: list[Problem] = []
    if damaged := database.damaged_pages(folder / catalog.FILE):
        problems.append(Problem(catalog.FILE, f"{damaged} pages do not have the checksum that they should"))
    try:
        with (
            database.refused(folder / catalog.FILE),
            closing(catalog.connect(folder)) as connection,
        ):
            connection.execute("BEGIN")
            for (what,) in connection.execute("PRAGMA integrity_check").fetchall():
                if what != "ok":
                    problems.append(Problem(catalog.FILE, str(what)))
            problems += _segment_problems(folder, connection)
    except LibraryDamaged as error:
        problems.append(Problem(catalog.FILE, str(error)))
    return problems


def _segment_problems(folder: Path, connection: apsw.Connection) -> Iterator[Problem]:
    import numpy as np

    dead = catalog.dead_rows(connection)
    held: dict[int, int] = {}
    whole = True
    for name, digest, died in catalog.segments(connection, kept=True):
        try:
            opened = Segment(folder, name, digest)
            opened.check()
        except LibraryError as error:
            whole = False
            yield Problem(f"{segment.FOLDER}/{name}{segment.SUFFIX}", str(error))
            continue
        if died is None:
            shown = np.ones(opened.rows, np.bool_)
            shown[dead.get(name, [])] = False
            documents, counts = np.unique(opened["document"][shown], return_counts=True)
            for document, count in zip(documents.tolist(), counts.tolist(), strict=True):
                held[document] = held.get(document, 0) + count
    rows = connection.execute("SELECT id, count FROM document WHERE died IS NULL AND count > 0")
    known = {int(document): int(count) for document, count in rows}
    if whole and held != known:
        wrong = sum(held.get(document) != known.get(document) for document in held.keys() | known.keys())
        yield Problem(catalog.FILE, f"{wrong} documents do not have the chunks in the segments that they should")
