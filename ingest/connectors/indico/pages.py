"""What an Indico event consists of, as items: its page, the contributions, minutes and attachments, with their rules.

The export interface tells who may read only to managers ("allowed", without local groups, roles and networks), and of
attachments never more than whether they are protected. It shows contributions even to those who may not see them, but
the timetable does not. So what a visitor sees is everyone's; what a manager is told is a rule; what another account
sees is for the `readers` of the settings, for whom it stands; all else is nobody's.
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


Item = Page | Attachment


@dataclass(frozen=True, slots=True)
class Told:
    """What somebody is told of an event, and the contributions that they see in its timetable."""

    event: Mapping[str, Any]
    timetable: frozenset[int]


def items_of(told: Told, visitor: Told | None, readers: Access | None, *, contributions: bool) -> Iterator[Item]:
    """The items of an event, from what the account is told and what a visitor is; None if a visitor does not see it.

    `readers` are those for whom the account stands; None if nobody was named. Raises KeyError, TypeError or ValueError
    where the event is not as documented.
    """
    event = told.event
    public = visitor is not None and not event["hasAnyProtection"]
    access = PUBLIC if public else _allowed(event, readers)
    talks = list(_contributions(event)) if contributions else []
    seen = visitor.timetable if visitor and public else frozenset()
    rules = {one["db_id"]: _rule(one, seen, told.timetable, readers) for one in talks}
    yield _event_page(event, access, [one for one in talks if rules[one["db_id"]] == access != NOBODY])
    for one in talks:
        if rules[one["db_id"]] != access:
            yield _contribution_page(event, one, rules[one["db_id"]])
    yield from _minutes(event, event, "", access)
    for one in talks:
        rule = rules[one["db_id"]]
        yield from _minutes(event, one, f"/contribution-{one['db_id']}", rule)
        for sub in one.get("subContributions", ()):
            yield from _minutes(event, sub, f"/subcontribution-{sub['db_id']}", rule)
    shown = {found["id"] for found in _files(visitor.event)} if visitor else set()
    for found in _files(event):
        is_public = found["id"] in shown and not found["is_protected"]
        yield _attachment(event, found, PUBLIC if is_public else NOBODY if "allowed" in event else readers or NOBODY)


def _allowed(said: Mapping[str, Any], readers: Access | None) -> Access:
    if "allowed" not in said:
        return readers or NOBODY
    names = [*map(person, said["allowed"]["users"]), *map(group, said["allowed"]["groups"])]
    return Access((frozenset(names),)) if names else NOBODY


def _rule(said: Mapping[str, Any], visitors: frozenset[int], ours: frozenset[int], readers: Access | None) -> Access:
    """Of a contribution: as a manager is told, or as it is seen in the timetable."""
    allowed = said.get("allowed")
    if allowed and any(allowed.values()):
        return _allowed(said, readers)
    if said["db_id"] in visitors:
        return PUBLIC
    return readers or NOBODY if allowed is None and said["db_id"] in ours else NOBODY


def _contributions(event: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield from event.get("contributions", ())
    for block in event.get("sessions", ()):
        yield from block["contributions"]


def _files(event: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The files attached to an event and what is in it, each once; sessions are told with each of their blocks."""
    said = [event, *(block["session"] for block in event.get("sessions", ()))]
    for one in _contributions(event):
        said += [one, *one.get("subContributions", ())]
    folders = [folder for part in said for folder in part.get("folders") or ()]
    files = [found for folder in folders for found in folder["attachments"] if found["type"] == "file"]
    yield from {found["id"]: found for found in files}.values()


def _attachment(event: Mapping[str, Any], found: Mapping[str, Any], access: Access) -> Attachment:
    return Attachment(
        key=f"{event['id']}/attachment-{found['id']}",
        access=access,
        name=found["filename"],
        title=found["title"] or found["filename"],
        checksum=found["checksum"],
        url=found["download_url"],
        modified=found["modified_dt"],
    )


def _minutes(event: Mapping[str, Any], about: Mapping[str, Any], name: str, access: Access) -> Iterator[Page]:
    note = about.get("note")
    if note and note["html"].strip():
        title = f"Minutes: {about['title']}"
        html = f"<h1>{escape(title)}</h1>\n{note['html']}"
        key = f"{event['id']}/minutes{name}"
        yield Page(key, access, html, note["url"], title, modified=note["modified_dt"], language=_language(event))


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
