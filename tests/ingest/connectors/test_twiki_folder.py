"""The files of a Foswiki: topics, attachments, who may read them, and what a desk makes of changes."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from assistant.errors import SourceError
from assistant.types import PUBLIC, Access
from ingest.access import NOBODY
from ingest.connectors.connector import Listed
from ingest.connectors.twiki.folder import TwikiFolder, TwikiFolderOptions

CORPUS = Path(__file__).parents[4] / "shared/data/corpora/foswiki_twiki_topics"


def topic(
    text: str, *, author: str = "AdaLovelace", version: int = 1, date: int = 1_700_000_000, meta: str = ""
) -> str:
    info = f'%META:TOPICINFO{{author="AdaLovelace" date="{date}" format="1.1" version="{version}"}}%'
    return f"{info}\n{text}\n{meta}"


def attached(name: str) -> str:
    return f'%META:FILEATTACHMENT{{name="{name}" attr="" date="1700000001" size="3" user="BobBurns" version="1"}}%\n'


TOPICS = {
    "Main/WebPreferences": topic("Settings."),
    "Main/WebHome": topic("---+ Welcome\n\nTo the wiki."),
    "Physics/WebPreferences": topic("   * Set DENYWEBVIEW = %USERSWEB%.WikiGuest"),
    "Physics/Calorimeter": topic("---+ Calorimeter\n\nIt weighs 2900 tonnes.", meta=attached("report.txt")),
    "Physics/Salaries": topic("They rise by 3 %.\n   * Set ALLOWTOPICVIEW = Main.BoardGroup"),
    "Physics/Higgs/WebPreferences": topic("   * Set ALLOWWEBVIEW = HiggsGroup"),
    "Physics/Higgs/Couplings": topic("Couplings are measured.", version=4),
    "System/WebPreferences": topic("Settings."),
    "System/UserGuide": topic("How to edit."),
    "Trash/WebPreferences": topic("Settings."),
    "Trash/Old": topic("Old."),
    "_default/WebHome": topic("A template."),
}


@pytest.fixture
def wiki(tmp_path: Path) -> Path:
    root = tmp_path / "wiki"
    for name, text in TOPICS.items():
        put(root, name, text)
    attachment = root / "pub/Physics/Calorimeter/report.txt"
    attachment.parent.mkdir(parents=True)
    attachment.write_text("The tubes number 9852.")
    for leftover in ("Calorimeter.txt,v", "Calorimeter.lease", ".changes", "Calorimeter.txt,pfv/1"):
        (root / "data/Physics" / leftover).parent.mkdir(exist_ok=True)
        (root / "data/Physics" / leftover).write_text("x")
    return root


def put(root: Path, name: str, text: str) -> None:
    path = root / "data" / f"{name}.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def opened(wiki: Path, **more: Any) -> TwikiFolder:
    options = {"kind": "twiki_folder", "engine": "foswiki", "pub": str(wiki / "pub"), **more}
    return TwikiFolder(TwikiFolderOptions(data=str(wiki / "data"), **options), None)


def listed(connector: TwikiFolder) -> dict[str, Listed]:
    found = list(connector.list())
    assert len({item.key for item in found}) == len(found)
    return {item.key: item for item in found}


SIGNED_IN = Access.of("signed-in", "AdminGroup")


def test_topics_and_their_rules(wiki: Path) -> None:
    assert {key: item.access for key, item in listed(opened(wiki)).items()} == {
        "Main/WebHome": PUBLIC,
        "Physics/Calorimeter": SIGNED_IN,
        "Physics/Calorimeter/report.txt": SIGNED_IN,
        "Physics/Salaries": Access.of("BoardGroup", "AdminGroup"),
        "Physics/Higgs/Couplings": Access(
            (frozenset({"AdminGroup", "HiggsGroup"}), frozenset({"AdminGroup", "signed-in"}))
        ),
    }


def test_webs_and_topics_are_chosen(wiki: Path) -> None:
    assert set(listed(opened(wiki, webs=("Physics/Higgs", "System")))) == {
        "Physics/Higgs/Couplings",
        "System/UserGuide",
    }
    assert set(listed(opened(wiki, webs=("Physics",), pub="", exclude=("Salaries",)))) == {
        "Physics/WebPreferences",
        "Physics/Calorimeter",
        "Physics/Higgs/WebPreferences",
        "Physics/Higgs/Couplings",
    }
    with pytest.raises(SourceError, match="no web Nowhere"):
        listed(opened(wiki, webs=("Nowhere",)))


def test_a_topic_and_an_attachment_as_they_are_fetched(wiki: Path, tmp_path: Path) -> None:
    connector = opened(wiki, url="https://wiki.example.org/bin")
    items = listed(connector)
    got = connector.fetch(items["Physics/Calorimeter"], tmp_path)
    assert got.path == tmp_path / "Calorimeter.twiki"
    assert got.path.read_text() == TOPICS["Physics/Calorimeter"]
    assert (got.authors, got.created, got.modified) == (
        ("AdaLovelace",),
        "2023-11-14T22:13:20Z",
        "2023-11-14T22:13:20Z",
    )
    assert got.url == "https://wiki.example.org/bin/view/Physics/Calorimeter"
    assert connector.fetch(items["Physics/Higgs/Couplings"], tmp_path).created == ""
    file = connector.fetch(items["Physics/Calorimeter/report.txt"], tmp_path)
    assert file.path.read_text() == "The tubes number 9852."
    assert (file.title, file.authors, file.modified) == ("report.txt", ("BobBurns",), "2023-11-14T22:13:21Z")
    assert file.url == "https://wiki.example.org/bin/viewfile/Physics/Calorimeter?filename=report.txt"


def test_names_as_long_as_a_file_may_have(wiki: Path, tmp_path: Path) -> None:
    name = "Topic" + "é" * 120
    moved = f'%META:TOPICMOVED{{by="x" date="1700000000" from="Main.{"N" * 300}" to="Main.{name}"}}%\n'
    put(wiki, f"Main/{name}", topic("A long name: %TOPIC%.", meta=attached("a" * 300 + ".txt") + moved))
    connector = opened(wiki)
    items = listed(connector)
    assert connector.fetch(items[f"Main/{name}"], tmp_path).path.read_text().count("A long name") == 1
    assert items[f"Main/{name}/{'a' * 300}.txt"].refused


def test_what_is_fetched_is_what_the_rules_were_read_from(wiki: Path, tmp_path: Path) -> None:
    connector = opened(wiki)
    item = listed(connector)["Main/WebHome"]
    put(wiki, "Main/WebHome", topic("Now secret.\n   * Set ALLOWTOPICVIEW = BoardGroup"))
    assert "secret" not in connector.fetch(item, tmp_path).path.read_text()


def test_a_web_without_preferences_is_nobodys(wiki: Path) -> None:
    (wiki / "data/Physics/WebPreferences.txt").unlink()
    found = {key: item.access for key, item in listed(opened(wiki)).items()}
    assert found["Physics/Calorimeter"] == found["Physics/Higgs/Couplings"] == NOBODY
    assert found["Physics/Salaries"] == Access.of("BoardGroup", "AdminGroup")


def test_names_that_lead_elsewhere(wiki: Path, tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("The password is swordfish.")
    names = ["../../../secret.txt", "/etc/passwd", "..", ".htaccess", "Makefile", "missing.txt", "link.txt"]
    put(wiki, "Physics/Calorimeter", topic("Text.", meta="".join(map(attached, names))))
    (wiki / "pub/Physics/Calorimeter/link.txt").symlink_to(tmp_path / "secret.txt")
    (wiki / "data/Physics/Linked.txt").symlink_to(tmp_path / "secret.txt")
    found = {key: item.refused for key, item in listed(opened(wiki, webs=("Physics",))).items()}
    assert found["Physics/Calorimeter/missing.txt"] == ("unreadable", "the topic lists it, but the file is not there")
    assert found["Physics/Calorimeter/link.txt"] == ("outside_root", "a link that leads out of the pub folder")
    assert found["Physics/Linked"] == ("outside_root", "a link that leads out of the data folder")
    assert {key for key in found if "/Calorimeter/" in key} == {
        "Physics/Calorimeter/missing.txt",
        "Physics/Calorimeter/link.txt",
    }


def test_what_cannot_be_read_is_no_absence(wiki: Path, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="There is no folder"):
        opened(wiki, pub=str(tmp_path / "nothing"))
    connector = opened(wiki)
    shutil.rmtree(wiki / "data")
    with pytest.raises(SourceError, match="cannot be read"):
        listed(connector)


def test_binary_rubbish_is_nobodys(wiki: Path) -> None:
    (wiki / "data/Main/Rubbish.txt").write_bytes(b"\0\1\2" * 100)
    item = listed(opened(wiki))["Main/Rubbish"]
    assert item.access == NOBODY
    assert item.refused
    assert item.refused[0] == "corrupt"


def test_a_desk_follows_the_folder(wiki: Path, desk: Any) -> None:
    d = desk({"kind": "twiki_folder", "data": str(wiki / "data"), "pub": str(wiki / "pub"), "engine": "foswiki"})
    d.sync()
    physics = {"Physics/Calorimeter", "Physics/Calorimeter/report.txt"}
    assert d.readable() == {"Main/WebHome"}
    assert d.readable("signed-in") == {"Main/WebHome", *physics}
    assert d.readable("signed-in", "HiggsGroup") == {"Main/WebHome", "Physics/Higgs/Couplings", *physics}
    assert d.readable("BoardGroup") == {"Main/WebHome", "Physics/Salaries"}
    assert len(d.readable("AdminGroup")) == 5
    assert d.outcomes(d.sync()) == {}
    d.like_fresh()

    # A rule of the web moves all of its topics, and none of them is embedded again.
    put(wiki, "Physics/WebPreferences", topic("   * Set ALLOWWEBVIEW = PhysicsGroup", version=2))
    moved = d.sync()
    assert moved.embedded == 0
    assert moved.sources[0].access_changed == 3  # also in the web below, which has no longer a DENYWEBVIEW
    assert d.readable("signed-in") == {"Main/WebHome"}
    assert d.readable("PhysicsGroup") == {"Main/WebHome", *physics}
    d.like_fresh()

    put(wiki, "Physics/Calorimeter", topic("---+ Calorimeter\n\nIt weighs 3100 tonnes.", version=2))
    put(wiki, "Physics/New", topic("A new topic."))
    moved_from = '%META:TOPICMOVED{by="AdaLovelace" date="1700000002" from="Main.WebHome" to="Main.Start"}%\n'
    put(wiki, "Main/Start", TOPICS["Main/WebHome"] + moved_from)
    (wiki / "data/Main/WebHome.txt").unlink()
    (wiki / "data/Physics/Higgs/Couplings.txt").unlink()
    d.sync()
    assert d.readable("AdminGroup") == {"Main/Start", "Physics/Calorimeter", "Physics/New", "Physics/Salaries"}
    assert "3100" in d.text("Physics/Calorimeter", "PhysicsGroup")
    d.like_fresh()

    put(wiki, "Physics/New", topic("A new topic.\n   * Set ALLOWTOPICVIEW = *"))
    d.sync()
    assert "Physics/New" in d.readable()
    put(wiki, "Physics/New", topic("A new topic."))
    d.sync()
    assert "Physics/New" not in d.readable()
    d.like_fresh()


@pytest.mark.shared_data
@pytest.mark.skipif(not CORPUS.exists(), reason="the corpora are not here")
def test_the_rules_of_real_topics(tmp_path: Path) -> None:
    """All topics that Foswiki comes with, each rule among them read by eye (by searching the files for VIEW)."""
    for data in sorted(CORPUS.glob("*/data")):
        shutil.copytree(data, tmp_path / "data", dirs_exist_ok=True)
    webs = tuple(path.name for path in (tmp_path / "data").iterdir())
    connector = TwikiFolder(
        TwikiFolderOptions(kind="twiki_folder", data=str(tmp_path / "data"), engine="foswiki", webs=webs, exclude=()),
        None,
    )
    found = listed(connector)
    assert set(found) == {
        str(path.relative_to(tmp_path / "data").with_suffix("")) for path in (tmp_path / "data").rglob("*.txt")
    }
    admins = Access.of("AdminGroup")
    expected = {
        "System/ChangeEmailAddress": SIGNED_IN,  # ALLOW *, DENY WikiGuest
        "System/ChangePassword": SIGNED_IN,
        "System/RemoveUser": SIGNED_IN,
        "System/SpreadSheetPlugin": SIGNED_IN,
        "System/BulkResetPassword": admins,
        "System/BulkRegistrationInputTemplate": admins,
        "System/PerlDependencyReport": Access.of("AdminGroup", "user:AdminUser"),
        **{key: admins for key in found if key.startswith("Trash/")},
        # Folders below a web that have no WebPreferences are no webs, so that nobody can open what is in them.
        **{key: NOBODY for key in found if key.startswith("TestCases/") and key.count("/") > 1},
    }
    assert {key: item.access for key, item in found.items() if item.access != PUBLIC} == expected
