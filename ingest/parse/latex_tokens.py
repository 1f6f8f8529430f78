"""The little of TeX's grammar that is needed to change LaTeX without reading it all: comments, groups, arguments."""

from __future__ import annotations

import re

VERBATIM = (
    r"\\begin\{(verbatim\*?|Verbatim\*?|lstlisting|minted|alltt)\}.*?(?:\\end\{\1\}|\Z)"
    r"|\\(?:verb\*?|lstinline(?:\[[^\]\n]*\])?)([^\w\s{*\[\\])[^\n]*?(?:\2|(?m:$))|\\(?:url|path|href)\s*\{[^{}\n]*\}"
)
"""Text that TeX takes as it stands; the beginning of a pattern, with its first two groups. What is never closed reaches
to the end, so that no text takes longer than its length."""
_COMMENT = re.compile(rf"{VERBATIM}|\\.|(?P<line>(?m:^)[ \t]*%[^\n]*\n?[ \t]*)|(?P<tail>%[^\n]*(?:\n[ \t]*)?)", re.S)
_BRACES = re.compile(r"\\.|[{}\[\]]", re.S)
_NAME = re.compile(r"\s*(?:\\([A-Za-z@]+|.)|\{\s*\\([A-Za-z@]+|.)\s*\})", re.S)
_SPACE = re.compile(r"[ \t]*\n?[ \t]*")


def uncommented(text: str) -> str:
    """`text` without comments, as TeX reads it: what follows a comment in the next line joins what stands before it."""

    def replaced(found: re.Match[str]) -> str:
        if found["line"] is not None:
            return ""
        if found["tail"] is None:
            return found[0]
        following = text[found.end() : found.end() + 1]
        if following == "\n" and found[0].rstrip(" \t").endswith("\n"):
            return "\n"
        word = re.search(r"\\[A-Za-z]+$", text[max(0, found.start() - 50) : found.start()])
        return " " if word and following.isalpha() else ""

    return _COMMENT.sub(replaced, text)


def group_end(text: str, start: int) -> int:
    """Where the group ends that opens at `start` with a brace or bracket; -1 if it is never closed."""
    square = text[start : start + 1] == "["
    depth = 0
    for mark in _BRACES.finditer(text, start + 1):
        if mark[0] == "]" and square and depth == 0:
            return mark.end()
        if mark[0] == "{":
            depth += 1
        elif mark[0] == "}":
            depth -= 1
            if depth < 0:
                return -1 if square else mark.end()
    return -1


def arguments(text: str, at: int, shape: str) -> tuple[tuple[str, ...], int] | None:
    r"""The arguments that stand at `at`, without their braces, and where they end; None where they are not there.

    Each letter of `shape` is one: m in braces, o in brackets or "", s a star or "", n the name of a command (`\foo` or
    `{\foo}`), p all up to the next opening brace.
    """
    found: list[str] = []
    for kind in shape:
        space = _SPACE.match(text, at)
        start = space.end() if space else at
        mark = text[start : start + 1]
        if kind == "n":
            name = _NAME.match(text, at)
            if not name:
                return None
            found.append(name[1] or name[2])
            at = name.end()
        elif kind == "p":
            end = text.find("{", at)
            if end < 0:
                return None
            found.append(text[at:end])
            at = end
        elif kind == "s" and mark == "*":
            found.append("*")
            at = start + 1
        elif mark == {"m": "{", "o": "["}.get(kind):
            end = group_end(text, start)
            if end < 0:
                return None
            found.append(text[start + 1 : end - 1])
            at = end
        elif kind == "m":
            return None
        else:
            found.append("")
    return tuple(found), at
