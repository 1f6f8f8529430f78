"""What an Indico event consists of, as items: its page, the contributions, minutes and attachments, with their rules.

The export interface tells who may read only to managers ("allowed", without local groups, roles and networks), and of
attachments never more than whether they are protected. So what a visitor is shown is everyone's; what a manager is told
is a rule; what another account sees is for the `readers` of the settings, whom it stands for; all else is nobody's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from html import escape
from typing import Any

from assistant.types import PUBLIC, Access
from ingest.access import NOBODY, group, person


@dataclass(frozen=True, slots=True)
class Page:
    """An event, a contribution or minutes, as HTML."""

    key: str
    access: Access
    html: str
    url: str
    title: str
    authors: tuple[str, ...] = ()
    created: str = ""
    modified: str = ""
    language: str = ""


@dataclass(frozen=True, slots=True)
class Attachment:
    key: str
    access: Access
    name: str
    title: str
    checksum: str
    url: str
    modified: str


@dataclass(frozen=True, slots=True)
class _Part:
    """Something in an event that can have minutes and attachments; `id` is "" for the event itself."""

    id: str
    access: Access
    said: Mapping[str, Any]


def items_of(
    event: Mapping[str, Any], shown: Mapping[str, Any] | None, readers: Access | None, *, contributions: bool
) -> Iterator[Page | Attachment]:
    """The items of an event, from what the account is told and what a visitor is (None if nothing).

    `readers` are those for whom the account stands; None if nobody was named. Raises KeyError, TypeError or ValueError
    where the event is not as documented.
    """
    visible = shown is not None and not event["hasAnyProtection"]
    access = PUBLIC if visible else _allowed(event, readers)
    told = list(_contributions(event)) if contributions else []
    public = {one["db_id"] for one in _contributions(shown)} if visible and shown else set()
    rules = {one["db_id"]: _rule(one, access, one["db_id"] in public, readers) for one in told}
    inside = [one for one in told if rules[one["db_id"]] == access]
    yield _event_page(event, access, inside)
    for one in told:
        if rules[one["db_id"]] != access:
            yield _contribution_page(event, one, rules[one["db_id"]])
    parts = [_Part("", access, event)]
    for one in told:
        rule = rules[one["db_id"]]
        parts.append(_Part(f"/contribution-{one['db_id']}", rule, one))
        parts += [_Part(f"/subcontribution-{sub['db_id']}", rule, sub) for sub in one.get("subContributions", ())]
    parts += list(_sessions(event, access, readers)) if contributions else []
    for part in parts:
        yield from _minutes(event, part)
    seen = set(_attachment_ids(shown)) if shown else set()
    for part in parts:
        for found in _files(part.said):
            yield _attachment(event, part, found, found["id"] in seen, readers)


def _allowed(said: Mapping[str, Any], readers: Access | None) -> Access:
    if "allowed" not in said:
        return readers or NOBODY
    names = [*map(person, said["allowed"]["users"]), *map(group, said["allowed"]["groups"])]
    return Access((frozenset(names),)) if names else NOBODY


def _rule(said: Mapping[str, Any], event: Access, public: bool, readers: Access | None) -> Access:
    """Of a contribution: its own, if one is told; else that of the event. Unpublished ones, which a manager sees in a
    public event and a visitor does not, are nobody's."""
    allowed = said.get("allowed", {})
    if any(allowed.values()):
        return _allowed(said, readers)
    if event == PUBLIC:
        return PUBLIC if public else NOBODY
    return _allowed(said, readers)


def _sessions(event: Mapping[str, Any], access: Access, readers: Access | None) -> Iterator[_Part]:
    """Each session once, though it is told with each of its blocks."""
    seen = set()
    for block in event.get("sessions", ()):
        session = block["session"]
        if session["db_id"] not in seen:
            seen.add(session["db_id"])
            rule = _allowed(block, readers) if any(block.get("allowed", {}).values()) else access
            yield _Part(f"/session-{session['db_id']}", rule, {**session, "note": block.get("note")})


def _contributions(event: Mapping[str, Any] | None) -> Iterator[Mapping[str, Any]]:
    if event:
        yield from event.get("contributions", ())
        for block in event.get("sessions", ()):
            yield from block["contributions"]


def _attachment_ids(event: Mapping[str, Any]) -> Iterator[int]:
    said = [event, *(block["session"] for block in event.get("sessions", ()))]
    for one in _contributions(event):
        said += [one, *one.get("subContributions", ())]
    yield from (found["id"] for part in said for found in _files(part))


def _files(said: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for folder in said.get("folders") or ():
        yield from (found for found in folder["attachments"] if found["type"] == "file")


def _attachment(
    event: Mapping[str, Any], part: _Part, found: Mapping[str, Any], public: bool, readers: Access | None
) -> Attachment:
    """With the rule that is known: a manager is not told who may read a protected attachment."""
    access = NOBODY if "allowed" in event or readers is None else readers
    if public and not found["is_protected"] and part.access == PUBLIC:
        access = PUBLIC
    return Attachment(
        key=f"{event['id']}/attachment-{found['id']}",
        access=access,
        name=found["filename"],
        title=found["title"] or found["filename"],
        checksum=found["checksum"],
        url=found["download_url"],
        modified=found["modified_dt"],
    )


def _minutes(event: Mapping[str, Any], part: _Part) -> Iterator[Page]:
    note = part.said.get("note")
    if note and note["html"].strip():
        title = f"Minutes: {part.said['title']}"
        html = f"<h1>{escape(title)}</h1>\n{note['html']}"
        key = f"{event['id']}/minutes{part.id}"
        yield Page(key, part.access, html, note["url"], title, modified=note["modified_dt"], language=_language(event))


def _event_page(event: Mapping[str, Any], access: Access, inside: list[Mapping[str, Any]]) -> Page:
    chairs = _names(event.get("chairs"))
    where = ", ".join(filter(None, (event.get("roomFullname") or event.get("room"), event.get("location"))))
    facts = " · ".join(filter(None, (_time(event["startDate"]), where, ", ".join(chairs))))
    html = [f"<h1>{escape(event['title'])}</h1>", f"<p>{escape(facts)}</p>", _text(event.get("description"))]
    for one in inside:
        html += _contribution(one, 2)
    made = event.get("creationDate")
    return Page(
        key=str(event["id"]),
        access=access,
        html="\n".join(html),
        url=event["url"],
        title=event["title"],
        authors=chairs,
        created=f"{made['date']}T{made['time'].partition('.')[0]}Z" if made and made["tz"] == "UTC" else "",
        language=_language(event),
    )


def _contribution_page(event: Mapping[str, Any], found: Mapping[str, Any], access: Access) -> Page:
    key, html = f"{event['id']}/contribution-{found['db_id']}", "\n".join(_contribution(found, 1))
    people = _names(found.get("speakers"))
    return Page(key, access, html, found["url"], found["title"], people, language=_language(event))


def _contribution(found: Mapping[str, Any], level: int) -> Iterator[str]:
    yield f"<h{level}>{escape(found['title'])}</h{level}>"
    facts = [_time(found.get("startDate")), ", ".join(_names(found.get("speakers")))]
    if any(facts):
        yield f"<p>{escape(' · '.join(filter(None, facts)))}</p>"
    yield _text(found.get("description"))
    for sub in found.get("subContributions") or ():
        yield from _contribution(sub, level + 1)


def _names(people: list[Mapping[str, Any]] | None) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one["fullName"] for one in people or () if one.get("fullName")))


def _time(when: Mapping[str, str] | None) -> str:
    return f"{when['date']} {when['time'][:5]} {when['tz']}" if when else ""


def _text(said: str | None) -> str:
    """A description as HTML: it may be HTML already, or Markdown, of which the paragraphs are kept."""
    if not said or re.search(r"<[a-zA-Z/]", said):
        return said or ""
    return "\n".join(f"<p>{escape(part)}</p>" for part in re.split(r"\n\s*\n", said.strip()))


def _language(event: Mapping[str, Any]) -> str:
    return str(event.get("language") or "").replace("_", "-")
