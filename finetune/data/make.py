"""Training data from a description: read the sources, deal their documents, search for hard negatives, write it all.

train.jsonl  validation.jsonl  test.jsonl   examples, a line each
card.json  card.md                          what they are
library-<n>/                                the documents of the n-th source, indexed as Refdesk indexes, if it is a
                                            benchmark that brings its own
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assistant.embed import open_embedder
from assistant.library import Library
from assistant.types import EVERYONE, Access
from finetune.data.asked import Asked, Questions
from finetune.data.beir import read_beir
from finetune.data.card import Card, make_card, sha256, strictest, write_card
from finetune.data.deal import PARTS, Key, Part, deal, part_of
from finetune.data.example import Example, write_examples
from finetune.data.feedback import read_feedback
from finetune.data.passages import Searched, examples
from finetune.data.questions import read_questions
from finetune.data.scifact import read_scifact
from finetune.data.squad import read_squad
from ingest.documents import index

if TYPE_CHECKING:
    from assistant.progress import Progress
    from assistant.settings import Settings
    from finetune.data.description import Description, Origin


@dataclass(frozen=True, slots=True)
class _Made:
    """The examples of one source by part, the rules of the documents that they show, and its entry on the card."""

    parts: dict[Part, list[Example]]
    rules: frozenset[Access]
    entry: dict[str, Any]


def make_data(description: Description, folder: Path, settings: Settings, progress: Progress) -> Card:
    """Writes training data into a folder, over what was there, and returns their card.

    Raises ValueError for a source that is not what the description says, or where nothing is left to train on;
    FileNotFoundError; LibraryError and ModelNotFound as `Assistant.open` does.
    """
    folder.mkdir(parents=True, exist_ok=True)
    made = []
    for number, origin in enumerate(description.questions, start=1):
        with _opened(origin, folder / f"library-{number}", settings, progress) as (questions, library):
            made.append(_made(origin, questions, library, description, progress))
    parts: dict[str, list[Example]] = {part: [one for source in made for one in source.parts[part]] for part in PARTS}
    if not parts["train"]:
        raise ValueError("No question is left to train on: give more, or smaller shares to validation and test.")
    for part, found in parts.items():
        random.Random(f"{description.seed} {part}").shuffle(found)
        write_examples(folder / f"{part}.jsonl", found)
    access = strictest(rule for source in made for rule in source.rules)
    card = make_card(folder, description.seed, [source.entry for source in made], parts, access)
    write_card(folder, card)
    return card


@contextmanager
def _opened(origin: Origin, own: Path, settings: Settings, progress: Progress) -> Iterator[tuple[Questions, Searched]]:
    """What a source asks, and the library that it asks about; one at `own` is made for a benchmark."""
    path = origin.library or own
    if origin.library:
        library = Library.open(path, settings.search.device)
        embedder = open_embedder(settings.embedder, library.made_with[1])
        library.require(embedder)
    else:
        embedder = open_embedder(settings.embedder, Library.fingerprint_at(path))
        library = Library.open_or_create(path, embedder)
        questions = _benchmark(origin)
        name = next(iter(questions.documents))[0]
        index(list(questions.documents.values()), name, name, library, embedder, progress)
    with library.view({*origin.groups, EVERYONE}) as view:
        if origin.kind == "questions":
            questions = read_questions([origin.path], view)
        elif origin.kind == "feedback":
            questions = read_feedback(origin.path, view)
        yield questions, Searched(view, embedder, settings.search)


def _benchmark(origin: Origin) -> Questions:
    if origin.kind == "squad":
        files = sorted(origin.path.glob("*.json")) if origin.path.is_dir() else [origin.path]
        return read_squad(files)
    return read_scifact(origin.path) if origin.kind == "scifact" else read_beir(origin.path, origin.split)


def _made(
    origin: Origin, questions: Questions, library: Searched, description: Description, progress: Progress
) -> _Made:
    shares = (description.validation, description.test, description.seed)
    keys = [(one.source, one.key) for one in library.view.summaries()]
    dealt = deal(keys, questions.asked, *shares)

    def part(one: Asked) -> Part:
        return dealt[min(one.documents)] if one.documents else part_of(one.id, *shares)

    def allowed(one: Asked, key: Key) -> bool:
        return dealt[key] == part(one)

    asked = _sample(questions.asked, origin.count, description.seed)
    parts: dict[Part, list[Example]] = {name: [] for name in PARTS}
    part_by_id = {one.id: part(one) for one in asked}
    found = examples(asked, library, allowed, description.others, origin.path.stem)
    for done, example in enumerate(found, start=1):
        parts[part_by_id[example.id]].append(example)
        progress(done, len(asked), f"questions of {origin.path.name}")
    entry = {
        "kind": origin.kind,
        "name": origin.path.name,
        "licence": origin.licence,
        "questions": sum(map(len, parts.values())),
        "sha256": sha256(origin.path),
    }
    return _Made(parts, _rules(parts, library), entry)


def _sample(asked: tuple[Asked, ...], count: int | None, seed: int) -> list[Asked]:
    """So many of them at random, in their order."""
    if count is None or count >= len(asked):
        return list(asked)
    chosen = sorted(random.Random(seed).sample(range(len(asked)), count))
    return [asked[number] for number in chosen]


def _rules(parts: dict[Part, list[Example]], library: Searched) -> frozenset[Access]:
    """Who may read each document that is shown in an example."""
    shown = {text.document for found in parts.values() for one in found for text in (*one.relevant, *one.others)}
    documents = [(one.source, one.key) for one in library.view.summaries() if f"{one.source}/{one.key}" in shown]
    return frozenset(document.access for key in documents if (document := library.view.document(*key)))
