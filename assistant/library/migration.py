"""Brings a library of an older format up to date; its documents are kept.

Format 1 had a tantivy index and FAISS files for each shelf, no checksums, and chunks as rows of their own: its indexes
are built again. Format 2 lacked what sources say about documents: those columns are added.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from assistant.errors import LibraryDiskFull, LibraryError
from assistant.library import catalog, database, recovery, segment
from assistant.library.disk import WORK_SUFFIX, refused, sync_folder
from assistant.library.lock import lock
from assistant.library.writer import Writer
from assistant.types import Chunk, Document, Item, Section

if TYPE_CHECKING:
    import apsw

    from assistant.embed import Embedder

_FORMAT_3 = (
    "ALTER TABLE source ADD COLUMN state TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE document ADD COLUMN authors TEXT NOT NULL DEFAULT '[]'",
    *(
        f"ALTER TABLE document ADD COLUMN {name} TEXT NOT NULL DEFAULT ''"
        for name in ("created", "modified", "language", "status")
    ),
)


def migrate(folder: Path, embedder: Embedder, progress: Callable[[int, int], None] = lambda done, total: None) -> int:
    """Makes the library in `folder` one of the present format and returns how many documents it holds.

    From format 1, all text is embedded again. The old library stays as it is until the new one is whole. `progress` is
    called with documents done and documents in all. Raises LibraryError where there is nothing to do, LibraryLocked,
    LibraryDamaged, LibraryDiskFull, LibraryReadOnly.
    """
    file = folder / catalog.FILE
    with lock(folder), database.refused(file), refused(folder):
        with closing(database.connect(file, write=True)) as old:
            found = int(catalog.meta(old, "format"))
            if found not in (1, 2):
                raise LibraryError(f"The library {folder} has format {found}, so there is nothing to migrate.")
            if found == 2:
                return _add_columns(old)
            work = folder / f"migrating{WORK_SUFFIX}"
            shutil.rmtree(work, ignore_errors=True)
            (work / segment.FOLDER).mkdir(parents=True)
            about = {"embedder": embedder.name, "fingerprint": embedder.fingerprint}
            catalog.create(work, about | {"dimensions": str(embedder.dimensions)})
            documents = _copy(old, work, embedder, progress)
            # Else SQLite would take the old write-ahead log for that of the new catalog.
            old.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            old.execute("PRAGMA journal_mode = DELETE").fetchall()  # it is done, or refused, after its only row
        _take_over(folder, work)
    return documents


def _add_columns(old: apsw.Connection) -> int:
    old.execute("BEGIN IMMEDIATE")
    for statement in _FORMAT_3:
        old.execute(statement)
    catalog.set_meta(old, "format", 3)
    old.execute("COMMIT")
    ((documents,),) = old.execute("SELECT count(*) FROM document WHERE died IS NULL")
    return int(documents)


def _copy(old: apsw.Connection, work: Path, embedder: Embedder, progress: Callable[[int, int], None]) -> int:
    ((total,),) = old.execute("SELECT count(*) FROM document")
    done = 0
    with Writer(work, embedder) as writer:
        for name, root in old.execute("SELECT name, root FROM source"):
            writer.source_name(str(root), str(name))
        for document, chunks in _documents(old):
            writer.put(document, chunks)
            done += 1
            progress(done, int(total))
        rows = old.execute(
            "SELECT source, key, status, reason, revision, stamp, access FROM item JOIN shelf ON shelf.id = shelf_id"
        )
        for *item, access in rows:
            writer.record(Item(*item), catalog.access_from_json(str(access)))
        writer.publish()
    return done


def _documents(old: apsw.Connection) -> Iterator[tuple[Document, list[Chunk]]]:
    rows = old.execute(
        "SELECT document.id, source, key, revision, title, url, kind, text, sections, pages, access"
        " FROM document JOIN shelf ON shelf.id = shelf_id ORDER BY document.id"
    )
    for number, source, key, revision, title, url, kind, text, sections, pages, access in rows:
        document = Document(
            source=str(source),
            key=str(key),
            revision=str(revision),
            title=str(title),
            url=str(url),
            kind=str(kind),
            text=str(text),
            sections=tuple(Section(s, e, tuple(path), k) for s, e, path, k in json.loads(str(sections))),
            pages=tuple(json.loads(str(pages))),
            access=catalog.access_from_json(str(access)),
        )
        spans = old.execute(
            'SELECT start, "end", section, page, kind FROM chunk WHERE document_id = ? ORDER BY id', (number,)
        )
        yield document, [Chunk(s, e, document.text[s:e], tuple(json.loads(path)), p, k) for s, e, path, p, k in spans]


def _take_over(folder: Path, work: Path) -> None:
    """Puts the new files in place, the catalog last; what is old by then goes now or with the next run."""
    shutil.rmtree(folder / segment.FOLDER, ignore_errors=True)  # of a migration that was stopped here
    (work / segment.FOLDER).rename(folder / segment.FOLDER)
    sync_folder(folder)
    (work / catalog.FILE).replace(folder / catalog.FILE)
    sync_folder(folder)
    # The new library stands. On a full disk the next run does the rest.
    file = folder / catalog.FILE
    with (
        suppress(LibraryDiskFull),
        database.refused(file),
        closing(catalog.connect(folder, write=True)) as connection,
    ):
        recovery.finish_last_run(folder, connection)
