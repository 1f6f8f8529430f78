"""INSPIRE: records as text, full texts below them, searches with more results than can be had, what changed."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest

from assistant.errors import FetchError, SourceError
from assistant.types import PUBLIC
from ingest.connectors.connector import Gone, Listed
from ingest.connectors.inspire import literature as connector_module
from ingest.connectors.inspire.literature import Inspire, InspireOptions
from ingest.connectors.inspire.record import described
from ingest.fetch import Client

_SPEC = spec_from_file_location("inspire_server", Path(__file__).parents[2] / "servers" / "inspire.py")
assert _SPEC
assert _SPEC.loader
server = module_from_spec(_SPEC)
sys.modules["inspire_server"] = server
_SPEC.loader.exec_module(server)

JETS: dict[str, Any] = {
    "titles": [{"title": "Jets in $pp$ &amp; <b>ions</b>", "source": "arXiv"}, {"title": "Other"}],
    "authors": [{"full_name": "Lee, Ada", "emails": ["a@b.c"]}, {"full_name": "Ono, Bo"}],
    "collaborations": [{"value": "ATLAS"}],
    "abstracts": [
        {"value": "<p>We measure jets.</p>", "source": "Springer"},
        {"value": "We measure $p_T$.", "source": "arXiv"},
    ],
    "report_numbers": [{"value": "CERN-EP-2021-001"}],
    "dois": [{"value": "10.1007/JHEP01(2021)001"}, {"value": "10.1007/JHEP01(2021)001", "source": "x"}],
    "arxiv_eprints": [{"value": "2101.00001", "categories": ["hep-ex", "nucl-ex"]}],
    "publication_info": [
        {"journal_title": "JHEP", "journal_volume": "01", "year": 2021, "artid": "001"},
        {
            "journal_title": "JHEP",
            "journal_volume": "02",
            "year": 2022,
            "page_start": "3",
            "page_end": "9",
            "material": "erratum",
        },
    ],
    "document_type": ["article"],
    "keywords": [{"value": "jet: production"}, {"value": "p p"}],
    "earliest_date": "2021-01-04",
    "preprint_date": "2021-01",
    "citation_count": 99,
    "_private_notes": [{"value": "a private note"}],
    "related_records": [{"relation": "predecessor", "record": {"$ref": "https://inspirehep.net/api/literature/7"}}],
    "references": [
        {
            "record": {"$ref": "https://inspirehep.net/api/literature/451647"},
            "reference": {
                "label": "1",
                "authors": [{"full_name": "Maldacena, J."}],
                "title": {"title": "The Large N limit"},
                "publication_info": {
                    "journal_title": "Adv.Theor.Math.Phys.",
                    "journal_volume": "2",
                    "year": 1998,
                    "page_start": "231",
                },
                "dois": ["10.4310/ATMP.1998.v2.n2.a1"],
                "arxiv_eprint": "hep-th/9711200",
            },
        },
        {"reference": {"misc": ["private communication"]}},
        {"raw_refs": [{"schema": "text", "value": "[3]  A. N. Other,  unpublished"}]},
    ],
    "documents": [
        {"key": "aa11", "filename": "jets.pdf", "url": "/api/files/aa11", "fulltext": True},
        {"key": "bb22", "filename": "hidden.pdf", "url": "/api/files/bb22", "fulltext": True, "hidden": True},
        {"key": "cc33", "filename": "cover.pdf", "url": "/api/files/cc33"},
    ],
}


@pytest.fixture
def inspire() -> Iterator[Any]:
    with server.Inspire() as running:
        running.put(100, "2021-01-05", **JETS)
        running.put(200, "2021-02-05", titles=[{"title": "Muons"}], document_type=["thesis"], languages=["fr"])
        running.files["/api/files/aa11"] = ("application/pdf", b"%PDF-1.4 jets")
        yield running


Open = Callable[..., Inspire]


@pytest.fixture
def connect(inspire: Any) -> Iterator[Open]:
    clients: list[Client] = []

    def opened(per_second: float = 1000, burst: int = 1, **options: Any) -> Inspire:
        checked = InspireOptions(
            kind="inspire",
            url=f"http://{inspire.address}",
            allow=(inspire.address,),
            retry_seconds=0.01,
            **{"query": "tc p", **options},
        )
        clients.append(Client(checked, per_second=per_second, burst=burst))
        return Inspire(checked, clients[-1])

    yield opened
    for client in clients:
        client.__exit__(None, None, None)


def listed(connector: Inspire) -> dict[str, Listed]:
    return {item.key: item for item in connector.list()}


def test_a_record_as_text(inspire: Any, connect: Open, tmp_path: Path) -> None:
    connector = connect()
    item = listed(connector)["100"]
    assert (item.access, item.stamp) == (PUBLIC, "2021-01-05T10:00:00.123456+00:00")
    fetched = connector.fetch(item, tmp_path)
    assert fetched.path.read_text().split("\n\n") == [
        "# Jets in $pp$ & ions",
        "ATLAS Collaboration; Lee, Ada; Ono, Bo",
        "Type: article",
        "Published in: JHEP 01 (2021) 001; JHEP 02 (2022) 3-9 (erratum)",
        "Preprint: arXiv:2101.00001 [hep-ex]",
        "DOI: 10.1007/JHEP01(2021)001",
        "Report number: CERN-EP-2021-001",
        "Keywords: jet: production, p p",
        "Predecessor: INSPIRE 7",
        "## Abstract",
        "We measure $p_T$.",
        "## References",
        "[1] Maldacena, J., The Large N limit, Adv.Theor.Math.Phys. 2 (1998) 231, DOI 10.4310/ATMP.1998.v2.n2.a1,"
        " arXiv:hep-th/9711200, INSPIRE 451647",
        "[2] private communication",
        "[3] [3] A. N. Other, unpublished\n",
    ]
    assert (fetched.title, fetched.authors) == ("Jets in $pp$ & ions", ("ATLAS Collaboration", "Lee, Ada", "Ono, Bo"))
    assert (fetched.created, fetched.modified) == ("2021-01-04", "2021-01-05T10:00:00.123456+00:00")
    assert (fetched.language, fetched.status) == ("en", "")
    assert fetched.url == f"http://{inspire.address}/literature/100"
    inspire.put(100, "2021-03-01", **{**JETS, "citation_count": 100})
    (tmp_path / "again").mkdir()
    assert connector.fetch(item, tmp_path / "again").revision == fetched.revision


def test_full_texts(inspire: Any, connect: Open, tmp_path: Path) -> None:
    connector = connect()
    items = listed(connector)
    assert items.keys() == {"100", "100/fulltext/jets.pdf", "200"}
    fetched = connector.fetch(items["100/fulltext/jets.pdf"], tmp_path)
    assert (fetched.path.read_bytes(), fetched.path.suffix) == (b"%PDF-1.4 jets", ".pdf")
    assert fetched.title == "Jets in $pp$ & ions"
    long = Listed("100/fulltext/jets." + "x" * 300, "", PUBLIC, hint="/api/files/aa11")
    assert connector.fetch(long, tmp_path).path.read_bytes() == b"%PDF-1.4 jets"
    inspire.files["/api/files/aa11"] = ("text/html", b"<html>Sign in</html>")
    with pytest.raises(FetchError, match="came a web page"):
        connector.fetch(items["100/fulltext/jets.pdf"], tmp_path)
    assert listed(connect(full_texts=False)).keys() == {"100", "200"}


@pytest.mark.parametrize(
    ("metadata", "status"),
    [
        ({"withdrawn": True}, "retracted"),
        ({"titles": [{"title": "RETRACTED ARTICLE: Muons"}]}, "retracted"),
        ({"related_records": [{"relation": "successor", "record": {"$ref": "/api/literature/9"}}]}, "superseded"),
        (
            {"related_records": [{"relation_freetext": "Retracted by", "record": {"$ref": "/api/literature/9"}}]},
            "retracted",
        ),
        ({"related_records": [{"relation": "predecessor", "record": {"$ref": "/api/literature/9"}}]}, ""),
    ],
)
def test_status(metadata: dict[str, Any], status: str) -> None:
    assert described({"metadata": {"titles": [{"title": "A"}], **metadata}, "updated": ""}).status == status


def test_a_long_list_of_authors_is_its_collaboration_and_first(inspire: Any) -> None:
    authors = [{"full_name": f"Name{n}, A."} for n in range(3000)]
    record = {"titles": [{"title": "A"}], "authors": authors, "collaborations": [{"value": "CMS"}]}
    assert described({"metadata": record, "updated": ""}).authors == ("CMS Collaboration", "Name0, A.")


def test_records_are_loaded_together(inspire: Any, connect: Open, tmp_path: Path) -> None:
    for number in range(1000, 1100):
        inspire.put(number, "2021-01-05", titles=[{"title": f"Paper {number}"}])
    connector = connect()
    items = [item for item in connector.list() if "/" not in item.key]
    asked = len(inspire.asked)
    connector.prepare(items[:80])
    for item in items[:80]:
        connector.fetch(item, tmp_path)
    assert len(inspire.asked) == asked + 2
    assert (tmp_path / "1050.md").read_text().startswith("# Paper 1050\n")
    assert not any("_private_notes" in path or "emails" in path for _, path in inspire.asked)


def test_a_record_that_was_merged_or_deleted_meanwhile(inspire: Any, connect: Open, tmp_path: Path) -> None:
    connector = connect()
    items = listed(connector)
    inspire.delete(100, into=200)
    inspire.put(300, "2021-01-05", titles=[{"title": "X"}])
    inspire.delete(300)
    for item in (items["100"], Listed("300", "", PUBLIC), Listed("999", "", PUBLIC)):
        with pytest.raises(FetchError) as failed:
            connector.fetch(item, tmp_path)
        assert failed.value.reason == "gone"


@pytest.fixture
def many(inspire: Any, monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """62 records, 5 on a page, at most 20 of one search."""
    monkeypatch.setattr(connector_module, "_PAGE", 5)
    monkeypatch.setattr(connector_module, "_MOST", 20)
    inspire.most = 20
    for number in range(60):
        inspire.put(
            1000 + number, "2026-01-01", created=f"20{number // 3:02}-05-{number % 9 + 1:02}", titles=[{"title": "P"}]
        )
    return set(map(str, inspire.records))


def test_more_records_than_a_search_shows(inspire: Any, connect: Open, many: set[str]) -> None:
    keys = [item.key for item in connect(full_texts=False).list()]
    assert (len(keys), set(keys)) == (62, many)


def test_more_records_of_one_day_than_a_search_shows(inspire: Any, connect: Open, many: set[str]) -> None:
    for number in range(21):
        inspire.put(5000 + number, "2024-07-07", titles=[{"title": "Bulk"}])
    with pytest.raises(SourceError, match="21 results of 2024-07-07, but at most 20"):
        list(connect().list())


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ({"empty_pages": 99}, "it shows 0"),
        ({"lost": {1003}}, "The search announces 62 results"),
        ({"announced_more": 1}, "announces"),
        ({"unavailable": 99}, "answered 502"),
        ({"login": True}, "text/html"),
        ({"most": 10}, "answered 400"),
    ],
)
def test_a_fault_is_never_absence(
    inspire: Any, connect: Open, many: set[str], fault: dict[str, Any], message: str
) -> None:
    vars(inspire).update(fault)
    with pytest.raises(SourceError, match=message):
        list(connect().list())


@pytest.mark.parametrize("body", [{}, [], {"hits": {"total": 1, "hits": [{"metadata": {}}]}}, {"hits": {"hits": []}}])
def test_an_answer_that_is_none(inspire: Any, connect: Open, body: Any) -> None:
    inspire.search = lambda asked: (200, body)
    with pytest.raises(SourceError, match="INSPIRE's answer"):
        list(connect().list())


def test_an_empty_page_is_asked_for_again(inspire: Any, connect: Open, many: set[str]) -> None:
    inspire.empty_pages = 2
    assert {item.key for item in connect(full_texts=False).list()} == many


def test_changes(inspire: Any, connect: Open) -> None:
    connector = connect(query="t jets")
    before = listed(connector)
    assert before.keys() == {"100", "100/fulltext/jets.pdf"}
    inspire.put(300, "2026-11-20", titles=[{"title": "More jets"}])
    inspire.put(100, "2026-11-20", **{**JETS, "documents": []})
    inspire.put(400, "2026-11-20", titles=[{"title": "Taus"}])
    changed = list(connector.changes("2026-11-21", ()) or ())
    assert {change for change in changed if isinstance(change, Gone)} == {
        Gone("100", below=True),
        Gone("300", below=True),
    }
    assert {change.key: change for change in changed if isinstance(change, Listed)} == listed(connector)
    again = list(connector.changes("2026-11-23", ("100/fulltext/jets.pdf", "555")) or ())
    assert [change.key for change in again] == ["100", "555", "100"]
    assert again[:2] == [Gone("100", below=True), Gone("555", below=True)]


def test_the_pace_keeps_within_the_limit(inspire: Any, connect: Open, tmp_path: Path) -> None:
    """Fifteen requests in five seconds are answered; here all is fifty times faster."""
    per_second, burst = Inspire.pace
    assert burst + 5 * per_second <= 15
    connector = connect(per_second=50 * per_second, burst=burst)
    began = time.monotonic()
    items = listed(connector)
    for _ in range(25):
        connector.fetch(items["200"], tmp_path)
    times = [at - began for at, _ in inspire.asked]
    assert len(times) == 26
    assert all(at >= (number + 1 - burst) / (50 * per_second) for number, at in enumerate(times))


def test_too_many_requests_are_repeated(inspire: Any, connect: Open) -> None:
    inspire.limit = (1, 0.03)
    connector = connect()
    assert [listed(connector).keys() for _ in range(2)] == [{"100", "100/fulltext/jets.pdf", "200"}] * 2
    assert inspire.refused


def pdf(text: str) -> bytes:
    """A PDF of one line."""
    stream = f"BT /F1 12 Tf 72 720 Td ({text}) Tj ET".encode()
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents 5 0 R/Resources<</Font<</F1 4 0 R>>>>>>",
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
        b"<</Length %d>>stream\n%s\nendstream" % (len(stream), stream),
    ]
    out, places = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj%s endobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    return out + b"xref\n0 6\n0000000000 65535 f \n%strailer<</Size 6/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF" % (
        table,
        len(out),
    )


def test_a_library_follows_inspire(inspire: Any, desk: Callable[[dict[str, Any]], Any]) -> None:
    d = desk(
        {
            "kind": "inspire",
            "url": f"http://{inspire.address}",
            "query": "t jets",
            "full_hours": 168,
            "readers": ["atlas"],
            "allow": [inspire.address],
            "requests_per_second": 1000,
            "retry_seconds": 0.01,
        }
    )
    today = Inspire.cursor(None)  # type: ignore[arg-type]
    inspire.files["/api/files/aa11"] = ("application/pdf", pdf("Jets are narrow."))
    inspire.put(300, "2021-01-05", titles=[{"title": "Old jets"}], abstracts=[{"value": "Old."}])
    file = "100/fulltext/jets.pdf"
    assert d.outcomes(d.sync()) == {"100": "new", file: "new", "300": "new"}
    assert (d.readable("atlas"), d.readable()) == ({"100", file, "300"}, set())
    assert "Jets are narrow." in d.text(file, "atlas")

    inspire.put(300, today, titles=[{"title": "Renamed jets"}], abstracts=[{"value": "Newer."}])
    inspire.put(400, today, titles=[{"title": "Third jets"}], abstracts=[{"value": "Third."}])
    before = len(inspire.asked)
    assert d.outcomes(d.sync()) == {"300": "changed", "400": "new"}
    assert len(inspire.asked) == before + 2
    assert d.document("300", "atlas")["title"] == "Renamed jets"
    d.like_fresh()

    before = len(inspire.asked)
    assert d.outcomes(d.sync()) == {}
    assert len(inspire.asked) == before + 1

    inspire.put(100, today, **{**JETS, "documents": []})
    assert d.outcomes(d.sync()).pop(file) == "removed"
    assert d.readable("atlas") == {"100", "300", "400"}
    d.like_fresh()

    inspire.put(400, today, titles=[{"title": "Third jets"}], withdrawn=True)
    inspire.dates[400] = (today, "2999-01-01")
    inspire.delete(100, into=300)
    assert d.outcomes(d.sync()) == {"400": "changed"}
    assert d.document("400", "atlas")["status"] == "retracted"
    inspire.unavailable = 99
    assert "502" in d.sync(full=True).sources[0].error
    inspire.unavailable = 0
    assert d.readable("atlas") == {"100", "300", "400"}
    assert d.outcomes(d.sync(full=True)) == {"100": "removed"}
    d.like_fresh()


def test_what_was_deleted_is_gone_with_the_next_sync(inspire: Any, desk: Callable[[dict[str, Any]], Any]) -> None:
    section = {"kind": "inspire", "url": f"http://{inspire.address}", "query": "t jets", "full_texts": False}
    fast = {"allow": [inspire.address], "requests_per_second": 1000, "retry_seconds": 0.01}
    d = desk({**section, **fast, "readers": ["atlas"]})
    inspire.put(300, "2021-01-05", titles=[{"title": "Old jets"}])
    assert d.outcomes(d.sync()) == {"100": "new", "300": "new"}
    inspire.delete(300)
    assert d.outcomes(d.sync()) == {"300": "removed"}
    d.like_fresh()
