r"""What of a LaTeX preamble pandoc needs: macros, theorems, title and authors. The rest sets type, and trips it up."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ingest.parse.latex_tokens import arguments, group_end

_SHAPES = {
    "newcommand": "snoom",
    "renewcommand": "snoom",
    "providecommand": "snoom",
    "DeclareRobustCommand": "snoom",
    "newrobustcmd": "snoom",
    "newcommandx": "snoom",
    "NewDocumentCommand": "nmm",
    "DeclareDocumentCommand": "nmm",
    "RenewDocumentCommand": "nmm",
    "def": "npm",
    "gdef": "npm",
    "edef": "npm",
    "xdef": "npm",
    "DeclareMathOperator": "snm",
    "newenvironment": "smoomm",
    "renewenvironment": "smoomm",
    "newtheorem": "smomo",
    "title": "om",
    "subtitle": "m",
    "author": "om",
    "date": "m",
}
_TITLES = {"title", "subtitle", "author", "date"}
_COMMAND = re.compile(r"\\([A-Za-z@]+|.)", re.S)
_LET = re.compile(r"\s*\\[A-Za-z]+\s*=?\s*\\(?:[A-Za-z]+|[^A-Za-z@])")
_KEPT_AS_THEY_ARE = frozenset(
    re.findall(
        r"\w+",
        """
        begin end item par input include part chapter section subsection subsubsection paragraph
        subparagraph caption cite citet citep citealp ref eqref cref label pageref bibitem bibliography
        footnote thanks title author date maketitle abstract includegraphics documentclass usepackage emph
        textbf textit text hspace vspace thepage thesection thefigure thetable theequation refname
        abstractname figurename tablename and
        itemize enumerate description figure table equation align eqnarray tabular
        """,
    )
)
"""Commands that pandoc knows better than a redefinition of how they look."""
_ABSTRACT = re.compile(r"\\begin\{abstract\}.*?\\end\{abstract\}|\\abstract\s*(?=\{)", re.S)


def definitions(text: str) -> Iterator[str]:
    """The definitions in `text` that pandoc reads, each as it stands or in an older spelling."""
    done = 0
    for command in _COMMAND.finditer(text):
        name, start = command[1], command.start()
        if start < done:
            continue
        if name == "let" and (let := _LET.match(text, command.end())):
            done = let.end()
            if "@" not in let[0]:
                yield text[start:done]
        elif name == "newif" and (switch := re.compile(r"\s*\\if[A-Za-z]+").match(text, command.end())):
            done = switch.end()
            yield text[start:done]
        elif re.fullmatch(r"[A-Za-z]+(true|false)", name) and f"\\newif\\if{name[:-4].removesuffix('f')}" in text:
            yield command[0]
        elif name in _SHAPES and (found := arguments(text, command.end(), _SHAPES[name])):
            done = found[1]
            yield from _readable(name, found[0], text[start:done])


def _readable(name: str, given: tuple[str, ...], whole: str) -> Iterator[str]:
    """The definition `whole`, if pandoc can make something of it."""
    if name in _TITLES:
        yield whole
        return
    if "@" in whole or "\\csname" in whole or "\\expandafter" in whole:
        return
    if name == "newtheorem":
        yield whole
        return
    defined = given[1] if name in ("newenvironment", "renewenvironment") else given[0 if _SHAPES[name][0] == "n" else 1]
    if defined in _KEPT_AS_THEY_ARE or re.search(rf"\\{re.escape(defined)}(?![A-Za-z])", given[-1]):
        return  # itself in its own body: pandoc expands it for ever
    if name.endswith("DocumentCommand"):
        yield from _older(defined, given[1], given[2])
    elif name == "newcommandx":
        default = re.fullmatch(r"\s*1\s*=(.*)", given[3], re.S)
        if default or not given[3]:
            yield _newcommand(defined, given[2], default[1] if default else None, given[4])
    else:
        yield whole.replace("\\newrobustcmd", "\\newcommand", 1)


def _older(defined: str, wanted: str, body: str) -> Iterator[str]:
    r"""A `\NewDocumentCommand` as a `\newcommand`, which has at most one optional argument, the first."""
    found = re.fullmatch(r"\s*(?:o|O\s*\{(?P<default>[^{}]*)\})?\s*(?P<rest>(?:\+?m\s*)*)", wanted)
    if found:
        optional = wanted.lstrip()[:1] in ("o", "O")
        count = found["rest"].count("m") + optional
        yield _newcommand(defined, str(count), (found["default"] or "") if optional else None, body)


def _newcommand(defined: str, count: str, default: str | None, body: str) -> str:
    number = f"[{count}]" if count and count != "0" else ""
    return f"\\newcommand{{\\{defined}}}{number}{'' if default is None else f'[{default}]'}{{{body}}}"


def abstracts(text: str) -> tuple[str, list[str]]:
    r"""`text` without its abstracts, and these, also those that are written `\abstract{...}`."""
    found: list[str] = []
    pieces: list[str] = []
    done = 0
    for mark in _ABSTRACT.finditer(text):
        start, end = mark.span()
        if start < done:
            continue
        whole = mark[0]
        if not whole.startswith("\\begin"):
            start, end = end, group_end(text, end)
            if end < 0:
                continue
            whole = f"\\begin{{abstract}}{text[start + 1 : end - 1]}\\end{{abstract}}"
        found.append(whole)
        pieces.append(text[done : mark.start()])
        done = end
    return "".join([*pieces, text[done:]]), found
