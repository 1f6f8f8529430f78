"""A text of a benchmark as a document that everyone may read."""

from __future__ import annotations

import hashlib

from assistant.types import Document
from ingest.structure import sections_of


def document(source: str, key: str, title: str, text: str) -> Document:
    """Its revision is the hash of title and text."""
    revision = hashlib.sha256(f"{title}\0{text}".encode()).hexdigest()[:16]
    return Document(source, key, revision, title, "", source, text, sections_of(text, title))
