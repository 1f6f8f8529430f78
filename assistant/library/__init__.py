"""The library on disk: a catalog, immutable segments, one commit point.

library.py     opened by many, written by one
view.py        one generation, as one caller may see it
indexes.py     the visible blocks of all segments, as one
once.py        what is computed at its first use
lookup.py      where the words of a question stand,
locate.py      in compiled loops
bm25.py        lexical search over them,
maxscore.py    in compiled loops
compiled.py    how numba compiles them
dense.py       dense search over them
gpu.py         the vectors on a GPU
words.py       the words of a text
ann.py         the FAISS index of a large shelf
writer.py      one run: put, remove, publish
arrangement.py its segments: new, dead, merged
compaction.py  which segments a run rewrites
build.py       writes segments
merge.py       the rows of several segments as those of one
postings.py    brings posting lists into order
segment.py     the file of a segment
catalog.py     documents, items, shelves, segments; the only truth
database.py    SQLite with checksums
vectors.py     embeddings already made, by text
recovery.py    rollback, verify, cleaning up
migration.py   from an older format
lock.py        one writer at a time
disk.py        files that appear whole
"""

from assistant.library.library import Library

__all__ = ["Library"]
