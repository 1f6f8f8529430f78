"""One question of an evaluation: what was asked, what each system said, and what it rests on.

A run quotes documents as they were, for those who might read them then. Who looks at it now sees of a question what
rests on documents that they may read now: the question itself if they may read all that hold its answer, a passage if
they may read its document, and what a system said if they may read everything that it was shown.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

from app.evidence import href
from assistant import Assistant

if TYPE_CHECKING:
    from eval.metric import Result
    from eval.runs.about import About
    from eval.runs.details import Details

_MOST_CHARACTERS = 700
NOT_SHOWN = "Not shown: it rests on documents that are not in the library any more or that you may not read."


@dataclass(frozen=True, slots=True)
class Reader:
    """What somebody may read: documents by (source, key) and by key alone.

    `everything` where no library took part, or one that was made of a published corpus for the evaluation alone.
    """

    documents: frozenset[tuple[str, str]]
    keys: frozenset[str]
    everything: bool

    @classmethod
    def of(cls, assistant: Assistant, about: About) -> Reader:
        documents = frozenset((one.source, one.key) for one in assistant.documents())
        everything = about.library is None or "corpus" in about.library
        return cls(documents, frozenset(key for _, key in documents), everything)

    def may_see(self, named: Mapping[str, Any]) -> bool:
        """Whether a document that evidence names may be read; by its key alone where it tells no source."""
        if "source" in named:
            return self.everything or (named["source"], named["key"]) in self.documents
        return self.everything or named["key"] in self.keys

    def may_see_question(self, shown: Details) -> bool:
        return self.everything or set(shown.documents) <= self.keys

    def may_see_answer(self, shown: Details) -> bool:
        return self.may_see_question(shown) and all(map(self.may_see, shown.evidence()))


def question_html(shown: Details, group: str, reader: Reader) -> str:
    """What was asked and what is known of the answer."""
    facts = {
        "Accepted": escape(" / ".join(shown.accepted)) or "No answer: the documents do not hold one.",
        "Documents": ", ".join(_document(key, reader) for key in shown.documents),
        "Group": escape(group),
    }
    rows = "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in facts.items() if value)
    return f'<p class="asked">{escape(shown.question)}</p><dl class="facts">{rows}</dl>'


def answer_html(shown: Details, reader: Reader) -> str:
    """What a system said, with its citations and the passages that it was shown."""
    passages = [one for one in shown.passages if reader.may_see(one)]
    read = f"<details><summary>Passages that were read</summary>{_evidence(passages)}</details>" if passages else ""
    if not reader.may_see_answer(shown):
        return f'<p class="about">{NOT_SHOWN}</p>{read}'
    cited = f'<p class="label">What it rests on</p>{_evidence(shown.citations)}' if shown.citations else ""
    more = {name: value for name, value in shown.more.items() if value not in (None, "", [], {})}
    written = escape(json.dumps(more, ensure_ascii=False, indent=2))
    rest = f"<details><summary>Everything else that was kept</summary><pre>{written}</pre></details>" if more else ""
    said = f'<p class="said">{escape(shown.answer)}</p>' if shown.answer else '<p class="about">No answer.</p>'
    return said + cited + read + rest


def visible_text(result: Result, reader: Reader) -> tuple[str, str]:
    """Question and answer, each empty if it may not be seen."""
    from eval.runs.details import details

    shown = details(result)
    question = shown.question if reader.may_see_question(shown) else ""
    return question, (shown.answer or "(no answer)") if reader.may_see_answer(shown) else ""


def _document(key: str, reader: Reader) -> str:
    """A link for each source that has the key."""
    sources = sorted(source for source, known in reader.documents if known == key)
    links = [f'<a href="{escape(href(source, key))}" target="_blank">{escape(key)}</a>' for source in sources]
    return ", ".join(links) or escape(key)


def _evidence(found: Iterable[Mapping[str, Any]]) -> str:
    return f'<ul class="evidence">{"".join(map(_entry, found))}</ul>'


def _entry(one: Mapping[str, Any]) -> str:
    title = escape(str(one.get("title") or one["key"]))
    number = next((f"{mark[0]}{one[name]}{mark[1]}" for name, mark in _NUMBERS.items() if name in one), "")
    named = f'<span class="number">{escape(number)}</span> {title}'
    if "source" in one:
        span = (int(one["start"]), int(one["end"])) if "start" in one and "end" in one else None
        address = escape(href(str(one["source"]), str(one["key"]), str(one.get("revision", "")), span))
        named = f'<a href="{address}" target="_blank">{named}</a>'
    where = " · ".join(escape(str(part)) for part in (*one.get("section", ()), _where(one)) if part)
    text = " ".join(str(one.get("quote") or one.get("text") or "").split())
    text = text if len(text) <= _MOST_CHARACTERS else text[:_MOST_CHARACTERS] + " …"
    quote = f"<blockquote>{escape(text)}</blockquote>" if text else ""
    return f'<li>{named}<div class="place">{where}</div>{quote}</li>'


_NUMBERS = {"number": "[]", "rank": ("", ".")}


def _where(one: Mapping[str, Any]) -> str:
    return f"{one['source']}/{one['key']}" if "source" in one else str(one["key"])
