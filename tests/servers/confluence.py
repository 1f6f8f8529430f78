"""A Confluence on loopback that answers as Data Center's and Cloud's REST interfaces are documented to: a stub, since
neither can run here. It holds spaces, pages, restrictions, attachments and accounts, and has faults to switch on.
"""

from __future__ import annotations

import base64
import json
import re
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, quote, urlencode, urlsplit

LOGIN = b"<html><head><title>Log in</title></head><body><form>User name, password</form></body></html>"


@dataclass
class SpaceState:
    key: str
    id: int
    users: set[str]
    groups: set[str]
    anonymous: bool
    archived: bool = False


@dataclass
class FileState:
    id: str
    name: str
    data: bytes
    type: str
    version: int
    when: datetime


@dataclass
class PageState:
    id: str
    space: str
    title: str
    body: str
    type: str = "page"
    parent: str = ""
    version: int = 1
    status: str = "current"
    author: str = "ada"
    editor: str = "ada"
    created: datetime = field(default_factory=lambda: datetime.now(UTC))
    modified: datetime = field(default_factory=lambda: datetime.now(UTC))
    labels: tuple[str, ...] = ()
    users: set[str] = field(default_factory=set)
    groups: set[str] = field(default_factory=set)
    files: dict[str, FileState] = field(default_factory=dict)


@dataclass
class Fault:
    """What goes wrong with requests whose path and query match, so many `times`, after the first `skip`."""

    matches: str
    kind: str
    times: int = 1000
    skip: int = 0


class Confluence:
    """Holds the state; a context manager that serves it. `account` is who the secret belongs to, with its groups."""

    def __init__(self, *, cloud: bool = False, secret: str = "s3cret", administrator: bool = True) -> None:
        self.cloud = cloud
        self.secret = secret
        self.context = "/wiki" if cloud else "/confluence"
        self.account = "reader"
        self.memberships = {"reader": {"readers"}}
        self.administrator = administrator
        self.anonymous_allowed = True
        self.rest_permissions = True
        self.expired = False
        self.zone = timedelta(0)
        self.most = 200
        self.most_v2 = 250
        self.most_spaces = 500
        self.most_readers = 200
        self.most_children = 25
        self.retry_after = "0.01"
        self.spaces: dict[str, SpaceState] = {}
        self.pages: dict[str, PageState] = {}
        self.unindexed: set[str] = set()
        self.faults: list[Fault] = []
        self.requests: list[str] = []
        self.on_request: Any = None
        self._next = 1000
        self._lock = threading.RLock()

    def __enter__(self) -> Self:
        state = self

        class Handler(_Handler):
            site = state

        self._server = _Server(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.host = f"127.0.0.1:{self._server.server_port}"
        self.url = f"http://{self.host}{self.context}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def space(
        self, key: str, *, groups: tuple[str, ...] = (), users: tuple[str, ...] = (), anonymous: bool = False
    ) -> SpaceState:
        self.spaces[key] = SpaceState(key, self._number(), set(users), set(groups), anonymous)
        return self.spaces[key]

    def page(self, space: str, title: str, body: str, **more: Any) -> str:
        key = str(self._number())
        self.pages[key] = PageState(key, space, title, body, **more)
        return key

    def edit(self, key: str, *, body: str | None = None, title: str | None = None) -> None:
        page = self.pages[key]
        page.body = page.body if body is None else body
        page.title = title or page.title
        page.version += 1
        page.editor, page.modified = "bob", datetime.now(UTC)

    def delete(self, key: str) -> None:
        for child in [one.id for one in self.pages.values() if one.parent == key]:
            self.pages[child].parent = self.pages[key].parent
        del self.pages[key]

    def restrict(self, key: str, *, users: tuple[str, ...] = (), groups: tuple[str, ...] = ()) -> None:
        self.pages[key].users, self.pages[key].groups = set(users), set(groups)

    def attach(self, page: str, name: str, data: bytes, type_: str = "application/octet-stream") -> str:
        files = self.pages[page].files
        old = next((one for one in files.values() if one.name == name), None)
        key = old.id if old else f"att{self._number()}"
        files[key] = FileState(key, name, data, type_, old.version + 1 if old else 1, datetime.now(UTC))
        return key

    def _number(self) -> int:
        with self._lock:
            self._next += 1
            return self._next

    # Who sees what.

    def sees_space(self, who: str, space: SpaceState) -> bool:
        if who == "":
            return space.anonymous and self.anonymous_allowed
        allowed = who in space.users or bool(self.memberships.get(who, set()) & space.groups)
        return allowed or space.anonymous or (who == self.account and self.administrator)

    def sees(self, who: str, page: PageState | None) -> bool:
        if page is None or not self.sees_space(who, self.spaces[page.space]):
            return False
        return all(self._passes(who, one) for one in [page, *self.above(page)])

    def _passes(self, who: str, page: PageState) -> bool:
        if not page.users and not page.groups:
            return True
        named = who in page.users or bool(self.memberships.get(who, set()) & page.groups)
        return named or (who == self.account and self.administrator)

    def above(self, page: PageState) -> list[PageState]:
        """Its ancestors, the outermost first."""
        chain: list[PageState] = []
        while page.parent:
            page = self.pages[page.parent]
            chain.insert(0, page)
        return chain


class _Server(ThreadingHTTPServer):
    def handle_error(self, *_: object) -> None:
        """A client that hangs up, because an answer told it enough."""


class _Refused(Exception):
    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class _Handler(BaseHTTPRequestHandler):
    site: Confluence
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # or each answer waits 40 ms

    def log_message(self, *_: object) -> None:
        pass

    def do_POST(self) -> None:
        self._answer(self.rfile.read(int(self.headers.get("Content-Length", 0))))

    def do_GET(self) -> None:
        self._answer(b"")

    def _answer(self, body: bytes) -> None:
        site = self.site
        site.requests.append(self.path)
        if site.on_request:
            site.on_request(self.path)
        split = urlsplit(self.path)
        self.query = {name: values[-1] for name, values in parse_qs(split.query, keep_blank_values=True).items()}
        fault = self._fault()
        if fault in ("503", "429"):
            self._send(int(fault), b"{}", "application/json", {"Retry-After": site.retry_after})
            return
        if fault == "login":
            self._send(200, LOGIN, "text/html;charset=UTF-8")
            return
        try:
            who = self._who()
            with site._lock:
                found = self._route(split.path.removeprefix(site.context), who, body)
        except _Refused as refused:
            self._send(refused.status, b'{"message":"refused"}', "application/json")
            return
        if isinstance(found, FileState):
            self._send(200, found.data, found.type)
            return
        if fault == "truncated":  # fewer results than the answer says
            found |= {"size": max(1, found["size"]), "results": found["results"][:-1]}
        text = json.dumps(found).encode()
        self._send(200, text[: len(text) // 2] if fault == "cut" else text, "application/json")

    def _send(self, status: int, data: bytes, type_: str, more: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": type_, "Content-Length": str(len(data)), **(more or {})}.items():
            self.send_header(name, value)
        if self.headers.get("Authorization"):
            self.send_header("Set-Cookie", "JSESSIONID=of-the-account; Path=/")
        self.end_headers()
        self.wfile.write(data)

    def _fault(self) -> str:
        for fault in self.site.faults:
            if fault.times and re.search(fault.matches, self.path):
                if fault.skip:
                    fault.skip -= 1
                    continue
                fault.times -= 1
                return fault.kind
        return ""

    def _who(self) -> str:
        """The account that a request's secret belongs to; a session's cookie counts as well, as it does there."""
        given = self.headers.get("Authorization", "")
        basic = base64.b64encode(f"{self.site.account}:{self.site.secret}".encode()).decode()
        if given in (f"Bearer {self.site.secret}", f"Basic {basic}"):
            return "" if self.site.expired else self.site.account
        if given:
            raise _Refused(401)
        return self.site.account if "JSESSIONID" in self.headers.get("Cookie", "") else ""

    def _route(self, path: str, who: str, body: bytes) -> Any:
        routes = [*_BOTH, *(_CLOUD if self.site.cloud else _SERVER)]
        for pattern, name in routes:
            if match := re.fullmatch(pattern, path):
                return getattr(self, name)(who, *match.groups(), **({"body": body} if body else {}))
        raise _Refused(410 if self.site.cloud and path.startswith("/rest/api/") else 404)

    # What both have.

    def user(self, who: str) -> dict[str, Any]:
        return self._person(who) if who else {"type": "anonymous", "displayName": "Anonymous"}

    def search(self, who: str) -> dict[str, Any]:
        cql = self.query["cql"]
        pages = [
            one for one in self.site.pages.values() if one.id not in self.site.unindexed and self.site.sees(who, one)
        ]
        if ids := re.search(r"id (?:in \(|= )([\d,]+)", cql):
            found: list[Any] = [one for one in pages if one.id in ids[1].split(",")]
        else:
            types = re.search(r"type in \(([\w,]+)\)", cql)
            assert types, cql
            found = [one for one in pages if one.type in types[1].split(",")]
            if "attachment" in types[1].split(","):
                found += [(page, file) for page in pages for file in page.files.values()]
        if space := re.search(r'space (?:in \(|= )((?:"[^"]+",?)+)', cql):
            keys = re.findall(r'"([^"]+)"', space[1])
            found = [one for one in found if (one[0] if isinstance(one, tuple) else one).space in keys]
        if since := re.search(r'lastmodified >= "([^"]+)"', cql):
            then = datetime.strptime(since[1], "%Y-%m-%d %H:%M").replace(tzinfo=UTC) - self.site.zone
            found = [one for one in found if (one[1].when if isinstance(one, tuple) else one.modified) >= then]
        archived = "archived" in self.query.get("cqlcontext", "")
        if archived and not self.site.cloud:  # which has no such status of contents
            raise _Refused(400)
        found = [one for one in found if archived or isinstance(one, tuple) or one.status == "current"]
        return self._part(found, self._found, "/rest/api/content/search", cursor=self.site.cloud)

    def _found(self, one: Any) -> dict[str, Any]:
        return self._file(*one, container=True) if isinstance(one, tuple) else self._page(one)

    def restriction(self, who: str, key: str) -> dict[str, Any]:
        page = self.site.pages.get(key)
        if page is None or not self.site.sees(who, page):
            raise _Refused(404)
        start, limit = int(self.query.get("start", 0)), int(self.query.get("limit", 100))
        return {"operation": "read", "restrictions": self._readers(page, start, limit)}

    def download(self, who: str, page: str, name: str) -> FileState:
        found = self.site.pages.get(page)
        for file in found.files.values() if found and self.site.sees(who, found) else []:
            if name in (file.id, quote(file.name), file.name):
                return file
        raise _Refused(404)

    # Data Center and Server.

    def server_spaces(self, who: str) -> dict[str, Any]:
        seen = [space for space in self.site.spaces.values() if self.site.sees_space(who, space)]
        return self._part(seen, self._space, "/rest/api/space", most=self.site.most_spaces)

    def server_contents(self, who: str) -> dict[str, Any]:
        """Places are counted in all contents, and only then those that the account does not see are left out."""
        rows = [one for one in self.site.pages.values() if one.space == self.query["spaceKey"]]
        rows = [one for one in rows if one.type == self.query.get("type", "page") and one.status == "current"]
        part = self._part(rows, lambda one: one, "/rest/api/content")
        part["results"] = [self._page(one) for one in part["results"] if self.site.sees(who, one)]
        part["size"] = len(part["results"])
        return part

    def server_content(self, who: str, key: str) -> dict[str, Any]:
        page = self.site.pages.get(key)
        if page is None or not self.site.sees(who, page):
            raise _Refused(404)
        return self._page(page)

    def server_attachments(self, who: str, key: str) -> dict[str, Any]:
        page = self.site.pages.get(key)
        if page is None or not self.site.sees(who, page):
            raise _Refused(404)
        part = self._part(list(page.files.values()), lambda one: one, f"/rest/api/content/{key}/child/attachment", 1000)
        part["results"] = [self._file(page, one) for one in part["results"]]
        return part

    def server_permissions(self, who: str, key: str) -> list[dict[str, Any]]:
        if not self.site.rest_permissions:
            raise _Refused(404)
        if who != self.site.account or not self.site.administrator:
            raise _Refused(403)
        space = self.site.spaces[key]
        reading = {"operation": {"targetType": "space", "operationKey": "read"}, "spaceKey": key, "spaceId": space.id}
        users = [{**reading, "subject": self._person(name)} for name in sorted(space.users)]
        groups = [{**reading, "subject": {"type": "group", "name": name}} for name in sorted(space.groups)]
        anyone = [{**reading, "subject": {"type": "anonymous", "displayName": "Anonymous"}}] if space.anonymous else []
        other = {**reading, "operation": {"targetType": "page", "operationKey": "create"}}
        return [*users, *groups, *anyone, {**other, "subject": {"type": "group", "name": "authors"}}]

    def rpc(self, who: str, body: bytes) -> dict[str, Any]:
        asked = json.loads(body)
        assert asked["method"] == "getSpacePermissionSets"
        if who != self.site.account or not self.site.administrator:
            return {"jsonrpc": "2.0", "id": asked["id"], "error": {"code": 500, "message": "NotPermittedException"}}
        space = self.site.spaces[asked["params"][0]]
        entries = [{"type": "VIEWSPACE", "userName": name, "groupName": None} for name in sorted(space.users)]
        entries += [{"type": "VIEWSPACE", "userName": None, "groupName": name} for name in sorted(space.groups)]
        entries += [{"type": "VIEWSPACE", "userName": None, "groupName": None}] if space.anonymous else []
        other = {"type": "EDITSPACE", "userName": None, "groupName": "authors"}
        sets = [{"type": "EDITSPACE", "spacePermissions": [other]}, {"type": "VIEWSPACE", "spacePermissions": entries}]
        return {"jsonrpc": "2.0", "id": asked["id"], "result": sets}

    # Cloud, version 2.

    def cloud_spaces(self, who: str) -> dict[str, Any]:
        seen = [space for space in self.site.spaces.values() if self.site.sees_space(who, space)]
        return self._part(seen, self._space, "/wiki/api/v2/spaces", cursor=True)

    def cloud_space(self, who: str, key: str) -> dict[str, Any]:
        return self._space(self._space_of(who, key))

    def cloud_permissions(self, who: str, key: str) -> dict[str, Any]:
        space = self._space_of(who, key)
        if not who:
            raise _Refused(404)
        entries = [("user", f"id-{name}", "read", "space") for name in sorted(space.users)]
        entries += [("group", f"gid-{name}", "read", "space") for name in sorted(space.groups)]
        entries += [("group", "gid-authors", "create", "page"), ("role", "collaborators", "read", "space")]

        def shown(entry: tuple[str, str, str, str]) -> dict[str, Any]:
            kind, name, operation, target = entry
            principal = {"type": kind, "id": name}
            return {"id": name, "principal": principal, "operation": {"key": operation, "targetType": target}}

        return self._part(entries, shown, f"/wiki/api/v2/spaces/{key}/permissions", cursor=True)

    def cloud_listed(self, who: str, key: str, plural: str) -> dict[str, Any]:
        space = self._space_of(who, key)
        kind = plural.removesuffix("s")
        found = [one for one in self.site.pages.values() if one.space == space.key and one.type == kind]
        seen = [one for one in found if self.site.sees(who, one)]
        return self._part(seen, self._v2, f"/wiki/api/v2/spaces/{key}/{plural}", cursor=True)

    def cloud_several(self, who: str, plural: str) -> dict[str, Any]:
        ids, kind = self.query["id"].split(","), plural.removesuffix("s")
        found = [one for one in self.site.pages.values() if one.id in ids and one.type == kind]
        return self._part([one for one in found if self.site.sees(who, one)], self._v2, f"/wiki/api/v2/{plural}")

    def cloud_content(self, who: str, plural: str, key: str) -> dict[str, Any]:
        return self._v2(self._page_of(who, key, plural))

    def cloud_labels(self, who: str, plural: str, key: str) -> dict[str, Any]:
        labels = self._page_of(who, key, plural).labels
        return self._part(list(labels), lambda name: {"name": name}, f"/wiki/api/v2/{plural}/{key}/labels")

    def cloud_attachments(self, who: str, plural: str, key: str) -> dict[str, Any]:
        page = self._page_of(who, key, plural)

        def shown(file: FileState) -> dict[str, Any]:
            version = {"number": file.version, "createdAt": _time(file.when)}
            link = f"/download/attachments/{key}/{quote(file.name)}"
            return {
                "id": file.id,
                "title": file.name,
                "version": version,
                "fileSize": len(file.data),
                "downloadLink": link,
            }

        return self._part(list(page.files.values()), shown, f"/wiki/api/v2/{plural}/{key}/attachments", cursor=True)

    def cloud_groups(self, who: str) -> dict[str, Any]:
        names = sorted({name for space in self.site.spaces.values() for name in space.groups})
        shown = lambda name: {"type": "group", "name": name, "id": f"gid-{name}"}  # noqa: E731
        return self._part(names, shown, "/rest/api/group")

    def cloud_people(self, who: str) -> dict[str, Any]:
        asked = parse_qs(urlsplit(self.path).query)["accountId"]
        assert len(asked) <= 100
        return {"results": [self._person(key.removeprefix("id-")) for key in asked]}

    def _space_of(self, who: str, key: str) -> SpaceState:
        for space in self.site.spaces.values():
            if str(space.id) == key and self.site.sees_space(who, space):
                return space
        raise _Refused(404)

    def _page_of(self, who: str, key: str, plural: str) -> PageState:
        page = self.site.pages.get(key)
        if page is None or f"{page.type}s" != plural or not self.site.sees(who, page):
            raise _Refused(404)
        return page

    # How things are written.

    def _part(self, rows: list[Any], shown: Any, path: str, most: int = 0, *, cursor: bool = False) -> dict[str, Any]:
        most = most or (self.site.most_v2 if "/api/v2/" in path else self.site.most)
        limit = min(int(self.query.get("limit", 25)), most)
        name = "cursor" if cursor else "start"
        start = int(self.query.get(name, "0").removeprefix("c"))
        results = [shown(one) for one in rows[start : start + limit]]
        links = {"base": self.site.url, "context": self.site.context}
        if start + limit < len(rows):
            following = {**self.query, "limit": limit, name: f"c{start + limit}" if cursor else start + limit}
            links["next"] = f"{path}?{urlencode(following)}"
        counted = {} if "/api/v2/" in path else {"start": start, "limit": limit, "size": len(results)}
        return {"results": results, **counted, "_links": links}

    def _space(self, space: SpaceState) -> dict[str, Any]:
        status = "archived" if space.archived else "current"
        return {"id": space.id, "key": space.key, "name": space.key, "type": "global", "status": status}

    def _person(self, name: str) -> dict[str, Any]:
        if self.site.cloud:
            return {
                "type": "known",
                "accountId": f"id-{name}",
                "email": f"{name}@example.org",
                "displayName": name.title(),
            }
        return {"type": "known", "username": name, "userKey": f"key-{name}", "displayName": name.title()}

    def _readers(self, page: PageState, start: int = 0, limit: int = 200) -> dict[str, Any]:
        most = min(limit, self.site.most_readers)

        def listed(entries: list[dict[str, Any]]) -> dict[str, Any]:
            some = entries[start : start + most]
            return {"results": some, "start": start, "limit": most, "size": len(some)}

        groups = [{"type": "group", "name": name, "id": f"gid-{name}"} for name in sorted(page.groups)]
        return {"user": listed([self._person(name) for name in sorted(page.users)]), "group": listed(groups)}

    def _page(self, page: PageState) -> dict[str, Any]:
        """A content with what was asked to be expanded, and nothing else."""
        asked = set(self.query.get("expand", "").split(","))
        found: dict[str, Any] = {"id": page.id, "type": page.type, "status": page.status, "title": page.title}
        if "version" in asked:
            found["version"] = {"number": page.version, "when": _time(page.modified), "by": self._person(page.editor)}
        if "history" in asked:
            found["history"] = {"createdDate": _time(page.created), "createdBy": self._person(page.author)}
        if "ancestors" in asked and page.type == "page":
            found["ancestors"] = [{"id": one.id, "title": one.title, "type": "page"} for one in self.site.above(page)]
        if "space" in asked:
            found["space"] = self._space(self.site.spaces[page.space])
        if "metadata.labels" in asked:
            found["metadata"] = {
                "labels": {"results": [{"name": name} for name in page.labels], "size": len(page.labels)}
            }
        if "restrictions.read.restrictions.user" in asked:
            found["restrictions"] = {"read": {"operation": "read", "restrictions": self._readers(page)}}
        if "children.attachment" in asked:
            files, most = list(page.files.values()), self.site.most_children
            some = [self._file(page, one) for one in files[:most]]
            listed = {"results": some, "start": 0, "limit": most, "size": len(some), "_links": {}}
            found["children"] = {"attachment": listed}
        if "body.storage" in asked:
            found["body"] = {"storage": {"value": page.body, "representation": "storage"}}
        return found

    def _v2(self, page: PageState) -> dict[str, Any]:
        version = {"number": page.version, "createdAt": _time(page.modified), "authorId": f"id-{page.editor}"}
        found = {
            "id": page.id,
            "status": page.status,
            "title": page.title,
            "spaceId": str(self.site.spaces[page.space].id),
        }
        found |= {"createdAt": _time(page.created), "authorId": f"id-{page.author}", "version": version, "body": {}}
        if page.parent:
            found |= {"parentId": page.parent, "parentType": self.site.pages[page.parent].type}
        if self.query.get("body-format") == "storage":
            found["body"] = {"storage": {"value": page.body, "representation": "storage"}}
        return found

    def _file(self, page: PageState, file: FileState, *, container: bool = False) -> dict[str, Any]:
        asked = urlencode({"version": file.version, "modificationDate": int(file.when.timestamp() * 1000), "api": "v2"})
        link = f"/download/attachments/{page.id}/{quote(file.name)}?{asked}"
        sizes = {"mediaType": file.type, "fileSize": len(file.data)}
        found = {"id": file.id, "type": "attachment", "title": file.name, "extensions": sizes}
        return {**found, "_links": {"download": link}, **({"container": {"id": page.id}} if container else {})}


def _time(when: datetime) -> str:
    return when.strftime("%Y-%m-%dT%H:%M:%S.") + f"{when.microsecond // 1000:03d}Z"


_BOTH = [
    ("/rest/api/user/current", "user"),
    ("/rest/api/content/search", "search"),
    (r"/rest/api/content/(\w+)/restriction/byOperation/read", "restriction"),
    (r"/download/attachments/(\w+)/(.+)", "download"),
]
_SERVER = [
    ("/rest/api/space", "server_spaces"),
    ("/rest/api/content", "server_contents"),
    (r"/rest/api/content/(\w+)", "server_content"),
    (r"/rest/api/content/(\w+)/child/attachment", "server_attachments"),
    (r"/rest/api/space/([^/]+)/permissions", "server_permissions"),
    ("/rpc/json-rpc/confluenceservice-v2", "rpc"),
]
_CLOUD = [
    ("/api/v2/spaces", "cloud_spaces"),
    (r"/api/v2/spaces/(\d+)", "cloud_space"),
    (r"/api/v2/spaces/(\d+)/permissions", "cloud_permissions"),
    (r"/api/v2/spaces/(\d+)/(pages|blogposts)", "cloud_listed"),
    (r"/api/v2/(pages|blogposts)", "cloud_several"),
    (r"/api/v2/(pages|blogposts|folders)/(\d+)", "cloud_content"),
    (r"/api/v2/(pages|blogposts)/(\d+)/labels", "cloud_labels"),
    (r"/api/v2/(pages|blogposts)/(\d+)/attachments", "cloud_attachments"),
    ("/rest/api/group", "cloud_groups"),
    ("/rest/api/user/bulk", "cloud_people"),
    (r"/rest/api/content/(\w+)/child/attachment/(\w+)/download", "download"),
]
