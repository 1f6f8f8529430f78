"""A git repository as a source, read from real git servers on loopback: every change arrives, no failure is one."""

from __future__ import annotations

import importlib.util
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import ValidationError

from assistant.errors import FetchError, ParseError, SettingsError, SourceError
from assistant.settings import what_is_wrong
from assistant.types import PUBLIC
from ingest.connectors.connector import Fetched, Gone, Listed
from ingest.connectors.git.remote import Remote
from ingest.connectors.git.repository import Git, GitOptions, guessed_page_url

if TYPE_CHECKING:
    from conftest import Desk  # type: ignore[import-not-found]

_spec = importlib.util.spec_from_file_location("git_servers", Path(__file__).parents[2] / "servers/git.py")
assert _spec
assert _spec.loader
servers = importlib.util.module_from_spec(_spec)
sys.modules["git_servers"] = servers
_spec.loader.exec_module(servers)

LONG = "".join(f"Line {number} of the minutes of the meeting.\n" for number in range(40))
Source = Callable[..., Git]


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("REFDESK_STATE", str(tmp_path / "state"))
    return tmp_path / "state"


@pytest.fixture
def repository(tmp_path: Path) -> Any:
    made = servers.Repository(tmp_path / "served/wiki")
    made.put("Home.md", "# Home\n\nThe detector weighs 7000 tonnes.\n")
    made.put("minutes/2026/march.md", LONG)
    made.put("data.bin", b"\x00\x01")
    made.commit()
    return made


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Any]:
    server = servers.GitDaemon(tmp_path / "served")
    with servers.running(server):
        yield server


@pytest.fixture
def web(tmp_path: Path) -> Iterator[Any]:
    server = servers.GitHTTP(tmp_path / "served")
    with servers.running(server):
        yield server


@pytest.fixture
def source(daemon: Any) -> Source:
    def made(url: str = "", **options: Any) -> Git:
        options = {"allow": (f"127.0.0.1:{daemon.port}",), **options}
        return Git(GitOptions(kind="git", url=url or daemon.url("wiki"), **options))

    return made


def listed(git: Git) -> dict[str, Listed]:
    git.cursor()
    items = list(git.list())
    assert len({item.key for item in items}) == len(items)
    return {item.key: item for item in items}


def changed(git: Git, since: str, again: tuple[str, ...] = ()) -> dict[str, Listed | Gone]:
    git.cursor()
    found = git.changes(since, again)
    assert found is not None
    return {item.key: item for item in found}


def fetched(git: Git, item: Listed, tmp_path: Path) -> tuple[str, Fetched]:
    folder = tmp_path / f"item{time.monotonic_ns()}"
    folder.mkdir()
    got = git.fetch(item, folder)
    assert got.path.parent == folder
    return got.path.read_text(), got


def follows(git: Git, since: str, before: dict[str, Listed]) -> tuple[dict[str, Listed | Gone], dict[str, Listed]]:
    """What changed since; what was there before, with that, must be what is listed anew."""
    changes = changed(git, since)
    after = {**before, **{key: item for key, item in changes.items() if isinstance(item, Listed)}}
    after = {key: item for key, item in after.items() if not isinstance(changes.get(key), Gone)}
    now = listed(git)
    assert {k: (i.stamp, i.hint) for k, i in after.items()} == {k: (i.stamp, i.hint) for k, i in now.items()}
    return changes, now


def test_what_is_listed_and_fetched(source: Source, repository: Any, tmp_path: Path) -> None:
    git = source()
    items = listed(git)
    assert items.keys() == {"Home.md", "minutes/2026/march.md", "data.bin"}
    assert {item.access for item in items.values()} == {PUBLIC}
    text, got = fetched(git, items["Home.md"], tmp_path)
    assert text == "# Home\n\nThe detector weighs 7000 tonnes.\n"
    assert got.revision == repository.git("rev-parse", "HEAD:Home.md").strip()
    assert (got.authors, got.created, got.modified) == (("Ada Lovelace",), "2026-03-02T12:00:00Z", got.created)
    assert got.url == ""
    assert git.root.startswith("git git://127.0.0.1:")


def test_create_edit_rename_delete(source: Source, repository: Any, tmp_path: Path) -> None:
    git = source()
    start = git.cursor()
    before = listed(git)
    repository.put("new ü\n.md", "New.\n")
    repository.put("Home.md", "# Home\n\nIt weighs 7001 tonnes.\n")
    repository.commit("Emmy Noether")
    repository.git("mv", "minutes/2026/march.md", "minutes/march.md")
    repository.put("minutes/march.md", LONG + "One more line.\n")
    repository.commit("Lise Meitner")
    repository.git("rm", "-q", "data.bin")
    repository.commit()
    changes, now = follows(git, start, before)
    assert changes.keys() == {"new ü\n.md", "Home.md", "minutes/march.md", "minutes/2026/march.md", "data.bin"}
    assert changes["data.bin"] == Gone("data.bin")
    moved = changes["minutes/march.md"]
    assert isinstance(moved, Listed)
    assert moved.renamed_from == "minutes/2026/march.md"
    assert moved.stamp != before["minutes/2026/march.md"].stamp
    text, got = fetched(git, moved, tmp_path)
    assert text.endswith("One more line.\n")
    assert got.authors == ("Ada Lovelace", "Lise Meitner")  # also those from before it was moved
    assert (got.created, got.modified) == ("2026-03-02T12:00:00Z", "2026-03-04T12:00:00Z")
    assert fetched(git, now["Home.md"], tmp_path)[1].authors == ("Ada Lovelace", "Emmy Noether")
    assert fetched(git, now["new ü\n.md"], tmp_path)[0] == "New.\n"


def test_nothing_new_costs_one_conversation(source: Source, daemon: Any, repository: Any) -> None:
    git = source()
    start = git.cursor()
    first = daemon.conversations
    assert first == 2
    assert changed(source(), start) == {}
    assert daemon.conversations == first + 1
    assert changed(source(), start, ("Home.md", "never.md")) == {
        "Home.md": listed(git)["Home.md"],
        "never.md": Gone("never.md"),
    }


def test_rewritten_history_and_another_branch(source: Source, repository: Any) -> None:
    git = source()
    start = git.cursor()
    before = listed(git)
    repository.put("Home.md", "# Home, written anew\n")
    repository.git("add", "-A")
    repository.git("commit", "-q", "--amend", "-m", "another past")
    changes, before = follows(git, start, before)
    assert changes.keys() == {"Home.md"}
    repository.git("checkout", "-q", "--orphan", "other")
    repository.git("rm", "-rqf", ".")
    repository.put("Other.md", "Another branch.\n")
    repository.commit()
    other = source(branch="other")
    assert listed(other).keys() == {"Other.md"}
    assert other.root != git.root  # so that the engine takes it for another source
    main = source(branch="main")
    since, before = main.cursor(), listed(main)
    repository.git("branch", "-q", "-f", "main", "other")
    repository.git("reflog", "expire", "--expire=now", "--all")
    repository.git("gc", "-q", "--prune=now")
    changes, now = follows(main, since, before)
    assert changes.keys() == {*before, "Other.md"}
    assert now.keys() == {"Other.md"}
    assert git.changes("0" * 40 + since[40:], ()) is None
    assert git.changes("", ()) is None


def test_a_branch_that_is_not_there_removes_nothing(source: Source, repository: Any) -> None:
    with pytest.raises(SourceError, match=r"no branch nowhere, but: main\. Nothing was read and nothing removed"):
        source(branch="nowhere").cursor()
    git = source()
    git.cursor()
    repository.git("branch", "-q", "-m", "main", "trunk")
    repository.git("symbolic-ref", "HEAD", "refs/heads/gone")
    with pytest.raises(SourceError, match="no branch HEAD, but: trunk"):
        git.cursor()


def test_an_empty_tree_is_a_state_and_an_empty_repository_too(source: Source, repository: Any, tmp_path: Path) -> None:
    git = source()
    start = git.cursor()
    before = listed(git)
    repository.git("rm", "-rq", ".")
    repository.commit()
    changes, now = follows(git, start, before)
    assert now == {}
    assert set(changes.values()) == {Gone(key) for key in before}
    servers.remove(repository)
    servers.Repository(tmp_path / "served/wiki")
    assert git.cursor() == ""
    assert list(git.list()) == []


def test_a_failed_fetch_is_no_change(source: Source, repository: Any, daemon: Any) -> None:
    git = source()
    start = git.cursor()
    before = listed(git)
    repository.put("noise.md", os.urandom(50_000).hex())
    repository.git("rm", "-q", "Home.md")
    repository.commit()
    daemon.cut_after = 2000
    with pytest.raises(SourceError, match="fetch failed"):
        git.cursor()
    servers_gone = source(url=daemon.url("no-such"))
    daemon.cut_after = None
    with pytest.raises(SourceError, match="ls-remote failed"):
        servers_gone.cursor()
    changes, _ = follows(git, start, before)
    assert changes.keys() == {"noise.md", "Home.md"}


def test_a_clone_that_is_cut_or_broken_is_made_again(
    source: Source, repository: Any, daemon: Any, state: Path, tmp_path: Path
) -> None:
    repository.put("noise.md", os.urandom(50_000).hex())
    repository.commit()
    daemon.cut_after = 2000
    git = source()
    with pytest.raises(SourceError, match="fetch failed"):
        git.cursor()
    daemon.cut_after = None
    wanted = {"Home.md", "minutes/2026/march.md", "data.bin", "noise.md"}
    assert listed(git).keys() == wanted
    (clone,) = (state / "sources").glob("git-????????????????")
    # A lock that a killed fetch left.
    (clone / "refs/refdesk/head.lock").touch()
    repository.put("more.md", "more")
    repository.commit()
    assert listed(git).keys() == wanted | {"more.md"}
    # Objects that are damaged on the disk are noticed when they are read, and had again by the next run.
    items = listed(git)
    damaged = clone / "objects" / items["noise.md"].hint[:2] / items["noise.md"].hint[2:]
    damaged.chmod(0o600)
    damaged.write_bytes(damaged.read_bytes()[:100])
    with pytest.raises(FetchError, match="which the next run makes again"):
        fetched(source(), items["noise.md"], tmp_path)
    assert listed(source()).keys() == wanted | {"more.md"}
    (clone / "HEAD").unlink()
    assert listed(source()).keys() == wanted | {"more.md"}


def test_a_run_killed_while_it_clones(source: Source, repository: Any, daemon: Any, state: Path) -> None:
    repository.put("noise.md", os.urandom(2_000_000).hex())
    repository.commit()
    code = (
        "from ingest.connectors.git.repository import *\n"
        f"Git(GitOptions(kind='git', url={daemon.url('wiki')!r}, allow=('127.0.0.1:{daemon.port}',))).cursor()"
    )
    daemon.stall_after = 1_000_000
    child = subprocess.Popen([sys.executable, "-c", code])
    assert daemon.stalled.wait(30)
    child.kill()
    child.wait()
    daemon.stall_after = None
    assert [part.suffix for part in (state / "sources").glob("git-*") if part.is_dir()] == [".part"]
    assert "noise.md" in listed(source())


def test_links_submodules_and_large_file_pointers(source: Source, repository: Any, tmp_path: Path) -> None:
    secret = tmp_path / "secret.md"
    secret.write_text("The password is swordfish.")
    for name, target in {
        "in.md": "Home.md",
        "minutes/up.md": "../in.md",
        "out.md": str(secret),
        "above.md": "../../secret.md",
        "ring.md": "ring.md",
        "dangling.md": "nothing.md",
        "folder": "minutes",
    }.items():
        (repository.path / name).symlink_to(target)
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 12345\n"
    repository.put("large.pdf", pointer)
    repository.commit()
    head = repository.git("rev-parse", "HEAD").strip()
    repository.git("update-index", "--add", "--cacheinfo", f"160000,{head},module")
    repository.git("commit", "-q", "-m", "a submodule")
    git = source()
    start, items = git.cursor(), listed(git)
    refused = {key: item.refused[0] for key, item in items.items() if item.refused}
    assert refused == {
        **dict.fromkeys(("out.md", "above.md", "ring.md", "dangling.md", "folder"), "outside_root"),
        "module": "unsupported",
    }
    assert fetched(git, items["in.md"], tmp_path)[0] == fetched(git, items["minutes/up.md"], tmp_path)[0]
    with pytest.raises(ParseError, match="unsupported: its content is in Git LFS"):
        fetched(git, items["large.pdf"], tmp_path)
    repository.put("Home.md", "Edited.\n")
    repository.commit()
    changes, _ = follows(git, start, items)
    assert changes.keys() == {"Home.md", "in.md", "minutes/up.md", "module"}
    assert changes["module"] == Gone("module")


def test_folder_and_patterns(source: Source, repository: Any, tmp_path: Path) -> None:
    repository.put("minutes/notes.txt", "x")
    repository.put("minutes2/y.md", "y")
    repository.commit()
    git = source(folder="/minutes/", include=("*.md",))
    assert listed(git).keys() == {"minutes/2026/march.md"}
    assert fetched(git, listed(git)["minutes/2026/march.md"], tmp_path)[0] == LONG
    repository.git("rm", "-rq", "minutes")
    repository.commit()
    with pytest.raises(SourceError, match=r"no folder minutes .* Nothing was removed"):
        listed(git)


def test_no_hook_filter_or_setting_runs(source: Source, repository: Any, tmp_path: Path, state: Path) -> None:
    mark = tmp_path / "ran"
    script = tmp_path / "script"
    script.write_text(f"#!/bin/sh\ntouch {mark}\ncat\n")
    script.chmod(0o755)
    config = tmp_path / "gitconfig"
    config.write_text(
        f'[core]\n\thooksPath = {tmp_path}\n[filter "x"]\n\tsmudge = {script}\n[core]\n\tfsmonitor = {script}\n'
        f"[core]\n\tgitProxy = {script}\n"
    )
    (tmp_path / "post-checkout").symlink_to(script)
    (tmp_path / "reference-transaction").symlink_to(script)
    repository.put(".gitattributes", "* filter=x\n")
    repository.put("trap.md", "plain\n")
    repository.commit()
    os.environ["GIT_CONFIG_GLOBAL"] = str(config)
    try:
        git = source()
        assert fetched(git, listed(git)["trap.md"], tmp_path)[0] == "plain\n"
    finally:
        del os.environ["GIT_CONFIG_GLOBAL"]
    assert not mark.exists()


def test_a_folder_of_this_machine(repository: Any, tmp_path: Path) -> None:
    for url in (str(repository.path), f"file://{repository.path}"):
        git = Git(GitOptions(kind="git", url=url))
        assert listed(git).keys() == {"Home.md", "minutes/2026/march.md", "data.bin"}
        assert git.root == f"git {repository.path}"


@pytest.mark.parametrize(
    "url",
    ["--upload-pack=touch /tmp/x", "ext::sh -c true", "https://", "ftp://host/x", "https://u:p@host/x", "https://h/x?y",
     "ssh://-oProxyCommand=x/y", "-x@host:y", "git://ex\u00e4mple.org/x", "https://a%2eb/x", "https://host:x/y"],
)  # fmt: skip
def test_addresses_that_are_refused(url: str) -> None:
    with pytest.raises(SettingsError):
        Git(GitOptions(kind="git", url=url))


def test_only_checked_addresses_are_connected_to(daemon: Any, web: Any, repository: Any) -> None:
    for url in (daemon.url("wiki"), web.url("wiki"), f"ssh://127.0.0.1:{web.port}/wiki", "localhost:wiki"):
        with pytest.raises(FetchError, match="not of the public internet"):
            Git(GitOptions(kind="git", url=url)).cursor()
    assert not daemon.conversations
    assert not web.asked


@pytest.mark.parametrize("wrong", [{"branch": "s3cret~1"}, {"include": ("*.md", "s3cret\\")}])
def test_what_is_wrong_is_said_without_the_value(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as raised:
        GitOptions(url="/nowhere", **wrong)
    assert what_is_wrong(raised.value, GitOptions) in (
        "branch: this is no name of a branch",
        "include: pattern 2 is none that a .gitignore may have",
    )


def resolve_invalid_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """Names in `.invalid`, which no resolver knows, have the address of this machine."""
    resolve = socket.getaddrinfo

    def resolved(host: Any, *rest: Any, **more: Any) -> Any:
        return resolve("127.0.0.1" if str(host).endswith(".invalid") else host, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", resolved)


def test_the_address_that_was_checked_is_the_one_connected_to(
    daemon: Any, web: Any, repository: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that no resolver knows can be reached only by the address that was given for it."""
    resolve_invalid_names(monkeypatch)
    for server in (daemon, web):
        allow = (f"wiki.invalid:{server.port}",)
        git = Git(GitOptions(kind="git", url=server.url("wiki", "wiki.invalid"), allow=allow))
        assert "Home.md" in listed(git)
    assert set(daemon.virtual_hosts) == {f"wiki.invalid:{daemon.port}"}
    assert set(web.asked) == {f"wiki.invalid:{web.port}"}
    allow = ("wiki.invalid:2222", "wiki.invalid:22")
    call = Remote.of("ssh://git@wiki.invalid:2222/x").call(GitOptions(url="x", allow=allow))
    assert "HostName=127.0.0.1 -o 'HostKeyAlias=[wiki.invalid]:2222'" in call.variables["GIT_SSH_COMMAND"]
    assert call.url == "ssh://git@wiki.invalid:2222/x"
    key = tmp_path / "a key"
    options = GitOptions(url="x", secret_file=str(key), allow=allow)
    with pytest.raises(SettingsError, match="is to hold a private key, but is not there"):
        Remote.of("git@wiki.invalid:x").call(options)
    key.write_text("-----BEGIN OPENSSH PRIVATE KEY-----\n\n")
    assert f"-i '{key}'" in Remote.of("git@wiki.invalid:x").call(options).variables["GIT_SSH_COMMAND"]
    assert (
        Remote.of("git@wiki.invalid:x/y.git").call(GitOptions(url="x", allow=allow)).url == "git@wiki.invalid:x/y.git"
    )


def test_https_with_the_certificate_of_the_name(
    repository: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolve_invalid_names(monkeypatch)
    file = servers.certificate("wiki.invalid", tmp_path)
    web = servers.GitHTTP(tmp_path / "served", file)
    allow = (f"wiki.invalid:{web.port}", f"other.invalid:{web.port}")
    with servers.running(web):
        with pytest.raises(SourceError, match="certificate"):
            Git(GitOptions(url=web.url("wiki", "wiki.invalid"), allow=allow)).cursor()
        monkeypatch.setenv("SSL_CERT_FILE", f"{file}.crt")
        with pytest.raises(SourceError, match="certificate"):
            Git(GitOptions(url=web.url("wiki", "other.invalid"), allow=allow)).cursor()
        assert not web.asked
        assert "Home.md" in listed(Git(GitOptions(url=web.url("wiki", "wiki.invalid"), allow=allow)))


def test_a_secret_is_sent_and_never_shown(
    web: Any, repository: Any, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    web.password = "swordfish-1234"
    options: dict[str, Any] = {"kind": "git", "url": web.url("wiki"), "allow": (f"127.0.0.1:{web.port}",)}
    with pytest.raises(SourceError, match="ls-remote failed"):
        Git(GitOptions(**options)).cursor()
    monkeypatch.setenv("WIKI_TOKEN", "swordfish-1234")
    git = Git(GitOptions(**options, secret_env="WIKI_TOKEN"))
    assert "Home.md" in listed(git)
    files = [file for file in state.rglob("*") if file.is_file()]
    assert files
    for hidden in (b"swordfish", b"c3dvcmRmaXNo"):
        assert not [file for file in files if hidden in file.read_bytes()]
    monkeypatch.setenv("WIKI_TOKEN", "wrong-pass")
    with pytest.raises(SourceError) as caught:
        git.cursor()
    assert "wrong" not in str(caught.value)


def test_redirects_are_not_followed(web: Any, daemon: Any, repository: Any) -> None:
    other = servers.GitHTTP(repository.path.parent)
    with servers.running(other):
        web.redirect = f"http://127.0.0.1:{other.port}"
        git = Git(GitOptions(kind="git", url=web.url("wiki"), allow=(f"127.0.0.1:{web.port}",)))
        with pytest.raises(SourceError, match="ls-remote failed"):
            git.cursor()
        assert not other.asked


def test_a_server_that_never_answers_is_given_up(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        options = GitOptions(
            kind="git", url=f"git://127.0.0.1:{port}/x", allow=(f"127.0.0.1:{port}",), clone_seconds=0.3
        )
        with pytest.raises(SourceError, match=r"took longer than 0\.3 s.*Raise clone_seconds"):
            Git(options).cursor()


@pytest.mark.parametrize(
    ("url", "page"),
    [
        ("https://github.com/atlas/docs.git", "https://github.com/atlas/docs/blob/HEAD/a%20b/C-d.md"),
        ("git@github.com:atlas/docs.wiki.git", "https://github.com/atlas/docs/wiki/C-d"),
        ("https://gitlab.cern.ch/x/y/docs.git", "https://gitlab.cern.ch/x/y/docs/-/blob/HEAD/a%20b/C-d.md"),
        ("https://gitlab.cern.ch/x/docs.wiki.git", "https://gitlab.cern.ch/x/docs/-/wikis/a%20b/C-d"),
        ("https://git.example.org/docs.git", "https://git.example.org/docs"),
        ("git://git.example.org/docs.git", ""),
    ],
)
def test_where_a_browser_finds_a_file(url: str, page: str) -> None:
    assert Git(GitOptions(kind="git", url=url))._url("a b/C-d.md") == page
    assert guessed_page_url(Remote.of(url)) != "" or page == ""
    own = GitOptions(kind="git", url=url, page_url="https://pages/{branch}/{page}?{x}", branch="a/b")
    assert Git(own)._url("a b/C-d.md") == "https://pages/a/b/a%20b/C-d?{x}"


def test_each_change_takes_one_sync(desk: Callable[[dict[str, Any]], Desk], daemon: Any, repository: Any) -> None:
    (repository.path / "data.bin").unlink()
    repository.commit()
    allow = [f"127.0.0.1:{daemon.port}"]
    site = desk({"kind": "git", "url": daemon.url("wiki"), "allow": allow, "readers": ["atlas"]})
    assert set(site.outcomes(site.sync()).values()) == {"new"}
    assert site.readable("atlas") == {"Home.md", "minutes/2026/march.md"}
    assert site.readable("cms") == set()
    assert site.outcomes(site.sync()) == {}

    repository.put("Home.md", "# Home\n\nIt weighs 7001 tonnes.\n")
    repository.put("new.md", "# New\n\nA new page.\n")
    repository.git("mv", "minutes/2026/march.md", "minutes/march.md")
    repository.commit("Emmy Noether")
    assert site.outcomes(site.sync()) == {"Home.md": "changed", "new.md": "new", "minutes/march.md": "moved"}
    site.like_fresh()
    assert "7001" in site.text("Home.md", "atlas")
    assert site.document("minutes/march.md", "atlas")["authors"] == ("Ada Lovelace", "Emmy Noether")

    daemon.cut_after = 10
    repository.git("rm", "-q", "new.md")
    repository.commit()
    assert "failed" in site.sync().sources[0].error
    assert "new.md" in site.readable("atlas")
    daemon.cut_after = None
    assert site.outcomes(site.sync()) == {"new.md": "removed"}
    site.like_fresh()
