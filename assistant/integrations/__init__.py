"""Our search inside other stacks: `langchain.py` and `llama_index.py`, each a retriever.

Here is what both tell of a passage; neither stack is imported before its module is.
"""

from __future__ import annotations

from typing import Any

from assistant.types import Passage


def document_id(passage: Passage) -> str:
    """Names the document that a passage is cut from, the same for as long as the item keeps its place."""
    return f"{passage.source}/{passage.key}"


def passage_id(passage: Passage) -> str:
    """Names the same characters of the same revision in every search, library and generation."""
    return f"{document_id(passage)}@{passage.revision}#{passage.start}-{passage.end}"


def metadata(passage: Passage) -> dict[str, Any]:
    """Where a passage stands and how it was found, under the names of `refdesk search --json`; fit for JSON."""
    return {
        "title": passage.title,
        "source": passage.source,
        "key": passage.key,
        "revision": passage.revision,
        "url": passage.url,
        "kind": passage.kind,
        "page": passage.page,
        "section": list(passage.section),
        "start": passage.start,
        "end": passage.end,
        "rank": passage.rank,
        "score": passage.score,
    }
