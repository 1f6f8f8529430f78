r"""Bibliographies as BibTeX and biber leave them: as a `thebibliography`, which is text."""

from __future__ import annotations

import re
from collections.abc import Iterator

_ENTRY = re.compile(r"\\entry\{([^{}]*)\}\{[^{}]*\}.*?(?=\\endentry|\\entry\{|\Z)", re.S)
_NAMES = re.compile(r"\\name\{(author|editor)\}\{\d+\}\{[^{}]*\}\{%?(.*?)\n\s*\}\s*\n(?=\s*\\)", re.S)
_NAME = re.compile(r"(?m:^)\s*(family|given)=\{((?:[^{}]|\{[^{}]*\})*)\}")
_FIELD = re.compile(r"\\field\{([a-z]+)\}\{((?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*)\}")
_VERBATIM = re.compile(r"\\verb\{([a-z]+)\}\s*\\verb ([^\n]*)\n")
_SPELLED = (
    (re.compile(r"\\bib(?:name|init)delim[a-z]\s*"), "~"),
    (re.compile(r"\\bibinitperiod\s*"), "."),
    (re.compile(r"\\bibrangedash\s*"), "--"),
)


def as_bibliography(text: str) -> str:
    r"""The content of a `.bbl` file as a `thebibliography`; what biber made for biblatex is spelled out."""
    if "\\entry{" not in text:
        _, begin, entries = text.partition("\\begin{thebibliography}")
        return begin + entries if begin else text
    for macro, spelled in _SPELLED:
        text = macro.sub(spelled, text)
    entries = "\n".join(_items(text))
    return f"\\begin{{thebibliography}}{{}}\n{entries}\n\\end{{thebibliography}}\n"


def _items(text: str) -> Iterator[str]:
    seen = set()
    for entry in _ENTRY.finditer(text):
        if entry[1] in seen:
            continue  # a second sorting of the same entries
        seen.add(entry[1])
        fields = {
            **dict(_FIELD.findall(entry[0])),
            **{name: value.strip() for name, value in _VERBATIM.findall(entry[0])},
        }
        title = fields.get("title", "")
        place = " ".join(filter(None, (fields.get(name) for name in ("journaltitle", "booktitle", "volume"))))
        when = fields.get("year", "")
        parts = [
            _people(entry[0]),
            f"\\emph{{{title}}}" if title else "",
            " ".join(filter(None, (place, f"({when})" if when else "", fields.get("pages", "")))),
            fields.get("doi", "").replace("_", "\\_"),
            f"arXiv:{fields['eprint']}" if fields.get("eprint") else "",
            fields.get("note", ""),
        ]
        yield f"\\bibitem{{{entry[1]}}} {', '.join(filter(None, parts))}."


def _people(entry: str) -> str:
    """The authors of an entry, else its editors."""
    lists: dict[str, str] = dict(_NAMES.findall(entry))
    names: list[str] = []
    given = ""
    for part, value in _NAME.findall(lists.get("author") or lists.get("editor") or ""):
        if part == "family":
            names.append(value)
        else:
            given = value
            names[-1:] = [f"{given} {names[-1]}" if names else given]
    return ", ".join(names)
