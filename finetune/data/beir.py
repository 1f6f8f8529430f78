"""BEIR: queries with the documents that people found relevant; where in these an answer stands, nobody said."""

from __future__ import annotations

from pathlib import Path

from finetune.data.asked import Asked, Place, Questions
from ingest.beir import read_documents, read_judgements, read_queries

SOURCE = "beir"


def read_beir(folder: Path, split_name: str) -> Questions:
    """The queries of one split that have a relevant document. Raises ValueError as `ingest.beir` does, and for a
    judgement of a query or a document that there is not."""
    documents = {(SOURCE, one.key): one for one in read_documents(folder)}
    queries = read_queries(folder)
    relevant: dict[str, list[Place]] = {}
    for one in read_judgements(folder, split_name):
        if one.query not in queries or (SOURCE, one.document) not in documents:
            raise ValueError(
                f"{folder / 'qrels' / split_name}.tsv judges document {one.document!r} for query {one.query!r}, and "
                "corpus.jsonl and queries.jsonl do not hold both."
            )
        if one.relevance > 0:
            whole = Place(SOURCE, one.document, 0, len(documents[SOURCE, one.document].text))
            relevant.setdefault(one.query, []).append(whole)
    asked = [Asked(key, queries[key], about=tuple(found), answerable="unknown") for key, found in relevant.items()]
    return Questions(tuple(asked), documents)
