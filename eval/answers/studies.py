"""PubMedQA's questions with their abstracts, and a library of the abstracts."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assistant.types import Document

if TYPE_CHECKING:
    from assistant import Assistant
    from assistant.progress import Progress
    from assistant.settings import Settings

DECISIONS = ("yes", "no", "maybe")
SOURCE = "pubmedqa"


@dataclass(frozen=True, slots=True)
class Study:
    """A question, and the abstract of its study without the conclusions; `decision` is one of `DECISIONS`."""

    id: str
    question: str
    abstract: str
    decision: str


def read_studies(file: Path) -> list[Study]:
    """The questions of a PQA-L file, in order. Raises ValueError that names the entry and key that is wrong."""
    try:
        rows = json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{file} is not JSON ({error}).") from error
    if not isinstance(rows, dict) or not rows:
        raise ValueError(f"{file} is no PQA-L file, an object of questions by PubMed's number.")
    return [_study(id_, row, f"{file}, question {id_}") for id_, row in rows.items()]


def _study(id_: str, row: Any, where: str) -> Study:
    if not isinstance(row, dict):
        raise ValueError(f"{where}: expected an object, found {str(row)[:80]!r}.")
    question, contexts, decision = (row.get(key) for key in ("QUESTION", "CONTEXTS", "final_decision"))
    if not isinstance(question, str) or not question.strip():
        raise ValueError(f"{where}: 'QUESTION' must be a text, found {question!r}.")
    if not isinstance(contexts, list) or not all(isinstance(one, str) and one.strip() for one in contexts or [0]):
        raise ValueError(f"{where}: 'CONTEXTS' must be a list of texts, found {contexts!r}.")
    if decision not in DECISIONS:
        raise ValueError(f"{where}: 'final_decision' must be yes, no or maybe, found {decision!r}.")
    return Study(id_, question, "\n".join(contexts), decision)


def index_abstracts(studies: Sequence[Study], folder: Path, settings: Settings, progress: Progress) -> Assistant:
    """The assistant for a library of the abstracts, one document each, keyed by PubMed's number.

    Raises ValueError for a library that holds other documents: they would be searched, too.
    """
    from assistant import Assistant
    from assistant.embed import open_embedder
    from assistant.library import Library
    from ingest.documents import index

    embedder = open_embedder(settings.embedder, Library.fingerprint_at(folder))
    library = Library.open_or_create(folder, embedder)
    with library.view() as view:
        if others := [one.key for one in view.summaries() if one.kind != SOURCE]:
            raise ValueError(f"{folder} holds other documents, such as {others[0]!r}. Name another folder.")
    index([_document(study) for study in studies], SOURCE, SOURCE, library, embedder, progress)
    return Assistant(Library.open(folder), embedder, settings)


def _document(study: Study) -> Document:
    from ingest.structure import sections_of

    revision = hashlib.sha256(study.abstract.encode()).hexdigest()[:16]
    title = f"PubMed {study.id}"  # the article's own title is the question
    sections = sections_of(study.abstract, title)
    return Document("", study.id, revision, title, "", SOURCE, study.abstract, sections)
