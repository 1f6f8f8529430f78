"""Confluence Data Center and Server: contents listed by their place in the space, permissions by REST or JSON-RPC."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

from assistant.errors import FetchError
from assistant.types import Access
from ingest.access import NOBODY, group, person
from ingest.connectors.confluence.rest import FOUND, Body, Content, Site, Space, as_promised, principal
from ingest.fetch import JSON, shown

_log = logging.getLogger(__name__)
_TRIES = 3


class DataCenter(Site):
    """One Confluence Data Center or Server."""

    _has_rest_permissions = True

    def spaces(self) -> dict[str, Space]:
        """As with contents, one that is deleted while the list is read in several answers makes another slip through,
        with all that is in it; so such a list is read until it says the same twice."""
        before: dict[str, Space] | None = None
        for _ in range(_TRIES):
            found: dict[str, Space] = {}
            is_whole = True
            for number, part in enumerate(self.parts("/rest/api/space", {"limit": 500})):
                is_whole = number == 0
                with as_promised(self.root):
                    for space in part["results"]:
                        archived = str(space.get("status", "")).lower() == "archived"
                        found[space["key"]] = Space(space["key"], str(space["id"]), archived)
            if is_whole or found == before:
                return found
            before = found
        raise FetchError("unreachable", f"{shown(self.root)}: each of {_TRIES} lists of spaces said something else.")

    def readers(self, space: Space) -> Access:
        """By REST or, where that knows no permissions, by JSON-RPC; both tell administrators of the space only."""
        if self._has_rest_permissions:
            try:
                return self._by_rest(space)
            except FetchError as error:
                if error.reason != "gone":
                    raise
                self._has_rest_permissions = False
        return self._by_rpc(space)

    def _by_rest(self, space: Space) -> Access:
        found = self.client.get(self.address(f"/rest/api/space/{quote(space.key)}/permissions"), accept=JSON).json()
        with as_promised(self.root):
            reading = [one["subject"] for one in found if one["operation"]["operationKey"] == "read"]
            return _rule(name for subject in reading for name in principal(subject))

    def _by_rpc(self, space: Space) -> Access:
        request = {"jsonrpc": "2.0", "method": "getSpacePermissionSets", "params": [space.key], "id": 1}
        found = self.call("/rpc/json-rpc/confluenceservice-v2", request)
        with as_promised(self.root):
            if "result" not in found and "error" in found:
                raise FetchError("forbidden", f"{shown(self.root)} does not tell the permissions of space {space.key}")
            sets = [one for one in found["result"] if one["type"] == "VIEWSPACE"]
            entries = [entry for one in sets for entry in one["spacePermissions"]]
            users = [person(entry["userName"]) for entry in entries if entry.get("userName")]
            return _rule([*users, *(group(entry["groupName"]) for entry in entries if entry.get("groupName"))])

    def contents(self, space: Space) -> dict[str, Content]:
        found: dict[str, Content] = {}
        for kind in self.types:
            for _ in range(_TRIES):
                listed = self._listed(space, kind)
                if listed is not None:
                    break
                _log.info("Space %s changed while it was listed; it is listed again.", space.key)
            else:
                raise FetchError(
                    "unreachable",
                    f"{shown(self.root)}: the list of {kind}s in space {space.key} moved under each of {_TRIES} "
                    "attempts to read it whole. Try again at a calmer time.",
                )
            found |= listed
        return found

    def _listed(self, space: Space, kind: str) -> dict[str, Content] | None:
        """All contents of one kind; None where they moved meanwhile.

        Answers count places in the list, so whatever is deleted or moved away while it is read makes another content
        slip through. Each answer therefore begins with the last content of the one before.
        """
        found: dict[str, Content] = {}
        start, last, is_full = 0, "", False
        params: dict[str, str | int] = {"spaceKey": space.key, "type": kind, "status": "current", "limit": FOUND}
        params["expand"] = f"{self.expand},space"
        while True:
            part = self.get("/rest/api/content", params | {"start": start})
            following = self.next_of(part)
            contents = [self.content(one) for one in part["results"]]
            if is_full and (not contents or contents[0].id != last):
                return None
            for content in contents[bool(contents and contents[0].id == last) :]:
                if content.id in found:
                    return None
                found[content.id] = content
            if following is None:
                return found
            with as_promised(self.root):
                limit = int(part.get("limit", FOUND))
                at = int(parse_qs(urlsplit(following).query)["start"][0]) - (limit > 1)
            if at <= start:
                raise FetchError("not_content", f"{shown(self.root)}: the listing of {space.key} does not go on")
            # Where contents are hidden from this account, places are missing and nothing can be compared.
            is_full = limit > 1 and len(contents) == limit
            start, last = at, contents[-1].id if contents else ""

    def one(self, key: str) -> Content | None:
        try:
            return self.content(self.get(f"/rest/api/content/{key}", {"expand": f"{self.expand},space"}))
        except FetchError as error:
            if error.reason == "gone":
                return None
            raise

    def body(self, wanted: Content) -> Body:
        return self._body(self.get(f"/rest/api/content/{wanted.id}", {"expand": "body.storage,version"}))

    def bodies(self, wanted: Collection[Content]) -> dict[str, Body]:
        keys = ",".join(sorted(content.id for content in wanted))
        found = self.search(f"id in ({keys})", "body.storage,version", 50)
        return {str(one["id"]): self._body(one) for one in found}

    def _body(self, found: Mapping[str, Any]) -> Body:
        with as_promised(self.root):
            version = found["version"]
            when = str(version.get("when") or "")
            return Body(str(version["number"]), found["title"], when, found["body"]["storage"]["value"])


def _rule(names: Iterable[str]) -> Access:
    allowed = frozenset(names)
    return Access((allowed,)) if allowed else NOBODY
