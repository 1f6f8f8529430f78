"""A TWiki or Foswiki over HTTP: the topics of webs that are named, from each web's own list of its latest changes.

Neither engine has an API, but both can search with a format. Foswiki's feed of a web (WebRss) takes a limit and has the
date of each topic; TWiki's `search` script takes a format. So one request lists a web, and a second one finds the
topics without rules (and attachments) of their own; the others are read in each run: their rules stand in their text.
https://foswiki.org/System/WebRssBase, https://twiki.org/cgi-bin/view/TWiki/FormattedSearch
"""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, ClassVar, Literal
from urllib.parse import quote, unquote

from assistant.errors import FetchError, SourceError
from assistant.types import Access
from ingest.access import NOBODY, SIGNED_IN, both
from ingest.connectors.connector import Connector, Fetched, Listed
from ingest.connectors.options import WebOptions
from ingest.connectors.patterns import Patterns
from ingest.connectors.twiki.access import SETTINGS, Settings, WikiOptions, web_settings
from ingest.connectors.twiki.folder import PREFERENCES, attachment_url, fetched_topic, is_file_name
from ingest.connectors.twiki.topic import Attachment, Topic, read_topic
from ingest.fetch import HTML, XML, Client, shown

if TYPE_CHECKING:
    from lxml.etree import _Element

_ATTACHED = "META:FILEATTACHMENT"
_ALL = ".*"
_PLAIN = ("text/plain",)
_BEGIN = "<!--refdesk-->"
_ROW = "<!--refdesk|$topic|$rev|$isodate-->"  # a WikiWord becomes a link only after white space or a parenthesis
_FOUND = re.compile(r"<!--refdesk\|([^|]+)\|([^|]+)\|([^|]+?)-->")
_PASSWORD = re.compile(r"<input\b[^<>]*\btype\s*=\s*[\"']?password", re.I)
_RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
_RSS = "{http://purl.org/rss/1.0/}"
_DC = "{http://purl.org/dc/elements/1.1/}"


class TwikiOptions(WebOptions, WikiOptions):
    """`url` is that of the scripts: https://wiki.example.org/bin, below which are `view` and `search`.

    A Foswiki shows the raw text of topics to users who signed in only, unless its {FeatureAccess}{AllowRaw} is "all".
    """

    kind: Literal["twiki"]
    webs: tuple[str, ...]
    """Webs to read, `Physics` or `Physics/Higgs`; webs below them are to be named too."""
    login: Literal["basic", "form"] = "basic"
    """How the user signs in: with each request, or once in the form of the wiki's login script."""
    files: bool = False
    """Whether attachments are read too. Each topic that has some then costs a request in each run."""


class Twiki(Connector):
    """Topics are keyed `Web/Topic`, attachments `Web/Topic/file.pdf`.

    A topic that the source's user may not view is not listed by the wiki. One that is not listed to visitors, though no
    rule says so, is for those who sign in: the web server may let in nobody else.
    """

    pace: ClassVar[tuple[float, int]] = (2.0, 4)

    def __init__(self, options: TwikiOptions, client: Client) -> None:
        self._options = options
        self._client = client
        self._url = options.url.rstrip("/")
        self._rules = options.rules
        self._wanted = Patterns(options.include, options.exclude)
        self._signed_in = options.login == "basic" or not options.user
        self._lock = threading.Lock()
        self.root = f"twiki {self._url}"

    def list(self) -> Iterator[Listed]:
        self._sign_in()
        preferences: dict[str, Settings] = {}
        for web in self._options.webs:
            parents = [str(parent) for parent in reversed(PurePosixPath(web).parents)][1:]
            levels = [self._preferences(level, preferences) for level in (*parents, web)]
            yield from self._topics(web, web_settings(levels))

    def fetch(self, item: Listed, folder: Path) -> Fetched:
        """A topic, with the text that its rules were taken from if they were, or an attachment.

        A topic that turns out to have rules, although the wiki's search did not find them, is forbidden.
        """
        if isinstance(item.hint, Attachment):
            return self._fetch_attachment(item.hint, item.key, folder)
        data: bytes = item.hint or self._raw(item.key)
        if not item.hint and any(SETTINGS in name for name in read_topic(_text(data)).settings):
            raise FetchError("forbidden", f"{item.key} has rules that the wiki's search does not find, or new ones")
        return fetched_topic(data, item.key, folder, self._url)

    def _topics(self, web: str, preferences: Settings) -> Iterator[Listed]:
        stamps = self._search(web, _ALL)
        if not stamps:
            raise SourceError(f"{self.root} lists no topics in {web}. Nothing was removed. May its user view that web?")
        # Asked after the listing, and for those that have none, so that a topic in doubt is taken for one that has.
        special = (SETTINGS, _ATTACHED) if self._options.files else (SETTINGS,)
        plain = self._search(web, ";!".join((_ALL, *special)))
        shown = self._shown_to_visitors(web) if self._client.secret else stamps
        for name, stamp in stamps.items():
            key = f"{web}/{name}"
            data, topic, access = None, None, self._rules.view({}, preferences)
            if name not in plain:
                try:
                    data = self._raw(key)
                except FetchError as error:
                    if error.reason not in ("gone", "forbidden"):
                        raise
                    yield Listed(key, "", NOBODY, ("unreadable", error.detail))
                    continue
                topic = self._ruled(data, key)
                access = self._rules.view(topic.settings, preferences)
            if name not in shown and access.allows(()):
                access = both(access, Access.of(SIGNED_IN))
            if self._wanted.match(key):
                yield Listed(key, stamp, access, hint=data)
            if topic and self._options.files:
                yield from self._attachments(key, topic, access)

    def _attachments(self, topic_key: str, topic: Topic, access: Any) -> Iterator[Listed]:
        for attachment in topic.attachments:
            key = f"{topic_key}/{attachment.name}"
            if is_file_name(attachment.name) and self._wanted.match(key):
                yield Listed(key, f"{attachment.revision} {attachment.modified}", access, hint=attachment)

    def _fetch_attachment(self, attachment: Attachment, key: str, folder: Path) -> Fetched:
        topic = str(PurePosixPath(key).parent)
        suffix = PurePosixPath(attachment.name).suffix[:20]
        path = folder / f"file{suffix}"
        answer = self._client.download(f"{self._url}/viewfile/{quote(topic)}", path, {"filename": attachment.name})
        if answer.type in HTML and suffix.lower() not in (".html", ".htm", ".xhtml"):
            raise FetchError("not_content", f"{shown(answer.url)} answered with a page, not a file (a login page?)")
        with path.open("rb") as stream:
            revision = hashlib.file_digest(stream, "sha256").hexdigest()[:16]
        return Fetched(
            path,
            revision,
            attachment_url(self._url, topic, attachment.name),
            attachment.name,
            (attachment.author,) if attachment.author else (),
            modified=attachment.modified,
        )

    def _shown_to_visitors(self, web: str) -> Collection[str]:
        """The topics of a web that the wiki lists to those who do not sign in."""
        with self._client.anonymous() as visitor:
            try:
                return Twiki(self._options, visitor)._search(web, _ALL)
            except FetchError as error:
                if error.reason in ("forbidden", "gone", "refused", "not_content", "blocked"):
                    return ()
                raise

    def _preferences(self, web: str, known: dict[str, Settings]) -> Settings:
        if web not in known:
            try:
                known[web] = self._ruled(self._raw(f"{web}/{PREFERENCES}"), f"{web}/{PREFERENCES}").settings
            except FetchError as error:
                advice = f"{web}.{PREFERENCES} has the rules of the web: the source's user must be able to see it raw"
                raise FetchError(error.reason, f"{error.detail}. {advice}") from error
        return known[web]

    def _ruled(self, data: bytes, key: str) -> Topic:
        """A topic that rules are taken from: what is no topic, a login page as plain text, would seem to have none."""
        topic = read_topic(_text(data))
        if not topic.settings and not topic.attachments and not topic.modified:
            raise FetchError("not_content", f"{self._url}/view/{key}?raw=all is no topic. Is it a login page?")
        return topic

    def _raw(self, key: str) -> bytes:
        """A topic as its file has it, with its META lines."""
        url = f"{self._url}/view/{quote(key)}"
        body = self._client.get(url, {"raw": "all"}, accept=_PLAIN).body
        if not body.strip():
            raise FetchError("cut", f"{url} answered with nothing")
        return body

    def _search(self, web: str, pattern: str) -> dict[str, str]:
        """The topics of a web that a regular expression is found in, with a sign of change for each."""
        if self._options.engine == "twiki":
            return self._formatted(web, pattern)
        if pattern == _ALL and len(self._rss(web, _ALL, "1")[1]) > 1:
            raise SourceError(
                f"The feed {self._url}/view/{web}/WebRss takes no limit, so that it does not list the whole web. "
                'It must be the one that comes with Foswiki; for a TWiki, set engine = "twiki". Nothing was removed.'
            )
        announced, found = self._rss(web, pattern, "all")
        if announced != sorted(found) or not all(found.values()):
            raise SourceError(
                f"{self._url}/view/{web}/WebRss is no whole feed: it announces {len(announced)} topics and has "
                f"{len(found)}, or they have no dates. Nothing was removed."
            )
        return found

    def _rss(self, web: str, pattern: str, limit: str) -> tuple[Sequence[str], dict[str, str]]:
        """The topics that the feed of a web announces, and those that it has, with their dates."""
        from lxml import etree

        url = f"{self._url}/view/{quote(web)}/WebRss"
        ask = {"search": pattern, "type": "regex", "scope": "text", "casesensitive": "on", "limit": limit}
        body = self._client.get(url, ask, accept=XML).body
        try:
            feed = etree.fromstring(body, etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=True))
        except etree.XMLSyntaxError as error:
            raise FetchError("not_content", f"{url} answered with what is no XML, or is cut: {error}") from error
        if feed.tag != f"{_RDF}RDF":
            raise FetchError("not_content", f"{url} answered with another XML than a feed: {feed.tag}")
        announced = sorted(_last(item.get(f"{_RDF}resource", "")) for item in feed.iter(f"{_RDF}li"))
        return announced, {_last(item.get(f"{_RDF}about", "")): _date(item) for item in feed.iter(f"{_RSS}item")}

    def _formatted(self, web: str, pattern: str) -> dict[str, str]:
        url = f"{self._url}/search/{quote(web)}/"
        ask = {
            "search": pattern,
            "type": "regex",
            "scope": "text",
            "nosearch": "on",
            "nototal": "on",
            "limit": "all",
            "header": _BEGIN,
            "format": _ROW,
        }
        page = self._client.get(url, ask, accept=HTML).text
        if _BEGIN not in page:
            raise FetchError("not_content", f"{url} answered with another page than a search (a login page?)")
        if "</html>" not in page:
            raise FetchError("not_content", f"{url} answered with a page that is cut")
        return {name: f"{revision} {date}" for name, revision, date in _FOUND.findall(page)}

    def _sign_in(self) -> None:
        """Signs in by the form, once. Raises SourceError where the wiki shows the form again: a wiki that visitors may
        read would list what they see, and all else would look as if it were gone."""
        with self._lock:
            if not self._signed_in:
                form = {"username": self._client.user, "password": self._client.secret}
                answer = self._client.send("POST", f"{self._url}/login", form=form)
                if _PASSWORD.search(answer.text):
                    raise SourceError(f"{self._url}/login does not let {self._client.user} in. Nothing was removed.")
                self._signed_in = True


def _last(url: str) -> str:
    return unquote(url.partition("?")[0].rpartition("/")[2])


def _date(item: _Element) -> str:
    return (item.findtext(f"{_DC}date") or "").strip()


def _text(data: bytes) -> str:
    from ingest.parse.decode import decode

    return decode(data)
