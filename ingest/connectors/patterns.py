"""Which items of a source are wanted: patterns on their keys, as `.gitignore` has them.

`*.md` is any file of that suffix, `/drafts/` the folder at the top, `minutes/**/final.*` at any depth below `minutes`,
and `!keep.md` takes an earlier pattern back.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from pathspec import GitIgnoreSpec


class Patterns:
    """Wanted is what one of `include` names, everything where there are none, but for what one of `exclude` names.

    Raises ValueError for a pattern that is none.
    """

    def __init__(self, include: Iterable[str] = (), exclude: Iterable[str] = ()) -> None:
        self._include = _compiled(include) or _compiled(["*"])
        self._exclude = _compiled(exclude)

    def match(self, key: str) -> bool:
        """Whether the item with this key, a path with `/`, is wanted."""
        return self._include.match_file(key) and not self._exclude.match_file(key)


def _compiled(patterns: Iterable[str]) -> GitIgnoreSpec:
    lines = list(patterns)
    for place, line in enumerate(lines, 1):
        try:
            GitIgnoreSpec.from_lines([line], backend="simple")
        except (ValueError, re.error) as error:  # not shown: the settings never show what stands in them
            raise ValueError(f"pattern {place} is none that a .gitignore may have") from error
    return GitIgnoreSpec.from_lines(lines, backend="simple")  # no other library than the one we name
