"""SciFact: claims, with the sentences of abstracts that support or refute them.

Wadden et al., "Fact or fiction: verifying scientific claims", EMNLP 2020. A folder holds `corpus_sentences.jsonl` (an
abstract a line: `doc_id`, `title` and `abstract`, a list of sentences) and `claims_train.jsonl` (a row for each set of
evidence sentences of a claim, or one without any, for a claim that the abstracts it cites neither support nor refute).
"""

from __future__ import annotations

from itertools import accumulate
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from assistant.json_lines import objects
from assistant.types import Document
from finetune.data.asked import Asked, Key, Place, Questions
from ingest.documents import document

SOURCE = "scifact"
_TEXTS, _NUMBERS = TypeAdapter(list[str]), TypeAdapter(list[int])


def read_scifact(folder: Path) -> Questions:
    """The claims of a folder, on its abstracts.

    Raises FileNotFoundError, and ValueError that names the line for one that is not as above, or that names an abstract
    or a sentence that there is not.
    """
    documents: dict[Key, Document] = {}
    sentences: dict[str, list[tuple[int, int]]] = {}
    for where, row in objects(folder / "corpus_sentences.jsonl"):
        texts = [text.strip() for text in _list(row, "abstract", _TEXTS, where)]
        key = str(_one(row, "doc_id", int, where))
        ends = accumulate(texts, lambda end, text: end + 1 + len(text), initial=-1)  # joined by a blank
        sentences[key] = [(end + 1, end + 1 + len(text)) for end, text in zip(ends, texts, strict=False)]
        documents[SOURCE, key] = document(SOURCE, key, _one(row, "title", str, where), " ".join(texts))
    claims: dict[int, Asked] = {}
    for where, row in objects(folder / "claims_train.jsonl"):
        number = _one(row, "id", int, where)
        claims[number] = _claim(row, claims.get(number), sentences, where)
    return Questions(tuple(claims.values()), documents)


def _one(row: dict[str, Any], key: str, kind: type, where: str) -> Any:
    if not isinstance(row.get(key), kind):
        raise ValueError(f"{where}: {key!r} must be of type {kind.__name__}, found {row.get(key)!r}.")
    return row[key]


def _list(row: dict[str, Any], key: str, kind: TypeAdapter[list[Any]], where: str) -> list[Any]:
    try:
        return kind.validate_python(row.get(key), strict=True)
    except ValidationError as error:
        raise ValueError(f"{where}: {key!r} must be a list of texts or of numbers, found {row.get(key)!r}.") from error


def _claim(row: dict[str, Any], known: Asked | None, sentences: dict[str, list[tuple[int, int]]], where: str) -> Asked:
    """A claim, with the evidence of this row added to what earlier rows gave."""
    held, evidence = str(row.get("evidence_doc_id", "")), _list(row, "evidence_sentences", _NUMBERS, where)
    cited = [str(key) for key in _list(row, "cited_doc_ids", _NUMBERS, where)]
    for key in [*cited, *([held] if held or evidence else [])]:
        if key not in sentences:
            raise ValueError(f"{where}: there is no abstract {key!r} in corpus_sentences.jsonl.")
    if any(not 0 <= number < len(sentences[held]) for number in evidence):
        raise ValueError(f"{where}: abstract {held!r} has {len(sentences[held])} sentences, found {evidence}.")
    places = [Place(SOURCE, held, *sentences[held][number]) for number in evidence]
    about = tuple(Place(SOURCE, key, 0, sentences[key][-1][1]) for key in cited if sentences[key])
    found = dict.fromkeys([*(known.answered_at if known else ()), *places])
    claim = _one(row, "claim", str, where)
    return Asked(str(row["id"]), claim, (), tuple(found), about, "yes" if found else "no")
