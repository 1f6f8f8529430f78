"""The catalog: a SQLite database whose transaction is the library's only commit point."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from assistant.errors import LibraryDamaged, LibraryMismatch
from assistant.types import Access, Document, Section

FORMAT = 1
FILE = "catalog.sqlite"

_SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE source (name TEXT PRIMARY KEY, root TEXT NOT NULL UNIQUE) WITHOUT ROWID;
CREATE TABLE shelf (id INTEGER PRIMARY KEY, access TEXT NOT NULL UNIQUE);
CREATE TABLE document (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    source TEXT NOT NULL, key TEXT NOT NULL, revision TEXT NOT NULL, title TEXT NOT NULL, url TEXT NOT NULL,
    kind TEXT NOT NULL, shelf_id INTEGER NOT NULL REFERENCES shelf(id), text TEXT NOT NULL,
    sections TEXT NOT NULL, pages TEXT NOT NULL,
    UNIQUE (source, key)
);
CREATE TABLE chunk (
    id INTEGER PRIMARY KEY AUTOINCREMENT,  -- never used twice: the indexes may hold one for longer than the catalog
    document_id INTEGER NOT NULL REFERENCES document(id) ON DELETE CASCADE,
    start INTEGER NOT NULL, "end" INTEGER NOT NULL, section TEXT NOT NULL, page INTEGER, kind TEXT NOT NULL
);
CREATE INDEX chunk_document ON chunk (document_id);
CREATE TABLE item (
    source TEXT NOT NULL, key TEXT NOT NULL, status TEXT NOT NULL, reason TEXT NOT NULL, revision TEXT NOT NULL,
    stamp TEXT NOT NULL, shelf_id INTEGER NOT NULL REFERENCES shelf(id), PRIMARY KEY (source, key)
) WITHOUT ROWID;
CREATE TABLE segment (name TEXT PRIMARY KEY, shelf_id INTEGER NOT NULL, vectors INTEGER NOT NULL) WITHOUT ROWID;
-- Chunks that are gone but may still stand in a lexical index, until the sweep has removed them.
CREATE TABLE swept (chunk_id INTEGER PRIMARY KEY, shelf_id INTEGER NOT NULL);
"""


def connect(folder: Path) -> sqlite3.Connection:
    """A connection to the catalog in `folder`, with transactions begun and ended by hand.

    Raises LibraryDamaged where SQLite cannot read it, LibraryMismatch where a newer Refdesk wrote it.
    """
    connection = sqlite3.connect(folder / FILE, isolation_level=None, timeout=30, check_same_thread=False)
    try:
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA synchronous = FULL")
        found = int(meta(connection, "format"))
    except (sqlite3.DatabaseError, KeyError) as error:
        connection.close()
        raise LibraryDamaged(
            f"The catalog {folder / FILE} cannot be read ({error}). "
            "Restore it from a copy, or index again into a new folder."
        ) from error
    if found > FORMAT:
        connection.close()
        raise LibraryMismatch(
            f"The library {folder} has format {found}; this Refdesk reads up to {FORMAT}. Use a newer Refdesk."
        )
    return connection


def create(folder: Path, meta_values: dict[str, str]) -> None:
    """Makes an empty catalog of generation 0; appears whole or not at all."""
    work = folder / f".{FILE}.new"
    work.unlink(missing_ok=True)
    connection = sqlite3.connect(work, isolation_level=None)
    try:
        connection.execute("BEGIN")
        for statement in _SCHEMA.split(";\n"):
            connection.execute(statement)
        values = {"format": str(FORMAT), "generation": "0", **meta_values}
        connection.executemany("INSERT INTO meta VALUES (?, ?)", values.items())
        connection.execute("COMMIT")
        connection.execute("PRAGMA journal_mode = WAL")
    finally:
        connection.close()
    work.replace(folder / FILE)


def meta(connection: sqlite3.Connection, key: str) -> str:
    """The value of one entry of the table `meta`; raises KeyError where there is none."""
    row = connection.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
    if row is None:
        raise KeyError(f"the catalog has no entry {key!r}")
    return str(row[0])


def access_to_json(access: Access) -> str:
    """One spelling per rule, so that equal rules share a shelf."""
    return json.dumps({"all_of": sorted(sorted(any_of) for any_of in access.all_of), "deny": sorted(access.deny)})


def access_from_json(text: str) -> Access:
    rule = json.loads(text)
    return Access(tuple(frozenset(any_of) for any_of in rule["all_of"]), frozenset(rule["deny"]))


def shelf_id(connection: sqlite3.Connection, access: Access) -> int:
    """The shelf of this rule, made now if there was none."""
    text = access_to_json(access)
    connection.execute("INSERT OR IGNORE INTO shelf (access) VALUES (?)", (text,))
    return int(connection.execute("SELECT id FROM shelf WHERE access = ?", (text,)).fetchone()[0])


def shelves(connection: sqlite3.Connection) -> dict[int, Access]:
    """Every shelf and who may read it."""
    return {int(number): access_from_json(text) for number, text in connection.execute("SELECT id, access FROM shelf")}


def add_document(connection: sqlite3.Connection, document: Document, shelf: int) -> int:
    sections = [[s.start, s.end, list(s.path), s.kind] for s in document.sections]
    cursor = connection.execute(
        "INSERT INTO document (source, key, revision, title, url, kind, shelf_id, text, sections, pages)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            document.source,
            document.key,
            document.revision,
            document.title,
            document.url,
            document.kind,
            shelf,
            document.text,
            json.dumps(sections),
            json.dumps(document.pages),
        ),
    )
    return int(cursor.lastrowid or 0)


def document(connection: sqlite3.Connection, where: str, values: Sequence[Any]) -> Document | None:
    """The document whole for which the SQL condition `where` holds, or None."""
    row = connection.execute(
        "SELECT source, key, revision, title, url, kind, text, sections, pages, access"
        f" FROM document JOIN shelf ON shelf.id = shelf_id WHERE {where}",
        values,
    ).fetchone()
    if row is None:
        return None
    source, key, revision, title, url, kind, text, sections, pages, access = row
    return Document(
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
    )
