"""The library on disk: catalog, lexical and dense indexes, one commit point.

library.py     opened by many, written by one
catalog.py     SQLite: documents, chunks, items, shelves; the only truth
lexical.py     one tantivy index per shelf
dense.py       FAISS segments per shelf
vectors.py     embeddings already made, by text
view.py        one generation, as one caller may see it
writer.py      one run: put, remove, publish, sweep
lock.py        one writer at a time
"""

from assistant.library.library import Library

__all__ = ["Library"]
