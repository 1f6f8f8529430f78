"""BEIR: queries with the documents that people found relevant.

Thakur et al., "BEIR: A heterogeneous benchmark for zero-shot evaluation of information retrieval models", NeurIPS 2021:
`corpus.jsonl`, `queries.jsonl` and `qrels/<split>.tsv`. Where in a document the answer stands, nobody said.
"""

from __future__ import annotations

import csv
from pathlib import Path

from assistant.json_lines import objects
from assistant.types import Document
from finetune.data.asked import Asked, Place, Questions
from finetune.data.document import document


def read_beir(folder: Path, split_name: str) -> Questions:
    """The queries of one split that have a relevant document; the folder's name is their source.

    Raises FileNotFoundError, and ValueError that names the place of what is missing or of another type.
    """
    source = folder.resolve().name
    documents: dict[tuple[str, str], Document] = {}
    for where, row in objects(folder / "corpus.jsonl"):
        key, title, text = (_text(row, name, where) for name in ("_id", "title", "text"))
        documents[source, key] = document(source, key, title, text if text.strip() else title)
    queries = {_text(row, "_id", where): _text(row, "text", where) for where, row in objects(folder / "queries.jsonl")}
    relevant: dict[str, list[Place]] = {}
    file = folder / "qrels" / f"{split_name}.tsv"
    with file.open(encoding="utf-8", newline="") as lines:
        for number, judged in enumerate(csv.reader(lines, delimiter="\t"), start=1):
            if number == 1 or not judged:
                continue  # names of columns
            if len(judged) != 3 or judged[0] not in queries or (source, judged[1]) not in documents:
                raise ValueError(f"{file}, line {number}: expected a query, a document and a grade, found {judged}.")
            if int(judged[2]) > 0:
                whole = Place(source, judged[1], 0, len(documents[source, judged[1]].text))
                relevant.setdefault(judged[0], []).append(whole)
    asked = [
        Asked(f"{source}-{key}", queries[key], about=tuple(places), answerable="unknown")
        for key, places in relevant.items()
    ]
    return Questions(tuple(asked), documents)


def _text(row: dict[str, object], name: str, where: str) -> str:
    value = row.get(name, "" if name == "title" else None)
    if not isinstance(value, str):
        raise ValueError(f"{where}: {name!r} must be a text, found {value!r}.")
    return value
