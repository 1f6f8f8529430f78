"""Confluence, Data Center or Cloud: pages, blog posts and attachments, for whom the space, the page and each page above
it let read.

A page can be restricted or deleted without a trace in any list of changes, so each run lists everything, in answers of
100 to 250 pages. With `full_hours` a run may ask for changes instead, and restrictions wait for the next full one.

Names in rules are those of Confluence: groups by name; people by user name (Data Center), or by account id and, where
their profile shows it, e-mail address (Cloud). The sign-in has to give the same ones.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePosixPath
from typing import ClassVar, Literal
from urllib.parse import quote, urlsplit

from pydantic import Field

from assistant.errors import FetchError, SourceError
from assistant.types import PUBLIC, Access, DocumentStatus
from ingest.access import NOBODY, both
from ingest.connectors.confluence.cloud import Cloud
from ingest.connectors.confluence.rest import NOT_TOLD, Attachment, Body, Content, Site, Space
from ingest.connectors.confluence.server import DataCenter
from ingest.connectors.connector import Connector, Fetched, Gone, Listed
from ingest.connectors.options import WebOptions
from ingest.fetch import HTML, Client
from ingest.parse.choose import SUFFIXES

_log = logging.getLogger(__name__)
_OVERLAP = timedelta(hours=12, minutes=15)
"""Queries name a minute in the time zone of the account, at most 12 hours behind UTC; the index is minutes behind."""
_AT_ONCE = 40


class ConfluenceOptions(WebOptions):
    """`url` is the address that stands before `/rest`: "https://wiki.example.org/confluence" or
    "https://example.atlassian.net/wiki". The account has to be an administrator of the spaces, or else their
    permissions cannot be read, and `readers` says who may."""

    kind: Literal["confluence"]
    spaces: tuple[str, ...] = ()
    """Keys of the spaces to read; none means all that the account sees."""
    blog_posts: bool = True
    attachments: bool = True
    status_labels: dict[str, DocumentStatus] = Field(default_factory=dict)
    """What labels say of a page: {deprecated = "superseded"}. Archived pages and spaces are superseded anyway."""
    cloud: bool | None = None
    """Whether it is Confluence Cloud; None if the address tells (*.atlassian.net)."""


class Confluence(Connector):
    """One Confluence over its REST interface."""

    full_hours: ClassVar[float] = 0.0

    def __init__(self, options: ConfluenceOptions, client: Client) -> None:
        self.root = f"confluence {options.url.rstrip('/')}"
        self._options = options
        self._client = client
        self._site = self._at(client)
        self._bodies: dict[str, Body] = {}
        self._rules: dict[str, Access] = {}

    def _at(self, client: Client) -> Site:
        host = urlsplit(self._options.url).hostname or ""
        cloud = host.endswith(".atlassian.net") if self._options.cloud is None else self._options.cloud
        kind = Cloud if cloud else DataCenter
        given = self._options
        return kind(client, given.url, attachments=given.attachments, blog_posts=given.blog_posts)

    def cursor(self) -> str:
        return datetime.now(UTC).isoformat(timespec="minutes")

    def list(self) -> Iterator[Listed]:
        spaces, public = self._spaces()
        for space in spaces.values():
            who = self._readers(space, public)
            contents = self._site.contents(space)
            for content in contents.values():
                yield from self._listed(content, space, who, contents)
        self._check_sign_in()

    def changes(self, since: str, again: Collection[str]) -> Iterator[Listed | Gone]:
        spaces, public = self._spaces()
        who = {key: self._readers(space, public) for key, space in spaces.items()}
        from_then = (datetime.fromisoformat(since) - _OVERLAP).strftime("%Y-%m-%d %H:%M")
        types = ",".join([*self._site.types, *(["attachment"] if self._options.attachments else [])])
        wanted = f'type in ({types}) and lastmodified >= "{from_then}"'
        if self._options.spaces:
            wanted += " and space in ({})".format(",".join(f'"{key}"' for key in self._options.spaces))
        told: set[str] = set()
        for content in self._site.changed(wanted):
            if content.id not in told and content.space in spaces:
                told.add(content.id)
                yield from self._listed(content, spaces[content.space], who[content.space], {})
        for page in dict.fromkeys(_page(key) for key in again if _page(key) not in told):
            now = self._site.one(page)
            here = now is not None and now.space in spaces
            found = [*self._listed(now, spaces[now.space], who[now.space], {})] if now and here else []
            yield from found
            keys = {item.key for item in found}
            yield from (Gone(key) for key in again if _page(key) == page and key not in keys)
        self._check_sign_in()

    def prepare(self, items: Sequence[Listed]) -> None:
        """Reads the texts of pages together."""
        self._bodies = {}
        pages = [item.hint[0] for item in items if item.hint and item.hint[1] is None]
        for start in range(0, len(pages), _AT_ONCE):
            some = pages[start : start + _AT_ONCE]
            try:
                self._bodies |= self._site.bodies(some) if len(some) > 1 else {}
            except FetchError as error:
                _log.info("Pages are read one by one, because not together: %s", error)

    def fetch(self, item: Listed, folder: Path) -> Fetched:
        content, attached, status = item.hint
        if attached is not None:
            return self._file(content, attached, status, folder)
        body = self._bodies.pop(content.id, None) or self._site.body(content)
        if body.version != content.version:  # who may read the listed version may not be who may read this one
            raise FetchError("not_content", f"{content.title} was edited since it was listed. The next run reads it.")
        path = folder / "page.confluence"
        path.write_text(body.storage, encoding="utf-8")
        return Fetched(
            path,
            revision=f"{content.id} v{body.version}",
            url=f"{self._site.root}/pages/viewpage.action?pageId={content.id}",
            title=body.title,
            authors=content.authors,
            created=content.created,
            modified=body.modified,
            status=status,
        )

    def _file(self, page: Content, found: Attachment, status: DocumentStatus, folder: Path) -> Fetched:
        path = folder / f"attachment{_suffix(found)}"
        answer = self._client.download(self._site.address(self._site.download_path(page.id, found)), path)
        size = path.stat().st_size
        if found.size not in (-1, size) or (answer.type in HTML and SUFFIXES[path.suffix] != "html"):
            path.unlink()
            raise FetchError(
                "not_content",
                f"{found.title}: {found.size} bytes were announced, and {size} of type {answer.type or '?'} came. "
                "It was replaced meanwhile, or this is a login page. The next run tries again.",
            )
        with path.open("rb") as stream:
            revision = hashlib.file_digest(stream, "sha256").hexdigest()[:16]
        url = f"{self._site.root}/download/attachments/{page.id}/{quote(found.title)}"
        return Fetched(path, revision, url, title=found.title, modified=found.modified, status=status)

    def _spaces(self) -> tuple[Mapping[str, Space], Collection[str]]:
        """The spaces to read, and the keys of those that everyone may read."""
        self._rules = {}
        self._check_sign_in()
        seen = self._site.spaces()
        wanted = self._options.spaces or tuple(seen)
        missing = [key for key in wanted if key not in seen]
        if missing or not wanted:
            raise SourceError(
                f"{self.root}: this account sees {len(seen)} spaces, but not {', '.join(missing) or 'any'}. Nothing "
                "was removed. Let the account view them, or correct `spaces`."
            )
        return {key: seen[key] for key in wanted}, self._public()

    def _check_sign_in(self) -> None:
        """A secret that is no longer accepted must not look like a Confluence with fewer pages."""
        if self._client.secret and self._site.anonymous():
            raise SourceError(
                f"{self.root} does not accept the secret and takes this account for an anonymous visitor. Nothing was "
                "removed. Renew the secret."
            )

    def _public(self) -> Collection[str]:
        """The spaces that are shown to visitors who do not sign in: asked of the site without a secret, since anonymous
        permissions count only where the site as a whole allows them."""
        if not self._client.secret:
            return frozenset(self._site.spaces())
        with self._client.anonymous() as visitor:
            try:
                return frozenset(self._at(visitor).spaces())
            except FetchError as error:
                if error.reason in NOT_TOLD or error.reason == "not_content":
                    return frozenset()
                raise

    def _readers(self, space: Space, public: Collection[str]) -> Access:
        if space.key in public:
            return PUBLIC
        try:
            return self._site.readers(space)
        except FetchError as error:
            if error.reason not in NOT_TOLD:
                raise
            readers = self._options.readers
            _log.warning(
                "%s: the permissions of space %s cannot be read (%s). %s",
                self.root,
                space.key,
                error,
                "Its readers are those of the option `readers`."
                if readers
                else "Nobody can read it. Make the account an administrator of the space, or say `readers`.",
            )
            return Access.of(*readers) if readers else NOBODY

    def _listed(self, content: Content, space: Space, who: Access, others: Mapping[str, Content]) -> Iterator[Listed]:
        """A page and its attachments."""
        access = both(who, content.restriction, *(self._rule(parent, others) for parent in content.parents))
        status = self._status(content, space)
        said = repr((content.title, content.authors, content.created, status))
        digest = hashlib.sha256(said.encode()).hexdigest()[:12]
        yield Listed(content.id, f"{content.version}:{digest}", access, hint=(content, None, status))
        for found in content.attachments:
            suffix = _suffix(found)
            refused = None if suffix in SUFFIXES else ("unsupported", f"no parser for {suffix or found.title}")
            stamp = f"{found.version}:{found.size}:{status}:{found.title}" if found.version else ""
            yield Listed(f"{content.id}/{found.id}", stamp, access, refused, hint=(content, found, status))

    def _rule(self, parent: str, others: Mapping[str, Content]) -> Access:
        """The restriction of what stands above a page; nobody's, where this account may not see it."""
        if not parent:
            return NOBODY
        if parent in others:
            return others[parent].restriction
        if parent not in self._rules:
            try:
                self._rules[parent] = self._site.restriction(parent)
            except FetchError as error:
                if error.reason not in NOT_TOLD:
                    raise
                self._rules[parent] = NOBODY
        return self._rules[parent]

    def _status(self, content: Content, space: Space) -> DocumentStatus:
        for label in content.labels:
            if label in self._options.status_labels:
                return self._options.status_labels[label]
        return "superseded" if content.archived or space.archived else ""


def _suffix(found: Attachment) -> str:
    return PurePosixPath(found.title).suffix.lower()


def _page(key: str) -> str:
    """The page that an item is, or belongs to."""
    return key.partition("/")[0]
