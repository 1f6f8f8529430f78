"""What every kind of source does: list its items, say what changed, fetch one.

A source is read in three steps, each of which may raise `SourceError` and then removes nothing:

    cursor = connector.cursor()                     # before anything is read
    connector.list()  or  connector.changes(since)  # what is there, or what changed since an earlier cursor
    connector.fetch(listed, folder)                 # the content of one item
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol

from assistant.types import Access, DocumentStatus


@dataclass(frozen=True, slots=True)
class Listed:
    """An item as a listing shows it.

    `key` names it within its source for as long as it lives there, also when it is renamed if the source has numbers
    for its items. `stamp` changes whenever its content, title, URL or what else `Fetched` says may have; "" if the
    source cannot tell, so that it is fetched each time. `access` says who may read it, by the rules of the source;
    what the source does not say is nobody's. `refused` is why it is not to be fetched at all (a reason and a sentence):
    ("unsupported", "a video"). `renamed_from` is its key before, where the source says that it was moved. `hint` is
    what `fetch` of the same connector wants to know besides.
    """

    key: str
    stamp: str
    access: Access
    refused: tuple[str, str] | None = None
    renamed_from: str = ""
    hint: Any = None


@dataclass(frozen=True, slots=True)
class Gone:
    """Among changes: the source says that it holds this item no longer.

    With `below`, nor any item whose key begins with `key/`, such as the attachments of a page, but for those that are
    among the same changes.
    """

    key: str
    below: bool = False


@dataclass(frozen=True, slots=True)
class Fetched:
    """The content of an item: a file, whose suffix says how it is parsed, and what the source says about it.

    `revision` is the same for the same content only: the source's own number for it, or a hash of the bytes. A `title`
    or `language` that is "" is taken from the text. `created` and `modified` are dates in ISO 8601 ("2026-11-20" or
    "2026-11-20T12:00:00Z") or "". `language` is a BCP 47 tag. `url` opens the item in a browser.
    """

    path: Path
    revision: str
    url: str
    title: str = ""
    authors: tuple[str, ...] = ()
    created: str = ""
    modified: str = ""
    language: str = ""
    status: DocumentStatus = ""


class Connector(Protocol):
    """One source. Its methods may be called from several threads, `fetch` also at the same time.

    A class that derives from this has the defaults for a source that can only be listed whole.
    """

    root: str
    """What it reads, in one spelling and without secrets: "mediawiki https://wiki.example.org/w/api.php". A source of
    the same name with another root is another source."""
    pace: ClassVar[tuple[float, int]] = (5.0, 5)
    """Requests per second in the long run, and at once, that suit the kind."""
    sign_in: ClassVar[bool] = True
    """Whether the secret goes along with each request; False where the connector signs in itself."""
    at_once: ClassVar[int] = 4
    """Items that are fetched at the same time."""
    remote: ClassVar[bool] = True
    """Whether what it says may be wrong for a moment: an item that can be read no longer is then kept until the source
    has said the same twice."""
    has_rules: ClassVar[bool] = True
    """Whether the source says who may read its items, or anybody may; else the settings must name `readers`."""
    full_hours: ClassVar[float] = 168.0
    """All is listed again when the last time is longer ago, unless the settings say otherwise; 0 for always, where
    changes do not tell everything."""

    def cursor(self) -> str:
        """Where the source stands now, for `changes` of a later run; "" where it cannot say.

        Called before `list` and `changes`, so that what changes meanwhile is seen by the next run.
        """
        return ""

    def list(self) -> Iterator[Listed]:
        """Every item, each once. Ends only when all were listed: whatever is missing after it is gone.

        Raises SourceError if the source cannot be read, or the listing is cut.
        """
        ...

    def changes(self, since: str, again: Collection[str]) -> Iterator[Listed | Gone] | None:
        """What was added, changed, moved or removed since an earlier cursor, and how the items with the keys `again`
        stand now; None where the source can no longer tell, so that it is listed.

        An item whose rules changed counts as changed. Raises SourceError as `list` does.
        """
        return None

    def prepare(self, items: Sequence[Listed]) -> None:
        """Told which items `fetch` is going to be asked for next, a few dozen, so that they can be loaded together."""
        return

    def fetch(self, item: Listed, folder: Path) -> Fetched:
        """The content of an item, written into the empty `folder`, or a file that is there anyway.

        Raises FetchError if this item cannot be had; the next run tries again. Raises ParseError, with its reason, for
        content that Refdesk does not read: it is left until it changes.
        """
        ...

    def fetch_instead(self, item: Listed, folder: Path) -> Fetched | None:
        """The same item in another form, once what `fetch` gave could not be parsed; None where there is none.

        Its revision is another than that of `fetch`. Raises FetchError as `fetch` does.
        """
        return None
