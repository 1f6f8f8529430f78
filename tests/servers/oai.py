"""A real OAI-PMH server on loopback: pyoai's, over records that a test changes, with faults that it can switch on."""

from __future__ import annotations

import importlib
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from socketserver import ThreadingMixIn
from types import ModuleType
from typing import Any
from urllib.parse import parse_qs, parse_qsl
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from lxml import etree

OLD = datetime(2026, 1, 2, 3, 4, 5)
MARC = "http://www.loc.gov/MARC21/slim"
_OAI = "{http://www.openarchives.org/OAI/2.0/}"


def _pyoai() -> tuple[Any, ...]:
    """pyoai asks for two modules that Python and setuptools have dropped since; it gets what it uses of them."""
    gone = {"cgi": ModuleType("cgi"), "pkg_resources": ModuleType("pkg_resources")}
    gone["cgi"].parse_qs = parse_qs  # type: ignore[attr-defined]
    before = {name: sys.modules.get(name) for name in gone}
    sys.modules.update(gone)
    try:
        return tuple(importlib.import_module(f"oaipmh.{name}") for name in ("common", "error", "metadata", "server"))
    finally:
        for name, module in before.items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module


common, oai_error, oai_metadata, oai_server = _pyoai()


@dataclass
class Entry:
    """A record: `marc` is its MARCXML, `dc` its Dublin Core; deleted if it has neither."""

    datestamp: datetime = OLD
    sets: tuple[str, ...] = ()
    marc: str = ""
    dc: dict[str, list[str]] = field(default_factory=dict)

    @property
    def deleted(self) -> bool:
        return not self.marc and not self.dc


def marc(*fields: tuple[str, str], **control: str) -> str:
    """MARCXML; a field is ("245__", "$aTitle $bmore") with "_" for a blank indicator."""
    lines = [f'<controlfield tag="{tag[1:]}">{text}</controlfield>' for tag, text in control.items()]
    for tag, parts in fields:
        first, second = (" " if one == "_" else one for one in tag[3:5])
        inside = "".join(f'<subfield code="{p[0]}">{p[1:].strip()}</subfield>' for p in parts.split("$")[1:])
        lines.append(f'<datafield tag="{tag[:3]}" ind1="{first}" ind2="{second}">{inside}</datafield>')
    return f'<record xmlns="{MARC}">{"".join(lines)}</record>'


class Repository:
    """What pyoai asks of a repository; `deletions` is what it remembers of them: persistent, transient or no."""

    def __init__(self) -> None:
        self.records: dict[str, Entry] = {}
        self.files: dict[str, tuple[str, bytes]] = {}
        self.deletions = "persistent"
        self.granularity = "YYYY-MM-DDThh:mm:ssZ"
        self.prefixes = ["oai_dc", "marcxml"]

    def put(self, identifier: str, **what: Any) -> None:
        """Adds or replaces a record, with now as its date."""
        self.records[identifier] = Entry(datestamp=datetime.now(UTC).replace(tzinfo=None, microsecond=0), **what)

    def delete(self, identifier: str) -> None:
        if self.deletions == "no":
            del self.records[identifier]
        else:
            self.put(identifier, sets=self.records[identifier].sets)

    def identify(self) -> Any:
        return common.Identify(
            "Library", "http://127.0.0.1/oai2d", "2.0", ["a@example.org"], OLD, self.deletions, self.granularity,
            ["identity"], toolkit_description=False,
        )  # fmt: skip

    def listMetadataFormats(self, identifier: str | None = None) -> list[tuple[str, str, str]]:
        spaces = {"oai_dc": oai_server.NS_OAIDC, "marcxml": MARC, "mods": "http://www.loc.gov/mods/v3"}
        return [(prefix, f"{spaces[prefix]}.xsd", spaces[prefix]) for prefix in self.prefixes]

    def listSets(self) -> list[tuple[str, str, str]]:
        return [(name, name, "") for name in sorted({s for entry in self.records.values() for s in entry.sets})]

    def listRecords(
        self, metadataPrefix: str, set: str | None = None, from_: datetime | None = None, until: datetime | None = None
    ) -> list[Any]:
        found = []
        for identifier, entry in sorted(self.records.items()):
            if set and not any(name == set or name.startswith(f"{set}:") for name in entry.sets):
                continue
            if (from_ and entry.datestamp < from_) or (until and entry.datestamp > until):
                continue
            found.append(self._record(identifier, entry))
        return found

    def listIdentifiers(self, **given: Any) -> list[Any]:
        return [header for header, _, _ in self.listRecords(**given)]

    def getRecord(self, metadataPrefix: str, identifier: str) -> Any:
        if identifier not in self.records:
            raise oai_error.IdDoesNotExistError(identifier)
        return self._record(identifier, self.records[identifier])

    def _record(self, identifier: str, entry: Entry) -> Any:
        header = common.Header(None, identifier, entry.datestamp, list(entry.sets), entry.deleted)
        return header, common.Metadata(None, {**entry.dc, "marc": entry.marc}), None


def _write_marc(element: Any, metadata: Any) -> None:
    element.append(etree.fromstring(metadata["marc"]))


class OAIServer:
    """`requests` are the parameters of each; `fault` is one of "", down, login, cut, expired, endless, drop, or
    `entity URL`."""

    def __init__(self, repository: Repository, batch: int = 3) -> None:
        self.requests: list[dict[str, str]] = []
        self.downloads: list[str] = []
        self.fault = ""
        self.password = ""
        self._repository = repository
        registry = oai_metadata.MetadataRegistry()
        registry.registerWriter("oai_dc", oai_server.oai_dc_writer)
        registry.registerWriter("marcxml", _write_marc)
        self._oai = oai_server.Server(repository, registry, resumption_batch_size=batch)
        self._server = make_server("127.0.0.1", 0, self._answer, _Threads, _Quiet)
        self.port: int = self._server.server_port

    @property
    def home(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def _answer(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        if self.password and environ.get("HTTP_AUTHORIZATION") != f"Bearer {self.password}":
            start("401 Unauthorized", [])
            return [b""]
        if environ["PATH_INFO"] != "/oai2d":
            self.downloads.append(environ["PATH_INFO"])
            kind, content = self._repository.files.get(environ["PATH_INFO"], ("", b""))
            start("200 OK" if kind else "404 Not Found", [("Content-Type", kind or "text/plain")])
            return [content]
        asked = dict(parse_qsl(environ["QUERY_STRING"]))
        self.requests.append(asked)
        if self.fault == "down":
            start("503 Service Unavailable", [])
            return [b""]
        if self.fault == "login":
            start("200 OK", [("Content-Type", "text/html")])
            return [b"<html><form><input type=password></form></html>"]
        start("200 OK", [("Content-Type", "text/xml;charset=utf-8")])
        return [self._faulty(asked)]

    def _faulty(self, asked: dict[str, str]) -> bytes:
        resumed = "resumptionToken" in asked
        if self.fault == "expired" and resumed:
            asked = {"verb": "ListRecords", "resumptionToken": "nonsense"}
        root = etree.fromstring(self._oai.handleRequest(dict(asked)))
        answer = root.find(f"{_OAI}ListRecords")
        if answer is not None:
            self._announce(answer, asked)
            if self.fault == "drop" and resumed:
                answer.remove(answer.find(f"{_OAI}record"))
            if self.fault == "endless":
                answer[-1].text = "again"
        content = etree.tostring(root, encoding="UTF-8", xml_declaration=True)
        if self.fault.startswith("entity"):
            declared = f'<!DOCTYPE x [<!ENTITY e SYSTEM "{self.fault.split()[1]}">]><OAI-PMH'
            return content.replace(b"<OAI-PMH", declared.encode(), 1).replace(b"Paper 1", b"Paper &e;")
        return content[: len(content) // 2] if self.fault == "cut" and resumed else content

    def _announce(self, answer: Any, asked: dict[str, str]) -> None:
        """pyoai leaves out the size of the list, and the empty token at its end."""
        token = answer.find(f"{_OAI}resumptionToken")
        if token is None:
            if "resumptionToken" not in asked:
                return
            token = etree.SubElement(answer, f"{_OAI}resumptionToken")
        given = dict(asked)
        if "resumptionToken" in asked:
            given, _ = oai_server.decodeResumptionToken(asked["resumptionToken"])
        else:
            del given["verb"]
            if "from" in given:
                given["from_"] = oai_server.datestamp_to_datetime(given.pop("from"))
        token.set("completeListSize", str(len(self._repository.listRecords(**given))))


class _Threads(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def running(server: OAIServer) -> Iterator[None]:
    thread = threading.Thread(target=server._server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield
    finally:
        server._server.shutdown()
        server._server.server_close()
        thread.join()
