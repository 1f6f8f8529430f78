"""A library over OAI-PMH, harvested from pyoai's server: what changes arrives, and no cut list is taken for a whole."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from lxml import etree

from assistant.errors import FetchError, SourceError
from assistant.types import PUBLIC, Access
from ingest.access import NOBODY
from ingest.connectors.connector import Gone, Listed
from ingest.connectors.oai.dublin_core import read_dublin_core
from ingest.connectors.oai.harvest import OAI, OAIOptions
from ingest.connectors.oai.marc import read_marc
from ingest.connectors.oai.protocol import parsed
from ingest.connectors.oai.record import Record, iso_date, language_tag
from ingest.fetch import Client

if TYPE_CHECKING:
    from conftest import Desk  # type: ignore[import-not-found]

_spec = importlib.util.spec_from_file_location("oai_servers", Path(__file__).parents[2] / "servers/oai.py")
assert _spec
assert _spec.loader
servers = importlib.util.module_from_spec(_spec)
sys.modules["oai_servers"] = servers
_spec.loader.exec_module(servers)

PAPER = (
    ("245__", "$aThe weight of the calorimeter $bmeasured twice"),
    ("100__", "$aLovelace, Ada $uCERN"),
    ("700__", "$aNoether, Emmy"),
    ("710__", "$gATLAS Collaboration"),
    ("520__", "$aIt weighs 2900 tonnes."),
    ("6531_", "$acalorimeter"),
    ("65017", "$aDetectors $2SzGeCERN"),
    ("037__", "$aATL-CAL-2026-001"),
    ("088__", "$aCERN-EP-2026-017"),
    ("041__", "$aeng"),
    ("260__", "$c2026"),
    ("269__", "$aGeneva $c03 Mar 2026"),
    ("0247_", "$2DOI $a10.1000/x(1)"),
    ("773__", "$pJINST $v21 $y2026 $cP03001"),
    ("500__", "$aSubmitted to JINST"),
    ("999C5", "$o[1] $hE. Noether $sNachr. 235 (1918)"),
    ("999C6", "$aextracted by a program"),
    ("980__", "$aARTICLE"),
)


def paper(*more: tuple[str, str], number: str = "17", fields: tuple[tuple[str, str], ...] = PAPER) -> str:
    return str(servers.marc(*fields, *more, _001=number, _005="20260304050607.0"))


@pytest.fixture
def repository() -> Any:
    made = servers.Repository()
    for number in range(1, 8):
        made.records[f"oai:lib:{number}"] = servers.Entry(
            marc=servers.marc(("245__", f"$aPaper {number}"), ("980__", "$aARTICLE"), _001=str(number)),
            dc={"title": [f"Paper {number}"], "identifier": [f"https://lib.example.org/{number}"]},
            sets=("physics:hep" if number % 2 else "maths",),
        )
    return made


@pytest.fixture
def server(repository: Any) -> Iterator[Any]:
    made = servers.OAIServer(repository)
    with servers.running(made):
        yield made


@pytest.fixture
def source(server: Any) -> Iterator[Callable[..., OAI]]:
    clients: list[Client] = []

    def made(**options: Any) -> OAI:
        given = OAIOptions(
            url=f"{server.home}/oai2d", allow=(f"127.0.0.1:{server.port}",), retry_seconds=0.01,
            requests_per_second=1000, **options,
        )  # fmt: skip
        clients.append(Client(given))
        return OAI(given, clients[-1])

    yield made
    for client in clients:
        client.__exit__(None, None, None)


Source = Callable[..., OAI]


def listed(oai: OAI) -> dict[str, Listed]:
    oai.cursor()
    items = list(oai.list())
    assert len({item.key for item in items}) == len(items)
    return {item.key: item for item in items}


def changed(oai: OAI, since: str, again: tuple[str, ...] = ()) -> dict[str, Listed | Gone]:
    oai.cursor()
    found = oai.changes(since, again)
    assert found is not None
    return {item.key: item for item in found}


def present(found: dict[str, Listed | Gone]) -> set[str]:
    return {key for key, item in found.items() if isinstance(item, Listed)}


def test_all_pages_are_harvested(source: Source, server: Any) -> None:
    assert listed(source()).keys() == {f"oai:lib:{number}" for number in range(1, 8)}
    verbs = [asked["verb"] for asked in server.requests]
    assert verbs == ["Identify", "ListMetadataFormats", "ListRecords", "ListRecords", "ListRecords"]
    assert server.requests[2] == {"verb": "ListRecords", "metadataPrefix": "marcxml"}
    assert server.requests[3].keys() == {"verb", "resumptionToken"}
    assert listed(source(set="physics")).keys() == {f"oai:lib:{number}" for number in (1, 3, 5, 7)}
    assert listed(source(set="nothing")) == {}


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("down", "answered 503"),
        ("login", "a login page"),
        ("cut", "broken or cut"),
        ("expired", "badResumptionToken .* The list took too long"),
        ("endless", "the same resumptionToken again|badResumptionToken"),
        ("drop", "announced 7 records and handed out 5"),
    ],
)
def test_no_fault_is_taken_for_an_end(source: Source, server: Any, fault: str, message: str) -> None:
    oai = source()
    oai.cursor()
    server.fault = fault
    with pytest.raises(SourceError, match=message):
        list(oai.list())
    with pytest.raises(SourceError, match=message):
        list(oai.changes("2026-01-01T00:00:00Z", ()) or ())


def test_entities_are_refused(source: Source, server: Any, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("swordfish")
    server.fault = f"entity file://{tmp_path}/secret"
    with pytest.raises(FetchError, match="a document type of its own") as caught:
        listed(source())
    assert "swordfish" not in str(caught.value)
    laughs = '<!ENTITY l0 "ha">' + "".join(f'<!ENTITY l{n + 1} "{f"&l{n};" * 10}">' for n in range(12))
    for inside in ("<x>&l12;</x>", "<x a='&l12;'/>"):
        with pytest.raises(FetchError, match=r"broken or cut|document type"):
            parsed(f"<!DOCTYPE x [{laughs}]>{inside}".encode(), "it")


def test_changes_deletions_and_what_failed_before(source: Source, server: Any, repository: Any) -> None:
    oai = source()
    since = oai.cursor()
    before = listed(oai)
    assert changed(oai, since) == {}
    repository.put("oai:lib:2", marc=paper())
    repository.put("oai:lib:8", marc=paper(number="8"))
    repository.delete("oai:lib:3")
    repository.put("oai:lib:4", marc=paper(("980__", "$cDELETED")))
    found = changed(oai, since, ("oai:lib:1", "oai:lib:99", "oai:lib:5/fulltext/3"))
    assert present(found) == {"oai:lib:1", "oai:lib:2", "oai:lib:5", "oai:lib:8"}
    assert found["oai:lib:3"] == Gone("oai:lib:3")
    assert found["oai:lib:4"] == Gone("oai:lib:4")
    assert found["oai:lib:99"] == Gone("oai:lib:99")
    assert found["oai:lib:5/fulltext/3"] == Gone("oai:lib:5/fulltext/3")
    assert found["oai:lib:1"] == before["oai:lib:1"]
    assert {key: item.stamp for key, item in listed(oai).items()} == {
        **{key: item.stamp for key, item in before.items() if key not in ("oai:lib:3", "oai:lib:4")},
        **{key: found[key].stamp for key in ("oai:lib:2", "oai:lib:8")},  # type: ignore[union-attr]
    }


@pytest.mark.parametrize("deletions", ["no", "transient"])
def test_a_server_that_forgets_deletions_is_listed_whole(source: Source, repository: Any, deletions: str) -> None:
    repository.deletions = deletions
    oai = source()
    assert oai.changes(oai.cursor(), ()) is None


def test_dates_are_as_fine_as_the_server_has_them(source: Source, server: Any, repository: Any) -> None:
    oai = source()
    list(oai.changes(oai.cursor(), ()) or ())
    assert server.requests[-1]["from"].endswith("Z")
    repository.granularity = "YYYY-MM-DD"
    oai = source()
    since = oai.cursor()
    list(oai.changes(since, ()) or ())
    assert server.requests[-1]["from"] == since[:10]


def test_a_record_and_its_full_texts(source: Source, server: Any, repository: Any, tmp_path: Path) -> None:
    home = server.home
    repository.records.clear()
    links = (
        f"$u{home}/record/17/files/paper.pdf $s12345", f"$u{home}/record/17/files/paper.pdf?subformat=pdfa",
        f"$u{home}/record/17/files/icon.gif $xicon", "$uhttps://doi.org/10.1000/x", f"$u{home}/gone.pdf",
        f"$u{home}/login.pdf", "$uftp://old.example.org/x.pdf",
    )  # fmt: skip
    repository.put("oai:lib:17", marc=paper(*(("8564_", link) for link in links)))
    repository.files["/record/17/files/paper.pdf"] = ("application/pdf", b"%PDF-1.7 the paper")
    repository.files["/login.pdf"] = ("text/html", b"<html>Sign in</html>")
    oai = source()
    items = listed(oai)
    assert items.keys() == {"oai:lib:17", *(f"oai:lib:17/fulltext/{n}" for n in (1, 2, 3))}
    got = oai.fetch(items["oai:lib:17"], tmp_path)
    assert got.path.read_text() == (
        "# The weight of the calorimeter: measured twice\n\n"
        "- Authors: Lovelace, Ada; Noether, Emmy\n- Collaboration: ATLAS Collaboration\n"
        "- Report number: ATL-CAL-2026-001, CERN-EP-2026-017\n- Published in: JINST 21 (2026) P03001\n"
        "- Date: 2026-03-03\n- DOI: 10.1000/x(1)\n- Keywords: calorimeter, Detectors\n- Collections: ARTICLE\n\n"
        "## Abstract\n\nIt weighs 2900 tonnes.\n\n## Notes\n\nSubmitted to JINST\n\n"
        "## References\n\n- [1] E. Noether, Nachr. 235 (1918)\n"
    )
    assert (got.title, got.authors) == (
        "The weight of the calorimeter: measured twice",
        ("Lovelace, Ada", "Noether, Emmy"),
    )
    assert (got.created, got.modified, got.language) == ("2026-03-03", "2026-03-04T05:06:07Z", "en")
    assert (got.url, got.status) == (f"{home}/record/17", "")
    text = oai.fetch(items["oai:lib:17/fulltext/1"], tmp_path)
    assert text.path.read_bytes() == b"%PDF-1.7 the paper"
    assert text.path.suffix == ".pdf"
    assert (text.title, text.url) == (got.title, f"{home}/record/17/files/paper.pdf")
    for number, reason in ((2, "gone"), (3, "not_content")):
        with pytest.raises(FetchError) as caught:
            oai.fetch(items[f"oai:lib:17/fulltext/{number}"], tmp_path)
        assert caught.value.reason == reason
    assert listed(source(full_text=False)).keys() == {"oai:lib:17"}


def test_dublin_core(source: Source, repository: Any, tmp_path: Path) -> None:
    repository.records.clear()
    repository.prefixes = ["oai_dc", "mods"]
    repository.put(
        "oai:zenodo:5",
        dc={
            "title": ["On the <i>mill</i>"], "creator": ["Meitner, Lise"], "subject": ["water", "wheels"],
            "description": ["<p>The gauge stands</p><p># at the mill &amp; the bridge.</p>"], "date": ["2026-02-01"],
            "identifier": ["https://doi.org/10.5281/z.5", "https://z.example.org/records/5", "https://z.org/5/a%20b.pdf"],
            "language": ["eng"], "type": ["info:eu-repo/semantics/article", "info:eu-repo/semantics/draft"],
            "rights": ["info:eu-repo/semantics/openAccess"], "relation": ["https://z.org/other"],
        },
    )  # fmt: skip
    oai = source()
    items = listed(oai)
    assert {key: item.access for key, item in items.items()} == {
        "oai:zenodo:5": PUBLIC,
        "oai:zenodo:5/fulltext/1": PUBLIC,
    }
    got = oai.fetch(items["oai:zenodo:5"], tmp_path)
    assert got.path.read_text() == (
        "# On the mill\n\n- Authors: Meitner, Lise\n- Date: 2026-02-01\n- DOI: 10.5281/z.5\n- Keywords: water, wheels\n"
        "- Collections: article, draft\n\n## Abstract\n\nThe gauge stands\n\n\\# at the mill & the bridge.\n"
    )
    assert (got.url, got.status, got.language) == ("https://z.example.org/records/5", "draft", "en")
    with pytest.raises(SourceError, match="does not hand out 'mods', or not in a format that is read"):
        listed(source(metadata_prefix="mods"))
    with pytest.raises(SourceError, match="It has: mods, oai_dc"):
        listed(source(metadata_prefix="marcxml"))


def test_who_may_read(source: Source, repository: Any, server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    repository.records.clear()
    notes = {
        "open": paper(("5060_", "$aanybody")),
        "standard": paper(("506__", "$aNo limits $fUnrestricted $2star")),
        "unknown": paper(("5061_", "$aFor members $fRestricted")),
        "silent": paper(("506__", "$3Appendix")),
        "note": paper(("5061_", "$dcms-members $dATLAS-members")),
        "collection": paper(("980__", "$aINTNOTEATLAS")),
        "both": paper(("980__", "$aINTNOTEATLAS"), ("5061_", "$dcms-members")),
    }
    for name, text in notes.items():
        repository.put(name, marc=text)
    repository.put("in set", marc=paper(), sets=("secret",))
    rules = {
        "INTNOTEATLAS": ["atlas"],
        "cms-members": ["cms"],
        "atlas-members": ["atlas", "atlas-2"],
        "secret": ["few"],
    }
    found = {key: item.access for key, item in listed(source(restricted=rules)).items()}
    assert found == {
        "open": PUBLIC,
        "standard": PUBLIC,
        "unknown": NOBODY,
        "silent": NOBODY,
        "note": Access.of("cms", "atlas", "atlas-2"),
        "collection": Access.of("atlas"),
        "both": Access((frozenset({"atlas"}), frozenset({"cms"}))),
        "in set": Access.of("few"),
    }
    server.password = "swordfish"
    monkeypatch.setenv("LIBRARY_TOKEN", "swordfish")
    assert listed(source(secret_env="LIBRARY_TOKEN"))["open"].access == NOBODY
    assert listed(source(secret_env="LIBRARY_TOKEN", readers=("atlas",)))["open"].access == PUBLIC


def test_a_record_of_which_the_notes_on_access_cannot_be_read() -> None:
    with pytest.raises(ValueError, match="is a <record>"):
        read_marc(etree.fromstring("<record><datafield tag='506'/></record>"))


def test_limited_rights_in_dublin_core() -> None:
    for rights, limited in {
        "info:eu-repo/semantics/closedAccess": ("closedAccess",),
        "Restricted Access": ("Restricted Access",),
        "http://purl.org/coar/access_right/c_16ec": ("c_16ec",),
        "Creative Commons": None,
    }.items():
        xml = f'<dc xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:rights>{rights}</dc:rights></dc>'
        assert read_dublin_core(etree.fromstring(xml)).restrictions == ((limited,) if limited else ())


@pytest.mark.parametrize(
    ("field", "status"),
    [
        (("980__", "$aDRAFT"), "draft"),
        (("980__", "$aWithdrawn"), "retracted"),
        (("500__", "$aThis paper has been withdrawn by the authors"), "retracted"),
        (("500__", "$aThe claim was never retracted"), ""),
        (("78708", "$iSuperseded by: $w18"), "superseded"),
        (("78708", "$iErratum $w18"), ""),
    ],
)
def test_what_a_record_is_worth(field: tuple[str, str], status: str) -> None:
    assert read_marc(etree.fromstring(paper(field))).status == status


def test_dates_languages_and_many_authors() -> None:
    dates = {
        "2026": "2026", "2026-03": "2026-03", "2026-03-04": "2026-03-04", "3 Mar 2026": "2026-03-03", "20260304": "",
        "March 2026": "2026-03", "Foo 2026": "2026", "soon": "", "2026-03-04/2026-05-01": "2026-03-04",
    }  # fmt: skip
    assert {text: iso_date(text) for text in dates} == dates
    tags = {"eng": "en", "fr_CH": "fr", "German": "de", "xyz": "", "": ""}
    assert {text: language_tag(text) for text in tags} == tags
    crowd = Record(title="x", authors=tuple(f"Author {n}" for n in range(3000)))
    assert "Author 9; and 2990 others\n" in crowd.markdown()


def test_control_characters_do_not_stop_a_harvest() -> None:
    assert parsed("<x>a\x0bb\x1f ü</x>".encode(), "it").text == "ab ü"


def test_each_change_takes_one_sync(desk: Callable[[dict[str, Any]], Desk], server: Any, repository: Any) -> None:
    repository.files["/a.txt"] = ("text/plain", b"The gauge stands at the mill.\n")
    repository.files["/b.txt"] = ("text/plain", b"The choir rehearses on Thursdays.\n")
    link = ("8564_", f"$u{server.home}/a.txt")
    repository.records["oai:lib:1"] = servers.Entry(marc=paper(link))
    site = desk(
        {
            "kind": "oai", "url": f"{server.home}/oai2d", "allow": [f"127.0.0.1:{server.port}"], "retry_seconds": 0.01,
            "requests_per_second": 1000, "restricted": {"INTERNAL": ["atlas"]},
        }
    )  # fmt: skip
    everything = {"oai:lib:1/fulltext/1", *(f"oai:lib:{n}" for n in range(1, 8))}
    assert set(site.outcomes(site.sync()).values()) == {"new"}
    assert site.readable() == everything
    server.requests.clear()
    assert site.outcomes(site.sync()) == {}
    assert [asked["verb"] for asked in server.requests] == ["Identify", "ListMetadataFormats", "ListRecords"]
    assert server.downloads == ["/a.txt"]

    repository.put("oai:lib:2", marc=paper(("980__", "$aINTERNAL"), number="2"))  # edited, and restricted
    repository.put("oai:lib:8", marc=paper(link, ("8564_", f"$u{server.home}/b.txt"), number="8"))
    repository.delete("oai:lib:3")
    assert site.outcomes(site.sync()) == {
        "oai:lib:2": "changed",
        "oai:lib:3": "removed",
        "oai:lib:8": "new",
        "oai:lib:8/fulltext/1": "new",
        "oai:lib:8/fulltext/2": "new",
    }
    site.like_fresh()
    assert "oai:lib:2" not in site.readable()
    assert "oai:lib:2" in site.readable("atlas")

    repository.put("oai:lib:2", marc=paper(number="2"))  # open again
    repository.put("oai:lib:8", marc=paper(("8564_", f"$u{server.home}/b.txt"), number="8"))  # one full text less
    repository.put("oai:lib:1", marc=paper())
    report = site.outcomes(site.sync())
    assert report.keys() >= {"oai:lib:1/fulltext/1", "oai:lib:8/fulltext/2", "oai:lib:2"}
    site.like_fresh()
    assert {"oai:lib:2", "oai:lib:8/fulltext/1"} < site.readable()
    assert "choir" in site.text("oai:lib:8/fulltext/1")

    server.fault = "drop"
    repository.delete("oai:lib:5")
    before = site.readable()
    assert "handed out" in site.sync(full=True).sources[0].error
    assert site.readable() == before
    server.fault = ""
    assert site.outcomes(site.sync()) == {"oai:lib:5": "removed"}
    site.like_fresh()
