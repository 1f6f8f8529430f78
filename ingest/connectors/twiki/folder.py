"""The files of a TWiki or Foswiki as a source: topics from its data folder, attachments from its pub folder.

Every run reads all topics, since their rules stand in their text; only those whose bytes changed are fetched. The
webs of the documentation (System, TWiki), Trash, and templates (_default) are left out unless they are named.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import ClassVar, Literal, NoReturn
from urllib.parse import quote

from assistant.errors import FetchError, ParseError, SourceError
from assistant.types import Access
from ingest.access import NOBODY
from ingest.connectors.connector import Connector, Fetched, Listed
from ingest.connectors.folder import as_text
from ingest.connectors.patterns import Patterns
from ingest.connectors.twiki.access import Settings, WikiOptions, web_settings
from ingest.connectors.twiki.topic import Topic, read_topic
from ingest.parse.decode import decode

PREFERENCES = "WebPreferences"
_LONGEST_STEM = 200
"""Bytes; a file name has 255 at most, with what is put behind it."""
NOT_READ = ("System", "TWiki", "Trash")


class TwikiFolderOptions(WikiOptions):
    kind: Literal["twiki_folder"]
    data: str
    """The folder that has a folder for each web."""
    pub: str = ""
    """The folder of attachments; "" leaves them out."""
    url: str = ""
    """Of the scripts, such as https://wiki.example.org/bin: where topics are opened in a browser."""
    webs: tuple[str, ...] | None = None
    """Webs to read, `Physics` or `Physics/Higgs`, with the webs below them; None for all but those named above."""


class TwikiFolder(Connector):
    """The topics below a data folder, keyed `Web/Topic`, and their attachments, `Web/Topic/file.pdf`.

    Raises SourceError where a folder is not there.
    """

    remote: ClassVar[bool] = False
    at_once: ClassVar[int] = 1

    def __init__(self, options: TwikiFolderOptions, client: None = None) -> None:
        self._options = options
        self._data = _folder(options.data)
        self._pub = _folder(options.pub) if options.pub else None
        self._rules = options.rules
        self._wanted = Patterns(options.include, options.exclude)
        self.root = f"twiki {self._data}"

    def list(self) -> Iterator[Listed]:
        """All webs, but for links to folders.

        Raises SourceError where a web that is named is not there, or anything cannot be read.
        """
        named = self._options.webs
        webs = sorted(self._webs(self._data, ""))
        if missing := set(named or ()) - set(webs):
            raise SourceError(f"{self._data} has no web {sorted(missing)[0]}. Nothing was removed.")
        for web in webs:
            above = {str(parent) for parent in PurePosixPath(web).parents} | {web}
            if above & set(named) if named is not None else not _left_out(web):
                yield from self._topics(web)

    def _webs(self, folder: Path, prefix: str) -> Iterator[str]:
        for entry in _entries(folder):
            if entry.is_dir(follow_symlinks=False) and not entry.name.startswith(".") and "," not in entry.name:
                yield prefix + entry.name
                yield from self._webs(Path(entry.path), f"{prefix}{entry.name}/")

    def _topics(self, web: str) -> Iterator[Listed]:
        preferences = self._preferences(web)
        for entry in _entries(self._data / web):
            if not entry.name.endswith(".txt") or entry.name.startswith((".", "_")):
                continue
            path, name = Path(entry.path), entry.name.removesuffix(".txt")
            key = as_text(f"{web}/{name}")
            if entry.is_symlink() and not path.resolve().is_relative_to(self._data):
                yield Listed(key, "", NOBODY, ("outside_root", "a link that leads out of the data folder"))
                continue
            data = _read(path)
            if data is None:
                continue  # gone since the folder was listed
            stamp = f"{_digest(data)} {self._options.url}"
            try:
                topic = read_topic(decode(data))
            except ParseError as error:  # its rules stand in what cannot be read
                yield Listed(key, stamp, NOBODY, (error.reason, error.detail))
                continue
            access = self._rules.view(topic.settings, preferences)
            if self._wanted.match(key):
                yield Listed(key, stamp, access, renamed_from=self._moved(topic, key), hint=data)
            if self._pub:
                yield from self._attachments(self._pub / web / name, key, topic, access)

    def _preferences(self, web: str) -> Settings | None:
        """The settings of a web; None where the folder has no WebPreferences, and so is no web for the engine."""
        levels = []
        for parent in [*reversed(PurePosixPath(web).parents), PurePosixPath(web)][1:]:
            data = _read(self._data / parent / f"{PREFERENCES}.txt")
            if data is None:
                return None
            try:
                levels.append(read_topic(decode(data)).settings)
            except ParseError:
                return None
        return web_settings(levels)

    def _moved(self, topic: Topic, key: str) -> str:
        """The key before the last move, if nothing has that key now."""
        before = topic.moved_from.replace(".", "/")
        path = self._data / f"{before}.txt"
        is_there = os.access(path, os.F_OK)  # Path.exists raises for a name that is too long
        there = not before or before == key or not path.resolve().is_relative_to(self._data) or is_there
        return "" if there else before

    def _attachments(self, folder: Path, topic_key: str, topic: Topic, access: Access) -> Iterator[Listed]:
        assert self._pub
        for attachment in topic.attachments:
            key = f"{topic_key}/{attachment.name}"
            if not is_file_name(attachment.name) or not self._wanted.match(key):
                continue
            path = folder / attachment.name
            try:
                status = path.stat()
            except OSError as error:
                if error.errno not in (errno.ENOENT, errno.ENAMETOOLONG):
                    _refuse(error)
                yield Listed(key, "", access, ("unreadable", "the topic lists it, but the file is not there"))
                continue
            inside = path.resolve().is_relative_to(self._pub) and stat.S_ISREG(status.st_mode)
            refused = None if inside else ("outside_root", "a link that leads out of the pub folder")
            url = attachment_url(self._options.url, topic_key, attachment.name)
            stamp = f"{status.st_size}:{status.st_mtime_ns}:{status.st_ino} {attachment.author} {url}"
            yield Listed(key, stamp, access, refused, hint=(attachment, path, url))

    def fetch(self, item: Listed, folder: Path) -> Fetched:
        """A topic with the bytes that were listed, so that they go with the rules that they say."""
        if isinstance(item.hint, bytes):
            return fetched_topic(item.hint, item.key, folder, self._options.url)
        attachment, path, url = item.hint
        try:
            with path.open("rb") as stream:
                revision = hashlib.file_digest(stream, "sha256").hexdigest()[:16]
        except OSError as error:
            raise FetchError("unreadable", f"{path} cannot be read: {error.strerror}") from error
        authors = (attachment.author,) if attachment.author else ()
        return Fetched(path, revision, url, attachment.name, authors, modified=attachment.modified)


def fetched_topic(data: bytes, key: str, folder: Path, url: str) -> Fetched:
    """A topic's text as a file that the parser for topics reads."""
    topic = read_topic(decode(data))
    stem = PurePosixPath(key).name.encode()[:_LONGEST_STEM].decode(errors="ignore")
    path = folder / f"{stem}.twiki"  # its stem stands for %TOPIC%
    path.write_bytes(data)
    return Fetched(
        path,
        _digest(data),
        f"{url}/view/{quote(key)}" if url else "",
        topic.title,
        (topic.author,) if topic.author else (),
        topic.created,
        topic.modified,
    )


def attachment_url(url: str, topic: str, name: str) -> str:
    """Where an attachment is served by the engine, which checks the topic's rules."""
    return f"{url}/viewfile/{quote(topic)}?filename={quote(name)}" if url else ""


def is_file_name(name: str) -> bool:
    """Whether an attachment has a name that leads nowhere else. One without a suffix could not be parsed, and its key
    might be that of a topic in a web below."""
    return "/" not in name and "\\" not in name and "\0" not in name and "." in name.strip(".")


def _left_out(web: str) -> bool:
    return any(part.startswith("_") for part in web.split("/")) or web.split("/")[0] in NOT_READ


def _folder(name: str) -> Path:
    path = Path(name).expanduser().resolve()
    if not path.is_dir():
        raise SourceError(f"There is no folder {path}. Nothing was read and nothing removed.")
    return path


def _entries(folder: Path) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as found:
            yield from sorted(found, key=lambda entry: entry.name)
    except OSError as error:
        _refuse(error)


def _read(path: Path) -> bytes | None:
    """The bytes of a file, None where there is none; raises SourceError where it cannot be read."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        _refuse(error)


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]


def _refuse(error: OSError) -> NoReturn:
    raise SourceError(f"{error.filename} cannot be read ({error.strerror}). Nothing was removed.") from error
