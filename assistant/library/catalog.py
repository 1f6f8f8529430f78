"""The catalog: the database whose transaction is the library's only commit point.

What a document, an item or a segment was in a generation is a row with the generation in which it was `born`, and the
one in which it `died`, NULL for what is shown now. The rows of the generation before are kept for `rollback`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import apsw

from assistant.errors import LibraryDamaged, LibraryTooNew, LibraryTooOld
from assistant.library import database
from assistant.library.disk import sync_folder, whole_file
from assistant.types import Access, Chunk, Document, Item, Section

FORMAT = 3
FILE = "catalog.sqlite"
MARK = "published"
"""The file that says which publish was the last, beside the catalog."""

_SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE source (name TEXT PRIMARY KEY, root TEXT NOT NULL UNIQUE, state TEXT NOT NULL DEFAULT '') WITHOUT ROWID;
CREATE TABLE shelf (id INTEGER PRIMARY KEY, access TEXT NOT NULL UNIQUE);
CREATE TABLE change (shelf INTEGER NOT NULL, generation INTEGER NOT NULL, PRIMARY KEY (shelf, generation))
    WITHOUT ROWID;
CREATE TABLE document (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    shelf INTEGER NOT NULL, born INTEGER NOT NULL, died INTEGER, count INTEGER NOT NULL, length INTEGER NOT NULL,
    source TEXT NOT NULL, key TEXT NOT NULL, revision TEXT NOT NULL, title TEXT NOT NULL, url TEXT NOT NULL,
    kind TEXT NOT NULL, sections TEXT NOT NULL, pages TEXT NOT NULL, text TEXT NOT NULL,
    authors TEXT NOT NULL DEFAULT '[]', created TEXT NOT NULL DEFAULT '', modified TEXT NOT NULL DEFAULT '',
    language TEXT NOT NULL DEFAULT '', status TEXT NOT NULL DEFAULT ''
);
CREATE TABLE chunk (
    document INTEGER NOT NULL REFERENCES document (id) ON DELETE CASCADE, number INTEGER NOT NULL,
    start INTEGER NOT NULL, "end" INTEGER NOT NULL, page INTEGER, kind TEXT NOT NULL, section TEXT NOT NULL,
    PRIMARY KEY (document, number)
) WITHOUT ROWID;
CREATE UNIQUE INDEX document_shown ON document (source, key) WHERE died IS NULL;
CREATE INDEX document_shelf ON document (shelf, count) WHERE died IS NULL;
CREATE INDEX document_born ON document (born);
CREATE INDEX document_died ON document (died) WHERE died IS NOT NULL;
CREATE TABLE item (
    source TEXT NOT NULL, key TEXT NOT NULL, status TEXT NOT NULL, reason TEXT NOT NULL, revision TEXT NOT NULL,
    stamp TEXT NOT NULL, shelf INTEGER NOT NULL, born INTEGER NOT NULL, died INTEGER
);
CREATE UNIQUE INDEX item_shown ON item (source, key) WHERE died IS NULL;
CREATE INDEX item_born ON item (born);
CREATE INDEX item_died ON item (died) WHERE died IS NOT NULL;
CREATE TABLE segment (
    name TEXT PRIMARY KEY, digest TEXT NOT NULL, rows INTEGER NOT NULL, born INTEGER NOT NULL, died INTEGER
) WITHOUT ROWID;
-- Rows of a segment that are no longer shown, as unsigned 32-bit numbers.
CREATE TABLE tombstone (segment TEXT NOT NULL, born INTEGER NOT NULL, rows BLOB NOT NULL);
"""


def connect(folder: Path, *, write: bool = False) -> apsw.Connection:
    """A connection to the catalog in `folder`.

    Raises LibraryDamaged where SQLite cannot read it, LibraryTooNew and LibraryTooOld for another format.
    """
    with database.refused(folder / FILE):
        marked = _mark(folder)
        connection = database.connect(folder / FILE, write=write)
        try:
            found = int(meta(connection, "format"))
            published = int(meta(connection, "published")) if found == FORMAT else marked
        except (KeyError, apsw.SQLError) as error:
            connection.close()
            raise _damaged(folder, f"it is no catalog: {error}") from error
    if found != FORMAT or published < marked:
        connection.close()
    if found > FORMAT:
        raise LibraryTooNew(f"The library {folder} has format {found}; this Refdesk reads {FORMAT}. Use a newer one.")
    if found < FORMAT:
        raise LibraryTooOld(
            f"The library {folder} has format {found}; this Refdesk reads {FORMAT}. Bring it up to date with: "
            f"refdesk migrate --library {folder}"
        )
    if published < marked:
        raise _damaged(folder, f"its write-ahead log is cut: it knows publish {published}, but {marked} was made")
    return connection


def _damaged(folder: Path, what: str) -> LibraryDamaged:
    return LibraryDamaged(
        f"The catalog {folder / FILE} is damaged: {what}. Restore it from a copy, or index again into a new folder."
    )


def _mark(folder: Path) -> int:
    try:
        text = (folder / MARK).read_text()
    except FileNotFoundError:
        return 0
    except (OSError, UnicodeDecodeError) as error:
        raise LibraryDamaged(f"{folder / MARK} cannot be read ({error}). Remove it.") from error
    number, _, twice = text.partition(" ")
    if number != twice.strip() or not number.isdecimal():
        raise LibraryDamaged(f"{folder / MARK} is damaged. Remove it: it only guards against a lost write-ahead log.")
    return int(number)


def mark(folder: Path, published: int) -> None:
    """Notes beside the catalog that this publish was made, unless that is noted already; see `connect`."""
    if _mark(folder) == published:
        return
    with whole_file(folder, folder / MARK) as stream:
        stream.write(f"{published} {published}\n".encode())


def create(folder: Path, meta_values: dict[str, str]) -> None:
    """Makes an empty catalog of generation 0; appears whole or not at all."""
    work = folder / f".{FILE}.new"
    work.unlink(missing_ok=True)
    with database.refused(work):
        connection = database.create(work)
        try:
            connection.execute("BEGIN")
            connection.execute(_SCHEMA)
            values = {"format": str(FORMAT), "generation": "0", "previous": "", "published": "0", **meta_values}
            connection.executemany("INSERT INTO meta VALUES (?, ?)", values.items())
            connection.execute("COMMIT")
            connection.execute("PRAGMA journal_mode = WAL").fetchall()  # an error may come after its row
        finally:
            connection.close()
    work.replace(folder / FILE)
    sync_folder(folder)


def fold(connection: apsw.Connection) -> None:
    """Moves what was committed from the write-ahead log into the catalog itself, as far as no reader needs the log."""
    connection.set_busy_timeout(0)
    with suppress(apsw.BusyError, apsw.FullError, apsw.IOError):  # it is committed already; the next run folds it
        connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
    connection.set_busy_timeout(database.BUSY_MILLISECONDS)


def meta(connection: apsw.Connection, key: str) -> str:
    """The value of one entry of the table `meta`; raises KeyError where there is none."""
    row = connection.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
    if row is None:
        raise KeyError(f"the catalog has no entry {key!r}")
    return str(row[0])


def set_meta(connection: apsw.Connection, key: str, value: int | str) -> None:
    connection.execute("UPDATE meta SET value = ? WHERE key = ?", (str(value), key))


def access_to_json(access: Access) -> str:
    """One spelling per rule, so that equal rules share a shelf."""
    return json.dumps({"all_of": sorted(sorted(any_of) for any_of in access.all_of), "deny": sorted(access.deny)})


def access_from_json(text: str) -> Access:
    rule = json.loads(text)
    return Access(tuple(frozenset(any_of) for any_of in rule["all_of"]), frozenset(rule["deny"]))


def shelf_id(connection: apsw.Connection, access: Access) -> int:
    """The shelf of this rule, made now if there was none."""
    text = access_to_json(access)
    connection.execute("INSERT OR IGNORE INTO shelf (access) VALUES (?)", (text,))
    row = connection.execute("SELECT id FROM shelf WHERE access = ?", (text,)).fetchone()
    assert row  # just put there
    return int(row[0])


def shelves(connection: apsw.Connection) -> dict[int, Access]:
    """Every shelf and who may read it."""
    return {int(number): access_from_json(text) for number, text in connection.execute("SELECT id, access FROM shelf")}


def changes(connection: apsw.Connection) -> dict[int, int]:
    """The generation in which each shelf was changed last."""
    rows = connection.execute("SELECT shelf, max(generation) FROM change GROUP BY shelf")
    return {int(shelf): int(generation) for shelf, generation in rows}


def add_document(
    connection: apsw.Connection, document: Document, chunks: Sequence[Chunk], shelf: int, generation: int
) -> int:
    connection.execute(
        "INSERT INTO document (shelf, born, count, length, source, key, revision, title, url, kind, sections, pages,"
        " text, authors, created, modified, language, status)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            shelf,
            generation,
            len(chunks),
            len(document.text),
            document.source,
            document.key,
            document.revision,
            document.title,
            document.url,
            document.kind,
            json.dumps([[s.start, s.end, list(s.path), s.kind] for s in document.sections]),
            json.dumps(document.pages),
            document.text,
            json.dumps(document.authors, ensure_ascii=False),
            document.created,
            document.modified,
            document.language,
            document.status,
        ),
    )
    number = connection.last_insert_rowid()
    connection.executemany(
        "INSERT INTO chunk VALUES (?, ?, ?, ?, ?, ?, ?)",
        ((number, i, c.start, c.end, c.page, c.kind, json.dumps(c.section)) for i, c in enumerate(chunks)),
    )
    return number


_DOCUMENT = (
    "SELECT document.id, source, key, revision, title, url, kind, text, sections, pages, access, authors, created,"
    " modified, language, status FROM document JOIN shelf ON shelf.id = document.shelf WHERE died IS NULL AND "
)


def document(connection: apsw.Connection, where: str, values: Sequence[Any]) -> tuple[Document, list[Chunk]] | None:
    """The shown document for which the SQL condition `where` holds, with its chunks, or None."""
    row = connection.execute(_DOCUMENT + where, values).fetchone()
    if row is None:
        return None
    number, source, key, revision, title, url, kind, text, sections, pages, access, *about = row
    authors, created, modified, language, status = about
    found = Document(
        source=source,
        key=key,
        revision=revision,
        title=title,
        url=url,
        kind=kind,
        text=text,
        sections=tuple(Section(start, end, tuple(path), k) for start, end, path, k in json.loads(sections)),
        pages=tuple(json.loads(pages)),
        access=access_from_json(access),
        authors=tuple(json.loads(authors)),
        created=created,
        modified=modified,
        language=language,
        status=status,
    )
    rows = connection.execute(
        'SELECT start, "end", page, kind, section FROM chunk WHERE document = ? ORDER BY number', (number,)
    )
    return found, [Chunk(s, e, text[s:e], tuple(json.loads(section)), page, kind) for s, e, page, kind, section in rows]


def known_items(connection: apsw.Connection, source: str) -> dict[str, tuple[Item, Access]]:
    """What the last run knew of a source's items, and who may know of them, by key."""
    rules = shelves(connection)
    rows = connection.execute(
        "SELECT shelf, source, key, status, reason, revision, stamp FROM item WHERE died IS NULL AND source = ?",
        (source,),
    )
    return {row[2]: (Item(*row[1:]), rules[row[0]]) for row in rows}


def source_state(connection: apsw.Connection, source: str) -> str:
    """How far a source was read, in the words of who noted it; "" where nobody did."""
    row = connection.execute("SELECT state FROM source WHERE name = ?", (source,)).fetchone()
    return str(row[0]) if row else ""


def segments(connection: apsw.Connection, *, kept: bool = False) -> list[tuple[str, str, int | None]]:
    """(name, digest, died) of the segments that are shown, with `kept` also of those kept for a rollback."""
    where = "" if kept else "WHERE died IS NULL"
    rows = connection.execute(f"SELECT name, digest, died FROM segment {where} ORDER BY born, name")
    return [(str(name), str(digest), died) for name, digest, died in rows]


def dead_rows(connection: apsw.Connection) -> dict[str, Any]:
    """The rows of each segment that are no longer shown: segment -> (n,) int64, ascending."""
    import numpy as np

    found: dict[str, list[Any]] = {}
    for name, rows in connection.execute("SELECT segment, rows FROM tombstone ORDER BY segment"):
        found.setdefault(str(name), []).append(np.frombuffer(rows, np.uint32))
    return {name: np.sort(np.concatenate(parts)).astype(np.int64) for name, parts in found.items()}


def forget(connection: apsw.Connection, generation: int) -> None:
    """Removes what this generation and later ones do not show."""
    for table in ("document", "item", "segment"):
        connection.execute(f"DELETE FROM {table} WHERE died <= ?", (generation,))
    connection.execute("DELETE FROM tombstone WHERE segment NOT IN (SELECT name FROM segment)")
    connection.execute(
        "DELETE FROM change WHERE generation <"
        " (SELECT max(generation) FROM change AS other WHERE other.shelf = change.shelf AND generation <= ?)",
        (generation,),
    )


def revive(connection: apsw.Connection, generation: int) -> None:
    """Makes the rows be as they were before this generation, the last that was published."""
    changed = connection.execute(
        "SELECT source, key FROM document WHERE born = ? OR died = ?", (generation, generation)
    ).fetchall()
    for table in ("document", "item", "segment", "tombstone"):
        connection.execute(f"DELETE FROM {table} WHERE born = ?", (generation,))
    for table in ("document", "item", "segment"):
        connection.execute(f"UPDATE {table} SET died = NULL WHERE died = ?", (generation,))
    connection.execute("DELETE FROM change WHERE generation = ?", (generation,))
    # A stamp is kept in place, so it may be that of a document which is shown no longer.
    connection.executemany("UPDATE item SET stamp = '' WHERE died IS NULL AND source = ? AND key = ?", changed)
    connection.execute("UPDATE source SET state = ''")  # what a source changed meanwhile is to be seen again
