"""MARC 21 in XML, with the fields as Invenio (CDS, INSPIRE of old) uses them.

https://www.loc.gov/marc/bibliographic/ and https://cds.cern.ch/help/admin/howto-marc
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from assistant.types import DocumentStatus
from ingest.connectors.oai.protocol import MARC
from ingest.connectors.oai.record import Record, iso_date, language_tag, one_line

_NS = f"{{{MARC}}}"
_UNRESTRICTED = {"unrestricted", "unrestricted online access", "open access", "no access restrictions"}
_RETRACTED = re.compile(r"(this \w+ (has been|was|is) )?(retracted|withdrawn)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Field:
    first: str
    second: str
    parts: tuple[tuple[str, str], ...]

    def all(self, codes: str) -> tuple[str, ...]:
        return tuple(text for code, text in self.parts if code in codes)

    def one(self, code: str) -> str:
        return next(iter(self.all(code)), "")


class _Fields:
    def __init__(self, record: Any) -> None:
        self._all: dict[str, list[_Field]] = {}
        for element in record.iterfind(f"{_NS}datafield"):
            parts = tuple(
                (part.get("code", ""), one_line(part.text or "")) for part in element.iterfind(f"{_NS}subfield")
            )
            found = _Field(element.get("ind1", " "), element.get("ind2", " "), tuple(p for p in parts if p[1]))
            self._all.setdefault(element.get("tag", ""), []).append(found)
        self._control = {e.get("tag"): (e.text or "").strip() for e in record.iterfind(f"{_NS}controlfield")}

    def control(self, tag: str) -> str:
        return self._control.get(tag, "")

    def of(self, *tags: str) -> Iterator[_Field]:
        for tag in tags:
            yield from self._all.get(tag, ())

    def texts(
        self, tag: str, codes: str = "a", where: Callable[[_Field], bool] = lambda field: True
    ) -> tuple[str, ...]:
        return tuple(text for found in self.of(tag) if where(found) for text in found.all(codes))


def read_marc(metadata: Any) -> Record:
    """The record in an element of MARCXML: `record`, or a `collection` that holds one.

    Raises ValueError for another element, whose notes on access could not be read.
    """
    element = metadata if metadata.tag == f"{_NS}record" else metadata.find(f"{_NS}record")
    if element is None:
        raise ValueError(f"a record in MARCXML is a <{metadata.tag}>")
    fields = _Fields(element)
    collections = fields.texts("980", "abc")
    return Record(
        title=": ".join(part for found in list(fields.of("245"))[:1] for part in found.all("ab")),
        authors=tuple(dict.fromkeys((*fields.texts("100"), *fields.texts("700")))),
        collaborations=tuple(dict.fromkeys((*fields.texts("710", "g"), *fields.texts("110")))),
        abstracts=fields.texts("520"),
        keywords=tuple(dict.fromkeys((*fields.texts("653"), *fields.texts("650")))),
        reports=tuple(dict.fromkeys((*fields.texts("037"), *fields.texts("088")))),
        journal=next(filter(None, map(_journal, fields.of("773", "909"))), ""),
        doi=next(iter(fields.texts("024", "a", lambda f: "doi" in (x.lower() for x in f.all("2")))), ""),
        notes=fields.texts("500"),
        references=tuple(filter(None, map(_reference, fields.of("999")))),
        created=next(filter(None, map(iso_date, (*fields.texts("269", "c"), *fields.texts("260", "c")))), ""),
        modified=_modified(fields.control("005")),
        language=next(filter(None, map(language_tag, fields.texts("041"))), ""),
        collections=tuple(dict.fromkeys(c for c in collections if c.upper() != "DELETED")),
        restrictions=tuple(found.all("adfm") for found in fields.of("506") if not _is_open(found)),
        links=fields.texts("856", "u", lambda f: f.first in "4 "),
        number=fields.control("001"),
        status=_status(fields, {c.lower() for c in collections}),
        deleted="DELETED" in {c.upper() for c in collections},
    )


def _is_open(restriction: _Field) -> bool:
    """Whether a note on access affirms that there are no restrictions."""
    return restriction.first == "0" or any(text.lower() in _UNRESTRICTED for text in restriction.all("f"))


def _status(fields: _Fields, collections: set[str]) -> DocumentStatus:
    if collections & {"retracted", "withdrawn"} or any(_RETRACTED.match(note) for note in fields.texts("500")):
        return "retracted"
    related = (text for tag in ("785", "787") for text in fields.texts(tag, "i"))
    if any(text.lower().startswith("superseded by") for text in related):
        return "superseded"
    return "draft" if "draft" in collections else ""


def _journal(found: _Field) -> str:
    """Where it was published: title, volume, year, pages."""
    if not found.one("p"):
        return ""
    year = f"({found.one('y')})" if found.one("y") else ""
    return " ".join(filter(None, (found.one("p"), found.one("v"), year, found.one("c"))))


def _reference(found: _Field) -> str:
    """A field of Invenio's references (999 C5)."""
    if (found.first, found.second) != ("C", "5"):
        return ""
    number = found.one("o").strip("[]. ")
    return " ".join(filter(None, (f"[{number}]" if number else "", ", ".join(found.all("hmtsra")))))


def _modified(text: str) -> str:
    found = re.match(r"(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)", text)
    return f"{found[1]}-{found[2]}-{found[3]}T{found[4]}:{found[5]}:{found[6]}Z" if found else ""
