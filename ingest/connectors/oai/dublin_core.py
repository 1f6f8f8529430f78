"""Unqualified Dublin Core, which every OAI-PMH server has, with the words that OpenAIRE and Invenio put into it."""

from __future__ import annotations

import re
from typing import Any

from assistant.types import DocumentStatus
from ingest.connectors.oai.record import Record, iso_date, language_tag, one_line

_NS = "{http://purl.org/dc/elements/1.1/}"
_INFO = "info:eu-repo/semantics/"
_COAR = re.compile(r"https?://purl\.org/coar/access_right/")
_LIMITED = {"closedaccess", "restrictedaccess", "embargoedaccess", "c_14cb", "c_16ec", "c_f1cf"}
"""As OpenAIRE says them, and as COAR numbers them."""
_STATUS: dict[str, DocumentStatus] = {"draft": "draft", "retracted": "retracted", "withdrawn": "retracted"}


def read_dublin_core(metadata: Any) -> Record:
    """The record in an element `oai_dc:dc`."""

    def texts(name: str) -> tuple[str, ...]:
        found = (one_line(element.text or "") for element in metadata.iterfind(f"{_NS}{name}"))
        return tuple(dict.fromkeys(text for text in found if text))

    kinds = tuple(text.removeprefix(_INFO) for text in texts("type"))
    links = tuple(
        text for text in (*texts("identifier"), *texts("relation")) if text.startswith(("http://", "https://"))
    )
    rights = [_COAR.sub("", text.removeprefix(_INFO)) for text in texts("rights")]
    return Record(
        title=next(iter(texts("title")), ""),
        authors=texts("creator"),
        collaborations=tuple(text for text in texts("contributor") if "collaboration" in text.lower()),
        abstracts=tuple(
            (e.text or "").strip() for e in metadata.iterfind(f"{_NS}description") if (e.text or "").strip()
        ),
        keywords=texts("subject"),
        journal=next(iter(texts("source")), ""),
        doi=next(filter(None, map(_doi, (*texts("identifier"), *texts("relation")))), ""),
        created=next(filter(None, map(iso_date, texts("date"))), ""),
        language=next(filter(None, map(language_tag, texts("language"))), ""),
        collections=kinds,
        restrictions=tuple((text,) for text in rights if text.replace(" ", "").lower() in _LIMITED),
        links=links,
        page=next((link for link in texts("identifier") if link in links and not _doi(link)), ""),
        status=next((_STATUS[kind.lower()] for kind in kinds if kind.lower() in _STATUS), ""),
    )


def _doi(text: str) -> str:
    found = re.match(r"(?:https?://(?:dx\.)?doi\.org/|doi:\s*|info:doi/)?(10\.\d{4,9}/\S+)$", text, re.IGNORECASE)
    return found[1] if found else ""
