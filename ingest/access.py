"""Who may read, in the words of a source, as the rules that shelves have.

Groups keep the names that the source gives them, so that a person's groups (from sign-in, or a file) are those of the
collaboration. A person is a group of one, `user:NAME`.
"""

from __future__ import annotations

from assistant.people import group, person
from assistant.types import EVERYONE, PUBLIC, SIGNED_IN, Access

NOBODY = Access(())
"""The rule for what a source does not tell."""

__all__ = ["EVERYONE", "NOBODY", "PUBLIC", "SIGNED_IN", "both", "group", "person"]


def both(*rules: Access) -> Access:
    """The rule that lets in who passes each of `rules`; nobody, if one of them lets nobody in.

    >>> both(Access.of("atlas"), PUBLIC, Access.of("staff")) == Access((frozenset({"atlas"}), frozenset({"staff"})))
    True
    """
    if not all(rule.all_of and all(rule.all_of) for rule in rules):
        return NOBODY
    sets = {any_of for rule in rules for any_of in rule.all_of if EVERYONE not in any_of}
    return Access(tuple(sets) or PUBLIC.all_of, frozenset().union(*(rule.deny for rule in rules)))
