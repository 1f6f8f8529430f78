"""`entities.xml` of a Confluence XML export, read as a stream: it may have gigabytes, of which only what is said about
the contents is kept, and the texts of one version each are read again when they are wanted.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from assistant.errors import SourceError
from ingest.access import group, person

ENTITIES = "entities.xml"
_OTHER_RESTRICTIONS = ("edit", "share")
"""Kinds of restrictions of a page that do not concern who may read it; any other might."""
_PRINTABLE = bytes(byte if byte > 31 or byte in b"\t\n\r" else 32 for byte in range(256))
"""Control characters of old pages are no XML; Confluence itself overlooks them."""


@dataclass(frozen=True, slots=True)
class Entity:
    """One object: its scalar properties as text, references as the id they refer to, collections as lists of ids."""

    type: str
    id: str
    said: dict[str, str]
    lists: dict[str, list[str]]

    def get(self, *names: str) -> str:
        """The first of these properties that is there and not empty."""
        return next((value for name in names if (value := self.said.get(name, ""))), "")


@dataclass(frozen=True, slots=True)
class Page:
    title: str
    space: str
    parent: str
    version: str
    status: str
    creator: str
    modifier: str
    created: str
    modified: str


@dataclass(frozen=True, slots=True)
class File:
    title: str
    page: str
    version: str
    modified: str


@dataclass(slots=True)
class Export:
    """What an export says, each by its id. A `None` among the subjects of a space is anybody."""

    spaces: dict[str, tuple[str, bool]] = field(default_factory=dict)
    """Key, and whether it is archived."""
    subjects: dict[str, list[str | None]] = field(default_factory=dict)
    """Space -> who may see it: groups, and the keys of users behind a NUL."""
    tells_permissions: bool = False
    """Whether it says of any space who may do anything in it; else it was made without permissions."""
    pages: dict[str, Page] = field(default_factory=dict)
    files: dict[str, File] = field(default_factory=dict)
    restricted: dict[str, list[str]] = field(default_factory=dict)
    """Content -> the sets of permissions to view it."""
    permitted: dict[str, list[str]] = field(default_factory=dict)
    """Set of permissions -> subjects, as above."""
    users: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Key of a user -> names under which they may sign in."""
    people: dict[str, str] = field(default_factory=dict)
    """Key of a user -> the name to show."""
    labels: dict[str, str] = field(default_factory=dict)
    labelled: dict[str, list[str]] = field(default_factory=dict)
    """Content -> its labels."""

    def names(self, subjects: list[str] | list[str | None]) -> frozenset[str]:
        """The groups and persons, as rules name them; a user whom the export does not name is left out."""
        found: set[str] = set()
        for subject in subjects:
            if subject and subject.startswith("\0"):
                found |= {person(name) for name in self.users.get(subject[1:], ())}
            elif subject:
                found.add(group(subject))
        return frozenset(found)


def read_export(path: Path, *, blog_posts: bool) -> Export:
    """What an export says about its contents, without their texts; raises SourceError."""
    export = Export()
    pages = {"Page", "BlogPost"} if blog_posts else {"Page"}
    older: set[str] = set()
    for entity in entities(path):
        older.update(entity.lists.get("historicalVersions", ()))
        if entity.type in pages:
            if not entity.get("originalVersion"):
                export.pages[entity.id] = _page(entity)
        elif entity.type == "Attachment":
            if not entity.get("originalVersion") and entity.get("contentStatus") in ("", "current"):
                export.files[entity.id] = _file(entity)
        else:
            _take(entity, export)
    for key in older:
        export.pages.pop(key, None)
        export.files.pop(key, None)
    for key in [key for key, page in export.pages.items() if page.status not in ("", "current", "archived")]:
        del export.pages[key]
    if not export.spaces:
        raise SourceError(f"{path} holds no space: it is no XML export of Confluence. Nothing was removed.")
    return export


def texts(path: Path) -> Iterator[tuple[str, str, bool]]:
    """The id of each content, of whatever version, its text, and whether that is in the old wiki markup."""
    for entity in entities(path):
        if entity.type == "BodyContent" and (content := entity.get("content")):
            # An export writes the end of a CDATA section inside of another as "]] >".
            yield content, entity.get("body").replace("]] >", "]]>"), entity.get("bodyType") == "0"


def entities(path: Path) -> Iterator[Entity]:
    """All objects of an export; raises SourceError where it cannot be read to its end."""
    from lxml import etree

    try:
        with opened(path) as archive, archive.open(ENTITIES) as stream:
            clean: Any = _Clean(stream)
            found = etree.iterparse(clean, tag="object", huge_tree=True, resolve_entities=False, no_network=True)
            for _, element in found:
                yield _entity(element)
                element.clear()
                while element.getprevious() is not None:
                    del element.getparent()[0]
    except (etree.XMLSyntaxError, KeyError, OSError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise SourceError(f"{path} cannot be read to its end ({error}). Nothing was removed. Export again.") from error


@contextmanager
def opened(path: Path) -> Iterator[zipfile.ZipFile]:
    """The archive; raises SourceError where it is none."""
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except (OSError, RuntimeError, zipfile.BadZipFile) as error:  # RuntimeError: encrypted, or packed in a newer way
        raise SourceError(f"{path} is no zip that can be read ({error}). Nothing was removed.") from error


class _Clean:
    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream

    def read(self, size: int = -1) -> bytes:
        return self._stream.read(size).translate(_PRINTABLE)


def _entity(element: Any) -> Entity:
    key, said, lists = "", {}, {}
    for child in element:
        name = child.get("name", "")
        if child.tag == "id":
            key = (child.text or "").strip()
        elif child.tag == "property":
            inner = child.find("id")
            said[name] = (inner.text or "").strip() if inner is not None else child.text or ""
        elif child.tag == "collection":
            lists[name] = [(one.text or "").strip() for one in child.iterfind("element/id")]
    return Entity(element.get("class", ""), key, said, lists)


def _page(entity: Entity) -> Page:
    return Page(
        title=entity.get("title"),
        space=entity.get("space"),
        parent=entity.get("parent"),
        version=entity.get("version"),
        status=entity.get("contentStatus"),
        creator=entity.get("creator", "creatorName"),
        modifier=entity.get("lastModifier", "lastModifierName"),
        created=_time(entity.get("creationDate")),
        modified=_time(entity.get("lastModificationDate")),
    )


def _file(entity: Entity) -> File:
    return File(
        title=entity.get("title", "fileName"),
        page=entity.get("containerContent", "content"),
        version=entity.get("attachmentVersion", "version"),
        modified=_time(entity.get("lastModificationDate", "creationDate")),
    )


def _take(entity: Entity, export: Export) -> None:
    """All but pages and attachments."""
    match entity.type:
        case "Space":
            export.spaces[entity.id] = entity.get("key"), entity.get("spaceStatus").upper() == "ARCHIVED"
        case "SpacePermission":
            export.tells_permissions = True
            if entity.get("type") == "VIEWSPACE" and not entity.get("allUsersSubject"):
                export.subjects.setdefault(entity.get("space"), []).append(_subject(entity) or None)
        case "ContentPermissionSet" if entity.get("type").lower() not in _OTHER_RESTRICTIONS:
            export.restricted.setdefault(entity.get("owningContent", "content"), []).append(entity.id)
        case "ContentPermission":
            export.permitted.setdefault(entity.get("owningSet"), []).append(_subject(entity))
        case "ConfluenceUserImpl":
            names = [entity.get("name"), entity.get("atlassianAccountId"), entity.get("email")]
            export.users[entity.id] = tuple(name for name in names if name)
            export.people[entity.id] = entity.get("fullName", "displayName", "name")
        case "Label":
            export.labels[entity.id] = entity.get("name")
        case "Labelling":
            export.labelled.setdefault(entity.get("content", "labelableId"), []).append(entity.get("label"))


def _subject(entity: Entity) -> str:
    """A group by its name, a user by the key behind a NUL; "" where there is neither."""
    if named := entity.get("group", "groupName"):
        return named
    user = entity.get("userSubject", "userName")
    return f"\0{user}" if user else ""


def _time(value: str) -> str:
    """ "2020-01-02 10:20:30.400", which tells no time zone, as a time of ISO 8601."""
    return value.strip().partition(".")[0].replace(" ", "T")
