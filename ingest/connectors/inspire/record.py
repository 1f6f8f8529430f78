"""A record of INSPIRE as text: facts, abstract and references; not how often it is cited, which changes daily."""

from __future__ import annotations

import hashlib
import html
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assistant.types import DocumentStatus
from ingest.connectors.connector import Fetched

FIELDS = (
    "control_number,deleted,withdrawn,titles,authors.full_name,corporate_author,collaborations,abstracts,report_numbers,"
    "dois,arxiv_eprints,publication_info,document_type,thesis_info,languages,related_records,earliest_date,preprint_date,"
    "keywords,references"
)
"""What is asked for: no private notes, no mail addresses."""
_MOST_AUTHORS = 50
_TAGS = re.compile(r"<(?!\s)/?[A-Za-z][^<>]*>")
_RETRACTED = re.compile(r"\W*(?:retracted|withdrawn)\b(?! jet)", re.I)


@dataclass(frozen=True, slots=True)
class Described:
    """What a record says of its document, full texts included."""

    title: str
    authors: tuple[str, ...]
    created: str
    modified: str
    language: str
    status: DocumentStatus

    def fetched(self, path: Path, url: str) -> Fetched:
        with path.open("rb") as stream:
            revision = hashlib.file_digest(stream, "sha256").hexdigest()[:16]
        return Fetched(
            path,
            revision,
            url,
            title=self.title,
            authors=self.authors,
            created=self.created,
            modified=self.modified,
            language=self.language,
            status=self.status,
        )


def described(hit: Any) -> Described:
    record = hit["metadata"]
    dates = (record.get("earliest_date", ""), record.get("preprint_date", ""))
    languages = record.get("languages") or ["en"]
    return Described(
        title=_title(record),
        authors=tuple(_authors(record)),
        created=next((day for day in dates if re.fullmatch(r"\d{4}-\d\d-\d\d", day)), ""),
        modified=hit["updated"],
        language=languages[0] if len(languages) == 1 else "",
        status=_status(record),
    )


def markdown(hit: Any, url: str) -> str:
    """The record as Markdown; `url` is the record's own page."""
    record = hit["metadata"]
    authors = "; ".join(_authors(record)) + (" et al." if len(record.get("authors", [])) > _MOST_AUTHORS else "")
    parts = [f"# {_title(record) or url}", authors, *_facts(record)]
    if abstract := _abstract(record):
        parts += ["## Abstract", abstract]
    references = [*_references(record)]
    return "\n\n".join(filter(None, [*parts, *(["## References", *references] if references else [])])) + "\n"


def _title(record: Any) -> str:
    titles = record.get("titles") or [{}]
    first = titles[0]
    return _text(": ".join(filter(None, (first.get("title"), first.get("subtitle")))))


def _authors(record: Any) -> Iterator[str]:
    """Collaborations, then authors; of more than fifty the first alone."""
    for collaboration in record.get("collaborations", []):
        name = _text(collaboration.get("value", ""))
        yield name if name.lower().endswith(("collaboration", "group", "team")) else f"{name} Collaboration"
    yield from map(_text, record.get("corporate_author", []))
    names = [_text(author["full_name"]) for author in record.get("authors", []) if author.get("full_name")]
    yield from names if len(names) <= _MOST_AUTHORS else names[:1]


def _status(record: Any) -> DocumentStatus:
    related = record.get("related_records", [])
    said = [entry.get("relation_freetext", "").lower() for entry in related]
    if record.get("withdrawn") or _RETRACTED.match(_title(record)) or any("retract" in words for words in said):
        return "retracted"
    return "superseded" if any(entry.get("relation") == "successor" for entry in related) else ""


def _facts(record: Any) -> Iterator[str]:
    """One line for each thing by which a paper is asked for."""
    kinds = record.get("document_type", [])
    yield f"Type: {', '.join(kinds)}" if kinds else ""
    published = [place for entry in record.get("publication_info", []) if (place := _place(entry))]
    yield f"Published in: {'; '.join(dict.fromkeys(published))}" if published else ""
    eprints = [
        f"arXiv:{entry['value']}" + (f" [{entry['categories'][0]}]" if entry.get("categories") else "")
        for entry in record.get("arxiv_eprints", [])
    ]
    yield f"Preprint: {', '.join(eprints)}" if eprints else ""
    for name, field in (("DOI", "dois"), ("Report number", "report_numbers")):
        values = list(dict.fromkeys(entry["value"] for entry in record.get(field, [])))
        yield f"{name}: {', '.join(values)}" if values else ""
    thesis = record.get("thesis_info", {})
    where = [place.get("name", "") for place in thesis.get("institutions", [])]
    if thesis:
        yield f"Thesis: {', '.join(filter(None, (thesis.get('degree_type', ''), *where, thesis.get('date', ''))))}"
    words = [_text(entry["value"]) for entry in record.get("keywords", []) if entry.get("value")]
    yield f"Keywords: {', '.join(dict.fromkeys(words))}" if words else ""
    for entry in record.get("related_records", []):
        number = str(entry.get("record", {}).get("$ref", "")).rpartition("/")[2]
        relation = entry.get("relation") or entry.get("relation_freetext") or "related"
        if number:
            yield f"{relation.capitalize()}: INSPIRE {number}"


def _place(entry: Any) -> str:
    """A journal, volume, year and page, as INSPIRE has them for papers and for references."""
    pages = entry.get("artid") or "-".join(filter(None, (entry.get("page_start"), entry.get("page_end"))))
    year = f"({entry['year']})" if entry.get("year") else ""
    number = " ".join(filter(None, (entry.get("journal_title"), entry.get("journal_volume"), year, pages)))
    if not entry.get("journal_title"):
        number = entry.get("pubinfo_freetext") or (entry.get("cnum") and f"conference {entry['cnum']} {year}") or ""
    erratum = entry.get("material")
    return f"{number} ({erratum})" if number and erratum and erratum != "publication" else number


def _abstract(record: Any) -> str:
    """The abstract from arXiv if there is one, which keeps its LaTeX; publishers' have tags."""
    abstracts = record.get("abstracts", [])
    ordered = sorted(abstracts, key=lambda entry: (entry.get("source") != "arXiv", "<" in entry.get("value", "")))
    return _text(ordered[0].get("value", "")) if ordered else ""


def _references(record: Any) -> Iterator[str]:
    for number, entry in enumerate(record.get("references", []), 1):
        said = entry.get("reference", {})
        names = [_text(author["full_name"]) for author in said.get("authors", []) if author.get("full_name")]
        cited = str(entry.get("record", {}).get("$ref", "")).rpartition("/")[2]
        parts = [
            ", ".join(names[:3]) + (" et al." if len(names) > 3 else ""),
            ", ".join(f"{name} Collaboration" for name in said.get("collaborations", [])),
            _text((said.get("title") or {}).get("title", "")),
            _place(said.get("publication_info", {})),
            ", ".join(f"DOI {doi}" for doi in said.get("dois", [])),
            f"arXiv:{said['arxiv_eprint'].removeprefix('arXiv:')}" if said.get("arxiv_eprint") else "",
            ", ".join(said.get("report_numbers", [])),
            f"ISBN {said['isbn']}" if said.get("isbn") else "",
            "; ".join(map(_text, said.get("misc", []))),
            f"INSPIRE {cited}" if cited else "",
        ]
        text = ", ".join(filter(None, parts))
        raw = [_text(raw["value"]) for raw in entry.get("raw_refs", []) if raw.get("value")]
        if text or raw:
            yield f"[{said.get('label') or number}] {text or raw[0]}"


def _text(words: str) -> str:
    """On one line, without tags; LaTeX stays."""
    return " ".join(html.unescape(_TAGS.sub("", words)).split())
