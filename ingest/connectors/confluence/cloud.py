"""Confluence Cloud: version 2 of its REST interface says what there is, and the search of version 1, which has no
successor, what version 2 can only tell page by page: restrictions, labels, attachments.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar
from urllib.parse import quote

from assistant.errors import FetchError
from assistant.types import Access
from ingest.access import NOBODY, group, person
from ingest.connectors.confluence.rest import (
    FOUND,
    NOT_TOLD,
    Attachment,
    Body,
    Content,
    Site,
    Space,
    add_each,
    as_promised,
    principal,
)
from ingest.fetch import Client

_PART = 250
_PEOPLE = 100
_PLURAL = {"page": "pages", "blogpost": "blogposts", "folder": "folders", "database": "databases"}
_PLURAL |= {"whiteboard": "whiteboards", "embed": "embeds"}


class Cloud(Site):
    """One Confluence Cloud, at `https://NAME.atlassian.net/wiki`."""

    search_context: ClassVar[dict[str, str]] = {"cqlcontext": '{"contentStatuses":["current","archived"]}'}
    _groups: dict[str, str] | None = None

    def __init__(self, client: Client, root: str, *, attachments: bool, blog_posts: bool) -> None:
        super().__init__(client, root, attachments=attachments, blog_posts=blog_posts)
        self._elsewhere: dict[str, Mapping[str, Any] | None] = {}

    def spaces(self) -> dict[str, Space]:
        self._groups, self._elsewhere = None, {}
        found: dict[str, Space] = {}
        for space in self._each("/api/v2/spaces"):
            with as_promised(self.root):
                found[space["key"]] = Space(space["key"], str(space["id"]), space.get("status") == "archived")
        return found

    def readers(self, space: Space) -> Access:
        people, allowed = [], set()
        for one in self._each(f"/api/v2/spaces/{space.id}/permissions"):
            with as_promised(self.root):
                if (one["operation"]["key"], one["operation"]["targetType"]) != ("read", "space"):
                    continue
                kind, name = one["principal"]["type"], str(one["principal"]["id"])
            if kind == "user":
                people.append(name)
            elif kind == "group" and (known := self._group(name)):
                allowed.add(known)
        allowed |= self._people(people)
        return Access((frozenset(allowed),)) if allowed else NOBODY

    def _people(self, keys: Sequence[str]) -> set[str]:
        """The names of people: permissions tell only their account ids, not the addresses that restrictions show."""
        found = {person(key) for key in keys}
        for start in range(0, len(keys), _PEOPLE):
            asked = "&".join(f"accountId={quote(key)}" for key in keys[start : start + _PEOPLE])
            with as_promised(self.root):
                for one in self.get(f"/rest/api/user/bulk?{asked}")["results"]:
                    found |= set(principal(one))
        return found

    def _group(self, key: str) -> str:
        """A group's name: permissions tell only its id."""
        if self._groups is None:
            self._groups = {}
            for part in self.parts("/rest/api/group", {"limit": 200}):
                with as_promised(self.root):
                    self._groups |= {str(one["id"]): group(str(one["name"])) for one in part["results"]}
        return self._groups.get(key, "")

    def contents(self, space: Space) -> dict[str, Content]:
        there: dict[str, Mapping[str, Any]] = {}
        for kind in self.types:
            for one in self._each(f"/api/v2/spaces/{space.id}/{_PLURAL[kind]}"):
                with as_promised(self.root):
                    if str(one["id"]) in there:
                        raise FetchError("not_content", f"{self.root}: {one['id']} is listed twice in {space.key}")
                    there[str(one["id"])] = {**one, "type": kind}
        wanted = f'space = "{space.key}" and type in ({",".join(self.types)})'
        found: dict[str, Content] = {}
        for one in self.search(wanted, f"{self.expand},space", FOUND):
            with as_promised(self.root):
                key = str(one["id"])
            if key in there:
                found[key] = self.content(one)
        for key, listed in there.items():
            known = found.get(key) or self._unsearched(listed, space)
            found[key] = replace(known, parents=self._parents(listed, there))
        return found

    def _unsearched(self, found: Mapping[str, Any], space: Space) -> Content:
        """A content that the search does not know, because it is new, from what can be asked of it alone."""
        with as_promised(self.root):
            key, version = str(found["id"]), found["version"]
            return Content(
                id=key,
                type=found["type"],
                title=found["title"],
                version=str(version["number"]),
                space=space.key,
                archived=found.get("status") == "archived",
                parents=("",),
                restriction=self.restriction(key),
                labels=tuple(
                    sorted(one["name"] for one in self._each(f"/api/v2/{_PLURAL[found['type']]}/{key}/labels"))
                ),
                authors=(),
                created=str(found.get("createdAt") or ""),
                modified=str(version.get("createdAt") or ""),
                attachments=self.attachments(key, found["type"]) if self.with_attachments else (),
            )

    def _parents(self, found: Mapping[str, Any], there: Mapping[str, Mapping[str, Any]]) -> tuple[str, ...]:
        """All that stands above a content: pages, and folders and the like, which are not listed with the pages."""
        above: list[str] = []
        here: Mapping[str, Any] | None = found
        while here and (parent := here.get("parentId")):
            key = str(parent)
            if key in above:
                return (*above, "")
            above.append(key)
            here = there.get(key) or self._above(key, str(here.get("parentType") or "page"))
            if here is None:
                return (*above, "")
        return tuple(above)

    def _above(self, key: str, kind: str) -> Mapping[str, Any] | None:
        if key not in self._elsewhere:
            try:
                self._elsewhere[key] = self.get(f"/api/v2/{_PLURAL.get(kind, kind)}/{key}")
            except FetchError as error:
                if error.reason not in NOT_TOLD:
                    raise
                self._elsewhere[key] = None
        return self._elsewhere[key]

    def one(self, key: str) -> Content | None:
        found = self._alone(key)
        if found is None:
            return None
        with as_promised(self.root):
            space = self.get(f"/api/v2/spaces/{found['spaceId']}")
            known = self._unsearched(found, Space(space["key"], str(space["id"]), archived=False))
        for one in self.search(f"id = {key}", f"{self.expand},space", 1):
            known = self.content(one)
        return replace(known, parents=self._parents(found, {}))

    def changed(self, cql: str) -> Iterator[Content]:
        for content in super().changed(cql):
            if found := self._alone(content.id):
                yield replace(content, parents=self._parents(found, {}))

    def _alone(self, key: str) -> Mapping[str, Any] | None:
        """A page or blog post in the words of version 2."""
        for kind in self.types:
            try:
                return {**self.get(f"/api/v2/{_PLURAL[kind]}/{key}"), "type": kind}
            except FetchError as error:
                if error.reason != "gone":
                    raise
        return None

    def attachments(self, key: str, kind: str = "page") -> tuple[Attachment, ...]:
        found: dict[str, Attachment] = {}
        with as_promised(self.root):
            add_each(found, map(_attachment, self._each(f"/api/v2/{_PLURAL[kind]}/{key}/attachments")), self.root)
        return tuple(found.values())

    def download_path(self, page: str, found: Attachment) -> str:
        return f"/rest/api/content/{page}/child/attachment/{found.id}/download"

    def body(self, wanted: Content) -> Body:
        return _body(self.get(f"/api/v2/{_PLURAL[wanted.type]}/{wanted.id}", {"body-format": "storage"}), self.root)

    def bodies(self, wanted: Collection[Content]) -> dict[str, Body]:
        found: dict[str, Body] = {}
        for kind in self.types:
            if keys := ",".join(sorted(content.id for content in wanted if content.type == kind)):
                for one in self._each(f"/api/v2/{_PLURAL[kind]}", {"id": keys, "body-format": "storage"}):
                    found[str(one["id"])] = _body(one, self.root)
        return found

    def _each(self, path: str, params: Mapping[str, str | int] | None = None) -> Iterator[dict[str, Any]]:
        for part in self.parts(path, {**(params or {}), "limit": _PART}):
            yield from part["results"]


def _body(found: Mapping[str, Any], root: str) -> Body:
    with as_promised(root):
        version = found["version"]
        when = str(version.get("createdAt") or "")
        return Body(str(version["number"]), found["title"], when, found["body"]["storage"]["value"])


def _attachment(found: Mapping[str, Any]) -> Attachment:
    version = found["version"]
    return Attachment(
        id=str(found["id"]),
        title=str(found["title"]),
        version=str(version["number"]),
        size=int(found.get("fileSize", -1)),
        modified=str(version.get("createdAt") or ""),
        path=str(found.get("downloadLink", "")),
    )
