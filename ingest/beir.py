"""A BEIR folder: what its files say.

The format is that of Thakur et al., "BEIR: A heterogeneous benchmark for zero-shot evaluation of information retrieval
models", NeurIPS 2021: `corpus.jsonl`, `queries.jsonl` and `qrels/<split>.tsv`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assistant.json_lines import objects
from assistant.types import Document
from ingest.documents import document


@dataclass(frozen=True, slots=True)
class Judgement:
    """That a person found `document` relevant for `query`: 0 is not, more is more."""

    query: str
    document: str
    relevance: int


def read_documents(folder: Path) -> Iterator[Document]:
    """The documents of `corpus.jsonl`, keyed by `_id`. One without text has its title as text."""
    for where, row in _rows(folder / "corpus.jsonl"):
        key, title, text = (_field(where, row, name) for name in ("_id", "title", "text"))
        text = text if text.strip() else title
        yield document("beir", key, title, text)


def read_queries(folder: Path) -> dict[str, str]:
    """The texts of `queries.jsonl` by `_id`."""
    rows = _rows(folder / "queries.jsonl")
    return {_field(where, row, "_id"): _field(where, row, "text") for where, row in rows}


def read_judgements(folder: Path, split_name: str) -> list[Judgement]:
    """The rows of `qrels/<split_name>.tsv`. Raises ValueError that names the splits there are, or a wrong line."""
    file = folder / "qrels" / f"{split_name}.tsv"
    if not file.exists():
        found = sorted(path.stem for path in file.parent.glob("*.tsv"))
        raise ValueError(f"There is no split {split_name!r} in {file.parent}; found: {', '.join(found) or 'none'}.")
    judged = []
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
        parts = line.split("\t")
        if len(parts) == 3 and parts[2].lstrip("-").isdigit():
            judged.append(Judgement(parts[0], parts[1], int(parts[2])))
        elif number > 1 and line.strip():  # the first line names the columns
            raise ValueError(f"{file}, line {number}: expected query-id, corpus-id and score, found {line[:80]!r}.")
    return judged


def _rows(file: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """(place for messages, object) of each line of a JSON Lines file."""
    if not file.exists():
        raise ValueError(f"{file} is missing; a BEIR folder has corpus.jsonl, queries.jsonl and qrels/<split>.tsv.")
    yield from objects(file)


def _field(where: str, row: dict[str, Any], name: str) -> str:
    value = row.get(name, "" if name == "title" else None)
    if not isinstance(value, str):
        raise ValueError(f"{where}: {name!r} must be a text, found {value!r}.")
    return value
