"""Who somebody is, as the groups that open shelves: from what a sign-in claims, and from a file of groups.

A person is a group of one, `user:NAME`. Groups keep the names that their origin gives them, be it a source of documents
or a sign-in, so that both mean the same group.
"""

from __future__ import annotations

import time
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assistant.errors import SettingsError
from assistant.types import EVERYONE, PERSON, SIGNED_IN

if TYPE_CHECKING:
    from assistant.settings import PeopleSettings

_CLOCKS_DIFFER_BY = 300.0  # seconds, of the provider's clock and ours


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks. `name` is that of the sign-in, "" for somebody who has not signed in; `groups` are all that count."""

    name: str
    groups: frozenset[str]


def group(name: str) -> str:
    """A group of a source or a sign-in as one of ours. One that is called like ours, but is not, becomes
    `group:NAME`."""
    return f"group:{name}" if name in (EVERYONE, SIGNED_IN) or name.startswith((PERSON, "group:")) else name


def person(name: str) -> str:
    """A single person, by the name under which they sign in."""
    return PERSON + name


class People:
    """What groups somebody is in. The file of groups is read again when it has changed. Safe to use from several
    threads.

    All methods raise SettingsError where the file of groups is missing, or is not as it should be: to take it for one
    without groups would let those read whom a group shuts out.
    """

    def __init__(self, settings: PeopleSettings) -> None:
        self._settings = settings
        self._read: tuple[tuple[int, ...], dict[str, frozenset[str]]] = ((), {})

    def closure(self, held: Iterable[str]) -> frozenset[str]:
        """Those in `held` and `everyone`, with every group that has one of them as a member, and so on."""
        belongs_to = self._belongs_to()
        found: set[str] = set()
        new = {*held, EVERYONE}
        while new:
            found |= new
            new = {name for member in new for name in belongs_to.get(member, ())} - found
        return frozenset(found)

    def named(self, names: Iterable[str]) -> frozenset[str]:
        """The groups of somebody who is in the groups `names`; who is a person has signed in."""
        held = set(names)
        return self.closure(held | {SIGNED_IN} if any(name.startswith(PERSON) for name in held) else held)

    def caller(self, claims: Mapping[str, Any] | None, now: float | None = None) -> Caller:
        """Who asks, from the claims of the ID token with which they signed in; None for who has not.

        A sign-in that is older than `people.claims_hours`, or does not tell when it was, counts as none. `now` is in
        seconds since 1970 (default: now). Raises SettingsError, too, where the claims have no name, or groups in a
        form that no provider is known to send.
        """
        if claims is None or not self._recent(claims, time.time() if now is None else now):
            return Caller("", self.closure(()))
        name = _claimed_name(claims, self._settings.name_claim)
        groups = _claimed_groups(claims, self._settings.groups_claim)
        return Caller(name, self.closure({SIGNED_IN, person(name), *groups}))

    def _recent(self, claims: Mapping[str, Any], now: float) -> bool:
        issued = claims.get("iat")
        if isinstance(issued, bool) or not isinstance(issued, int | float):
            return False
        return now - 3600 * self._settings.claims_hours <= issued <= now + _CLOCKS_DIFFER_BY

    def _belongs_to(self) -> dict[str, frozenset[str]]:
        """Member -> groups, as the file has it now."""
        if not self._settings.groups_file:
            return {}
        file = Path(self._settings.groups_file)
        try:
            seen = file.stat()
            stamp = (seen.st_mtime_ns, seen.st_size, seen.st_ino)
            if self._read[0] != stamp:
                self._read = (stamp, _turned_round(tomllib.loads(file.read_text(encoding="utf-8"))))
        except (OSError, ValueError) as error:  # of TOML that is none, too
            raise SettingsError(
                f"people.groups_file {file.absolute()} cannot be used: {error}. Wanted is a TOML file such as "
                '`[groups]` with lines like `atlas = ["user:anne", "physics"]`.'
            ) from error
        return self._read[1]


def _turned_round(content: dict[str, Any]) -> dict[str, frozenset[str]]:
    """From group -> members to member -> groups. Raises ValueError for what is not a file of groups."""
    groups = content.get("groups")
    if not isinstance(groups, dict) or len(content) != 1:
        raise ValueError("it must hold the table [groups] and nothing else")
    belongs_to: dict[str, set[str]] = {}
    for name, members in groups.items():
        if name in (EVERYONE, SIGNED_IN):
            raise ValueError(f"who is in {name!r} is not for a file to say")
        if not isinstance(members, list) or not all(isinstance(member, str) and member for member in members):
            raise ValueError(f"the members of {name!r} must be a list of names")
        for member in members:
            belongs_to.setdefault(member, set()).add(name)
    return {member: frozenset(names) for member, names in belongs_to.items()}


def _claim(claims: Mapping[str, Any], name: str) -> Any:
    """A claim by its name, else by a path with dots: there are names with dots in them, "wlcg.groups" say."""
    if name in claims:
        return claims[name]
    for at, sign in enumerate(name):
        inner = claims.get(name[:at]) if sign == "." else None
        if isinstance(inner, Mapping) and (found := _claim(inner, name[at + 1 :])) is not None:
            return found
    return None


def _claimed_name(claims: Mapping[str, Any], claim: str) -> str:
    name = _claim(claims, claim)
    if not isinstance(name, str) or not name.strip():
        raise SettingsError(
            f"The sign-in gives no name in the claim {claim!r} (people.name_claim). It has {_names(claims)}."
        )
    if claim == "email" and claims.get("email_verified") in (False, "false"):
        raise SettingsError("The sign-in gives an e-mail address that nobody has verified (people.name_claim).")
    return name


def _claimed_groups(claims: Mapping[str, Any], claim: str) -> set[str]:
    """A list of names, or one name as a string: some providers send that for a person in a single group."""
    value = _claim(claims, claim)
    names = [] if value is None else [value] if isinstance(value, str) else value
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise SettingsError(f"The claim {claim!r} of the sign-in (people.groups_claim) must hold a list of names.")
    return {group(name) for name in names if name.strip()}


def _names(claims: Mapping[str, Any]) -> str:
    return ", ".join(sorted(map(str, claims)))
