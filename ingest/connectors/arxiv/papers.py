"""arXiv: what a query finds, or papers by their numbers; as LaTeX where the authors gave it, else as PDF.

[sources.papers]
kind = "arxiv"
query = "cat:hep-ex AND abs:calorimeter"
readers = ["everyone"]

One request every three seconds over one connection is what arXiv allows all machines of a project together.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import ClassVar, Literal, Self

from pydantic import model_validator

from assistant.errors import FetchError, ParseError, SourceError
from assistant.types import PUBLIC
from ingest.connectors.arxiv.feed import Paper, read_feed
from ingest.connectors.connector import Connector, Fetched, Gone, Listed
from ingest.connectors.options import WebOptions
from ingest.connectors.results import Page, Period, every, full_page
from ingest.fetch import XML, Client
from ingest.fetch.archive import unpack

_PAGE = 200
_MOST = 10_000
_IDS = 100
_FIRST_DAY = date(1991, 1, 1)
_OVERLAP = timedelta(days=30)
"""A paper that was held by the moderators shows up with the date on which it was submitted."""
_MOST_MB, _MOST_FILES = 300, 5000
_SHORT = 3000
"""Characters; what calls itself withdrawn and is no longer, is no paper."""


class ArxivOptions(WebOptions):
    """`query` in the API's language, or `ids`."""

    kind: Literal["arxiv"]
    url: str = "https://export.arxiv.org"
    query: str = ""
    """Such as `cat:hep-ex AND abs:calorimeter`, see https://info.arxiv.org/help/api/user-manual.html"""
    ids: tuple[str, ...] = ()
    """Papers by number: "2101.00001", "hep-ex/0307015"."""

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if bool(self.query.strip()) == bool(self.ids):
            raise ValueError("give either query or ids")
        for place, number in enumerate(self.ids, 1):
            if not re.fullmatch(r"\d{4}\.\d{4,5}|[a-z-]+/\d{7}", number):
                raise ValueError(
                    f"number {place} of ids is no arXiv number without version, like 2101.00001 or hep-ex/0307015"
                )
        return self


class Arxiv(Connector):
    """The newest version of each paper; keys are numbers without version."""

    pace: ClassVar[tuple[float, int]] = (1 / 3, 1)
    at_once: ClassVar[int] = 1
    has_rules: ClassVar[bool] = False
    full_hours: ClassVar[float] = 24 * 14

    def __init__(self, options: ArxivOptions, client: Client) -> None:
        self._url = options.url.rstrip("/")
        self._query = options.query.strip()
        self._ids = tuple(dict.fromkeys(options.ids))
        self._client = client
        self.root = f"arxiv {self._url}"

    def cursor(self) -> str:
        return datetime.now(UTC).date().isoformat()

    def list(self) -> Iterator[Listed]:
        if self._ids:
            for paper in self._by_numbers(self._ids, ""):
                yield _listed(paper)
            return

        def ask(period: Period | None, start: int) -> Page[Paper]:
            query = self._query
            if period:
                query = f"({query}) AND submittedDate:[{period[0]:%Y%m%d}0000 TO {period[1]:%Y%m%d}2359]"
            asked = {"search_query": query, "sortBy": "submittedDate", "sortOrder": "ascending"}
            return self._page(asked, None, start)

        today = datetime.now(UTC).date() + timedelta(1)
        for _, paper in every(ask, size=_PAGE, most=_MOST, period=(_FIRST_DAY, today)):
            yield _listed(paper)

    def changes(self, since: str, again: Collection[str]) -> Iterator[Listed | Gone] | None:
        if self._ids:
            return None
        found = self._updated_since(date.fromisoformat(since) - _OVERLAP)
        if found is None:
            return None
        missing = [key for key in again if key not in found]
        found.update((paper.key, paper) for paper in self._by_numbers(missing, self._query))
        changed: list[Listed | Gone] = [Gone(key) for key in missing if key not in found]
        changed += map(_listed, found.values())
        return iter(changed)

    def fetch(self, item: Listed, folder: Path) -> Fetched:
        paper: Paper = item.hint
        try:
            return self._latex(paper, folder) or self._pdf(paper, folder)
        except FetchError as error:
            if error.reason != "gone" or not paper.says_withdrawn:
                raise
        path = folder / "paper.md"
        path.write_text(paper.notice(), encoding="utf-8")
        return replace(paper.fetched(path, form="withdrawn"), status="retracted")

    def fetch_instead(self, item: Listed, folder: Path) -> Fetched | None:
        paper: Paper = item.hint
        return self._pdf(paper, folder)

    def _latex(self, paper: Paper, folder: Path) -> Fetched | None:
        """The source as one file; None where it is no LaTeX, or not all of it is there."""
        source = folder / "source"
        try:
            self._client.download(f"{self._url}/e-print/{paper.number}", source)
        except FetchError as error:
            if error.reason != "gone":
                raise
            return None
        start = source.read_bytes()[:4096]
        if re.match(rb"\s*<(!doctype html|html)", start, re.I):
            raise FetchError("not_content", f"instead of the source of {paper.number} came a web page")
        text = None if start.startswith((b"%PDF", b"%!PS")) else _one_file(source)
        if text is None:
            return None
        if paper.says_withdrawn and len(text) < _SHORT:
            raise FetchError("gone", f"the source of {paper.number} only says that it was withdrawn")
        path = folder / "paper.tex"
        path.write_text(paper.headed(text), encoding="utf-8", errors="replace")
        return paper.fetched(path)

    def _pdf(self, paper: Paper, folder: Path) -> Fetched:
        path = folder / "paper.pdf"
        self._client.download(f"{self._url}/pdf/{paper.number}", path, accept=("application/pdf",))
        return paper.fetched(path, form="pdf")

    def _by_numbers(self, numbers: Collection[str], query: str) -> Iterator[Paper]:
        """Those of the papers that are there, and match `query`. Raises SourceError where none of a hundred is there,
        since arXiv takes no paper away."""
        ordered = list(numbers)
        for start in range(0, len(ordered), _IDS):
            part = ordered[start : start + _IDS]
            asked = {"id_list": ",".join(part), **({"search_query": query} if query else {})}
            page = full_page(partial(self._page, asked), None, 0, _IDS, least=len(part))
            if not page.results and not query:
                raise SourceError(
                    f"arXiv shows none of {len(part)} papers, of which {part[0]} is the first. Nothing was removed. "
                    "Are the numbers in `ids` right?"
                )
            if strangers := page.results.keys() - set(part):
                raise SourceError(f"arXiv was asked for {len(part)} papers and answered with another, {min(strangers)}")
            yield from page.results.values()

    def _updated_since(self, since: date) -> dict[str, Paper] | None:
        """The papers of the query that have a new version, the newest first; None where these are too many to page."""

        asked = {"search_query": self._query, "sortBy": "lastUpdatedDate", "sortOrder": "descending"}
        found: dict[str, Paper] = {}
        for start in range(0, _MOST, _PAGE):
            page = full_page(partial(self._page, asked), None, start, _PAGE)
            for key, paper in page.results.items():
                if paper.modified[:10] < since.isoformat():
                    return found
                found[key] = paper
            if start + _PAGE >= page.total:
                return found
        return None

    def _page(self, asked: Mapping[str, str], period: Period | None, start: int) -> Page[Paper]:
        size = _IDS if "id_list" in asked else _PAGE
        params: dict[str, str | int] = {**asked, "start": start, "max_results": size}
        answer = self._client.get(f"{self._url}/api/query", params, accept=XML)
        total, papers = read_feed(answer.body)
        return Page(total, {paper.key: paper for paper in papers})


def _one_file(source: Path) -> str | None:
    """The LaTeX in a packed source; None where there is none, or a part of it is missing."""
    from ingest.parse.latex_source import flatten

    with TemporaryDirectory(dir=source.parent) as made:
        folder = Path(made)
        try:
            unpack(source, folder, most_mb=_MOST_MB, most_files=_MOST_FILES)
        except ParseError as error:
            if error.reason != "unsupported":
                return None
            shutil.copy(source, folder / "paper.tex")  # neither tar nor gzip: one file as it stands
        try:
            flat = flatten(folder)
        except ParseError:
            return None
    return None if flat.missing else flat.text


def _listed(paper: Paper) -> Listed:
    return Listed(paper.key, paper.revision, PUBLIC, hint=paper)
