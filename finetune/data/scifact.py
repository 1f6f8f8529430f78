"""SciFact: claims, with the sentences of abstracts that support or refute them.

Wadden et al., "Fact or fiction: verifying scientific claims", EMNLP 2020. A folder holds `corpus_sentences.jsonl` (an
abstract a line: `doc_id`, `title` and `abstract`, a list of sentences) and `claims_train.jsonl` (a row for each set of
evidence sentences of a claim, or one without any, for a claim that the abstracts it cites neither support nor refute).
"""

from __future__ import annotations

from itertools import accumulate
from pathlib import Path
from typing import Any

from assistant.json_lines import objects
from assistant.types import Document
from finetune.data.asked import Asked, Place, Questions
from finetune.data.document import document

SOURCE = "scifact"
_ROW: dict[str, type] = {
    "id": int, "claim": str, "evidence_doc_id": str, "evidence_sentences": list, "cited_doc_ids": list,
}  # fmt: skip
_ABSTRACT: dict[str, type] = {"doc_id": int, "title": str, "abstract": list}


def read_scifact(folder: Path) -> Questions:
    """The claims of a folder, on its abstracts.

    Raises FileNotFoundError, and ValueError that names the line for one that is not as above, or that names an abstract
    or a sentence that there is not.
    """
    documents: dict[tuple[str, str], Document] = {}
    sentences: dict[str, list[tuple[int, int]]] = {}
    for where, row in objects(folder / "corpus_sentences.jsonl"):
        _require(row, _ABSTRACT, where)
        key, texts = str(row["doc_id"]), [text.strip() for text in row["abstract"]]
        ends = accumulate(texts, lambda end, text: end + 1 + len(text), initial=-1)  # joined by a blank
        sentences[key] = [(end + 1, end + 1 + len(text)) for end, text in zip(ends, texts, strict=False)]
        documents[SOURCE, key] = document(SOURCE, key, row["title"], " ".join(texts))
    claims: dict[int, Asked] = {}
    for where, row in objects(folder / "claims_train.jsonl"):
        _require(row, _ROW, where)
        claims[row["id"]] = _claim(row, claims.get(row["id"]), sentences, where)
    return Questions(tuple(claims.values()), documents)


def _require(row: dict[str, Any], kinds: dict[str, type], where: str) -> None:
    for key, kind in kinds.items():
        if not isinstance(row.get(key), kind):
            raise ValueError(f"{where}: {key!r} must be of type {kind.__name__}, found {row.get(key)!r}.")


def _claim(row: dict[str, Any], known: Asked | None, sentences: dict[str, list[tuple[int, int]]], where: str) -> Asked:
    """A claim, with the evidence of this row added to what earlier rows gave."""
    cited = [str(key) for key in row["cited_doc_ids"]]
    held, evidence = str(row["evidence_doc_id"]), row["evidence_sentences"]
    for key in [*cited, *([held] if held else [])]:
        if key not in sentences:
            raise ValueError(f"{where}: there is no abstract {key!r} in corpus_sentences.jsonl.")
    if any(not 0 <= number < len(sentences[held]) for number in evidence):
        raise ValueError(f"{where}: abstract {held!r} has {len(sentences[held])} sentences, found {evidence}.")
    places = tuple(Place(SOURCE, held, *sentences[held][number]) for number in evidence)
    about = tuple(Place(SOURCE, key, 0, sentences[key][-1][1]) for key in cited)
    found = (*(known.answered_at if known else ()), *places)
    return Asked(
        f"scifact-{row['id']}",
        row["claim"],
        answered_at=tuple(dict.fromkeys(found)),
        about=about,
        answerable="yes" if found else "no",
    )
