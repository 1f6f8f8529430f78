"""A git repository as a source, a wiki kept in git among them: an item per file of a branch, keyed by its path.

Files are read from the object store of a bare clone, never checked out: no hook, filter or link of the repository does
anything here.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from pathlib import Path, PurePosixPath
from typing import ClassVar, Literal
from urllib.parse import quote

from pydantic import Field, field_validator

from assistant.errors import FetchError, ParseError, SourceError
from assistant.types import PUBLIC
from ingest.connectors.connector import Connector, Fetched, Gone, Listed
from ingest.connectors.git.clone import LINK, SUBMODULE, Clone, Entry
from ingest.connectors.git.history import Story, stories
from ingest.connectors.git.remote import Remote
from ingest.connectors.options import ServerOptions
from ingest.connectors.patterns import Patterns
from ingest.fetch import Client

_POINTER = b"version https://git-lfs.github.com/spec/v1\n"
_LARGEST_POINTER = 1024
_BRANCH = re.compile(r"(?![-/.])(?!.*(\.\.|//|@\{))[^\x00-\x20~^:?*\[\\\x7f]*")


class GitOptions(ServerOptions):
    """A repository: over https, ssh (`git@host:path`), git or http, or in a folder of this machine.

    Over ssh, `secret_file` is a private key. Over https the secret is the password of `user`, or a token of GitHub,
    GitLab or Gitea, which need no `user`.
    """

    kind: Literal["git"] = "git"
    branch: str = ""
    """None is the default branch of the repository."""
    folder: str = ""
    """Only files below this folder of the repository are read."""
    include: tuple[str, ...] = ()
    """Patterns as in a `.gitignore`; where there are any, only files are read whose path one of them names."""
    exclude: tuple[str, ...] = ()
    """Patterns of files that are not read."""
    page_url: str = ""
    """The address of a file in a browser, with {path}, {page} (the path without suffix), {name} (the last part of
    that) and {branch}; what GitHub and GitLab have need not be said."""
    clone_seconds: float = Field(3600, gt=0)
    """Longest time for one clone or fetch."""

    @field_validator("branch")
    @classmethod
    def _is_branch(cls, branch: str) -> str:
        if not _BRANCH.fullmatch(branch):
            raise ValueError("this is no name of a branch")
        return branch

    @field_validator("include", "exclude")
    @classmethod
    def _are_patterns(cls, patterns: tuple[str, ...]) -> tuple[str, ...]:
        Patterns(patterns)
        return patterns


class Git(Connector):
    """A branch of a git repository. It has no rules about readers: who may read is what `readers` says."""

    remote: ClassVar[bool] = False
    has_rules: ClassVar[bool] = False

    def __init__(self, options: GitOptions, client: Client | None = None) -> None:
        self._remote = Remote.of(options.url)
        self._branch = options.branch
        self._folder = options.folder.strip("/")
        self._patterns = Patterns(options.include, options.exclude)
        self._page_url = options.page_url or guessed_page_url(self._remote)
        self._clone = Clone(self._remote, options.branch, options, options.clone_seconds)
        self._commit: str | None = None
        self._stories: dict[str, Story] = {}
        self.root = " ".join(filter(None, ("git", self._remote.url, self._branch, self._folder)))

    def cursor(self) -> str:
        """The commit that the branch is at, which is fetched; what follows reads that one."""
        self._commit, self._stories = self._clone.refresh(), {}
        return self._commit

    def list(self) -> Iterator[Listed]:
        for key, entry in self._entries(self._at()).items():
            yield self._listed(key, entry)

    def changes(self, since: str, again: Collection[str]) -> Iterator[Listed | Gone] | None:
        """From the trees of the two commits, also where history was rewritten between them."""
        new = self._at()
        return self._changed(since, new, again) if new and self._clone.has(since) else None

    def _changed(self, old: str, new: str, again: Collection[str]) -> Iterator[Listed | Gone]:
        before = self._entries(old)
        now = before if old == new else self._entries(new)
        moved = self._clone.renames(old, new)
        for key, entry in now.items():
            if entry != before.get(key) or key in again:
                origin = moved.get(key, "")
                yield self._listed(key, entry, origin if origin in before and origin not in now else "")
        for key in sorted((before.keys() | set(again)) - now.keys()):
            yield Gone(key)

    def _at(self) -> str:
        if self._commit is None:
            self.cursor()
        return self._commit or ""

    def _entries(self, commit: str) -> dict[str, Entry]:
        """The files of a commit that are wanted. Raises SourceError where the folder to be read is not there."""
        tree = self._clone.tree(commit) if commit else {}
        below = f"{self._folder}/" if self._folder else ""
        if commit and below and not any(path.startswith(below) for path in tree):
            raise SourceError(
                f"There is no folder {self._folder} in {self._remote.url} at {commit[:12]}. Nothing was removed. Is "
                "the source's `folder` still right?"
            )
        wanted = self._patterns.match
        return {path: entry for path, entry in tree.items() if path.startswith(below) and wanted(path)}

    def _listed(self, key: str, entry: Entry, origin: str = "") -> Listed:
        refused = None
        if entry.mode == SUBMODULE:
            refused = ("unsupported", "a submodule; make its repository a source of its own")
        elif entry.mode == LINK and not entry.blob:
            refused = ("outside_root", "a link that leads to no file of the repository")
        return Listed(key, f"{entry.mode} {entry.blob}", PUBLIC, refused, origin, entry.blob)

    def prepare(self, items: Collection[Listed]) -> None:
        """The log is read once in a run, and only if an item is fetched in it."""
        if not self._stories:
            commit = self._at()
            self._stories = stories(self._clone.log(commit), self._clone.tree(commit).keys())

    def fetch(self, item: Listed, folder: Path) -> Fetched:
        """Raises ParseError for a pointer of Git LFS, whose content is not in the repository."""
        name = PurePosixPath(item.key)
        plain = name.name not in (".", "..") and len(name.name.encode()) < 200
        path = folder / (name.name if plain else f"file{name.suffix[:20]}")
        try:
            self._clone.write(item.hint, path)
        except SourceError as error:
            raise FetchError(
                "not_content", f"{item.key} is not in the clone, which the next run makes again"
            ) from error
        if path.stat().st_size < _LARGEST_POINTER and path.read_bytes().startswith(_POINTER):
            raise ParseError("unsupported", "its content is in Git LFS, which is not read")
        if not self._stories:
            self.prepare([item])
        story = self._stories.get(item.key, Story())
        title = name.stem.replace("-", " ") if self._remote.path.endswith(".wiki.git") else ""
        return Fetched(path, item.hint, self._url(item.key), title, story.authors, story.created, story.modified)

    def _url(self, key: str) -> str:
        page = key.removesuffix(PurePosixPath(key).suffix)
        values = {"path": key, "page": page, "name": page.rpartition("/")[2], "branch": self._branch or "HEAD"}
        return re.sub(r"\{(path|page|name|branch)\}", lambda found: quote(values[found[1]]), self._page_url)


def guessed_page_url(remote: Remote) -> str:
    """The template of a file's address at GitHub, GitLab, or the repository's own; "" for a folder of this machine."""
    if remote.scheme == "file":
        return ""
    port = f":{remote.port}" if remote.scheme == "https" and remote.port != 443 else ""
    home = f"https://{remote.host}{port}/{remote.path.strip('/').removesuffix('.git')}"
    wiki = home.removesuffix(".wiki")
    if re.match(r"(.*\.)?github\.", remote.host):
        return f"{wiki}/wiki/{{name}}" if wiki != home else f"{home}/blob/{{branch}}/{{path}}"
    if "gitlab" in remote.host:
        return f"{wiki}/-/wikis/{{page}}" if wiki != home else f"{home}/-/blob/{{branch}}/{{path}}"
    return home if remote.scheme == "https" else ""
