"""A library that holds the documents of a benchmark, indexed as Refdesk indexes."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from assistant.types import PUBLIC, Document, Item
from ingest.split import split
from ingest.structure import sections_of
from ingest.sync.reading import READING

if TYPE_CHECKING:
    from assistant.embed import Embedder
    from assistant.library import Library
    from assistant.progress import Progress


def document(source: str, key: str, title: str, text: str) -> Document:
    """A text of the benchmark `source`, which everyone may read; its revision is the hash of title and text."""
    revision = hashlib.sha256(f"{title}\0{text}".encode()).hexdigest()[:16]
    return Document(source, key, revision, title, "", source, text, sections_of(text, title))


def index(
    documents: Sequence[Document], address: str, name: str, library: Library, embedder: Embedder, progress: Progress
) -> str:
    """Makes the source at `address`, called `name` or alike, hold these documents, and returns what it is called.

    What the library holds of it already stays as it is, so that the library's generation does; what was read by an
    older way of reading is split and embedded anew.
    """
    stamp = str(READING)
    with library.writer(embedder) as writer:
        source = writer.source_name(address, name)
        known = writer.known(source)
        vanished = set(known)
        for done, one in enumerate(documents, start=1):
            vanished.discard(one.key)
            item = Item(source, one.key, "indexed", revision=one.revision, stamp=stamp)
            if one.key not in known or known[one.key][0] != item:
                renamed = replace(one, source=source)
                writer.put(renamed, split(renamed, embedder.token_starts, embedder.max_tokens))
                writer.record(item, PUBLIC)
            progress(done, len(documents), "documents indexed")
        for key in vanished:
            writer.remove(source, key)
        writer.publish()
    return source
