"""Who wrote each file of a repository and when, from one pass over its log."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

from ingest.connectors.git.clone import as_text


@dataclass(slots=True)
class Story:
    """What the commits say that touched a file, also under the names that it had before.

    Dates are those of the authors, which survive a rebase. `authors` are in the order of their first commit.
    """

    created: str = ""
    modified: str = ""
    _latest_first: list[str] = field(default_factory=list)

    @property
    def authors(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(reversed(self._latest_first)))

    def touched(self, date: str, author: str) -> None:
        self.created = date
        self.modified = self.modified or date
        if author and (not self._latest_first or self._latest_first[-1] != author):
            self._latest_first.append(author)


def stories(log: Iterator[bytes], paths: Collection[str]) -> dict[str, Story]:
    """The story of each of `paths`, the files of the newest commit, from the words of `Clone.log`.

    Goes back in time; `now` says which file of today a path was at that time.
    """
    found = {path: Story() for path in paths}
    now = {path: path for path in paths}
    date = author = ""
    for word in log:
        if word.startswith(b"\x01"):
            date, _, author = as_text(word[1:]).partition("\x01")
            continue
        status = word.strip(b"\n")[:1]
        if not status:
            continue
        path = as_text(next(log))
        before = as_text(next(log)) if status in b"RC" else ""
        path, before = (before, path) if before else (path, "")
        if path not in now:
            continue
        found[now[path]].touched(date, author)
        if status == b"A":
            del now[path]
        elif status == b"R":
            now.setdefault(before, now.pop(path))
    return found
