"""The card of training data: where they come from, under which licences, who may read them, how many, and their hashes.

`card.json` beside the examples, and `card.md` for people.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from assistant.types import Access
from finetune.data.example import Example

FILE = "card.json"


@dataclass(frozen=True, slots=True)
class Card:
    """`made_with` is what the examples hang on besides their sources: seed, shares, number of hard negatives, embedder.
    `sources` has an entry for each: what the description says, SHA-256 of its files, generation of its library, how
    many questions were taken, and why others were not. `parts` counts examples by part, `readers` is the strictest rule
    (see `strictest`), `files` the SHA-256 of each file. `hash` is over all of this but `created`, 16 hexadecimal
    digits."""

    created: str
    made_with: dict[str, Any]
    sources: tuple[dict[str, Any], ...]
    parts: dict[str, dict[str, int]]
    readers: dict[str, Any]
    files: dict[str, str]
    hash: str = ""

    @property
    def access(self) -> Access:
        """Who may use what is trained on the data."""
        return Access(tuple(map(frozenset, self.readers["all_of"])), frozenset(self.readers["deny"]))


def strictest(rules: Iterable[Access]) -> Access:
    """Who may read everything: whoever each of the rules lets in, and nobody where there is no rule."""
    found = set(rules)
    return Access(
        tuple(groups for rule in found for groups in rule.all_of) if all(rule.all_of for rule in found) else (),
        frozenset(group for rule in found for group in rule.deny),
    )


class Counts:
    """How many examples there are, of which kind, on how many documents."""

    def __init__(self) -> None:
        self._kinds: Counter[str] = Counter()
        self._documents: set[str] = set()

    def add(self, one: Example) -> None:
        kind = {"yes": "answerable", "no": "unanswerable", "unknown": "not judged"}[one.answerable]
        self._kinds.update(("examples", kind))
        self._kinds["with spans"] += any(text.spans for text in one.relevant)
        self._kinds["hard negatives"] += len(one.others)
        self._documents.update(text.document for text in one.relevant)

    def all(self) -> dict[str, int]:
        names = ("examples", "answerable", "unanswerable", "not judged", "with spans", "hard negatives")
        return {name: self._kinds[name] for name in names} | {"documents": len(self._documents)}


def make_card(
    folder: Path,
    made_with: dict[str, Any],
    sources: Sequence[dict[str, Any]],
    parts: dict[str, dict[str, int]],
    access: Access,
) -> Card:
    """The card of the files `<part>.jsonl` in a folder; writes it there, too."""
    files = {f"{part}.jsonl": sha256(folder / f"{part}.jsonl") for part in parts}
    readers = {"all_of": [sorted(groups) for groups in access.all_of], "deny": sorted(access.deny)}
    created = datetime.now(UTC).isoformat(timespec="seconds")
    card = Card(created, made_with, tuple(sources), parts, readers, files)
    card = replace(card, hash=_hash(card))
    (folder / "card.md").write_text(as_markdown(card), encoding="utf-8")
    (folder / FILE).write_text(json.dumps(asdict(card), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return card


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
        whole = card.hash == _hash(card)
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{file} is damaged: {error!r}. Make the training data anew.") from error
    if not whole:
        raise ValueError(f"{file} was changed after it was made: its hash differs. Make the training data anew.")
    for name, known in card.files.items():
        if not (folder / name).is_file() or sha256(folder / name) != known:
            raise ValueError(f"{folder / name} is not what {FILE} says. Make the training data anew.")
    return card


def as_markdown(card: Card) -> str:
    """For people."""
    rule = " and ".join(" or ".join(groups) for groups in card.readers["all_of"]) or "nobody"
    if card.readers["deny"]:
        rule += f", but not {', '.join(card.readers['deny'])}"
    names = list(next(iter(card.parts.values())))
    left_out = [
        f"Left out of {one['name']}: {', '.join(f'{number} {reason}' for reason, number in one['left out'].items())}."
        for one in card.sources
        if one["left out"]
    ]
    lines = [
        f"# Training data {card.hash}",
        "",
        f"Made {card.created} with {', '.join(f'{name} {value}' for name, value in card.made_with.items())}.",
        "",
        f"Readable by {rule}: so is what is trained on it.",
        "",
        "| source | licence | questions | SHA-256 |",
        "|---|---|---:|---|",
        *(
            f"| {one['kind']}: {one['name']} | {one['licence']} | {one['questions']} | {one['sha256'][:16]} |"
            for one in card.sources
        ),
        "",
        *(line for sentence in left_out for line in (sentence, "")),
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


def _hash(card: Card) -> str:
    kept = {name: value for name, value in asdict(card).items() if name not in ("created", "hash")}
    return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()[:16]
