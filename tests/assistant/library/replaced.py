"""A library whose documents are all replaced together, so that half a generation would be seen at once.

Run as a program it searches until its standard input is closed, and prints what it saw; or it publishes.
"""

from __future__ import annotations

import json
import select
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

import story

from assistant.library import Library
from assistant.library.view import View
from assistant.search import search
from assistant.settings import SearchSettings
from assistant.types import PUBLIC

DOCUMENTS = 12
MEMBER = {"board"}
OUTSIDER: set[str] = set()


@dataclass
class Seen:
    """What one reader saw: the numbers of the generations in order, and how long each look took in milliseconds."""

    numbers: list[int] = field(default_factory=list)
    milliseconds: list[float] = field(default_factory=list)


def replace_all(folder: Path, number: int) -> None:
    """Publishes a generation in which every document carries `number`; every third one is the board's."""
    embedder = story.GivenVectors()
    with Library.open_or_create(folder, embedder).writer(embedder) as writer:
        for at in range(DOCUMENTS):
            text = f"common number{number} of document {at}\n\ncommon number{number} of document {at}" + " again" * at
            access = story.BOARD if at % 3 == 0 else PUBLIC
            story.put(writer, story.document(f"page-{at}", text, access=access, revision=str(number)))
        writer.publish()


def replace_next(folder: Path) -> None:
    """As `replace_all`, with the number of the generation that it makes."""
    replace_all(folder, Library.open(folder).generation() + 1)


def look(view: View, documents: int) -> int:
    """The number that everything in the view carries; raises AssertionError where they differ or some are missing."""
    embedder = story.GivenVectors()
    lexical = view.passages(view.search_lexical("common", 1000), "lexical")
    dense = view.passages(view.search_dense(embedder.embed_query("common"), 1000), "dense")
    fused = search(view, embedder, "common", SearchSettings(), k=1000)
    found = {
        "lexical": [(p.key, p.revision, p.text.split()[1]) for p in lexical],
        "dense": [(p.key, p.revision, p.text.split()[1]) for p in dense],
        "fused": [(p.key, p.revision, p.text.split()[1]) for p in fused],
    }
    numbers = {revision for rows in found.values() for _, revision, _ in rows}
    numbers |= {summary.revision for summary in view.summaries()} | {item.revision for item in view.items()}
    assert len(numbers) == 1, f"a view shows several generations: {sorted(numbers)}"
    (number,) = numbers
    for stage, rows in found.items():
        assert {word for _, _, word in rows} == {f"number{number}"}, stage
        assert len(rows) == 2 * documents == 2 * len({key for key, _, _ in rows}), f"{stage} found {len(rows)} chunks"
    assert view.counts() == (documents, 2 * documents) == (len(view.items()), 2 * len(view.summaries()))
    return int(number)


def watch(library: Library, go_on: Iterator[bool]) -> Seen:
    """Looks again and again, as a member and as an outsider in turn."""
    seen = Seen()
    for turn, _ in enumerate(go_on):
        member = turn % 2 == 0
        began = time.perf_counter()
        with library.view(MEMBER if member else OUTSIDER) as view:
            seen.numbers.append(look(view, DOCUMENTS if member else DOCUMENTS * 2 // 3))
        seen.milliseconds.append(1000 * (time.perf_counter() - began))
    return seen


def until_closed() -> Iterator[bool]:
    """Goes on until standard input is closed."""
    while not select.select([sys.stdin], [], [], 0)[0]:
        yield True


def main(folder: str, *numbers: str) -> None:
    """Searches and says what it saw, or publishes the generations `numbers`."""
    for number in numbers:
        replace_all(Path(folder), int(number))
    if numbers:
        return
    opened = Library.open(folder)
    with opened.view(MEMBER) as first:
        look(first, DOCUMENTS)
    print("looking", flush=True)  # noqa: T201
    print(json.dumps(asdict(watch(opened, until_closed()))))  # noqa: T201


if __name__ == "__main__":
    main(*sys.argv[1:])
