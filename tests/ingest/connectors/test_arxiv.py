"""arXiv: LaTeX with its inputs and bibliography, else PDF; feeds that lie, hang or change; what is new since."""

from __future__ import annotations

import gzip
import io
import sys
import tarfile
import time
from collections.abc import Callable, Iterator
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from assistant.errors import FetchError, SourceError
from assistant.settings import IngestSettings, what_is_wrong
from assistant.types import PUBLIC
from ingest.connectors.arxiv import papers as connector_module
from ingest.connectors.arxiv.papers import Arxiv, ArxivOptions
from ingest.connectors.connector import Gone, Listed
from ingest.fetch import Client
from ingest.parse.choose import parse

_SPEC = spec_from_file_location("arxiv_server", Path(__file__).parents[2] / "servers" / "arxiv.py")
assert _SPEC
assert _SPEC.loader
server = module_from_spec(_SPEC)
sys.modules["arxiv_server"] = server
_SPEC.loader.exec_module(server)

PDF = b"%PDF-1.4 stands for a PDF"
MAIN = rb"""\documentclass{jheppub} % \input{not/read}
\usepackage{xspace,detector}
\newcommand{\pt}{\ensuremath{p_{\mathrm{T}}}\xspace}
\makeatletter\def\@inner#1{\expandafter\@gobble}\makeatother
\newcolumntype{L}[1]{>{\raggedright}p{#1}}
\title{Jets}\author{A. B}
\abstract{We measure $\sigma$.}
\begin{document}\maketitle
\input{sections/intro}
\include{sections/results.tex}
\bibliography{refs}
\end{document} nothing here
"""
INTRO = rb"""\section{Introduction}
Jets with $\pt > 20\GeV$~\cite{a} 50\% are % \input{hidden}
measured.
\input{sections/intro}
"""
RESULTS = rb"""\section{Results}
\begin{IEEEeqnarray}{rCl} E &=& mc^2 \label{e} \end{IEEEeqnarray}
\begin{figure*}[t]\subfloat[The barrel.]{\includegraphics{a}}\caption{Response of $\pt$.}\end{figure*}
\begin{table}\resizebox{\textwidth}{!}{%
\begin{tabular}{L{2cm}|D{.}{.}{2}}Bin & Yield \\ \cline{1-2} 1 & 7.5 \\\end{tabular}}
\caption{Yields.}\end{table}
"""
BBL = rb"""\providecommand{\href@noop}[1]{\@secondoftwo}
\begin{thebibliography}{10}%
\makeatletter\providecommand \@ifxundefined [1]{x}%
\bibitem [{\citenamefont {Foo}(2020)}]{a}\BibitemOpen
\bibfield {author} {\bibinfo {author} {\bibfnamefont {F.}~\bibnamefont {Foo}}, }%
\href@noop {} {\emph {JHEP}} (2020)\BibitemShut {NoStop}
\end{thebibliography}
"""


def packed(**files: bytes) -> bytes:
    """A tar.gz of files; `__` in a name is a slash, the last `_` a dot."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name, data in files.items():
            entry = tarfile.TarInfo(".".join(name.replace("__", "/").rsplit("_", 1)))
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return out.getvalue()


def paper(title: str, day: str, **said: Any) -> Any:
    return server.Version(title, f"{day}T10:00:00Z", **said)


@pytest.fixture
def arxiv() -> Iterator[Any]:
    with server.Arxiv() as running:
        running.publish(
            "2101.00001",
            paper(
                "Jets",
                "2021-01-04",
                source=packed(
                    main_tex=MAIN,
                    sections__intro_tex=INTRO,
                    sections__results_tex=RESULTS,
                    main_bbl=BBL,
                    detector_sty=rb"\newcommand{\GeV}{\,\mathrm{GeV}}",
                ),
                doi="10.1007/JHEP01_1",
                journal="JHEP 01 (2021) 1",
                authors=("A. B", "C. D"),
            ),
        )
        running.publish(
            "hep-ex/9901001",
            paper(
                "Old & new",
                "1999-01-05",
                source=gzip.compress(rb"\documentclass{article}\begin{document}Plain $x$ text.\end{document}"),
                abstract="5% of $a_b$ & more",
            ),
        )
        running.publish("2102.00002", paper("Only PDF", "2021-02-01", source=PDF, pdf=PDF))
        yield running


Open = Callable[..., Arxiv]


@pytest.fixture
def connect(arxiv: Any) -> Iterator[Open]:
    clients: list[Client] = []

    def opened(**options: Any) -> Arxiv:
        given = {"query": "cat:hep-ex"} if "ids" not in options else {}
        checked = ArxivOptions(
            kind="arxiv",
            url=f"http://{arxiv.address}",
            allow=(arxiv.address,),
            retry_seconds=0.01,
            requests_per_second=1000,
            **{**given, **options},
        )
        clients.append(Client(checked, per_second=Arxiv.pace[0], burst=Arxiv.pace[1]))
        return Arxiv(checked, clients[-1])

    yield opened
    for client in clients:
        client.__exit__(None, None, None)


def listed(connector: Arxiv) -> dict[str, Listed]:
    return {item.key: item for item in connector.list()}


def text_of(connector: Arxiv, item: Listed, folder: Path) -> str:
    folder.mkdir()
    return parse(connector.fetch(item, folder).path, IngestSettings()).text


def test_a_paper_is_its_latex_as_one_text(connect: Open, tmp_path: Path) -> None:
    connector = connect()
    item = listed(connector)["2101.00001"]
    assert item.access == PUBLIC
    fetched = connector.fetch(item, tmp_path)
    assert (fetched.path.name, fetched.title, fetched.authors) == ("paper.tex", "Jets", ("A. B", "C. D"))
    assert (fetched.url, fetched.revision) == ("https://arxiv.org/abs/2101.00001v1", item.stamp)
    assert (fetched.created, fetched.modified) == ("2021-01-04T10:00:00Z", "2021-01-04T10:00:00Z")
    assert (fetched.language, fetched.status) == ("en", "")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["paper.tex", "source"]
    blocks = parse(fetched.path, IngestSettings()).text.split("\n\n")
    assert [" ".join(block.replace("-", "").split()) for block in blocks] == [
        "# Jets",
        "A. B",
        "# Abstract",
        "We measure $\\sigma$.",
        "arXiv:2101.00001v1, JHEP 01 (2021) 1, DOI 10.1007/JHEP01_1.",
        "# Introduction",
        "Jets with $p_{\\mathrm{T}}> 20\\,\\mathrm{GeV}$ [@a] 50% are measured.",
        "# Results",
        "$$\\begin{align} E &=& mc^2 \\label{e} \\end{align}$$",
        "The barrel.",
        "Response of $p_{\\mathrm{T}}$.",
        "| Bin | Yield | ||| | 1 | 7.5 |",
        "Yields.",
        "# References",
        "a: F. Foo, *JHEP* (2020)",
    ]


def test_one_packed_file_and_the_abstract_of_the_feed(connect: Open, tmp_path: Path) -> None:
    connector = connect(ids=("hep-ex/9901001",))
    items = listed(connector)
    assert list(items) == ["hep-ex/9901001"]
    text = text_of(connector, items["hep-ex/9901001"], tmp_path / "x")
    assert text.split("\n\n") == ["# Abstract", "5% of $a_b$ & more", "arXiv:hep-ex/9901001v1.", "Plain $x$ text."]


@pytest.mark.parametrize(
    "source",
    [
        PDF,
        gzip.compress(PDF),
        b"%!PS-Adobe",
        packed(paper_pdf=PDF),
        packed(a_tex=rb"\input amstex \bye"),
        b"\x1f\x8bcut",
        None,
        packed(a_tex=rb"\documentclass{a}\begin{document}\input{gone}\end{document}"),
        packed(**{"..__a_tex": MAIN}),
    ],
    # What is packed holds the time, so two workers would not name the same tests.
    ids=["pdf", "packed pdf", "postscript", "archive of a pdf", "plain tex", "cut", "nothing", "input gone", "outside"],
)
def test_what_is_no_whole_latex_is_read_as_pdf(arxiv: Any, connect: Open, tmp_path: Path, source: bytes | None) -> None:
    arxiv.publish("2105.00005", paper("P", "2021-05-05", source=source, pdf=PDF))
    connector = connect()
    item = listed(connector)["2105.00005"]
    fetched = connector.fetch(item, tmp_path)
    assert fetched.path.read_bytes() == PDF
    assert (fetched.path.suffix, fetched.revision) == (".pdf", f"{item.stamp}-pdf")


@pytest.mark.parametrize("encoding", ["gzip", "x-gzip"])
def test_a_source_that_is_decoded_on_the_way_or_is_not(
    arxiv: Any, connect: Open, tmp_path: Path, encoding: str
) -> None:
    arxiv.publish("2105.00005", paper("P", "2021-05-05", source=packed(a_tex=MAIN), source_encoding=encoding))
    arxiv.publish(
        "2105.00006",
        paper(
            "P",
            "2021-05-05",
            source_encoding=encoding,
            source=gzip.compress(rb"\documentclass{article}\begin{document}One file.\end{document}"),
        ),
    )
    arxiv.papers["2105.00005"][0] = paper(
        "P",
        "2021-05-05",
        source_encoding=encoding,
        source=packed(
            a_tex=rb"\documentclass{article}\begin{document}Text \input{b}\end{document}", b_tex=b"and more."
        ),
    )
    connector = connect()
    items = listed(connector)
    assert text_of(connector, items["2105.00005"], tmp_path / "a").endswith("Text and more.")
    assert text_of(connector, items["2105.00006"], tmp_path / "b").endswith("One file.")


def test_the_pdf_stands_in_for_latex_that_cannot_be_parsed(arxiv: Any, connect: Open, tmp_path: Path) -> None:
    arxiv.publish(
        "2105.00005",
        paper(
            "P",
            "2021-05-05",
            source=packed(a_tex=rb"\documentclass{article}\begin{document}{\begin{x}\end{document}"),
            pdf=PDF,
        ),
    )
    connector = connect()
    item = listed(connector)["2105.00005"]
    assert connector.fetch(item, tmp_path).path.suffix == ".tex"
    other = connector.fetch_instead(item, tmp_path)
    assert other
    assert (other.path.read_bytes(), other.title) == (PDF, "P")


def test_a_withdrawn_paper_is_retracted(arxiv: Any, connect: Open, tmp_path: Path) -> None:
    first = paper("Wrong", "2021-05-05", source=packed(a_tex=MAIN), abstract="We err.")
    arxiv.publish("2105.00005", first)
    connector = connect()
    before = listed(connector)["2105.00005"]
    arxiv.publish(
        "2105.00005",
        paper("Wrong", "2021-06-05", comment="This paper has been withdrawn: eq. (2) is wrong", abstract="We err."),
    )
    item = listed(connector)["2105.00005"]
    assert item.stamp != before.stamp
    fetched = connector.fetch(item, tmp_path)
    assert (fetched.status, fetched.url) == ("retracted", "https://arxiv.org/abs/2105.00005v2")
    assert fetched.path.read_text() == (
        "# Wrong\n\nA. Author\n\nThis paper was withdrawn: This paper has been withdrawn: eq. (2) is wrong\n\n"
        "arXiv:2105.00005v2.\n\n## Abstract\n\nWe err.\n"
    )


def test_a_paper_that_only_mentions_a_withdrawal_is_none(arxiv: Any, connect: Open, tmp_path: Path) -> None:
    text = rb"\documentclass{article}\begin{document}" + b"Long text. " * 400 + rb"\end{document}"
    said = "supersedes a paper that was withdrawn by us"
    arxiv.publish("2105.00005", paper("R", "2021-05-05", source=gzip.compress(text), comment=said))
    arxiv.publish(
        "2105.00006",
        paper(
            "W",
            "2021-05-05",
            comment="withdrawn by the author",
            pdf=PDF,
            source=gzip.compress(
                rb"\documentclass{article}\begin{document}This paper has been withdrawn.\end{document}"
            ),
        ),
    )
    connector = connect()
    items = listed(connector)
    for key, status in (("2105.00005", ""), ("2105.00006", "retracted")):
        (tmp_path / key).mkdir()
        assert connector.fetch(items[key], tmp_path / key).status == status


def test_a_source_that_is_gone_without_a_word_is_no_retraction(arxiv: Any, connect: Open, tmp_path: Path) -> None:
    arxiv.publish("2105.00005", paper("P", "2021-05-05"))
    connector = connect()
    with pytest.raises(FetchError, match="answered 404") as failed:
        connector.fetch(listed(connector)["2105.00005"], tmp_path)
    assert failed.value.reason == "gone"


def test_a_robot_check_is_no_source(arxiv: Any, connect: Open, tmp_path: Path) -> None:
    connector = connect()
    item = listed(connector)["2101.00001"]
    arxiv.login = True
    with pytest.raises(FetchError) as failed:
        connector.fetch(item, tmp_path)
    assert failed.value.reason == "not_content"
    with pytest.raises(SourceError, match="text/html"):
        listed(connector)


@pytest.fixture
def many(arxiv: Any, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """47 papers in all, five on a page, at most 20 of one search."""
    monkeypatch.setattr(connector_module, "_PAGE", 5)
    monkeypatch.setattr(connector_module, "_MOST", 20)
    for number in range(44):
        day = f"2022-{number // 8 + 1:02}-{number % 8 + 1:02}"
        arxiv.publish(f"2203.{number:05}", paper(f"P{number}", day))
    return sorted(arxiv.papers)


def test_more_papers_than_a_search_shows_are_listed_by_periods(arxiv: Any, connect: Open, many: list[str]) -> None:
    keys = [item.key for item in connect().list()]
    assert sorted(keys) == many
    assert any("submittedDate" in path for _, path in arxiv.asked)


def test_a_page_that_comes_empty_is_asked_for_again(arxiv: Any, connect: Open, many: list[str]) -> None:
    arxiv.empty_pages = 2
    assert sorted(item.key for item in connect().list()) == many


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ({"empty_pages": 99}, "from number 5 on it shows 0"),
        ({"announced_more": 3}, "announces"),
        ({"cut": True}, "no XML"),
        ({"unavailable": 99}, "answered 503"),
    ],
)
def test_a_fault_is_never_absence(
    arxiv: Any, connect: Open, many: list[str], fault: dict[str, Any], message: str
) -> None:
    vars(arxiv).update(fault)
    with pytest.raises(SourceError, match=message):
        list(connect().list())


def test_a_refused_query_says_why(arxiv: Any, connect: Open) -> None:
    connector = connect()
    arxiv.query = lambda asked: server._error("bad query")
    with pytest.raises(SourceError, match="arXiv refuses the query: bad query"):
        list(connector.list())


def test_the_server_asks_for_patience(arxiv: Any, connect: Open) -> None:
    arxiv.unavailable, arxiv.retry_after = 2, "0"
    assert len(listed(connect())) == 3


def test_changes(arxiv: Any, connect: Open) -> None:
    connector = connect()
    cursor = connector.cursor()
    before = listed(connector)
    assert list(connector.changes(cursor, ()) or ()) == []
    arxiv.publish("2101.00001", paper("Jets again", f"{cursor}"))
    arxiv.publish("2999.00001", paper("New", f"{cursor}"))
    arxiv.publish("2999.00002", paper("Elsewhere", f"{cursor}", categories=("math.NT",)))
    arxiv.amend("2102.00002", journal="PRL 1 (2021) 2")
    arxiv.amend("hep-ex/9901001", categories=("hep-ph",))
    asked = len(arxiv.asked)
    found = {change.key: change for change in connector.changes(cursor, ("2102.00002", "hep-ex/9901001")) or ()}
    assert len(arxiv.asked) == asked + 1 + 3  # that one of two is missing is said three times
    assert found.keys() == {"2101.00001", "2999.00001", "2102.00002", "hep-ex/9901001"}
    assert found["hep-ex/9901001"] == Gone("hep-ex/9901001")
    after = listed(connector)
    assert after.keys() == {"2101.00001", "2999.00001", "2102.00002"}
    assert all(found[key] == after[key] for key in after)
    assert all(found[key].stamp != before[key].stamp for key in ("2101.00001", "2102.00002"))


def test_too_many_changes_are_listed(connect: Open, many: list[str]) -> None:
    assert connect().changes("2021-02-01", ()) is None
    assert connect(ids=("2101.00001",)).changes("2021-02-01", ()) is None


def test_numbers_are_listed_a_hundred_at_a_time(arxiv: Any, connect: Open) -> None:
    numbers = tuple(f"2203.{number:05}" for number in range(250))
    for number in numbers[:240]:
        arxiv.publish(number, paper(number, "2022-03-01"))
    assert tuple(listed(connect(ids=numbers))) == numbers[:240]
    assert len(arxiv.asked) == 2 + 3  # that papers are missing is believed only when it is said again and again


def test_an_answer_that_lacks_papers_is_asked_for_again(arxiv: Any, connect: Open) -> None:
    numbers = ("2101.00001", "2102.00002", "hep-ex/9901001")
    connector = connect(ids=numbers)
    arxiv.without = {1: numbers, 2: numbers[:1]}
    assert tuple(listed(connector)) == numbers
    arxiv.without = {-1: numbers[:1], 4: numbers[1:]}
    assert tuple(listed(connector)) == numbers[1:]
    arxiv.without = {-1: numbers}
    with pytest.raises(SourceError, match=r"none of 3 papers, of which 2101\.00001"):
        listed(connector)


def test_the_pace_is_kept(arxiv: Any) -> None:
    """One request in three seconds, all a hundred times faster."""
    for number in range(250):
        arxiv.publish(f"2203.{number:05}", paper("P", "2022-03-01"))
    options = ArxivOptions(kind="arxiv", url=f"http://{arxiv.address}", allow=(arxiv.address,), query="cat:hep-ex")
    assert Arxiv.pace == (1 / 3, 1)
    assert Arxiv.at_once == 1
    began = time.monotonic()
    with Client(options, per_second=100 * Arxiv.pace[0], burst=Arxiv.pace[1]) as client:
        connector = Arxiv(options, client)
        assert len(listed(connector)) == 253
        list(connector.list())
    times = [at - began for at, _ in arxiv.asked]
    assert len(times) == 4
    assert all(at >= number * 0.03 for number, at in enumerate(times))


@pytest.mark.parametrize(
    "options", [{}, {"query": "a", "ids": ("2101.00001",)}, {"ids": ("2101.00001v2",)}, {"ids": ("x",)}]
)
def test_options(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"query or ids|no arXiv number"):
        ArxivOptions(kind="arxiv", **options)


def test_what_is_wrong_is_said_without_the_value() -> None:
    with pytest.raises(ValidationError) as raised:
        ArxivOptions(kind="arxiv", ids=("2101.00001", "s3cret"))
    said = what_is_wrong(raised.value, ArxivOptions)
    assert said == "number 2 of ids is no arXiv number without version, like 2101.00001 or hep-ex/0307015"


def test_a_library_follows_arxiv(arxiv: Any, desk: Callable[[dict[str, Any]], Any]) -> None:
    def tex(text: str) -> bytes:
        return gzip.compress(rf"\documentclass{{article}}\begin{{document}}{text}\end{{document}}".encode())

    del arxiv.papers["2102.00002"]
    d = desk(
        {
            "kind": "arxiv",
            "url": f"http://{arxiv.address}",
            "query": "cat:hep-ex",
            "readers": ["everyone"],
            "allow": [arxiv.address],
            "requests_per_second": 1000,
            "retry_seconds": 0.01,
        }
    )
    assert d.outcomes(d.sync()) == {"2101.00001": "new", "hep-ex/9901001": "new"}
    today = Arxiv.cursor(None)  # type: ignore[arg-type]
    arxiv.publish("2999.00001", paper("New", today, source=tex("Muons decay.")))
    arxiv.publish("2101.00001", paper("Jets", today, source=tex("Jets are wider."), abstract="Wider."))
    before = len(arxiv.asked)
    assert d.outcomes(d.sync()).keys() == {"2101.00001", "2999.00001"}
    assert sorted(path.split("?")[0] for _, path in arxiv.asked[before:]) == [
        "/api/query",
        "/e-print/2101.00001v2",
        "/e-print/2999.00001v1",
    ]
    assert "Jets are wider." in d.text("2101.00001")
    d.like_fresh()

    before = len(arxiv.asked)
    assert d.outcomes(d.sync()) == {}
    assert len(arxiv.asked) == before + 1

    arxiv.amend("2999.00001", title="Newer", journal="JHEP 1 (2999) 1")
    assert d.outcomes(d.sync()) == {"2999.00001": "changed"}
    assert d.document("2999.00001")["title"] == "Newer"
    assert "JHEP 1 (2999) 1" in d.text("2999.00001")

    arxiv.publish("2999.00001", paper("Newer", today, comment="withdrawn by the authors, muons do not"))
    assert d.outcomes(d.sync()).keys() == {"2999.00001"}
    assert d.document("2999.00001")["status"] == "retracted"
    assert "Muons decay" not in d.text("2999.00001")
    d.like_fresh()

    arxiv.amend("2101.00001", categories=("hep-ph",))
    arxiv.unavailable = 99
    assert "503" in d.sync(full=True).sources[0].error
    assert d.readable() == {"2101.00001", "2999.00001", "hep-ex/9901001"}
    arxiv.unavailable = 0
    assert d.outcomes(d.sync(full=True)) == {"2101.00001": "removed"}
    d.like_fresh()
