"""A branch of a repository, kept in a bare clone that a later run brings up to date, or makes again if it is broken."""

from __future__ import annotations

import fcntl
import hashlib
import posixpath
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from assistant.errors import SourceError
from assistant.settings import state_folder
from ingest.connectors.git.command import GitTimeout, fields, git
from ingest.connectors.git.remote import Remote
from ingest.connectors.options import ServerOptions

_HEAD = "refs/refdesk/head"
_LOCAL_SECONDS = 600.0
_LONGEST_LINK = 4096
_MOST_LINKS = 10

FILES = ("100644", "100755", "100664")
LINK = "120000"
SUBMODULE = "160000"


@dataclass(frozen=True, slots=True)
class Entry:
    """A file of a tree: `blob` is the id of its content, for a link that of the file it leads to.

    `blob` is "" for a link that leads to no file of the repository, `mode` is git's.
    """

    mode: str
    blob: str


class Clone:
    """The clone of one branch, or of the default one if `branch` is ""; in the folder of state, one per URL and branch.

    Raises SourceError wherever git fails, and leaves the clone so that the next `refresh` mends it.
    """

    def __init__(self, remote: Remote, branch: str, options: ServerOptions, timeout: float) -> None:
        self._remote = remote
        self._ref = f"refs/heads/{branch}" if branch else "HEAD"
        self._options = options
        self._timeout = timeout
        name = hashlib.sha256(f"{remote.url}\n{self._ref}".encode()).hexdigest()[:16]
        self.folder = state_folder() / "sources" / f"git-{name}"

    def refresh(self) -> str:
        """Fetches what is new and returns the commit that the branch is at; "" where the repository has none at all."""
        tip = self._tip()
        if not tip:
            return ""
        with self._lock():
            here = self._here()
            if here == tip:
                return tip
            if here:
                try:
                    return self._fetch(self.folder, tip)
                except GitTimeout:
                    raise
                except SourceError:
                    pass  # the server has just answered, so it may be the clone
            work = self.folder.with_suffix(".part")
            shutil.rmtree(work, ignore_errors=True)
            commit = self._fetch(work, tip)
            shutil.rmtree(self.folder, ignore_errors=True)
            work.rename(self.folder)
            return commit

    def has(self, commit: str) -> bool:
        """Whether a commit is still there, though the branch may no longer lead to it."""
        try:
            self._git("cat-file", "-e", f"{commit}^{{commit}}")
        except SourceError:
            return False
        return True

    def tree(self, commit: str) -> dict[str, Entry]:
        """Every file, link and submodule of a commit by its path; bytes that are no UTF-8 are \\xNN in it."""
        found: dict[str, Entry] = {}
        links: dict[str, str] = {}
        for line in self._fields("ls-tree", "-r", "-z", "--full-tree", commit):
            if not line:
                continue
            about, _, path = line.partition(b"\t")
            mode, _, blob = about.decode().split(" ")
            found[as_text(path)] = Entry(mode, blob)
            if mode == LINK:
                links[as_text(path)] = blob
        return self._resolved(found, links) if links else found

    def renames(self, old: str, new: str) -> dict[str, str]:
        """The path before, by the path now, of files that were moved between two commits, edited little or not."""
        words = self._fields("diff-tree", "-r", "-z", "-M", "--diff-filter=R", "--name-status", old, new)
        found = {}
        for status in words:
            if status:
                before, now = next(words), next(words)
                found[as_text(now)] = as_text(before)
        return found

    def log(self, commit: str) -> Iterator[bytes]:
        """The history of a commit, newest first, in the words that `ingest.connectors.git.history` reads."""
        dated = ("--date=format-local:%Y-%m-%dT%H:%M:%SZ", "--format=%x01%ad%x01%an")
        return self._fields("log", "-z", "-M", "--name-status", "--no-show-signature", *dated, commit, "--")

    def write(self, blob: str, path: Path) -> None:
        """A file's content, into the file `path`."""
        try:
            git([f"--git-dir={self.folder}", "cat-file", "blob", blob], timeout=_LOCAL_SECONDS, into=path)
        except SourceError:
            self._mark_broken()
            raise

    def _tip(self) -> str:
        """The commit that the branch is at on the server. Costs one short conversation."""
        found = self._ask(self._ref)
        if self._ref in found:
            return found[self._ref]
        there = self._ask()
        if not there:
            return ""
        names = ", ".join(sorted(name.removeprefix("refs/heads/") for name in there if "/heads/" in name)[:10])
        raise SourceError(
            f"{self._remote.url} has no branch {self._ref.removeprefix('refs/heads/')}, but: {names or 'none'}. "
            "Nothing was read and nothing removed. Say which one in the source's `branch`."
        )

    def _ask(self, *refs: str) -> dict[str, str]:
        call = self._remote.call(self._options)
        printed = git(
            ["ls-remote", "--", call.url, *refs],
            timeout=min(self._timeout, 120), settings=call.settings, variables=call.variables, secrets=call.secrets,
        )  # fmt: skip
        lines = (line.split("\t", 1) for line in printed.decode("utf-8", "replace").splitlines() if "\t" in line)
        return {name: commit for commit, name in lines}

    def _fetch(self, folder: Path, tip: str) -> str:
        """A fetch that is cut leaves the branch where it was, but perhaps a lock."""
        call = self._remote.call(self._options)
        kind = "sha256" if len(tip) == 64 else "sha1"
        if not folder.exists():
            made = ["init", "--bare", "-q", "--template=", f"--object-format={kind}", str(folder)]
            git(made, timeout=_LOCAL_SECONDS)
        git(
            [f"--git-dir={folder}", "fetch", "-q", "--force", "--no-tags", "--", call.url, f"+{self._ref}:{_HEAD}"],
            timeout=self._timeout, settings=call.settings, variables=call.variables, secrets=call.secrets,
        )  # fmt: skip
        at = [f"--git-dir={folder}", "rev-parse", "--verify", "-q", f"{_HEAD}^{{commit}}"]
        return git(at, timeout=_LOCAL_SECONDS).decode().strip()

    def _here(self) -> str:
        """The commit that the clone is at; "" where there is none, or one that is broken."""
        if not self.folder.exists() or self._broken.exists():
            return ""
        try:
            return self._git("rev-parse", "--verify", "-q", f"{_HEAD}^{{commit}}").decode().strip()
        except SourceError:
            return ""

    @property
    def _broken(self) -> Path:
        return self.folder / "refdesk-broken"

    def _git(self, *arguments: str, given: bytes = b"") -> bytes:
        return git([f"--git-dir={self.folder}", *arguments], timeout=_LOCAL_SECONDS, given=given)

    def _fields(self, *arguments: str) -> Iterator[bytes]:
        try:
            yield from fields([f"--git-dir={self.folder}", *arguments])
        except SourceError as error:
            self._mark_broken()
            raise SourceError(f"The clone {self.folder} is broken; the next run makes it again: {error}") from error

    def _mark_broken(self) -> None:
        if self.folder.exists():
            self._broken.touch()

    def _resolved(self, found: dict[str, Entry], links: dict[str, str]) -> dict[str, Entry]:
        """The tree with each link at what it leads to, over at most ten others."""
        targets = dict(zip(links, self._targets(list(links.values())), strict=True))
        resolved = dict(found)
        for link in links:
            path = link
            for _ in range(_MOST_LINKS):
                if path not in targets:
                    break
                path = posixpath.normpath(posixpath.join(posixpath.dirname(path), targets[path]))
            end = found.get(path)
            resolved[link] = Entry(LINK, end.blob if end and end.mode in FILES else "")
        return resolved

    def _targets(self, blobs: Sequence[str]) -> Iterator[str]:
        """Where links point; "" for one longer than any path."""
        listed = "".join(f"{blob}\n" for blob in blobs).encode()
        sizes = self._git("cat-file", "--batch-check=%(objectsize)", given=listed).split(b"\n")
        for blob, size in zip(blobs, sizes, strict=False):
            yield as_text(self._git("cat-file", "blob", blob)) if size.isdigit() and int(size) <= _LONGEST_LINK else ""

    @contextmanager
    def _lock(self) -> Iterator[None]:
        """Runs that share the clone take turns at changing it."""
        self.folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with self.folder.with_suffix(".lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


def as_text(name: bytes) -> str:
    """Bytes as UTF-8, and those that are none as \\xNN."""
    return name.decode("utf-8", "backslashreplace")
