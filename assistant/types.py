"""The records that flow through Refdesk, in the order in which they are made.

Every record is frozen: a stage returns new ones and edits none that it was given. All offsets are
counted in characters (Unicode code points) from 0, and spans are half open: `text[start:end]`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    FloatArray = NDArray[np.float32]

EVERYONE = "everyone"
"""The group that every caller belongs to, signed in or not."""
SIGNED_IN = "signed-in"
"""The group of everybody who has signed in."""
PERSON = "user:"
"""What stands before a person's name: each is a group of one."""

Mode = Literal["extract", "generate"]
ItemStatus = Literal["indexed", "skipped", "failed"]
ChunkKind = Literal["text", "bibliography"]
Stage = Literal["lexical", "dense", "fused", "reranked"]
DocumentStatus = Literal["", "draft", "approved", "superseded", "retracted"]
"""What the source says that a document is worth; "" where it says nothing."""


@dataclass(frozen=True, slots=True)
class Access:
    """Who may read: one group out of *each* set in `all_of`, and no group in `deny`.

    A rule without any set, or with an empty one, lets nobody in: what is unknown is nobody's. The order in which sets
    are given makes no difference.

    >>> Access.of("atlas", "cms").allows({"cms"})
    True
    >>> Access(()).allows({"everyone"})
    False
    """

    all_of: tuple[frozenset[str], ...]
    deny: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        object.__setattr__(self, "all_of", tuple(sorted(set(self.all_of), key=sorted)))

    @classmethod
    def of(cls, *groups: str) -> Access:
        """The rule that any one of `groups` may read."""
        return cls((frozenset(groups),))

    def allows(self, groups: Iterable[str]) -> bool:
        """Whether a caller who is in `groups` (and so in `everyone`) may read."""
        held = frozenset(groups) | {EVERYONE}
        return bool(self.all_of) and all(held & any_of for any_of in self.all_of) and not held & self.deny


PUBLIC = Access.of(EVERYONE)


@dataclass(frozen=True, slots=True)
class Section:
    """The span of a document below one heading, down to the next heading of any level.

    `path` holds the headings from the outermost to this one, without marks; it is empty before the first heading.
    """

    start: int
    end: int
    path: tuple[str, ...]
    kind: ChunkKind = "text"


@dataclass(frozen=True, slots=True)
class Document:
    """An item parsed to text, at one revision.

    `text` is Markdown: `#` headings, pipe tables, LaTeX between `$` or `$$`. `sections` lie side by side and cover it
    whole. `pages` holds the offset at which each page, slide or sheet starts, the first always 0; it is empty for
    formats that have none. `created` and `modified` are dates in ISO 8601, `language` is a BCP 47 tag; each is "" where
    the source does not say.
    """

    source: str
    key: str
    revision: str
    title: str
    url: str
    kind: str
    text: str
    sections: tuple[Section, ...]
    pages: tuple[int, ...] = ()
    access: Access = PUBLIC
    authors: tuple[str, ...] = ()
    created: str = ""
    modified: str = ""
    language: str = ""
    status: DocumentStatus = ""


@dataclass(frozen=True, slots=True)
class Chunk:
    """A span of a document, cut from it and never retyped: `text == document.text[start:end]`.

    `page` counts from 1 and is where the chunk starts; None where the format has no pages.
    """

    start: int
    end: int
    text: str
    section: tuple[str, ...]
    page: int | None
    kind: ChunkKind = "text"


@dataclass(frozen=True, slots=True)
class Passage:
    """A chunk that a search returned.

    `rank` counts from 1. `chunk_id` is the same for the same chunk of the same item in every library. `score` is BM25
    (>= 0) for stage `lexical`, cosine (-1..1) for `dense`, the sum of reciprocal ranks (> 0) for `fused`, and the
    reranker's logit for `reranked` (what it did not read stands behind, with fused scores moved below the last logit);
    scores of different stages cannot be compared. `page` is where it starts, `page_breaks` are the offsets in the
    document at which a further page starts inside it. `status` is the document's.
    """

    rank: int
    score: float
    stage: Stage
    chunk_id: int
    title: str
    source: str
    key: str
    revision: str
    url: str
    kind: str
    page: int | None
    section: tuple[str, ...]
    start: int
    end: int
    text: str
    page_breaks: tuple[int, ...] = ()
    status: DocumentStatus = ""


@dataclass(frozen=True, slots=True)
class Citation:
    """The characters of a document that one sentence of an answer rests on.

    `number` is the marker `[number]` in the answer's text and the rank of the passage that was shown. `quote` stands
    verbatim at `start:end` of the document's text at `revision`. `sentence` is the sentence that it supports, and
    `support` says how well, from 0 to 1. `status` is the document's.
    """

    number: int
    sentence: str
    quote: str
    support: float
    title: str
    source: str
    key: str
    revision: str
    url: str
    page: int | None
    section: tuple[str, ...]
    start: int
    end: int
    status: DocumentStatus = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a question.

    `mode` is the way that the text was made in the end, `answered` is False for a refusal, `confidence` (0..1) is the
    calibrated probability that the passages hold the answer. `notes` says in plain words what else happened: a server
    that was down, sentences that the check dropped. `models` names embedder and LLM, so that the answer can be replayed
    on `generation`.
    """

    question: str
    text: str
    answered: bool
    confidence: float
    mode: Mode
    citations: tuple[Citation, ...]
    passages: tuple[Passage, ...]
    generation: int
    models: dict[str, str]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Item:
    """What the library knows of one thing at a source, whether it could be read or not.

    `reason` is empty for `indexed`, else one of: needs_ocr, encrypted, corrupt, timeout, too_large, empty, unsupported,
    unreadable, outside_root. `stamp` is the connector's cheap sign of change (for a file: size and times).
    """

    source: str
    key: str
    status: ItemStatus
    reason: str = ""
    revision: str = ""
    stamp: str = ""
