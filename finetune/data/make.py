"""Training data from a description: read the sources, deal what they ask, search for hard negatives, write it all.

    train.jsonl  validation.jsonl  test.jsonl   examples, a line each
    card.json  card.md                          what they are

The documents of a benchmark are indexed as Refdesk indexes, into a library in the cache.
"""

from __future__ import annotations

import hashlib
import random
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assistant.embed import open_embedder
from assistant.library import Library
from assistant.people import People
from assistant.settings import cache_folder
from assistant.types import EVERYONE, Access, Passage
from finetune.data.asked import Asked, Key, Questions
from finetune.data.beir import read_beir
from finetune.data.card import FILE, Card, Counts, make_card, sha256, strictest
from finetune.data.deal import PARTS, Deal, Part, text_name
from finetune.data.example import Example, write_example
from finetune.data.feedback import read_feedback
from finetune.data.passages import Searched
from finetune.data.questions import read_questions
from finetune.data.scifact import read_scifact
from finetune.data.squad import read_squad
from ingest.documents import index

if TYPE_CHECKING:
    from assistant.progress import Progress
    from assistant.settings import Settings
    from finetune.data.description import Description, Origin


@dataclass(frozen=True, slots=True)
class _Source:
    """What one source asks, and the library that it asks about, in this generation."""

    number: int
    origin: Origin
    questions: Questions
    library: Searched
    generation: int

    def names(self, one: Asked) -> list[str]:
        """What a question is dealt by: its words, and the texts of its documents."""
        texts = [self.questions.documents[key].text for key in one.documents]
        return [f"question {text_name(one.question)}", *map(text_name, texts)]


def make_data(description: Description, folder: Path, settings: Settings, progress: Progress) -> Card:
    """Writes training data into a folder, in the place of such data that were there, and returns their card.

    Raises ValueError for a source that is not what the description says, a folder that holds something else, or where
    nothing is left to train on; FileNotFoundError; LibraryError, SettingsError and ModelNotFound as
    `Assistant.open` does. Then, and after Ctrl-C, the folder is as it was.
    """
    with ExitStack() as opened:
        sources = [
            opened.enter_context(_opened(number, origin, settings, progress))
            for number, origin in enumerate(description.questions, start=1)
        ]
        asked = [(source, one) for source in sources for one in source.questions.asked]
        joined = (source.names(one) for source, one in asked)
        deal = Deal(joined, description.validation, description.test, description.seed)
        with _in_place_of(folder) as new:
            counts = {part: Counts() for part in PARTS}
            entries, rules = [], set()
            for source in sources:
                rows = _examples(source, deal, description, progress)
                entry, shown = _written(source, rows, new, counts)
                entries.append(entry)
                rules |= _rules(source, shown)
            if not counts["train"].all()["examples"]:
                raise ValueError(
                    "No question is left to train on: give more, or smaller shares to validation and test."
                )
            made_with = {name: getattr(description, name) for name in ("seed", "validation", "test", "others")}
            made_with["embedder"] = " ".join(dict.fromkeys(source.library.embedder.fingerprint for source in sources))
            return make_card(new, made_with, entries, {part: counts[part].all() for part in PARTS}, strictest(rules))


@contextmanager
def _opened(number: int, origin: Origin, settings: Settings, progress: Progress) -> Iterator[_Source]:
    """A source with its library; that of a benchmark is made now."""
    if origin.library:
        library = Library.open(origin.library, settings.search.device)
        embedder = open_embedder(settings.embedder, library.made_with[1])
        library.require(embedder)
        groups = People(settings.people).named(origin.groups)
    else:
        questions = _benchmark(origin)
        named = hashlib.sha256(str(origin.path).encode()).hexdigest()[:16]
        path = cache_folder() / "benchmarks" / f"{origin.kind}-{named}"
        embedder = open_embedder(settings.embedder, Library.fingerprint_at(path))
        library = Library.open_or_create(path, embedder)
        index(list(questions.documents.values()), origin.kind, origin.kind, library, embedder, progress)
        groups = frozenset({EVERYONE})
    with library.view(groups) as view:
        if origin.kind == "questions":
            questions = read_questions(origin.path, view)
        elif origin.kind == "feedback":
            questions = read_feedback(origin.path, view)
        yield _Source(number, origin, questions, Searched(view, embedder, settings.search), view.generation)


def _benchmark(origin: Origin) -> Questions:
    if origin.kind == "squad":
        return read_squad(sorted(origin.path.glob("*.json")) if origin.path.is_dir() else [origin.path])
    return read_scifact(origin.path) if origin.kind == "scifact" else read_beir(origin.path, origin.split or "train")


def _examples(
    source: _Source, deal: Deal, description: Description, progress: Progress
) -> Iterator[tuple[Part, Example]]:
    """The examples of a source, each with its part."""

    @lru_cache(maxsize=100_000)
    def part_of(key: Key) -> Part:
        document = source.questions.documents.get(key) or source.library.view.document(*key)
        assert document  # a view stays as it is
        return deal.part(text_name(document.text))

    asked = _sample(source.questions.asked, source.origin.count, description.seed)
    for done, one in enumerate(asked, start=1):
        part = deal.part(source.names(one)[0])

        def allowed(passage: Passage, part: Part = part) -> bool:
            return part_of((passage.source, passage.key)) == part

        if found := source.library.passages(one, allowed, description.others):
            name = f"{source.number}-{one.id}"
            yield part, Example(name, one.question, one.answers, one.answerable, *found, source.origin.kind)
        progress(done, len(asked), f"questions of {source.origin.path.name}")


def _sample(asked: Sequence[Asked], count: int | None, seed: int) -> Sequence[Asked]:
    """So many of them at random, in their order."""
    if count is None or count >= len(asked):
        return asked
    return [asked[number] for number in sorted(random.Random(seed).sample(range(len(asked)), count))]


def _written(
    source: _Source, rows: Iterator[tuple[Part, Example]], folder: Path, counts: dict[Part, Counts]
) -> tuple[dict[str, Any], set[str]]:
    """Appends examples to the files of their parts. Returns the source's entry on the card, and the documents shown."""
    shown: set[str] = set()
    taken, left_out = 0, dict(source.questions.left_out)
    with ExitStack() as opened:
        files = {part: opened.enter_context((folder / f"{part}.jsonl").open("a", encoding="utf-8")) for part in PARTS}
        for part, one in rows:
            write_example(files[part], one)
            counts[part].add(one)
            shown.update(text.document for text in (*one.relevant, *one.others))
            taken += 1
    origin = source.origin
    if without := min(len(source.questions.asked), origin.count or sys.maxsize) - taken:
        left_out["on documents without text"] = without
    entry = {
        **{"kind": origin.kind, "name": origin.path.name, "licence": origin.licence, "split": origin.split},
        **{"count": origin.count, "groups": list(origin.groups), "generation": source.generation},
        **{"sha256": sha256(origin.path), "questions": taken, "left out": left_out},
    }
    return entry, shown


def _rules(source: _Source, shown: set[str]) -> set[Access]:
    """Who may read each document that is shown, and the questions: somebody in all the groups that they come from."""
    view = source.library.view
    keys = [(one.source, one.key) for one in view.summaries() if f"{one.source}/{one.key}" in shown]
    found = {document.access for key in keys if (document := view.document(*key))}
    return found | {Access(tuple(frozenset({group}) for group in {EVERYONE, *source.origin.groups}))}


@contextmanager
def _in_place_of(folder: Path) -> Iterator[Path]:
    """An empty folder for its owner only, which takes the place of `folder` once it is whole."""
    if folder.exists() and not (folder.is_dir() and ((folder / FILE).exists() or not any(folder.iterdir()))):
        raise ValueError(f"{folder} holds something else than training data; choose another folder with --out.")
    new, old = (folder.with_name(f".{folder.name}.{state}") for state in ("new", "old"))
    _tidy(folder, new, old)  # what a run left that was killed
    new.mkdir(mode=0o700, parents=True)
    try:
        yield new
        if folder.exists():
            folder.rename(old)
        new.rename(folder)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"{folder} is as it was.") from None
    finally:
        _tidy(folder, new, old)


def _tidy(folder: Path, new: Path, old: Path) -> None:
    if old.exists() and not folder.exists():
        old.rename(folder)
    for left in (new, old):
        shutil.rmtree(left, ignore_errors=True)
