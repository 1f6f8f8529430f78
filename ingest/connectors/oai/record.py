"""A bibliographic record, whatever format it came in, and the text that is made of it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from assistant.types import DocumentStatus

_MOST_NAMED = 10
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_LANGUAGES = {
    "cze": "cs", "dan": "da", "dut": "nl", "eng": "en", "english": "en", "fin": "fi", "fre": "fr", "fra": "fr",
    "french": "fr", "ger": "de", "deu": "de", "german": "de", "gre": "el", "hun": "hu", "ita": "it", "italian": "it",
    "jpn": "ja", "nor": "no", "pol": "pl", "por": "pt", "rus": "ru", "russian": "ru", "spa": "es", "spanish": "es",
    "swe": "sv", "tur": "tr", "chi": "zh", "zho": "zh",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Record:
    """What a record says. `restrictions` are its notes that access is limited, each as the names of who may read that
    it holds, perhaps none. `links` are the addresses that it gives, `page` the one of the record itself if it says so.
    """

    title: str = ""
    authors: tuple[str, ...] = ()
    collaborations: tuple[str, ...] = ()
    abstracts: tuple[str, ...] = ()
    keywords: tuple[str, ...] = ()
    reports: tuple[str, ...] = ()
    journal: str = ""
    doi: str = ""
    notes: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    created: str = ""
    modified: str = ""
    language: str = ""
    collections: tuple[str, ...] = ()
    restrictions: tuple[tuple[str, ...], ...] = ()
    links: tuple[str, ...] = ()
    page: str = ""
    number: str = ""
    status: DocumentStatus = ""
    deleted: bool = False

    def markdown(self) -> str:
        """All of it that somebody would read or search for."""
        authors = "; ".join(self.authors[:_MOST_NAMED])
        if len(self.authors) > _MOST_NAMED:
            authors += f"; and {len(self.authors) - _MOST_NAMED} others"
        facts = {
            "Authors": authors,
            "Collaboration": "; ".join(self.collaborations),
            "Report number": ", ".join(self.reports),
            "Published in": self.journal,
            "Date": self.created,
            "DOI": self.doi,
            "Keywords": ", ".join(self.keywords),
            "Collections": ", ".join(self.collections),
        }
        parts = [f"# {self.title or 'Untitled'}"]
        parts.append("\n".join(f"- {name}: {value}" for name, value in facts.items() if value))
        if self.abstracts:
            parts.append("## Abstract\n\n" + "\n\n".join(map(_prose, self.abstracts)))
        if self.notes:
            parts.append("## Notes\n\n" + "\n\n".join(map(_prose, self.notes)))
        if self.references:
            parts.append("## References\n\n" + "\n".join(f"- {reference}" for reference in self.references))
        return "\n\n".join(part for part in parts if part) + "\n"


def one_line(text: str) -> str:
    """Text without line breaks and without markup of HTML, which records hold against their standards."""
    return " ".join(_plain(text).split())


def iso_date(text: str) -> str:
    """A date as ISO 8601, as exact as it is given: "2026-03-01", "01 Mar 2026", "Mar 2026", "2026"; "" for others."""
    text = text.strip()
    if found := re.match(r"\d{4}(-\d\d(-\d\d(T\d\d:\d\d:\d\dZ)?)?)?(?![\d-])", text):
        return found[0]
    if found := re.fullmatch(r"(?:(\d{1,2}) )?([A-Z][a-z]{2})[a-z]* (\d{4})", text):
        if found[2].lower() not in _MONTHS:
            return found[3]
        month = f"{found[3]}-{_MONTHS.index(found[2].lower()) + 1:02}"
        return f"{month}-{int(found[1]):02}" if found[1] else month
    return ""


def language_tag(text: str) -> str:
    """A language as a BCP 47 tag, from such a tag or from a code or name of MARC; "" for others."""
    text = text.strip().lower()
    return _LANGUAGES.get(text) or (text[:2] if re.fullmatch(r"[a-z]{2}([-_].*)?", text) else "")


def _plain(text: str) -> str:
    if not re.search(r"</?(p|br|div|ul|ol|li|b|i|em|strong|sub|sup|span|a|h\d)\b[^<>]*>", text, re.IGNORECASE):
        return text
    from lxml import html

    broken = re.sub(r"(?i)<(/?(p|div|ul|ol|li|h\d)|br)\b[^<>]*>", r"\n\n\g<0>", text)
    return str(html.fragment_fromstring(broken, create_parent="div").text_content())


def _prose(text: str) -> str:
    """Paragraphs, in which no line looks like a heading."""
    paragraphs = (" ".join(part.split()) for part in re.split(r"\n\s*\n", _plain(text)))
    return "\n\n".join(re.sub(r"^#", r"\\#", part) for part in paragraphs if part)
