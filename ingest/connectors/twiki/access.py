"""Who may view a topic, by the rules of TWiki and Foswiki, as they document them.

A topic's DENYTOPICVIEW goes before its ALLOWTOPICVIEW; where it has no ALLOWTOPICVIEW, DENYWEBVIEW goes before
ALLOWWEBVIEW. A web has the settings of its parent webs, unless it has its own, or a parent's FINALPREFERENCES forbid
that. A topic's list that begins with + has the web's in it (TWiki 6). Administrators may always. ALLOWROOTVIEW and
DENYROOTVIEW say who may see the list of webs, not who may read.
https://twiki.org/cgi-bin/view/TWiki/TWikiAccessControl, https://foswiki.org/System/AccessControl

The engines differ in settings that are empty. Foswiki 2 ignores them. In TWiki, an empty ALLOW lets nobody in but
administrators, as its documentation says, though some releases ignore it. An empty DENYTOPICVIEW once meant that
everybody may: in TWiki before 6 and Foswiki before 2, and later in Foswiki by EnableDeprecatedEmptyDeny.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from assistant.types import Access
from ingest.access import EVERYONE, NOBODY, PUBLIC, SIGNED_IN, group, person
from ingest.connectors.options import SourceOptions

Settings = Mapping[str, str]
Engine = Literal["twiki", "foswiki"]

SETTINGS = "TOPICVIEW"
"""What stands in every topic that has rules of its own."""
MACHINERY = (
    "WebAtom", "WebChanges", "WebCreateNewTopic", "WebCss", "WebIndex", "WebLeftBar*", "WebNotify", "WebPreferences",
    "WebRss", "WebSearch*", "WebStatistics", "WebTopBar*", "WebTopMenu*", "WebTopicCreator", "WebTopicEditTemplate",
    "WebTopicList",
)  # fmt: skip
"""Topics that every web has and that hold no knowledge."""

_WIKI_WORD = re.compile(r"[A-Z]+[a-z0-9]+[A-Z]+[A-Za-z0-9]*")
_GUESTS = frozenset({"WikiGuest", "TWikiGuest", "guest"})
"""Who has not signed in. A rule that lets in guests lets in anybody, since anybody can sign out."""
_ALL = frozenset({"*", "AllUsersGroup"})
_TWIKI_ONLY = frozenset({"AllUsersGroup", "AllAuthUsersGroup"})
"""Groups that TWiki 6 knows by itself: everybody, and everybody who has signed in."""


class WikiOptions(SourceOptions):
    """What is to be said of any TWiki or Foswiki."""

    engine: Engine
    include: tuple[str, ...] = ()
    """Patterns, as in a `.gitignore`, of the topics and attachments that are wanted; empty means all."""
    exclude: tuple[str, ...] = MACHINERY
    """Patterns of those that are not."""
    users_web: str = "Main"
    admin_group: str = ""
    """The group of administrators; "" for AdminGroup in Foswiki, TWikiAdminGroup in TWiki."""
    empty_deny_opens: bool = False
    """Whether an empty DENYTOPICVIEW lets everybody in, as in TWiki before 6 and Foswiki before 2."""

    @property
    def rules(self) -> Rules:
        admins = self.admin_group or ("AdminGroup" if self.engine == "foswiki" else "TWikiAdminGroup")
        return Rules(self.engine, admins, self.users_web, self.empty_deny_opens)


@dataclass(frozen=True, slots=True)
class Rules:
    """How one site reads its settings.

    `users_web` is the web of people and groups, `admins` the group of administrators. With `empty_deny_opens`, an empty
    DENYTOPICVIEW lets everybody in.
    """

    engine: Engine
    admins: str
    users_web: str = "Main"
    empty_deny_opens: bool = False

    def view(self, topic: Settings, web: Settings | None) -> Access:
        """Who may view a topic with these settings of its own, in a web with those; None where they are not known.

        An administrator whom a DENY names, if only by a group, is let in by the engines, but not by this rule.
        """
        above = web or {}
        denied = self._names(topic.get("DENYTOPICVIEW"), above.get("DENYWEBVIEW"))
        more = above.get("ALLOWWEBVIEW") if self.engine == "twiki" else None
        allowed = self._names(topic.get("ALLOWTOPICVIEW"), more)
        if denied == [] and self.empty_deny_opens:
            return PUBLIC
        if allowed or (allowed == [] and self.engine == "twiki"):
            return self._rule(allowed, denied or [])
        if web is None:
            return NOBODY
        allowed = self._names(web.get("ALLOWWEBVIEW"))
        if allowed is None or (allowed == [] and self.engine == "foswiki"):
            allowed = ["*"]
        return self._rule(allowed, [*(denied or ()), *(self._names(web.get("DENYWEBVIEW")) or ())])

    def _names(self, text: str | None, more: str | None = None) -> list[str] | None:
        """The names in a setting, and those in `more` if it begins with +; None where it is not set."""
        if text is None:
            return None
        if text.lstrip().startswith("+"):
            text = f"{text.lstrip()[1:]} {more or ''}"
        own = re.compile(rf"^(?:{re.escape(self.users_web)}|%USERSWEB%|%MAINWEB%)\.")
        end = text.rfind(">") + 1  # behind it no tag ends, and to look for ends there would take for ever
        plain = (re.sub(r"<[^>]*>", "", text[:end]) + text[end:]).replace("`", "")
        return [own.sub("", name) for name in re.split(r"[,\s]+", plain) if name]

    def _rule(self, allowed: Sequence[str], denied: Sequence[str]) -> Access:
        admins = group(self.admins)
        # What may be meant for a name is denied, though only Foswiki knows Main/AdaLovelace, and none !AdaLovelace.
        not_these = {name.removeprefix("!").removeprefix(f"{self.users_web}/") for name in denied}
        # A macro, as TWiki 6 may expand one there (DYNAMIC_ACCESS_CONTROL), may name anybody.
        is_unknown = any("%" in name for name in not_these)
        everybody_denied = is_unknown or bool(not_these & _ALL) or "AllAuthUsersGroup" in not_these
        guests_denied = bool(not_these & _GUESTS) or everybody_denied
        may = {admins}.union(*(self._who(name) for name in allowed if not (guests_denied and name in _GUESTS)))
        all_of = [frozenset({EVERYONE} if EVERYONE in may else may)]
        if guests_denied:
            all_of.append(frozenset({admins} if everybody_denied else {admins, SIGNED_IN}))
        sets = {any_of for any_of in all_of if EVERYONE not in any_of} or {frozenset({EVERYONE})}
        deny = frozenset[str]().union(*map(self._who, not_these)) - {EVERYONE, SIGNED_IN, admins}
        return Access(tuple(sorted(sets, key=sorted)), deny)

    def _who(self, name: str) -> frozenset[str]:
        """A name in a setting as one of ours: a group's name ends in Group, a person's is a WikiWord; others, such as
        those of a directory, may be either's."""
        if name in _GUESTS or name in _ALL - _TWIKI_ONLY or (name in _ALL and self.engine == "twiki"):
            return frozenset({EVERYONE})
        if name in _TWIKI_ONLY and self.engine == "twiki":
            return frozenset({SIGNED_IN})
        if name.endswith("Group"):
            return frozenset({group(name)})
        return frozenset({person(name)} if _WIKI_WORD.fullmatch(name) else {person(name), group(name)})


def web_settings(levels: Sequence[Settings]) -> Settings:
    """The settings of a web from the WebPreferences of its parents, the outermost first, and its own."""
    found: dict[str, str] = {}
    final: set[str] = set()
    for level in levels:
        found |= {name: value for name, value in level.items() if name not in final}
        final |= set(re.split(r"[,\s]+", level.get("FINALPREFERENCES", "")))
    return found
