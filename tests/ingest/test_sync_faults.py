"""Whatever a source does at random, nothing is removed that is there and nobody reads more than they may; one sync
without a fault makes the library as if it were built now."""

from __future__ import annotations

import importlib.util
import json
import os
import random
import subprocess
import sys
from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from assistant import Assistant
from assistant.errors import FetchError, LibraryLocked, SourceError
from assistant.library import Library
from assistant.library.catalog import access_from_json
from assistant.library.lock import lock
from assistant.settings import IngestSettings, Settings
from assistant.types import PUBLIC, Access
from ingest.access import NOBODY
from ingest.connectors.connector import Fetched, Gone, Listed
from ingest.report import Line, Report
from ingest.sources import Source
from ingest.sync import LOCK, sync_sources
from ingest.sync.reading import READING
from ingest.sync.state import SourceState, digest

if TYPE_CHECKING:
    from assistant.embed import Embedder

_HERE = Path(__file__).parent
_spec = importlib.util.spec_from_file_location("scripted_source", _HERE / "scripted_source.py")
assert _spec
assert _spec.loader
scripted = importlib.util.module_from_spec(_spec)
sys.modules["scripted_source"] = scripted
_spec.loader.exec_module(scripted)

RULES = [PUBLIC, Access.of("atlas"), Access((frozenset({"atlas"}), frozenset({"staff"}))), NOBODY]
STEPS = ("cursor", "list", "changes", "listing", "fetch")
SETTINGS = Settings(ingest=IngestSettings(publish_seconds=0))


@pytest.fixture
def site(request: pytest.FixtureRequest) -> Iterator[Any]:
    name = request.node.name
    scripted.SITES[name] = scripted.Site()
    yield scripted.SITES[name]
    del scripted.SITES[name]


@pytest.fixture
def sync(request: pytest.FixtureRequest, tmp_path: Path, embedder: Embedder) -> Callable[..., Report]:
    def run(
        library: str = "library", max_removed: float = 1.0, connector: Any = scripted.Scripted, **options: Any
    ) -> Report:
        section = scripted.ScriptedOptions(site=request.node.name, max_removed=max_removed)
        source = Source("site", section, connector)
        return sync_sources([source], tmp_path / library, settings=SETTINGS, embedder=embedder, **options)

    return run


def documents(library: Path) -> dict[str, tuple[str, str, Access]]:
    """Key -> text, URL and rule of every document, whoever may read it."""
    with Library.open(library)._connection() as connection:
        rows = connection.execute(
            "SELECT key, text, url, access FROM document JOIN shelf ON shelf.id = shelf WHERE died IS NULL"
        ).fetchall()
    return {key: (text, url, access_from_json(access)) for key, text, url, access in rows}


def items(library: Path) -> list[tuple[Any, ...]]:
    with Library.open(library)._connection() as connection:
        return connection.execute(
            "SELECT key, status, reason, revision, access FROM item JOIN shelf ON shelf.id = shelf"
            " WHERE died IS NULL ORDER BY key"
        ).fetchall()


def outcomes(report: Report) -> dict[str, str]:
    return {line.key: line.outcome for line in report.lines}


def change(site: Any, drawn: random.Random) -> None:
    """A few changes: pages made, edited, deleted, moved, restricted and opened."""
    for _ in range(drawn.randint(0, 5)):
        key = f"page{drawn.randint(0, 11)}"
        match drawn.randint(0, 4):
            case 0 if key in site.pages:
                site.delete(key)
            case 1 if key in site.pages:
                site.edit(key, "", rule=drawn.choice(RULES))
            case 2 if key in site.pages:
                site.edit(key, "", url=f"https://site/moved/{drawn.randint(0, 99)}")
            case _:
                site.edit(key, f"# {key}\n\nThe gauge shows {drawn.randint(0, 9999)} bar.\n")


def faults(drawn: random.Random) -> Callable[[str, str], None]:
    """One kind of fault, at one step or at many."""
    step, share = drawn.choice(STEPS), drawn.choice([0.2, 0.5, 1.0])
    reason = drawn.choice(["unreachable", "forbidden", "gone", "not_content", "too_large"])

    def fail(now: str, key: str) -> None:
        if now == step and drawn.random() < share:
            if now == "fetch":
                raise FetchError(reason, f"{key}: {reason}")
            raise SourceError(f"{now} failed")

    return fail


def story(site: Any, sync: Callable[..., Report], folder: Path, seed: int, runs: int) -> None:
    drawn = random.Random(seed)
    site.tells_changes = drawn.random() < 0.7
    for number in range(8):
        site.edit(f"page{number}", f"# Page {number}\n\nThe gauge shows {number} bar.\n", drawn.choice(RULES))
    sync()
    for run in range(runs):
        before = documents(folder / "library")
        change(site, drawn)
        site.fail = faults(drawn)
        sync(full=drawn.random() < 0.2)
        after = documents(folder / "library")
        lost = {key for key in before if key in site.pages and key not in after}
        assert not lost, f"run {run} removed what is there"
        for key, (_, _, rule) in after.items():
            may = {NOBODY, *(before[key][2:] if key in before else ())}
            assert rule in may | ({site.pages[key].rule} if key in site.pages else set())
        site.fail = lambda step, key: None
        sync(full=drawn.random() < 0.2)
        wanted = {key: (page.text.strip(), page.url, page.rule) for key, page in site.pages.items()}
        assert documents(folder / "library") == wanted
        fetched = site.fetched.copy()
        assert sync().count("unchanged") in (0, len(site.pages))
        assert site.fetched == fetched, "what did not change was fetched again"
    sync(f"fresh-{seed}")
    assert documents(folder / "library") == documents(folder / f"fresh-{seed}")
    assert items(folder / "library") == items(folder / f"fresh-{seed}")
    assert Library.open(folder / "library").verify() == []


@pytest.mark.parametrize("seed", range(4))
def test_random_changes_and_faults(site: Any, sync: Callable[..., Report], tmp_path: Path, seed: int) -> None:
    story(site, sync, tmp_path, seed, runs=4)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(100, 200))
def test_many_random_changes_and_faults(site: Any, sync: Callable[..., Report], tmp_path: Path, seed: int) -> None:
    story(site, sync, tmp_path, seed, runs=8)


def test_a_site_that_is_down_loses_nothing(site: Any, sync: Callable[..., Report], tmp_path: Path) -> None:
    for number in range(20):
        site.edit(f"page{number}", f"Page {number} is there.")
    sync()
    before = documents(tmp_path / "library")
    site.fail = scripted.down
    report = sync()
    assert report.sources[0].error == "the site gave no answer"
    assert not report.sources[0].trusted
    assert documents(tmp_path / "library") == before


def test_a_site_that_goes_down_while_items_are_fetched_is_left_alone(site: Any, sync: Callable[..., Report]) -> None:
    for number in range(50):
        site.edit(f"page{number:02}", f"Page {number} is there.")
    asked: list[str] = []

    def fail(step: str, key: str) -> None:
        if step == "fetch":
            asked.append(key)
            if len(asked) > 10:
                scripted.down(step, key)

    site.fail = fail
    report = sync()
    assert "does not answer any more" in report.sources[0].error
    assert report.count("new") == 10
    assert len(asked) <= 10 + 32  # not all of them
    site.fail = lambda step, key: None
    assert sync().count("new") == 40


def test_an_empty_listing_removes_nothing(site: Any, sync: Callable[..., Report], tmp_path: Path) -> None:
    site.edit("a", "Something is there.")
    site.edit("b", "Something else is there.")
    sync()
    before = documents(tmp_path / "library")
    pages, site.pages = site.pages, {}
    report = sync(full=True, max_removed=1.0)
    assert (report.sources[0].held_back, report.sources[0].trusted) == (2, False)
    assert documents(tmp_path / "library") == before
    site.pages = pages
    assert sync(full=True).count("unchanged") == 2


def test_what_is_forbidden_is_nobodys_and_comes_back(site: Any, sync: Callable[..., Report], tmp_path: Path) -> None:
    site.edit("a", "It was public.")
    sync()
    site.edit("a", "It is public no longer.")

    def forbid(step: str, key: str) -> None:
        if step == "fetch":
            raise FetchError("forbidden", "403")

    site.fail = forbid
    report = sync()
    assert (outcomes(report), report.sources[0].nobodys) == ({"a": "failed"}, 1)
    assert documents(tmp_path / "library")["a"] == ("It was public.", "https://site/a", NOBODY)
    site.fail = lambda step, key: None
    sync()
    assert documents(tmp_path / "library")["a"] == ("It is public no longer.", "https://site/a", PUBLIC)


def test_deletions_that_were_held_back_are_not_forgotten(site: Any, sync: Callable[..., Report]) -> None:
    """Although the log of changes tells of them once."""
    for number in range(10):
        site.edit(f"page{number}", f"Page {number} is there.")
    sync()
    for number in range(4):
        site.delete(f"page{number}")
    assert sync(max_removed=0.1).sources[0].held_back == 4
    assert sync(max_removed=0.1).sources[0].held_back == 4
    assert sync(max_removed=0.1, allow_deletions=True).count("removed") == 4


def test_a_rollback_makes_the_next_run_list_everything(site: Any, sync: Callable[..., Report], tmp_path: Path) -> None:
    site.edit("a", "The first text.")
    sync()
    site.edit("a", "The second text.")
    sync()
    Library.open(tmp_path / "library").rollback()
    assert documents(tmp_path / "library")["a"][0] == "The first text."
    assert outcomes(sync()) == {"a": "changed"}
    assert documents(tmp_path / "library")["a"][0] == "The second text."


def test_a_rollback_does_not_lose_what_a_source_says_of_a_document(
    site: Any, sync: Callable[..., Report], tmp_path: Path
) -> None:
    site.edit("a", "The text stays.")
    sync()
    site.pages["a"].status = "retracted"
    site.log.append("a")
    sync()
    library = Assistant.open(tmp_path / "library")
    for _ in range(2):
        found = library.document("site", "a")
        assert found
        assert found.status == "retracted"
        Library.open(tmp_path / "library").rollback()
        before = library.document("site", "a")
        assert before
        assert before.status == ""
        assert outcomes(sync()) == {"a": "changed"}


def test_two_runs_at_once(site: Any, sync: Callable[..., Report], tmp_path: Path) -> None:
    site.edit("a", "Something is there.")
    sync()
    with lock(tmp_path / "library", LOCK), pytest.raises(LibraryLocked):
        sync()


def test_two_sections_may_read_one_server(site: Any, sync: Callable[..., Report], tmp_path: Path) -> None:
    """Two queries of arXiv, or spaces with different readers."""
    site.edit("a", "Something is there.")
    (name,) = [name for name, made in scripted.SITES.items() if made is site]
    both = [Source(n, scripted.ScriptedOptions(site=name, readers=(n,)), scripted.Scripted) for n in ("x", "y")]
    for _ in range(2):
        report = sync_sources(both, tmp_path / "library", settings=SETTINGS)
        assert [source.error for source in report.sources] == ["", ""]
    for group in ("x", "y"):
        found = Assistant.open(tmp_path / "library").as_user({group}).documents()
        assert [(d.source, d.key) for d in found] == [(group, "a")]


def test_an_old_story_of_a_move_is_no_move(site: Any, sync: Callable[..., Report]) -> None:
    class Telling(scripted.Scripted):  # type: ignore[misc, name-defined]
        def _listed(self, key: str) -> Listed:
            return replace(super()._listed(key), renamed_from=f"old-{key}")

    site.edit("a", "Something is there.")
    site.edit("old-b", "Something else is there.")
    assert set(outcomes(sync(connector=Telling)).values()) == {"new"}
    site.edit("a", "Something has changed.")
    site.delete("old-b")
    site.edit("b", "Something else is there, and moved.")
    assert outcomes(sync(connector=Telling)) == {"a": "changed", "b": "moved"}


def test_another_source_of_the_same_name_is_refused(site: Any, sync: Callable[..., Report], tmp_path: Path) -> None:
    site.edit("a", "Something is there.")
    sync()
    scripted.SITES["other"] = scripted.Site()
    other = Source("site", scripted.ScriptedOptions(site="other"), scripted.Scripted)
    report = sync_sources([other], tmp_path / "library", settings=SETTINGS)
    assert "scripted other" in report.sources[0].error
    assert documents(tmp_path / "library").keys() == {"a"}


KILLED = """
import importlib.util, json, os, signal, sys
from pathlib import Path
spec = importlib.util.spec_from_file_location("scripted_source", sys.argv[1])
scripted = importlib.util.module_from_spec(spec)
sys.modules["scripted_source"] = scripted
spec.loader.exec_module(scripted)
from assistant.settings import IngestSettings, Settings
from ingest.sources import Source
from ingest.sync import sync_sources
site = scripted.SITES["s"] = scripted.Site()
for number in range(int(sys.argv[3])):
    site.edit(f"page{number:03}", f"# Page {number}\\n\\nThe gauge shows {number} bar.")
def die(done, seen, line):
    if done == int(sys.argv[4]):
        os.kill(os.getpid(), signal.SIGKILL)
source = Source("site", scripted.ScriptedOptions(site="s"), scripted.Scripted)
sync_sources([source], sys.argv[2], settings=Settings(ingest=IngestSettings(publish_seconds=0)), progress=die)
print(json.dumps(site.fetched))
"""


def test_a_run_that_is_killed_goes_on_where_it_stopped(tmp_path: Path, model_cache: Path) -> None:
    pages, library = 400, tmp_path / "library"

    def run(die_at: int) -> subprocess.CompletedProcess[str]:
        arguments = [str(_HERE / "scripted_source.py"), str(library), str(pages), str(die_at)]
        return subprocess.run(
            [sys.executable, "-c", KILLED, *arguments], capture_output=True, text=True, check=False, env=os.environ
        )

    assert run(200).returncode == -9
    had = documents(library).keys()
    assert len(had) > 100, "it should have been published before the run was killed"
    done = run(-1)
    assert done.returncode == 0, done.stderr
    fetched = set(json.loads(done.stdout))
    assert not fetched & had
    assert documents(library).keys() == {f"page{number:03}" for number in range(pages)}
    assert Library.open(library).verify() == []


def test_progress_counts_every_item(site: Any, sync: Callable[..., Report]) -> None:
    for number in range(5):
        site.edit(f"page{number}", f"Page {number} is there.")
    steps: list[tuple[int, int, Line]] = []
    sync(progress=lambda done, seen, line: steps.append((done, seen, line)))
    assert [done for done, _, _ in steps] == [1, 2, 3, 4, 5]
    assert all(seen >= done for done, seen, _ in steps)


def test_an_answer_says_what_its_source_thinks_of_a_document(
    site: Any, sync: Callable[..., Report], tmp_path: Path, embedder: Embedder
) -> None:
    site.edit("a", "# Solenoid\n\nThe field of the solenoid is 2 tesla.")
    sync()
    site.pages["a"].status = "superseded"
    site.log.append("a")
    assert outcomes(sync()) == {"a": "changed"}
    assistant = Assistant.open(tmp_path / "library")
    (found,) = assistant.search("How strong is the field of the solenoid?", 1)
    assert found.status == "superseded"
    document = assistant.document("site", "a")
    assert document
    assert (document.authors, document.modified, document.status) == (("A. Reader",), "2026-11-20", "superseded")
    answer = assistant.ask("How strong is the field of the solenoid?", mode="extract")
    assert answer.citations[0].status == "superseded"
    assert "[1] Solenoid: its source says that it is superseded." in answer.notes


def test_a_page_that_changes_tells_of_the_attachments_that_it_has_left(
    site: Any, sync: Callable[..., Report], tmp_path: Path
) -> None:
    for key in ("page", "page/a", "page/b", "page-2", "page/b/deep", "other/a"):
        site.edit(key, f"Something stands in {key}.")
    sync()
    for key in ("page/b", "page/b/deep"):
        del site.pages[key]

    def _changes(self: Any, since: str, again: Collection[str]) -> Iterator[Listed | Gone]:
        """As sources do that name a changed page with all that hangs on it, but not what no longer does."""
        yield Gone("page", below=True)
        yield self._listed("page")
        yield self._listed("page/a")

    class Telling(scripted.Scripted):  # type: ignore[misc, name-defined]
        changes = _changes

    report = sync(connector=Telling)
    assert outcomes(report) == {"page/b": "removed", "page/b/deep": "removed"}
    assert documents(tmp_path / "library").keys() == {"page", "page/a", "page-2", "other/a"}


def test_what_can_be_parsed_no_longer_must_be_so_twice(site: Any, sync: Callable[..., Report], tmp_path: Path) -> None:
    """A server that sends rubbish for a moment does not cost a document; one that means it does."""
    for number in range(12):
        site.edit(f"page{number}", f"Page {number} is there.")
    sync()
    site.edit("page1", " ")
    assert outcomes(sync()) == {"page1": "failed"}
    assert documents(tmp_path / "library")["page1"][0] == "Page 1 is there."
    site.edit("page1", "Page 1 is there.")
    assert outcomes(sync()) == {}  # it had never gone
    site.edit("page1", " ")
    sync()
    assert outcomes(sync()) == {"page1": "failed"}
    assert "page1" not in documents(tmp_path / "library")
    sync("fresh")
    assert documents(tmp_path / "library") == documents(tmp_path / "fresh")
    assert items(tmp_path / "library") == items(tmp_path / "fresh")


def test_rubbish_in_place_of_many_documents_is_held_back(
    site: Any, sync: Callable[..., Report], tmp_path: Path
) -> None:
    for number in range(12):
        site.edit(f"page{number}", f"Page {number} is there.")
    sync()
    before = documents(tmp_path / "library")
    for number in range(6):
        site.edit(f"page{number}", " ")
    assert sync(max_removed=0.1).count("failed") == 6
    again = sync(max_removed=0.1)
    assert (again.count("failed"), again.sources[0].held_back) == (6, 6)
    assert documents(tmp_path / "library") == before
    assert sync(max_removed=0.1, allow_deletions=True).count("failed") == 6
    assert len(documents(tmp_path / "library")) == 6


def test_an_item_in_another_form(site: Any, sync: Callable[..., Report], tmp_path: Path) -> None:
    class TwoForms(scripted.Scripted):  # type: ignore[misc, name-defined]
        def fetch_instead(self, item: Listed, folder: Path) -> Any:
            if item.key == "b":
                return None
            path = folder / "other.md"
            path.write_text("Readable in the other form.")
            return Fetched(path, "other", "https://site/a.pdf")

    class OtherIsDown(scripted.Scripted):  # type: ignore[misc, name-defined]
        def fetch_instead(self, item: Listed, folder: Path) -> Any:
            raise FetchError("unreachable", "the other form gave no answer")

    for key in "ab":
        site.edit(key, " ")
    assert {line.key: line.reason for line in sync(connector=OtherIsDown).lines} == dict.fromkeys("ab", "unreachable")
    assert outcomes(sync(connector=TwoForms)) == {"a": "new", "b": "failed"}
    assert documents(tmp_path / "library")["a"][:2] == ("Readable in the other form.", "https://site/a.pdf")
    assert outcomes(sync(connector=TwoForms)) == {}


def test_two_documents_of_one_revision_are_not_one_that_moved(site: Any, sync: Callable[..., Report]) -> None:
    """Revisions of many sources are numbers that count from 1."""

    class Numbered(scripted.Scripted):  # type: ignore[misc, name-defined]
        def fetch(self, item: Listed, folder: Path) -> Fetched:
            return replace(super().fetch(item, folder), revision="1")

    for number in range(12):
        site.edit(f"page{number}", f"Page {number} is there.")
    sync(connector=Numbered)
    site.delete("page3")
    site.edit("other", "Another page is there.")
    assert outcomes(sync(connector=Numbered)) == {"page3": "removed", "other": "new"}
    site.delete("page4")
    site.edit("page44", "Page 4 is there.")
    assert outcomes(sync(connector=Numbered)) == {"page44": "moved"}


def test_a_rule_holds_also_where_the_content_cannot_be_parsed_any_more(
    site: Any, sync: Callable[..., Report], tmp_path: Path
) -> None:
    for key in ("page", "other"):
        site.edit(key, f"Something stands in {key}.")
    sync()
    site.edit("page", " ")
    sync()
    site.edit("page", " ", Access.of("board"))
    assert sync(max_removed=0.0).sources[0].held_back == 1
    assert documents(tmp_path / "library")["page"][2] == Access.of("board")


def test_what_is_held_back_is_nobodys(site: Any, sync: Callable[..., Report], tmp_path: Path) -> None:
    """The listing was whole, so the source no longer says that anybody may read it: it may have been closed."""
    for number in range(4):
        site.edit(f"page{number}", f"Page {number} is there.")
    sync()
    kept = {f"page{number}": site.pages[f"page{number}"] for number in range(2)}
    for key in kept:
        site.delete(key)
    assert sync(max_removed=0.1).sources[0].held_back == 2
    rules = {key: rule for key, (_, _, rule) in documents(tmp_path / "library").items()}
    assert rules == {"page0": NOBODY, "page1": NOBODY, "page2": PUBLIC, "page3": PUBLIC}
    for key, page in kept.items():
        site.edit(key, page.text)
    sync(max_removed=0.1)
    assert {rule for _, _, rule in documents(tmp_path / "library").values()} == {PUBLIC}


@pytest.mark.parametrize("wrong", [OverflowError, RecursionError])
def test_an_answer_that_no_number_or_depth_can_hold_stops_its_own_source_only(
    site: Any, sync: Callable[..., Report], wrong: type[Exception]
) -> None:
    site.edit("a", "Something is there.")

    def fail(step: str, key: str) -> None:
        if step == "listing":
            raise wrong("int(float('inf')), or JSON in JSON in JSON")

    site.fail = fail
    try:
        report = sync()
    except wrong:
        pytest.fail("the whole run ended")
    assert report.sources[0].error


def test_what_was_read_in_another_way_is_read_again(
    request: pytest.FixtureRequest, site: Any, sync: Callable[..., Report], tmp_path: Path, embedder: Embedder
) -> None:
    for key in "abc":
        site.edit(key, f"Something stands in {key}.")
    sync()
    section = scripted.ScriptedOptions(site=request.node.name, max_removed=1.0)
    with Library.open(tmp_path / "library").writer(embedder) as writer:  # leaves what an older Refdesk would have left
        for item, access in writer.known("site").values():
            assert item.stamp.startswith(f"{READING}:")
            writer.record(replace(item, stamp=f"{READING - 1}:{item.stamp.partition(':')[2]}"), access)
        state = SourceState.parse(writer.state("site"))
        assert state.options == digest(section, READING)
        writer.set_state("site", replace(state, options=digest(section, READING - 1)).written())
        writer.publish()
    sync()
    assert site.fetched == {"a": 2, "b": 2, "c": 2}
    sync()
    assert site.fetched == {"a": 2, "b": 2, "c": 2}
