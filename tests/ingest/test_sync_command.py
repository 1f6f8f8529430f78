"""`refdesk sync` as cron and people run it: exit codes, JSON lines, metrics, the line for cron."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from assistant.library.lock import lock
from ingest.sync import LOCK

if TYPE_CHECKING:
    from assistant.embed import Embedder

REFDESK = Path(sys.executable).with_name("refdesk")


@pytest.fixture
def place(tmp_path: Path, embedder: Embedder) -> Path:
    """A working directory with two sources; the embedder is ready, so that nothing is said of that."""
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/magnets.md").write_text("# Magnets\n\nThe solenoid gives 2 tesla.\n")
    (tmp_path / "docs/choir.md").write_text("# Choir\n\nIt rehearses on Thursdays.\n")
    (tmp_path / "minutes").mkdir()
    (tmp_path / "minutes/one.md").write_text("# Minutes\n\nThe budget was agreed.\n")
    (tmp_path / "refdesk.toml").write_text(
        '[sources.docs]\nkind = "folder"\npath = "docs"\nreaders = ["everyone"]\n'
        '[sources.minutes]\nkind = "folder"\npath = "minutes"\nreaders = ["board"]\n'
    )
    return tmp_path


def refdesk(place: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "COLUMNS": "200", **more}
    return subprocess.run(
        [REFDESK, *arguments], cwd=place, capture_output=True, text=True, check=False, timeout=120, env=environment
    )


def events(said: subprocess.CompletedProcess[str], kind: str) -> list[dict[str, Any]]:
    return [event for line in said.stdout.splitlines() if (event := json.loads(line))["event"] == kind]


def test_a_run_in_cron(place: Path) -> None:
    first = refdesk(place, "sync", "--metrics", "refdesk.prom")
    assert (first.returncode, first.stderr) == (0, "")
    docs, minutes = events(first, "source")
    assert (docs["source"], docs["counts"]["new"], minutes["counts"]["new"]) == ("docs", 2, 1)
    (end,) = events(first, "end")
    assert (end["exit_code"], end["generation"], end["embedded"]) == (0, 1, 3)
    metrics = (place / "refdesk.prom").read_text()
    assert 'refdesk_sync_items{outcome="new",source="docs"} 2.0' in metrics
    assert 'refdesk_sync_up{source="minutes"} 1.0' in metrics

    (place / "docs/choir.md").rename(place / "docs/singers.md")
    (place / "docs/broken.pdf").write_bytes(b"%PDF-1.4 no")
    second = refdesk(place, "sync")
    assert second.returncode == 3
    told = {event["key"]: event["outcome"] for event in events(second, "item")}
    assert told == {"broken.pdf": "failed", "singers.md": "moved"}
    assert events(second, "source")[0]["counts"]["moved"] == 1

    (place / "minutes").rename(place / "away")
    third = refdesk(place, "sync", "--metrics", "refdesk.prom")
    assert third.returncode == 4
    assert "nothing at" in events(third, "source")[1]["error"].lower()
    metrics = (place / "refdesk.prom").read_text()
    assert 'refdesk_sync_up{source="minutes"} 0.0' in metrics
    assert 'refdesk_sync_last_success_timestamp_seconds{source="minutes"}' in metrics
    found = refdesk(place, "search", "budget", "--as", "board", "--json")
    assert json.loads(found.stdout)["passages"][0]["key"] == "one.md"


def test_only_one_source_and_a_dry_run(place: Path) -> None:
    dry = refdesk(place, "sync", "--dry-run", "--source", "minutes")
    assert dry.returncode == 0
    (told,) = events(dry, "item")
    assert (told["key"], told["outcome"]) == ("one.md", "new")
    (minutes,) = events(dry, "source")
    assert (minutes["source"], minutes["last_success"]) == ("minutes", "")
    assert events(dry, "end")[0]["dry_run"] is True
    assert not (place / "library").exists()
    assert refdesk(place, "sync", "--source", "minuets").stderr.startswith("refdesk: There is no source minuets.")


def test_while_another_run_is_under_way(place: Path) -> None:
    refdesk(place, "sync")
    with lock(place / "library", LOCK):
        refused = refdesk(place, "sync")
    assert refused.returncode == 75
    assert refused.stdout == ""
    assert "Another process is writing" in refused.stderr


def test_without_sources(place: Path) -> None:
    (place / "refdesk.toml").unlink()
    refused = refdesk(place, "sync")
    assert refused.returncode == 1
    assert "[sources.docs]" in refused.stderr


def test_a_wrong_source_stops_no_other(place: Path) -> None:
    with (place / "refdesk.toml").open("a") as settings:
        settings.write('[sources.chat]\nkind = "llama_index"\nreader = "nobody.Has"\nreaders = ["everyone"]\n')
    said = refdesk(place, "sync")
    assert said.returncode == 4
    assert "nobody.Has" in events(said, "source")[2]["error"]
    assert events(said, "source")[0]["counts"]["new"] == 2


def test_settings_that_are_wrong_do_not_show_what_may_be_a_secret(place: Path) -> None:
    for wrong, said in (
        ('[source.wiki]\npassword = "hunter2"\n', "source is unknown; did you mean sources?"),
        ('[sources.wiki]\nkind = "mediawiki"\nurl = "x"\npassword = "hunter2"\n', "password is unknown; there are: "),
        ('[embedder]\nmodle = "hunter2"\n', "embedder.modle is unknown; did you mean model?"),
        ('[sources]\nkind = "hunter2"\n', "sources.kind is to be a section of its own"),
    ):
        (place / "refdesk.toml").write_text(wrong)
        refused = refdesk(place, "sync")
        assert refused.returncode == 1
        assert said in refused.stderr
        assert "hunter2" not in refused.stdout + refused.stderr


def test_a_secret_that_is_not_there_names_only_its_variable(place: Path) -> None:
    with (place / "refdesk.toml").open("a") as settings:
        settings.write(
            '[sources.cloud]\nkind = "mediawiki"\nurl = "http://127.0.0.1:9/api.php"\nsecret_env = "NOT_SET"\n'
        )
    said = refdesk(place, "sync")
    assert said.returncode == 4
    assert "NOT_SET" in events(said, "source")[2]["error"]
    assert events(said, "source")[0]["counts"]["new"] == 2


CRONTAB = """#!/bin/sh
# As crontab(1): -l prints the table or says that there is none, - replaces it by standard input.
case "$1" in
  -l) [ -f "$TABLE" ] && cat "$TABLE" || { echo "no crontab for somebody" >&2; exit 1; } ;;
  -) cat > "$TABLE" ;;
esac
"""


def test_install_cron(place: Path) -> None:
    program = place / "bin/crontab"
    program.parent.mkdir()
    program.write_text(CRONTAB)
    program.chmod(0o755)
    table = place / "table"
    path = {"PATH": f"{program.parent}:{os.environ['PATH']}", "TABLE": str(table)}
    said = refdesk(place, "sync", "--install-cron", **path)
    assert said.returncode == 0
    assert table.read_text() == said.stdout
    schedule, _ = said.stdout.split(" cd ")
    assert schedule == "17 * * * *"
    table.write_text("0 0 * * * other\n" + table.read_text())
    refdesk(place, "sync", "--install-cron", "--schedule", "3 4 * * *", **path)
    other, ours = table.read_text().splitlines()
    assert other == "0 0 * * * other"
    assert ours.startswith("3 4 * * * cd ")
    # What cron would run does run.
    ran = subprocess.run(["/bin/sh", "-c", ours.split(" ", 5)[5]], check=False, env=os.environ)
    assert ran.returncode == 0
    lines = (place / "refdesk-sync.log").read_text().splitlines()
    assert json.loads(lines[-1])["exit_code"] == 0


def test_install_cron_takes_no_other_option(place: Path) -> None:
    refused = refdesk(place, "sync", "--install-cron", "--source", "docs")
    assert refused.returncode == 2
    assert "--install-cron" in refused.stderr


def test_without_crontab_the_line_is_shown(place: Path) -> None:
    said = refdesk(place, "sync", "--install-cron", PATH=str(place))
    assert said.returncode == 1
    assert "17 * * * * cd " in said.stderr


def test_a_source_is_forgotten(place: Path) -> None:
    refdesk(place, "sync")
    assert refdesk(place, "forget", "minuets").stderr.startswith("refdesk: The library library knows no source minuets")
    said = refdesk(place, "forget", "minutes")
    assert (said.returncode, said.stdout) == (0, "1 items of minutes were removed. Library library, generation 2.\n")
    assert json.loads(refdesk(place, "status", "--as", "board", "--json").stdout)["documents"] == 2
    assert refdesk(place, "verify").returncode == 0
    again = refdesk(place, "sync")
    assert [event["counts"]["new"] for event in events(again, "source")] == [0, 1]
