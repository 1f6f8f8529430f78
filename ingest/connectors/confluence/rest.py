"""What the REST interfaces of Confluence Data Center and of Confluence Cloud have in common: listings in parts,
contents as both write them, and the sets of users and groups that may read.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar
from urllib.parse import parse_qs, quote, urlsplit

from assistant.errors import FetchError
from assistant.types import PUBLIC, Access
from ingest.access import group, person
from ingest.fetch import JSON, Client, shown

READERS = "restrictions.read.restrictions.user,restrictions.read.restrictions.group"
FOUND = 200
"""Contents in one answer; no Confluence gives more with expansions, and some give fewer."""
EXPAND = f"version,history,ancestors,metadata.labels,{READERS}"
NOT_TOLD = frozenset({"forbidden", "gone", "refused"})
"""Reasons of a FetchError that say: this is not for the account. Any other is a fault, and tells nothing."""


Params = Mapping[str, str | int]


@dataclass(frozen=True, slots=True)
class Space:
    key: str
    id: str
    archived: bool


@dataclass(frozen=True, slots=True)
class Attachment:
    """`path` is where it is downloaded, below the root; `size` is -1 if unknown; `version` is "" if unknown."""

    id: str
    title: str
    version: str
    size: int
    modified: str
    path: str


@dataclass(frozen=True, slots=True)
class Content:
    """A page or blog post as a listing shows it.

    `parents` are the ids of all that stand above it; "" is one that is not known. `restriction` is its own rule,
    without its parents' and its space's.
    """

    id: str
    type: str
    title: str
    version: str
    space: str
    archived: bool
    parents: tuple[str, ...]
    restriction: Access
    labels: tuple[str, ...]
    authors: tuple[str, ...]
    created: str
    modified: str
    attachments: tuple[Attachment, ...]


@dataclass(frozen=True, slots=True)
class Body:
    """The text of a page, in storage format, with what belongs to the same version of it."""

    version: str
    title: str
    modified: str
    storage: str


class Site(ABC):
    """One Confluence below `root`. Its two kinds derive from this and say how each lists what it has.

    What is not as documented raises FetchError("not_content").
    """

    search_context: ClassVar[dict[str, str]] = {}

    def __init__(self, client: Client, root: str, *, attachments: bool, blog_posts: bool) -> None:
        self.root = root.rstrip("/")
        self.client = client
        self.with_attachments = attachments
        self.types = ("page", "blogpost") if blog_posts else ("page",)
        self.expand = f"{EXPAND},children.attachment" if attachments else EXPAND

    @abstractmethod
    def spaces(self) -> dict[str, Space]:
        """Every space that the account sees, by key."""

    @abstractmethod
    def readers(self, space: Space) -> Access:
        """Who may read the space, except everyone; raises FetchError where the account may not know."""

    @abstractmethod
    def contents(self, space: Space) -> dict[str, Content]:
        """All pages and blog posts of a space that the account sees, by id."""

    @abstractmethod
    def one(self, key: str) -> Content | None:
        """One page or blog post as it is now; None where there is none of this id."""

    @abstractmethod
    def body(self, wanted: Content) -> Body:
        """The text of a page; raises FetchError."""

    @abstractmethod
    def bodies(self, wanted: Collection[Content]) -> dict[str, Body]:
        """Several at once, by id, as many as the site gives; the others have to be asked for one by one."""

    def changed(self, cql: str) -> Iterator[Content]:
        """The pages and blog posts that a query finds, and those whose attachments it finds."""
        pages: set[str] = set()
        for found in self.search(cql, f"{self.expand},space,container", FOUND):
            with as_promised(self.root):
                is_page = found["type"] in self.types
                key = str(found["id"] if is_page else found["container"]["id"])
            if is_page:
                yield self.content(found)
            elif found["type"] == "attachment":
                pages.add(key)
        for key in sorted(pages):
            if content := self.one(key):
                yield content

    def download_path(self, page: str, found: Attachment) -> str:
        return found.path

    def anonymous(self) -> bool:
        """Whether the site takes us for nobody in particular."""
        try:
            found = self.get("/rest/api/user/current")
        except FetchError as error:
            if error.reason == "forbidden":
                return True
            raise
        return found.get("type") == "anonymous"

    def restriction(self, key: str) -> Access:
        """The rule of one content itself, with all the users and groups that it names."""
        allowed: frozenset[str] = frozenset()
        start, restricted, cut = 0, False, True
        while cut:
            params: Params = {"expand": "restrictions.user,restrictions.group", "limit": 200, "start": start}
            found = self.get(f"/rest/api/content/{key}/restriction/byOperation/read", params)
            with as_promised(self.root):
                sets = found["restrictions"]
                rule = any_of(sets)
                step = max(len(sets["user"]["results"]), len(sets["group"]["results"]))
                cut = step > 0 and (is_cut(sets["user"]) or is_cut(sets["group"]))
            if rule != PUBLIC:
                restricted, allowed = True, allowed | rule.all_of[0]
            start += step
        return Access((allowed,)) if restricted else PUBLIC

    def search(self, cql: str, expand: str, limit: int) -> Iterator[dict[str, Any]]:
        """What a query in Confluence's query language finds. The index behind it may be some minutes old."""
        params: Params = {"cql": cql, "expand": expand, "limit": limit, **self.search_context}
        for part in self.parts("/rest/api/content/search", params):
            yield from part["results"]

    def content(self, found: Mapping[str, Any]) -> Content:
        """What a listing with `expand` says of one page; what it does not list whole is asked for."""
        with as_promised(self.root):
            key = str(found["id"])
            sets = found["restrictions"]["read"]["restrictions"]
            cut = is_cut(sets["user"]) or is_cut(sets["group"])
            restriction = self.restriction(key) if cut else any_of(sets)
            listed: tuple[Attachment, ...] = ()
            if self.with_attachments:
                children = found["children"]["attachment"]
                listed = self.attachments(key) if is_cut(children) else tuple(map(attachment, children["results"]))
            history, version = found["history"], found["version"]
            return Content(
                id=key,
                type=found["type"],
                title=found["title"],
                version=str(version["number"]),
                space=str(found["space"]["key"]),
                archived=found.get("status") == "archived",
                parents=tuple(str(parent["id"]) for parent in found["ancestors"]) if found["type"] == "page" else (),
                restriction=restriction,
                labels=tuple(sorted(label["name"] for label in found["metadata"]["labels"]["results"])),
                authors=_names(history.get("createdBy"), version.get("by")),
                created=str(history.get("createdDate") or ""),
                modified=str(version.get("when") or ""),
                attachments=listed,
            )

    def attachments(self, key: str) -> tuple[Attachment, ...]:
        """All attachments of a page."""
        found: dict[str, Attachment] = {}
        for part in self.parts(f"/rest/api/content/{key}/child/attachment", {"limit": 1000}):
            with as_promised(self.root):
                add_each(found, map(attachment, part["results"]), self.root)
        return tuple(found.values())

    def get(self, path: str, params: Params | None = None) -> dict[str, Any]:
        """The JSON object at a path below the root; `params` are put behind what the path has."""
        found = self.client.get(self.address(path, params), accept=JSON).json()
        if not isinstance(found, dict):
            raise FetchError("not_content", f"{shown(self.root + path)} answered with JSON that is no object")
        return found

    def call(self, path: str, value: object) -> Any:
        """The JSON that a POST of JSON answers with."""
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        body = json.dumps(value).encode()
        return self.client.send("POST", self.address(path), content=body, headers=headers, accept=JSON).json()

    def parts(self, path: str, params: Params) -> Iterator[dict[str, Any]]:
        """The parts of a listing, each with its `results`, as `_links.next` leads from one to the next."""
        following: str | None = path
        asked = set()
        while following is not None:
            if following in asked:
                raise FetchError("not_content", f"{shown(self.root + path)}: the listing leads in a ring")
            asked.add(following)
            part = self.get(following, params if following == path else None)
            following = self.next_of(part)
            yield part

    def next_of(self, part: Mapping[str, Any]) -> str | None:
        """Where the next part of a listing is, as a path below the root; None after the last."""
        with as_promised(self.root):
            size = len(part["results"])
            if part.get("size", size) != size:
                raise FetchError("not_content", f"{shown(self.root)}: a listing of {part['size']} has {size} entries")
            following = part.get("_links", {}).get("next")
            if not following:
                return None
            target, context = urlsplit(following), urlsplit(self.root).path
            path = target.path.removeprefix(context) if target.path.startswith(f"{context}/") else target.path
            return f"{path}?{target.query}" if target.query else path

    def address(self, path: str, params: Params | None = None) -> str:
        query = "&".join(f"{name}={quote(str(value), safe=',')}" for name, value in (params or {}).items())
        return f"{self.root}{path}{('&' if '?' in path else '?') + query if query else ''}"


@contextmanager
def as_promised(url: str) -> Iterator[None]:
    """Makes FetchError("not_content") of what reading JSON of another form raises."""
    try:
        yield
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise FetchError(
            "not_content", f"{shown(url)} answered with JSON of another form than is documented ({error!r})"
        ) from error


def add_each(found: dict[str, Any], entries: Iterator[Any], url: str) -> None:
    """Puts entries into `found` by their id, where each may occur once."""
    for entry in entries:
        if entry.id in found:
            raise FetchError("not_content", f"{shown(url)}: a listing has {entry.id} twice")
        found[entry.id] = entry


def attachment(found: Mapping[str, Any]) -> Attachment:
    """An attachment; the address of its download tells its version and time, so that nothing need be expanded."""
    path = str(found["_links"]["download"])
    said = parse_qs(urlsplit(path).query)
    time = said.get("modificationDate", [""])[0]
    return Attachment(
        id=str(found["id"]),
        title=str(found["title"]),
        version=said.get("version", [time])[0],
        size=int(found.get("extensions", {}).get("fileSize", -1)),
        modified=datetime.fromtimestamp(int(time) / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if time else "",
        path=path,
    )


def is_cut(listed: Mapping[str, Any]) -> bool:
    """Whether a list within an answer may have more entries than it shows."""
    return bool(listed.get("_links", {}).get("next")) or len(listed["results"]) >= int(listed.get("limit") or 1 << 30)


def any_of(sets: Mapping[str, Any]) -> Access:
    """The rule of one content: anyone of its users and groups, or everyone, if it names none."""
    users, groups = sets["user"]["results"], sets["group"]["results"]
    if not users and not groups:
        return PUBLIC
    return Access((frozenset(name for entry in [*users, *groups] for name in principal(entry)),))


def principal(entry: Mapping[str, Any]) -> list[str]:
    """A group by its name; a person by all names under which they may sign in: user name, account id, address."""
    if entry.get("type") == "group":
        return [group(str(entry["name"]))]
    return [person(str(entry[name])) for name in ("username", "accountId", "email") if entry.get(name)]


def _names(*people: Mapping[str, Any] | None) -> tuple[str, ...]:
    """Who made and who last changed a page, each once."""
    found = [str(one.get("displayName") or one.get("username") or "") for one in people if one]
    return tuple(dict.fromkeys(name for name in found if name and name != "Anonymous"))
