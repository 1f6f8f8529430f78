"""The demonstration documents as a library, and small documents made from a text."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from assistant.types import Document, Section

if TYPE_CHECKING:
    from assistant.library import Library


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory, model_cache: Path) -> Library:
    from assistant.library import Library
    from ingest import build_library
    from ingest.demo import documents

    folder = tmp_path_factory.mktemp("demo") / "library"
    build_library([documents()], folder)
    return Library.open(folder)


@pytest.fixture(scope="session")
def demo_documents(demo: Library) -> list[Document]:
    with demo.view() as view:
        found = [view.document(one.source, one.key) for one in view.summaries()]
    assert len(found) == 42
    return [one for one in found if one]


@pytest.fixture(scope="session")
def a_document() -> Callable[..., Document]:
    """a_document(text, key=, title=)"""

    def make(text: str, key: str = "a.md", title: str = "The pumps of Varnholm") -> Document:
        url = f"https://wiki.example/{key}"
        return Document("wiki", key, "1", title, url, "markdown", text, (Section(0, len(text), ()),))

    return make
