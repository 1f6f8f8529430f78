"""What a run of an evaluation depends on: two runs that agree in all of it have the same results."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterator
from dataclasses import asdict, dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from assistant import Assistant

_PACKAGES = (
    "faiss-cpu",
    "faiss-gpu",
    "ir-measures",
    "lm-eval",
    "nltk",
    "numpy",
    "openvino",
    "peft",
    "py3langid",
    "rouge-score",
    "sacrebleu",
    "sentence-transformers",
    "tantivy",
    "torch",
    "transformers",
)


@dataclass(frozen=True, slots=True)
class Data:
    """The questions: a name for people, the hash of their content, and how many there are."""

    name: str
    sha256: str
    questions: int


@dataclass(frozen=True, slots=True)
class About:
    """`kind` is the evaluation (mmlu, answers, retrieval, attacks). `systems` are the ways of doing it that are
    measured beside each other, each with what it is made of: models, adapter, settings. `library` is what `library_of`
    says, with the name of the `corpus` where it was made of one for the evaluation alone; None where none takes part.
    `groups` asked, and so may see the details. `code` is the hash of Refdesk's own source."""

    kind: str
    data: Data
    systems: dict[str, dict[str, Any]]
    library: dict[str, Any] | None
    groups: tuple[str, ...]
    seed: int
    code: str
    versions: dict[str, str]

    @classmethod
    def of(
        cls,
        kind: str,
        data: Data,
        systems: dict[str, dict[str, Any]],
        *,
        library: dict[str, Any] | None = None,
        groups: Collection[str] = (),
        seed: int = 0,
    ) -> About:
        """With the code and the versions that run now."""
        return cls(kind, data, systems, library, tuple(sorted(groups)), seed, code(), versions())

    def differences(self, other: About) -> list[str]:
        """What is not the same, in words."""
        return [f"{key}: {mine} here, {its} there" for key, mine, its in differing(asdict(self), asdict(other))]


def content_hash(value: Any) -> str:
    """The SHA-256 of something that JSON can say, whatever the order of its keys."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def library_of(assistant: Assistant) -> dict[str, Any]:
    """What the caller may read of a library: generation, documents, chunks, and the hash of all revisions."""
    documents = assistant.documents()
    status = assistant.status()
    revisions = sorted((one.source, one.key, one.revision) for one in documents)
    return {
        "generation": status.generation,
        "documents": status.documents,
        "chunks": status.chunks,
        "content": content_hash(revisions),
    }


@cache
def code() -> str:
    """The hash of the source of `assistant`, `ingest` and `eval`: what a changed line may change is measured again."""
    digest = hashlib.sha256()
    for package in ("assistant", "ingest", "eval"):
        spec = find_spec(package)
        assert spec
        assert spec.submodule_search_locations
        folder = Path(spec.submodule_search_locations[0])
        for file in sorted(folder.rglob("*")):
            if file.suffix in (".py", ".json", ".lua", ".txt") and "demo" not in file.parts:
                digest.update(f"{package}/{file.relative_to(folder)}\0".encode() + file.read_bytes() + b"\0")
    return digest.hexdigest()


@cache
def versions() -> dict[str, str]:
    """The versions of the packages that do the work."""
    found = {}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def differing(old: dict[str, Any], new: dict[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    """What differs, in keys as `flat` makes them, with both values: "nothing" where there is none."""
    before, after = flat(old), flat(new)
    for key in sorted(before.keys() | after.keys()):
        if before.get(key) != after.get(key):
            yield key, before.get(key, "nothing"), after.get(key, "nothing")


def flat(value: Any, prefix: str = "") -> dict[str, Any]:
    """Nested objects as one, with dots in its keys: {"search": {"k": 6}} is {"search.k": 6}."""
    if not isinstance(value, dict) or not value:
        return {prefix: value}
    parts = (flat(inner, f"{prefix}.{key}" if prefix else str(key)) for key, inner in value.items())
    return {key: inner for part in parts for key, inner in part.items()}
