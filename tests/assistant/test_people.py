"""Who somebody is: groups by claims and by file, compared with a slower way to find them."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.errors import SettingsError
from assistant.people import Caller, People, group, person
from assistant.settings import PeopleSettings, load
from assistant.types import EVERYONE, PERSON, SIGNED_IN

NOW = 1_800_000_000.0
OURS = [EVERYONE, SIGNED_IN, "user:anne", "user:AnneSmith", "group:everyone"]
names = st.one_of(st.sampled_from(["a", "b", "c", "user:x", "user:y", *OURS[2:]]), st.text(min_size=1, max_size=3))
members = st.one_of(names, st.sampled_from([EVERYONE, SIGNED_IN]))
memberships = st.dictionaries(
    names.filter(lambda name: name not in OURS[:2]), st.lists(members, max_size=4), max_size=8
)


def toml(groups: dict[str, list[str]]) -> str:
    def quoted(text: str) -> str:
        return '"' + "".join(f"\\U{ord(sign):08X}" for sign in text) + '"'

    lines = (f"{quoted(name)} = [{', '.join(map(quoted, has))}]" for name, has in groups.items())
    return "\n".join(["[groups]", *lines, ""])


def people(folder: Path, groups: dict[str, list[str]] | str | None = None, **more: Any) -> People:
    if groups is None:
        return People(PeopleSettings(**more))
    file = folder / "groups.toml"
    file.write_text(groups if isinstance(groups, str) else toml(groups), encoding="utf-8")
    return People(PeopleSettings(groups_file=str(file), **more))


def naive(groups: dict[str, list[str]], held: set[str]) -> frozenset[str]:
    """Over and over, until nothing is added."""
    found = held | {EVERYONE}
    while more := {name for name, has in groups.items() if found & set(has)} - found:
        found |= more
    return frozenset(found)


def printable(groups: dict[str, list[str]]) -> bool:
    return all(text.isprintable() for name, has in groups.items() for text in (name, *has))


@given(memberships.filter(printable), st.sets(members, max_size=3))
def test_closure_is_what_a_fixpoint_computation_finds(
    tmp_path_factory: pytest.TempPathFactory, groups: dict[str, list[str]], held: set[str]
) -> None:
    folder = tmp_path_factory.getbasetemp()
    assert people(folder, groups).closure(held) == naive(groups, held)


values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), names, st.sampled_from(OURS), st.text()),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(names, inner, max_size=3)),
    max_leaves=6,
)
claims_of_anything = st.dictionaries(
    st.sampled_from(["iat", "preferred_username", "groups", "sub", "roles", "email", "signed-in", "is_logged_in"]),
    values,
)


@given(claims_of_anything, st.one_of(st.just(NOW), st.floats(), st.integers()))
def test_claims_make_nobody_another_person(claims: dict[str, Any], issued: float) -> None:
    claims["iat"] = issued
    try:
        caller = people(Path()).caller(claims, now=NOW)
    except SettingsError:
        return
    if not caller.name:
        assert caller == Caller("", frozenset({EVERYONE}))
        return
    assert NOW - 12 * 3600 <= issued <= NOW + 300
    assert caller.name == claims["preferred_username"]
    assert {name for name in caller.groups if name.startswith(PERSON)} == {person(caller.name)}
    claimed = claims.get("groups")
    claimed = [claimed] if isinstance(claimed, str) else claimed or []
    assert caller.groups - {EVERYONE, SIGNED_IN, person(caller.name)} == {group(n) for n in claimed if n.strip()}


@given(st.lists(st.one_of(st.sampled_from(OURS), names), max_size=4))
def test_no_name_of_a_source_is_taken_for_ours(given_names: list[str]) -> None:
    ours = [group(name) for name in given_names]
    assert not {EVERYONE, SIGNED_IN} & set(ours)
    assert not any(name.startswith(PERSON) for name in ours)
    assert len(set(ours)) == len(set(given_names))


def test_groups_nest_in_cycles_and_persons_have_other_names(tmp_path: Path) -> None:
    known = people(
        tmp_path,
        '[groups]\natlas = ["physics", "user:bob"]\nphysics = ["tau", "atlas"]\ntau = ["user:AnneSmith"]\n'
        '"user:AnneSmith" = ["user:anne"]\nmembers = ["signed-in"]\nguests = ["everyone"]\n',
    )
    anne = {EVERYONE, SIGNED_IN, "user:anne", "user:AnneSmith", "tau", "physics", "atlas", "members", "guests"}
    assert known.caller({"iat": NOW, "preferred_username": "anne"}, NOW) == Caller("anne", frozenset(anne))
    assert known.named(["user:anne"]) == anne
    assert known.named(["physics"]) == {EVERYONE, "physics", "atlas", "guests"}
    assert known.caller(None, NOW) == Caller("", frozenset({EVERYONE, "guests"}))


@pytest.mark.parametrize(
    ("claim", "claims", "wanted"),
    [
        ("groups", {"groups": ["atlas", "/physics/tau", "everyone", ""]}, {"atlas", "/physics/tau", "group:everyone"}),
        ("groups", {"groups": "Domain Users, all"}, {"Domain Users, all"}),
        ("groups", {"groups": None}, set()),
        ("groups", {}, set()),
        ("wlcg.groups", {"wlcg.groups": ["/cms"], "wlcg": {"groups": ["/no"]}}, {"/cms"}),
        ("resource_access.desk.cern.roles", {"resource_access": {"desk.cern": {"roles": ["reader"]}}}, {"reader"}),
        ("a.b", {"a": {"c": ["x"]}}, set()),
        ("a.b", {"a": ["b"]}, set()),
    ],
)
def test_where_and_how_providers_send_groups(claim: str, claims: dict[str, Any], wanted: set[str]) -> None:
    known = people(Path(), groups_claim=claim)
    caller = known.caller({"iat": NOW, "preferred_username": "anne", **claims}, NOW)
    assert caller.groups == wanted | {EVERYONE, SIGNED_IN, "user:anne"}


@pytest.mark.parametrize(
    ("issued", "counts"),
    [
        (NOW, True),
        (NOW - 7199, True),
        (NOW - 7201, False),
        (NOW + 299, True),
        (NOW + 301, False),
        (None, False),
        (True, False),
        (str(NOW), False),
        (math.nan, False),
        (math.inf, False),
        (10**400, False),
    ],
)
def test_old_sign_ins_count_as_none(issued: Any, counts: bool) -> None:
    claims = {"iat": issued, "preferred_username": "anne", "groups": ["atlas"]}
    caller = people(Path(), claims_hours=2).caller(claims, NOW)
    assert caller == (
        Caller("anne", frozenset({EVERYONE, SIGNED_IN, "user:anne", "atlas"}))
        if counts
        else Caller("", frozenset({EVERYONE}))
    )


@pytest.mark.parametrize(
    ("settings", "claims", "said"),
    [
        ({}, {"sub": "1"}, "preferred_username.*people.name_claim.*iat, sub"),
        ({}, {"preferred_username": "  "}, "preferred_username"),
        ({}, {"preferred_username": ["anne"]}, "preferred_username"),
        ({"name_claim": "email"}, {"email": "anne@x.org", "email_verified": False}, "verified"),
        ({}, {"preferred_username": "anne", "groups": [{"value": "atlas"}]}, "people.groups_claim"),
        ({}, {"preferred_username": "anne", "groups": {"atlas": True}}, "people.groups_claim"),
    ],
)
def test_claims_that_do_not_say_who_are_an_error(settings: dict[str, Any], claims: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        people(Path(), **settings).caller({"iat": NOW, **claims}, NOW)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "table \\[groups\\]"),
        ("[group]\natlas = []\n", "table \\[groups\\]"),
        ("[groups]\natlas = []\n[more]\n", "nothing else"),
        ("[groups]\natlas = ", r"groups\.toml.*end of document"),
        ('[groups]\natlas = "user:anne"\n', "'atlas' must be a list"),
        ("[groups]\natlas = [1]\n", "'atlas' must be a list"),
        ("[groups.atlas]\nmembers = []\n", "'atlas' must be a list"),
        ('[groups]\nsigned-in = ["everyone"]\n', "'signed-in'"),
        ('[groups]\neveryone = ["user:anne"]\n', "'everyone'"),
    ],
)
def test_a_broken_file_of_groups_is_an_error_for_everyone(tmp_path: Path, content: str, said: str) -> None:
    known = people(tmp_path, content)
    for _ in range(2):
        with pytest.raises(SettingsError, match=said):
            known.caller(None, NOW)
    with pytest.raises(SettingsError, match=r"groups\.toml"):
        known.named(["atlas"])


def test_the_file_is_read_again_when_it_changes(tmp_path: Path) -> None:
    known = people(tmp_path, {"atlas": ["user:anne"]})
    file = tmp_path / "groups.toml"
    assert "atlas" in known.named(["user:anne"])
    before = file.stat()
    file.write_text(toml({"atlas": ["user:bobb"]}))
    assert file.stat().st_size == before.st_size
    assert "atlas" not in known.named(["user:anne"])
    other = tmp_path / "other"
    other.write_text(toml({"atlas": ["user:anne"]}))
    os.utime(other, ns=(file.stat().st_atime_ns, file.stat().st_mtime_ns))
    other.replace(file)  # same size, same time
    assert "atlas" in known.named(["user:anne"])
    file.unlink()
    with pytest.raises(SettingsError, match=r"groups\.toml"):
        known.named(["user:anne"])
    file.write_bytes(b"[groups]\n\xff = []\n")
    with pytest.raises(SettingsError, match=r"groups\.toml"):
        known.named(["user:anne"])


def test_the_settings_are_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    for hours in ("0", "inf", "nan"):
        monkeypatch.setenv("REFDESK_PEOPLE__CLAIMS_HOURS", hours)
        with pytest.raises(SettingsError, match="claims_hours"):
            load()


def test_it_imports_nothing_heavy() -> None:
    code = "import sys, assistant.people\nprint({'numpy', 'pydantic', 'streamlit'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
