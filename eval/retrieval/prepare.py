"""What a run of retrieval needs: queries with their relevant documents, and a library that holds these.

Whoever asks is in `groups`, and what those may not see is not there. Both ways raise ValueError for what is malformed
or missing, and what opening a library raises.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from eval.questions import read_questions
from eval.retrieval.collection import Collection, indexed, opened
from eval.retrieval.queries import Query, of_beir, of_questions
from ingest.beir import read_judgements, read_queries

if TYPE_CHECKING:
    from assistant.progress import Progress
    from assistant.settings import Settings

Prepared = tuple[str, list[Query], list[str], Collection]
"""What the queries are called, they, what was left out of them, and what they are put to."""


@contextmanager
def of_beir_folder(
    folder: Path,
    split: str,
    library: Path | None,
    settings: Settings,
    progress: Progress,
    groups: Iterable[str] = (),
) -> Iterator[Prepared]:
    """A split of a BEIR folder, whose corpus is indexed into `library`, or into a temporary one."""
    texts, judgements = read_queries(folder), read_judgements(folder, split)
    with (
        TemporaryDirectory() as temporary,
        indexed(folder, library or Path(temporary), settings, progress, groups) as found,
    ):
        queries, notes = of_beir(texts, judgements, split, found.documents)
        yield f"{folder.resolve().name} {split}", queries, notes, found


@contextmanager
def of_question_file(
    file: Path, split: str | None, library: Path, settings: Settings, groups: Iterable[str] = ()
) -> Iterator[Prepared]:
    """The questions of a file, or those of one split (dev or test), that are about a library."""
    asked = read_questions(file, split)
    with opened(library, settings, groups) as found:
        queries, notes = of_questions(asked, found.documents)
        yield f"{file.stem} {split}" if split else file.stem, queries, notes, found
