r"""The files of a LaTeX source as one: the main file, with what it reads by `\input` and the like in its place.

Only files below the folder are read, whatever name is asked for.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from assistant.errors import ParseError
from ingest.parse.bbl import as_bibliography
from ingest.parse.decode import decode
from ingest.parse.latex_preamble import definitions
from ingest.parse.latex_tokens import VERBATIM, arguments, uncommented

_BEGIN, _END = "\\begin{document}", "\\end{document}"
_CLASS = re.compile(r"\\document(?:class|style)\b")
_SUFFIXES = {".tex", ".ltx", ".latex", ".txt", ""}
_MOST_CHARACTERS = 20_000_000
_DEEPEST = 30
_READS = re.compile(
    rf"{VERBATIM}|"
    r"\\(?P<include>input|include|subfile|subfileinclude|@input|InputIfFileExists)(?![A-Za-z])"
    r"|\\(?P<from>import|subimport|includefrom|subincludefrom|inputfrom|subinputfrom)(?![A-Za-z])\*?"
    r"|\\(?P<package>usepackage|RequirePackage)(?![A-Za-z])"
    r"|\\(?P<references>bibliography|printbibliography)(?![A-Za-z])",
    re.S,
)
_BARE = re.compile(r"[ \t]+([^\s\\{}]+)")


@dataclass(frozen=True, slots=True)
class Flat:
    """A source as one file. `missing` are the names of files that its body asks for and that are not there."""

    text: str
    missing: tuple[str, ...]


def flatten(folder: Path, main: Path | None = None) -> Flat:
    """The LaTeX source in `folder` as one file without comments, with its bibliography. `main` is found if not given.

    Raises ParseError: "unsupported" where there is no LaTeX, "too_large" where its parts add up to too much.
    """
    reading = _Reading(folder)
    first, *more = [main] if main else main_files(folder)
    text = reading.whole(first)
    for path in more:  # a supplement, which arXiv sets behind the paper
        text = f"{text.partition(_END)[0]}\n\n{_body(reading.whole(path))}\n{_END}\n"
    return Flat(text, tuple(dict.fromkeys(reading.missing)))


def main_files(folder: Path) -> list[Path]:
    """The files that are set by themselves, the paper first: those that `00README` names, else the likeliest one.

    Raises ParseError("unsupported") where none is LaTeX.
    """
    texts = {path: uncommented(text) for path, text in _texts(folder)}
    whole = [path for path, text in texts.items() if _CLASS.search(text) and _BEGIN in text]
    if not whole:
        raise ParseError("unsupported", "no file of it is a LaTeX document")
    named = [path for path in _named(folder) if path in whole]
    return named or [max(whole, key=lambda path: _likelihood(path, folder, texts))]


def _texts(folder: Path) -> Iterator[tuple[Path, str]]:
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in _SUFFIXES and path.is_file() and path.stat().st_size < _MOST_CHARACTERS:
            try:
                yield path, decode(path.read_bytes())
            except ParseError:
                continue  # a binary file without a suffix


def _likelihood(path: Path, folder: Path, texts: dict[Path, str]) -> tuple[bool, int, bool, bool, int]:
    """By what a main file is known: no other file reads it, it stands high, its name, its bibliography, its length."""
    stem = re.escape(path.stem)
    read = re.compile(rf"\\(?:input|include|subfile)\s*\{{[^{{}}]*\b{stem}(?:\.tex)?\s*\}}")
    alone = not any(read.search(text) for other, text in texts.items() if other != path)
    depth = len(path.relative_to(folder).parts)
    named = path.stem.lower() in ("main", "ms", "paper", "article", "manuscript")
    return alone, -depth, named, path.with_suffix(".bbl").exists(), len(texts[path])


def _named(folder: Path) -> list[Path]:
    """The main files that a `00README` names, which arXiv makes of every submission, or its author made."""
    names: list[str] = []
    try:
        for path in sorted(folder.glob("00[Rr][Ee][Aa][Dd][Mm][Ee]*")):
            text = decode(path.read_bytes())
            if path.suffix == ".json":
                sources = json.loads(text).get("sources", [])
                names += [s["filename"] for s in sources if s.get("usage", "toplevel") == "toplevel"]
            else:
                names += re.findall(r"^\s*(\S+)\s+toplevelfile\b", text, re.M)
    except (ParseError, ValueError, TypeError, AttributeError, KeyError):
        return []  # it helps to choose, and is not needed
    return [found for name in names if (found := _inside(folder, folder, str(name), ""))]


def _inside(folder: Path, near: Path, name: str, suffix: str) -> Path | None:
    """The file that `name` means, read from the folder `near`; None if there is none below `folder`."""
    for base in (folder, near):
        for spelled in (name + suffix, name):
            try:
                path = (base / spelled).resolve()
                if path.is_relative_to(folder.resolve()) and path.is_file():
                    return path
            except (OSError, ValueError):
                continue  # too long, or with a null byte
    return None


class _Reading:
    """One pass over a source."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self.missing: list[str] = []
        self._open: list[Path] = []
        self._read = 0
        self._main = self.folder
        self._in_body = False

    def whole(self, path: Path) -> str:
        self._main, self._in_body = path.resolve(), False
        return self._file(self._main)

    def _file(self, path: Path) -> str:
        text = uncommented(decode(path.read_bytes()))
        self._read += len(text)
        if self._read > _MOST_CHARACTERS:
            raise ParseError(
                "too_large", f"its files add up to more than {_MOST_CHARACTERS / 1e6:g} million characters"
            )
        text = _body(text) if self._open else "".join(text.partition(_END)[:2])
        self._open.append(path)
        try:
            return "".join(self._parts(text.partition("\\endinput")[0], path.parent))
        finally:
            self._open.pop()

    def _parts(self, text: str, near: Path) -> Iterator[str]:
        """`text` with the files that it reads, each in its place."""
        done = 0
        for command in _READS.finditer(text):
            if command.start() < done or not command.lastgroup:
                continue
            yield text[done : command.start()]
            self._in_body = self._in_body or _BEGIN in text[: command.start()]
            new, done = self._read_by(command, text, near)
            yield new
        yield text[done:]

    def _read_by(self, command: re.Match[str], text: str, near: Path) -> tuple[str, int]:
        """What stands for a command, and where its arguments end."""
        at = command.end()
        if command["references"]:
            found = arguments(text, at, "o" if command[0] == "\\printbibliography" else "m")
            return (self._references(), found[1]) if found else (command[0], at)
        if command["package"]:
            found = arguments(text, at, "om")
            return (
                (self._packages(text[command.start() : found[1]], found[0][1]), found[1]) if found else (command[0], at)
            )
        if command["from"]:
            found = arguments(text, at, "mm")
            return (
                (self._input("/".join(part.strip() for part in found[0]), near), found[1])
                if found
                else (command[0], at)
            )
        if found := arguments(text, at, "m"):
            return self._input(found[0][0].strip().strip('"'), near), found[1]
        bare = _BARE.match(text, at) if command["include"] == "input" else None
        return (self._input(bare[1].strip('"'), near), bare.end()) if bare else (command[0], at)

    def _input(self, name: str, near: Path) -> str:
        path = _inside(self.folder, near, name, ".tex")
        if not path:
            if self._in_body and "\\" not in name and "#" not in name:
                self.missing.append(name)
            return ""
        if path in self._open or len(self._open) > _DEEPEST:
            return ""
        if path.suffix == ".bbl":
            return as_bibliography(decode(path.read_bytes()))
        return f"{self._file(path)}\n"

    def _packages(self, whole: str, names: str) -> str:
        """The macros of those packages that come with the source."""
        found = (_inside(self.folder, self.folder, f"{name.strip()}.sty", "") for name in names.split(","))
        macros = [line for path in found if path for line in _macros(path)]
        return "\n".join([whole, *macros, ""]) if macros else whole

    def _references(self) -> str:
        """The bibliography that BibTeX or biber has made, if it is there; once."""
        own = self._main.with_suffix(".bbl")
        others = sorted(self.folder.rglob("*.bbl"))
        path = own if own.exists() else others[0] if len(others) == 1 else None
        return f"\n{as_bibliography(decode(path.read_bytes()))}\n" if path else ""


def _macros(package: Path) -> list[str]:
    """A package's macros for authors; a style of a journal defines none, but how titles and sections look."""
    text = uncommented(decode(package.read_bytes()))
    return [line for line in definitions(text) if not re.match(r"\\(?:title|subtitle|author|date|let|if|re)", line)]


def _body(text: str) -> str:
    """What stands between the begin and end of the document, if these are there, else all of it."""
    before, begin, after = text.partition(_BEGIN)
    return after.partition(_END)[0] if begin else before
