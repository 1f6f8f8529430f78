"""Harvesting over OAI-PMH 2.0: one list over many answers, which is whole or an error.

https://www.openarchives.org/OAI/openarchivesprotocol.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from lxml import etree

from assistant.errors import FetchError, SourceError
from ingest.fetch import XML, Client, shown

NS = "{http://www.openarchives.org/OAI/2.0/}"
MARC = "http://www.loc.gov/MARC21/slim"
_NO_XML = bytes(range(9)) + b"\x0b\x0c" + bytes(range(0x0E, 0x20))
"""Characters that XML may not hold, and that records do hold; in UTF-8 they are nothing else."""


class OAIError(SourceError):
    """The server answered with an error of the protocol; `code` is its name for it."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Identity:
    """What a server says about itself: its time now, how fine its dates are, and what it remembers of deletions."""

    now: str
    seconds: bool
    deletions: str

    def date(self, time: str) -> str:
        """A time as this server takes it."""
        return time if self.seconds else time[:10]


@dataclass(frozen=True, slots=True)
class Harvested:
    """A record as it is handed out; `metadata` is None where it is deleted."""

    identifier: str
    datestamp: str
    sets: tuple[str, ...]
    deleted: bool
    metadata: Any


class Harvester:
    """Asks one OAI-PMH server. Raises SourceError for whatever is not an answer of the protocol."""

    def __init__(self, client: Client, url: str) -> None:
        self._client = client
        self._url = url

    def identify(self) -> Identity:
        root = self._ask({"verb": "Identify"})
        said = root.find(f"{NS}Identify")
        now, seconds = _text(root, "responseDate"), _text(said, "granularity").upper().endswith("SSZ")
        now = re.sub(r"\.\d+Z$", "Z", now)
        if said is None or not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", now):
            raise FetchError("not_content", f"{shown(self._url)} does not say what it is and what time it has")
        return Identity(now, seconds, _text(said, "deletedRecord").lower())

    def formats(self) -> dict[str, str]:
        """The namespaces of the formats that the server has, by prefix."""
        root = self._ask({"verb": "ListMetadataFormats"})
        listed = root.iterfind(f"{NS}ListMetadataFormats/{NS}metadataFormat")
        return {_text(one, "metadataPrefix"): _text(one, "metadataNamespace") for one in listed}

    def records(self, prefix: str, oai_set: str = "", since: str = "") -> Iterator[Harvested]:
        """All records, or those of a set, or that changed since a date.

        Raises SourceError where the list is cut: an answer fails, a token has expired or comes again, or fewer records
        came than were announced.
        """
        given = {"verb": "ListRecords", "metadataPrefix": prefix, "set": oai_set, "from": since}
        parameters = {name: value for name, value in given.items() if value}
        tokens: set[str] = set()
        seen: set[str] = set()
        announced = 0
        while True:
            try:
                root = self._ask(parameters)
            except OAIError as error:
                if error.code == "noRecordsMatch" and not tokens:
                    return
                raise
            answer = root.find(f"{NS}ListRecords")
            if answer is None:
                raise FetchError("not_content", f"{shown(self._url)} answered ListRecords without a list")
            for element in answer.iterfind(f"{NS}record"):
                record = _record(element)
                seen.add(record.identifier)
                yield record
            resume = answer.find(f"{NS}resumptionToken")
            size = "" if resume is None else resume.get("completeListSize", "")
            announced = int(size) if size.isdecimal() else announced
            token = "" if resume is None else (resume.text or "").strip()
            if not token:
                break
            if token in tokens:
                raise SourceError(f"{shown(self._url)} hands out a list without end: the same resumptionToken again")
            tokens.add(token)
            parameters = {"verb": "ListRecords", "resumptionToken": token}
        if len(seen) < announced:
            raise SourceError(
                f"{shown(self._url)} announced {announced} records and handed out {len(seen)}. Nothing was removed."
            )

    def record(self, identifier: str, prefix: str) -> Harvested | None:
        """One record, or None where the server has none of this name."""
        try:
            root = self._ask({"verb": "GetRecord", "identifier": identifier, "metadataPrefix": prefix})
        except OAIError as error:
            if error.code == "idDoesNotExist":
                return None
            raise
        element = root.find(f"{NS}GetRecord/{NS}record")
        if element is None:
            raise FetchError("not_content", f"{shown(self._url)} answered GetRecord without a record")
        return _record(element)

    def _ask(self, parameters: dict[str, str]) -> Any:
        answer = self._client.get(self._url, parameters, accept=XML)
        root = parsed(answer.body, f"{shown(self._url)}?verb={parameters['verb']}")
        if root.tag != f"{NS}OAI-PMH":
            raise FetchError("not_content", f"{shown(self._url)} answered with <{root.tag}>, not with OAI-PMH 2.0")
        error = root.find(f"{NS}error")
        if error is not None:
            code, said = error.get("code", "?"), " ".join((error.text or "").split())[:200]
            hint = " The list took too long, or the server started anew." if code == "badResumptionToken" else ""
            raise OAIError(code, f"{shown(self._url)} refused {parameters['verb']}: {code} {said}.{hint}")
        return root


def parsed(content: bytes, what: str) -> Any:
    """The root element of XML. Raises FetchError for what is no XML, or cut, or declares entities."""
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, dtd_validation=False, huge_tree=False, remove_pis=True
    )
    try:
        root = etree.fromstring(content.translate(None, _NO_XML), parser)
    except etree.XMLSyntaxError as error:
        raise FetchError("not_content", f"{what} answered with XML that is broken or cut: {error}") from error
    if root.getroottree().docinfo.internalDTD is not None:
        raise FetchError("not_content", f"{what} answered with a document type of its own, which the protocol has not")
    return root


def _record(element: Any) -> Harvested:
    header = element.find(f"{NS}header")
    identifier = _text(header, "identifier")
    if not identifier:
        raise FetchError("not_content", "a record without an identifier was handed out")
    metadata = element.find(f"{NS}metadata/*")
    deleted = header.get("status") == "deleted"
    if metadata is None and not deleted:
        raise FetchError("not_content", f"the record {identifier} was handed out without its metadata")
    sets = tuple((found.text or "").strip() for found in header.iterfind(f"{NS}setSpec"))
    return Harvested(identifier, _text(header, "datestamp"), sets, deleted, None if deleted else metadata)


def _text(element: Any, name: str) -> str:
    return "" if element is None else (element.findtext(f"{NS}{name}") or "").strip()
