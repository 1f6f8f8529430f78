"""The card of training data: where they come from, under which licences, who may read them, how many, and their hashes.

`card.json` beside the examples, and `card.md` for people.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from assistant.types import Access
from finetune.data.example import Example

FILE = "card.json"


@dataclass(frozen=True, slots=True)
class Card:
    """`sources` has an entry for each source: kind, name, licence, SHA-256 of its files, number of questions. `parts`
    has the counts of each part, `readers` is the strictest rule (see `strictest`), `files` the SHA-256 of each file of
    examples, and `hash` is over these, 16 hexadecimal digits."""

    created: str
    seed: int
    sources: tuple[dict[str, Any], ...]
    parts: dict[str, dict[str, int]]
    readers: dict[str, Any]
    files: dict[str, str]
    hash: str

    @property
    def access(self) -> Access:
        return Access(tuple(map(frozenset, self.readers["all_of"])), frozenset(self.readers["deny"]))


def strictest(rules: Iterable[Access]) -> Access:
    """Who may read everything: whoever each of the rules lets in, and nobody where there is no rule."""
    found = set(rules)
    return Access(
        tuple(groups for rule in found for groups in rule.all_of) if all(rule.all_of for rule in found) else (),
        frozenset(group for rule in found for group in rule.deny),
    )


def counts(examples: Sequence[Example]) -> dict[str, int]:
    """How many examples there are, on how many documents, and of which kind."""
    kinds = Counter(one.answerable for one in examples)
    documents = {text.document for one in examples for text in one.relevant}
    return {
        "examples": len(examples),
        "answerable": kinds["yes"],
        "unanswerable": kinds["no"],
        "not judged": kinds["unknown"],
        "with spans": sum(any(text.spans for text in one.relevant) for one in examples),
        "hard negatives": sum(len(one.others) for one in examples),
        "documents": len(documents),
    }


def make_card(
    folder: Path, seed: int, sources: Sequence[dict[str, Any]], parts: Mapping[str, Sequence[Example]], access: Access
) -> Card:
    """The card of the files `<part>.jsonl` in a folder."""
    files = {f"{part}.jsonl": sha256(folder / f"{part}.jsonl") for part in parts}
    whole = hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()[:16]
    readers = {"all_of": [sorted(groups) for groups in access.all_of], "deny": sorted(access.deny)}
    by_part = {part: counts(examples) for part, examples in parts.items()}
    created = datetime.now(UTC).isoformat(timespec="seconds")
    return Card(created, seed, tuple(sources), by_part, readers, files, whole)


def write_card(folder: Path, card: Card) -> None:
    (folder / FILE).write_text(json.dumps(asdict(card), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    (folder / "card.md").write_text(as_markdown(card), encoding="utf-8")


def read_card(folder: Path) -> Card:
    """The card of a folder, whose files are what it says.

    Raises FileNotFoundError where there is none, ValueError for one that is damaged or whose files have changed.
    """
    file = folder / FILE
    if not file.is_file():
        raise FileNotFoundError(f"{folder} holds no {FILE}; make training data with: refdesk finetune data")
    try:
        row = json.loads(file.read_text(encoding="utf-8"))
        card = Card(**{**row, "sources": tuple(row["sources"])})
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{file} is damaged: {error!r}.") from error
    for name, known in card.files.items():
        if not (folder / name).is_file() or sha256(folder / name) != known:
            raise ValueError(f"{folder / name} is not what {FILE} says; make the training data anew.")
    return card


def as_markdown(card: Card) -> str:
    """For people."""
    rule = " and ".join(" or ".join(groups) for groups in card.readers["all_of"]) or "nobody"
    if card.readers["deny"]:
        rule += f", but not {', '.join(card.readers['deny'])}"
    names = list(next(iter(card.parts.values())))
    lines = [
        f"# Training data {card.hash}",
        "",
        f"Made {card.created} with seed {card.seed}. Readable by {rule}: so is what is trained on it.",
        "",
        "| source | licence | questions | SHA-256 |",
        "|---|---|---:|---|",
        *(
            f"| {one['kind']}: {one['name']} | {one['licence']} | {one['questions']} | {one['sha256'][:16]} |"
            for one in card.sources
        ),
        "",
        f"| part | {' | '.join(names)} |",
        f"|---|{'---:|' * len(names)}",
        *(f"| {part} | {' | '.join(str(found[name]) for name in names)} |" for part, found in card.parts.items()),
    ]
    return "\n".join(lines) + "\n"


def sha256(path: Path) -> str:
    """Of a file, or of the names and contents of a folder's files."""
    if path.is_file():
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    digest = hashlib.sha256()
    for file in sorted(path.rglob("*")):
        if file.is_file():
            digest.update(f"{file.relative_to(path).as_posix()}\0{sha256(file)}\n".encode())
    return digest.hexdigest()
