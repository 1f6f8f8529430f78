"""What arXiv's Atom feed says of a paper, and how that goes with its text."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assistant.errors import SourceError
from ingest.connectors.connector import Fetched

_SPACES = {
    "a": "http://www.w3.org/2005/Atom",
    "o": "http://a9.com/-/spec/opensearch/1.1/",
    "x": "http://arxiv.org/schemas/atom",
}
_NUMBER = re.compile(r"arxiv\.org/abs/(?P<key>.+?)(?:v(?P<version>\d+))?$")
_WITHDRAWN = re.compile(
    r"^\W*withdrawn\b|\b(?:paper|article|manuscript|submission|preprint|work|version|it|been)\b[^.;]{0,30}\bwithdrawn\b"
    r"|\bwithdrawn (?:by|due|because|for|as|since|from arxiv)\b",
    re.I,
)


@dataclass(frozen=True, slots=True)
class Paper:
    """A paper in its newest version. `number` has the version, `key` has not; dates are ISO 8601."""

    key: str
    version: int
    title: str
    authors: tuple[str, ...]
    abstract: str
    comment: str
    journal: str
    doi: str
    created: str
    modified: str

    @property
    def number(self) -> str:
        return f"{self.key}v{self.version}"

    @property
    def url(self) -> str:
        return f"https://arxiv.org/abs/{self.number}"

    @property
    def says_withdrawn(self) -> bool:
        """Whether the comment says that it was withdrawn: it was, if besides it has no text any more."""
        return bool(_WITHDRAWN.search(self.comment))

    @property
    def revision(self) -> str:
        """The version, and what else was said of it: a journal or DOI comes without a new version."""
        said = "\0".join((self.title, *self.authors, self.abstract, self.comment, self.journal, self.doi))
        return f"v{self.version}-{hashlib.sha256(said.encode()).hexdigest()[:8]}"

    def fetched(self, path: Path, form: str = "") -> Fetched:
        """The content in `path`, which is in another form than LaTeX if one is named."""
        return Fetched(
            path,
            f"{self.revision}-{form}" if form else self.revision,
            self.url,
            title=self.title,
            authors=self.authors,
            created=self.created,
            modified=self.modified,
            language="en",
        )

    def headed(self, latex: str) -> str:
        """`latex` with where the paper appeared in front of its text, and with its abstract if it has none."""
        head = f"{_escaped(self._appeared())}\n\n"
        if self.abstract and not re.search(r"\\begin\s*\{abstract\}|\\abstract\s*\{", latex):
            head = f"\\begin{{abstract}}\n{_escaped(self.abstract)}\n\\end{{abstract}}\n{head}"
        before, begin, after = latex.partition("\\begin{document}")
        return f"{before}{begin}\n{head}{after}"

    def notice(self) -> str:
        """A withdrawn paper as Markdown."""
        return (
            f"# {self.title}\n\n{', '.join(self.authors)}\n\nThis paper was withdrawn: {self.comment}\n\n"
            f"{self._appeared()}\n\n## Abstract\n\n{self.abstract}\n"
        )

    def _appeared(self) -> str:
        said = [f"arXiv:{self.number}", self.journal, f"DOI {self.doi}" if self.doi else ""]
        return ", ".join(filter(None, said)) + "."


def read_feed(body: bytes) -> tuple[int, list[Paper]]:
    """How many results there are in all, and those of this page.

    Raises SourceError where the answer is no feed, or says that something was wrong with the question.
    """
    from lxml import etree

    try:
        feed = etree.fromstring(body, etree.XMLParser(resolve_entities=False, no_network=True))
    except etree.XMLSyntaxError as error:
        raise SourceError(f"arXiv's answer is no XML: {error}. Nothing was removed; it will be tried again.") from error
    total = feed.findtext("o:totalResults", "", _SPACES).strip()
    if etree.QName(feed).localname != "feed" or not total.isdecimal():
        raise SourceError("arXiv's answer does not say how many papers there are. It will be tried again.")
    return int(total), [_paper(entry) for entry in feed.findall("a:entry", _SPACES)]


def _paper(entry: Any) -> Paper:
    def text(name: str) -> str:
        return " ".join(entry.findtext(name, "", _SPACES).split())

    found = _NUMBER.search(text("a:id"))
    if not found:
        raise SourceError(f"arXiv refuses the query: {text('a:summary') or text('a:title') or text('a:id')}")
    return Paper(
        key=found["key"],
        version=int(found["version"] or 1),
        title=text("a:title"),
        authors=tuple(" ".join(name.text.split()) for name in entry.findall("a:author/a:name", _SPACES) if name.text),
        abstract=text("a:summary"),
        comment=text("x:comment"),
        journal=text("x:journal_ref"),
        doi=text("x:doi"),
        created=text("a:published"),
        modified=text("a:updated"),
    )


def _escaped(text: str) -> str:
    r"""Words of the feed, which have LaTeX's mathematics but not its care for `%`, `&`, `#` and `_`, within LaTeX."""
    pieces = re.split(r"(\$[^$]*\$)", text)
    return "".join(piece if number % 2 else _plain(piece) for number, piece in enumerate(pieces))


def _plain(text: str) -> str:
    return (
        re.sub(r"(?<!\\)([%&#_$])", r"\\\1", text)
        if text.count("{") == text.count("}")
        else re.sub(r"[\\{}$%&#_^~]", " ", text)
    )
