"""A MediaWiki as a source, over its API: an item per page, keyed by the page's number, which survives renaming.

What anybody may read is read without signing in, so that it is public for certain. Where the source has a user, and
the wiki is closed to the public or the source has readers, all is read as that user, and is its readers' alone.
Changes come from the wiki's recent changes and logs; what maintenance scripts do leaves no trace there, and is seen
when the wiki is listed whole.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar, Literal
from urllib.parse import urljoin

from assistant.errors import FetchError, SettingsError, SourceError
from assistant.types import Access
from ingest.access import NOBODY, PUBLIC
from ingest.connectors.connector import Connector, Fetched, Gone, Listed
from ingest.connectors.mediawiki.api import Api, Refused, batches
from ingest.connectors.options import WebOptions
from ingest.fetch import Client

_OVERLAP = timedelta(minutes=5)
"""How far before the cursor changes are asked for: an edit gets its time when it begins, and is seen when it ends."""
_LOGS = frozenset({"delete", "move", "import", "merge", "upload", "suppress", "contentmodel", "pagelang"})
_FILE = "file/"
_FILES = 6
"""The number of the namespace of files in every wiki."""
_IMAGE = "timestamp|user|url|size|sha1|mime"
Event = dict[str, Any]


class MediaWikiOptions(WebOptions):
    """`url` is that of `api.php`. `user` is the name of a bot password: `Reader@refdesk`.

    The files of a closed wiki are opened by the password of the account itself only.
    """

    kind: Literal["mediawiki"]
    namespaces: tuple[int, ...] | None = None
    """Numbers of the namespaces to read; None are those that the wiki counts as content."""
    files: bool = False
    """Whether files that were uploaded are read too."""


@dataclass(frozen=True, slots=True)
class _Site:
    """What was found out about the wiki, when it was first asked in this run."""

    time: str
    access: Access
    namespaces: tuple[int, ...]
    articles: int
    most: int
    """Of how many pages the text may be asked for at once."""


@dataclass(frozen=True, slots=True)
class _File:
    name: str
    address: str
    sha1: str
    size: int
    author: str
    modified: str
    page: str


class MediaWiki(Connector):
    """A wiki. Raises SettingsError where there is a secret, but no user."""

    pace: ClassVar[tuple[float, int]] = (5.0, 5)
    sign_in: ClassVar[bool] = False

    def __init__(self, options: MediaWikiOptions, client: Client) -> None:
        if client.secret and not options.user:
            raise SettingsError("A mediawiki source has a secret, but no user: set user to the bot password's name.")
        self.root = f"mediawiki {options.url}"
        self._options = options
        self._client = client
        self._api = Api(client, options.url, options.retry_seconds)
        self._known: _Site | None = None
        self._signed_in = False
        self._lock = threading.Lock()
        self._loaded: dict[str, dict[str, Any]] = {}

    def cursor(self) -> str:
        """The wiki's time, and what else decides which items there are and who may read them."""
        with self._lock:
            self._known = self._look()
        return f"{self._known.time} {self._kind(self._known)}"

    def list(self) -> Iterator[Listed]:
        """All pages that are no redirects, then all files, then what was moved meanwhile and so perhaps missed."""
        site = self._site()
        seen: set[str] = set()
        for listed in self._swept(site):
            if listed.key not in seen:
                seen.add(listed.key)
                yield listed
        if not seen and site.articles and self._options.namespaces is None:
            raise SourceError(f"{self.root} lists no pages, but counts {site.articles}. Nothing was removed.")
        for item in self._changed(site, self._events(_earlier(site.time)), ()):
            if isinstance(item, Listed) and item.key not in seen:
                yield item

    def changes(self, since: str, again: Collection[str]) -> Iterator[Listed | Gone] | None:
        """None where the wiki has forgotten what happened since, or hides it, or where it, or the options, stand
        otherwise now."""
        site = self._site()
        time, _, kind = since.partition(" ")
        if kind != self._kind(site):
            return None
        oldest: dict[str, str | int] = {"list": "recentchanges", "rcdir": "newer", "rclimit": 1, "rcprop": "timestamp"}
        kept = self._api.ask({"action": "query", **oldest}).get("query", {}).get("recentchanges", [])
        if not kept or kept[0]["timestamp"] > time:
            return None
        events = list(self._events(_earlier(time)))
        return self._changed(site, events, again) if all(map(_is_told, events)) else None

    def prepare(self, items: Sequence[Listed]) -> None:
        keys = [item.key for item in items if not item.key.startswith(_FILE)]
        self._loaded = self._load(keys)

    def fetch(self, item: Listed, folder: Path) -> Fetched:
        if isinstance(item.hint, _File):
            return self._fetch_file(item.hint, folder)
        page = self._loaded.pop(item.key, None) or self._load([item.key]).get(item.key, {})
        if "revisions" not in page:
            raise FetchError("gone", f"{self.root} has page {item.key} no longer")
        revision = page["revisions"][0]
        content = revision.get("slots", {}).get("main", revision)  # before MediaWiki 1.32 there were no slots
        if "content" not in content:
            raise FetchError("forbidden", f"{self.root} hides the text of page {item.key}")
        path = folder / "page.mediawiki"
        path.write_text(content["content"], encoding="utf-8")
        named = "" if revision.get("anon") or revision.get("temp") else revision.get("user", "")
        return Fetched(
            path,
            revision=str(revision["revid"]),
            url=page["canonicalurl"],
            title=page["title"],
            authors=(named,) if named else (),
            modified=revision["timestamp"],
            language=_language(page),
        )

    def _fetch_file(self, file: _File, folder: Path) -> Fetched:
        path = folder / f"file{PurePosixPath(file.name).suffix}"
        try:
            self._client.download(file.address, path)
        except FetchError as error:
            if error.reason != "forbidden" or "@" not in self._options.user:
                raise
            # MediaWiki takes bot passwords at api.php only, and serves the files of closed wikis elsewhere.
            advice = "a bot password opens no files; for them, user and secret must be those of the account itself"
            raise FetchError("forbidden", f"{error.detail}: {advice}") from error
        with path.open("rb") as stream:
            found = hashlib.file_digest(stream, "sha1").hexdigest()
        if found != file.sha1:
            raise FetchError(
                "not_content", f"{file.page}: what came is not the file that the wiki lists (a login page?)"
            )
        return Fetched(
            path,
            revision=file.sha1,
            url=file.page,
            title=file.name.replace("_", " "),
            authors=(file.author,) if file.author else (),
            modified=file.modified,
        )

    def _site(self) -> _Site:
        with self._lock:
            self._known = self._known or self._look()
            return self._known

    def _look(self) -> _Site:
        """Finds out who may read, and signs in if that is needed."""
        ask = {
            "action": "query",
            "meta": "siteinfo|userinfo",
            "siprop": "general|namespaces|statistics",
            "uiprop": "rights",
        }
        answer: dict[str, Any] = {}
        if not self._signed_in:
            try:
                answer = self._api.ask(ask)["query"]
            except Refused as error:
                if error.code != "readapidenied" or not self._options.user:
                    raise
            public = "read" in answer.get("userinfo", {}).get("rights", ())
            if self._options.user and (not public or self._options.readers):
                self._api.sign_in()
                self._signed_in = True
            elif not public:
                raise SourceError(f"{self.root} may not be read by the public. Set user and secret_env.")
        if self._signed_in:
            answer = self._api.ask(ask)["query"]
        readers = Access.of(*self._options.readers) if self._options.readers else NOBODY
        numbers = {int(number): space for number, space in answer["namespaces"].items()}
        wanted = self._options.namespaces
        if wanted is not None and (unknown := set(wanted) - set(numbers)):
            raise SourceError(f"{self.root} has no namespaces {sorted(unknown)}; it has {sorted(numbers)}.")
        return _Site(
            time=answer["general"]["time"],
            access=readers if self._signed_in else PUBLIC,
            namespaces=wanted if wanted is not None else tuple(n for n, space in numbers.items() if space["content"]),
            articles=answer["statistics"]["articles"],
            most=500 if "apihighlimits" in answer["userinfo"]["rights"] else 50,
        )

    def _kind(self, site: _Site) -> str:
        spaces = ",".join(map(str, sorted(site.namespaces)))
        return f"{'signed-in' if self._signed_in else 'public'} {spaces}{' files' if self._options.files else ''}"

    def _swept(self, site: _Site) -> Iterator[Listed]:
        for space in site.namespaces:
            ask: dict[str, str | int] = {
                "generator": "allpages",
                "gapnamespace": space,
                "gaplimit": "max",
                "gapfilterredir": "nonredirects",
                "prop": "info",
                "inprop": "url",
            }
            for batch in self._api.query(ask):
                for page in batch.get("pages", {}).values():
                    yield self._page(site, page)
        if self._options.files:
            for batch in self._api.query({"list": "allimages", "ailimit": "max", "aiprop": _IMAGE}):
                for image in batch.get("allimages", ()):
                    yield self._file(site, image["name"], image)

    def _page(self, site: _Site, page: dict[str, Any]) -> Listed:
        model = page["contentmodel"]
        refused = None if model == "wikitext" else ("unsupported", f"its content is {model}, not wikitext")
        stamp = f"{page['lastrevid']} {_language(page)} {page['canonicalurl']}"
        return Listed(str(page["pageid"]), stamp, site.access, refused)

    def _file(self, site: _Site, name: str, image: dict[str, Any], before: str = "") -> Listed:
        if "sha1" not in image or "url" not in image:
            missing = ("unsupported", "the wiki has its description, but not the file")
            return Listed(_FILE + name, image.get("timestamp", ""), site.access, missing)
        kind = image["mime"].partition("/")[0]
        refused = ("unsupported", f"{image['mime']} holds no text") if kind in ("image", "audio", "video") else None
        address = urljoin(self._options.url, image["url"])
        file = _File(
            name,
            address,
            image["sha1"],
            image["size"],
            image.get("user", ""),
            image["timestamp"],
            urljoin(self._options.url, image["descriptionurl"]),
        )
        stamp = f"{file.sha1} {file.modified} {file.page}"
        return Listed(_FILE + name, stamp, site.access, refused, before, file)

    def _changed(self, site: _Site, events: Iterable[Event], again: Iterable[str]) -> Iterator[Listed | Gone]:
        """How all stand now that entries of recent changes and logs name, and the keys `again`; each once."""
        ids = {key: None for key in again if not key.startswith(_FILE)}
        files = {key.removeprefix(_FILE): "" for key in again if key.startswith(_FILE)}
        titles: dict[str, None] = {}
        for event in filter(_is_told, events):
            target = event.get("params", {})
            if event["ns"] == _FILES:
                name, moved = _name(event["title"]), target.get("target_title", "")
                files.setdefault(name, "")
                if moved:
                    files[_name(moved)] = _FILE + name
            if not {event["ns"], target.get("target_ns")} & set(site.namespaces):
                continue
            numbers = {str(number): None for name in ("pageid", "logpage") if (number := event.get(name))}
            moved_to = target.get("target_title") or ("" if numbers else event["title"])
            ids |= numbers
            titles |= {moved_to: None} if moved_to else {}
        seen: set[str] = set()
        for page in self._standing(site, ids, titles):
            if page.key not in seen:
                seen.add(page.key)
                yield page
        if self._options.files:
            yield from self._standing_files(site, files)

    def _events(self, since: str) -> Iterator[Event]:
        ask: dict[str, str | int] = {
            "list": "recentchanges|logevents",
            "rcdir": "newer",
            "rcstart": since,
            "rctype": "edit|new|log",
            "rcprop": "ids|title",
            "rclimit": "max",
            "ledir": "newer",
            "lestart": since,
            "leprop": "ids|title|type|details",
            "lelimit": "max",
        }
        for batch in self._api.query(ask):
            yield from batch.get("recentchanges", ())
            yield from (event for event in batch.get("logevents", ()) if event["type"] in _LOGS)

    def _standing(self, site: _Site, ids: Iterable[str], titles: Iterable[str]) -> Iterator[Listed | Gone]:
        """How pages stand now: those with `ids`, and those that have the `titles`, if there are any."""
        asked = [("pageids", joined) for joined in batches(ids, site.most)]
        asked += [("titles", joined) for joined in batches(titles, site.most)]
        for name, joined in asked:
            for batch in self._api.query({name: joined, "prop": "info", "inprop": "url"}):
                for page in batch.get("pages", {}).values():
                    missing = "missing" in page or "pageid" not in page
                    if not missing and page["ns"] in site.namespaces and not page.get("redirect"):
                        yield self._page(site, page)
                    elif "pageid" in page:
                        yield Gone(str(page["pageid"]))

    def _standing_files(self, site: _Site, names: dict[str, str]) -> Iterator[Listed | Gone]:
        titles = (f"File:{name}" for name in names)
        for joined in batches(titles, site.most):
            for batch in self._api.query({"titles": joined, "prop": "imageinfo", "iiprop": _IMAGE}):
                for page in batch.get("pages", {}).values():
                    name = _name(page["title"])
                    if "imageinfo" in page and page.get("imagerepository", "local") == "local":
                        yield self._file(site, name, page["imageinfo"][0], names.get(name, ""))
                    else:
                        yield Gone(_FILE + name)

    def _load(self, keys: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Pages with their text, by key; without those that are gone."""
        found: dict[str, dict[str, Any]] = {}
        for joined in batches(keys, self._site().most):
            ask = {"pageids": joined, "prop": "info|revisions", "inprop": "url", "rvslots": "main"}
            for batch in self._api.query({**ask, "rvprop": "ids|timestamp|user|content"}):
                found |= {str(page["pageid"]): page for page in batch.get("pages", {}).values() if "pageid" in page}
        return found


def _is_told(event: Event) -> bool:
    """Whether an entry of a log says which page it is about; an administrator may hide that."""
    return "ns" in event and "title" in event


def _language(page: dict[str, Any]) -> str:
    return str(page.get("pagelanguagehtmlcode") or page.get("pagelanguage", ""))


def _name(title: str) -> str:
    """A file's name in the wiki's own spelling, from the title of its page, whose prefix depends on the language."""
    return title.partition(":")[2].replace(" ", "_")


def _earlier(time: str) -> str:
    return (datetime.fromisoformat(time) - _OVERLAP).strftime("%Y-%m-%dT%H:%M:%SZ")
