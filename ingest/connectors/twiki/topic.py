"""A topic of TWiki or Foswiki as its file has it: settings, attachments, and who wrote it when.

Settings are read as the engines read them (Foswiki::Prefs::Parser): bullets `   * Set NAME = value` wherever they
stand, in comments and examples too, with lines that go on; then META:PREFERENCE; the last one counts.
https://foswiki.org/System/PreferenceSettings, https://foswiki.org/System/MetaData
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

_META = re.compile(r"^%META:(\w+)\{(.*)\}%[ \t\r]*$", re.M)
_ATTRIBUTE = re.compile(r'\b(\w+)="((?:[^"\\]|\\.)*)"')  # \b: a long word is looked at once only
_SET = re.compile(r"^(?:\t|   )+\*\s+(Set|Local)\s+([A-Za-z][A-Za-z0-9_:]*)\s*=\s*(.*)$")
_INDENTED = re.compile(r"^(?:   |\t)+ *\S")
_BULLET = re.compile(r"^(?:   |\t)+\*")
_CODES = {"_Q_": '"', "_N_": "\n", "_P_": "%"}


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file of a topic. `modified` is a date in ISO 8601 or ""."""

    name: str
    author: str
    modified: str
    revision: str


@dataclass(frozen=True, slots=True)
class Topic:
    """What the engine knows of a topic. `moved_from` is `Web.Topic` where its last move came from."""

    settings: Mapping[str, str]
    attachments: tuple[Attachment, ...]
    author: str
    modified: str
    created: str
    moved_from: str

    @property
    def title(self) -> str:
        return self.settings.get("TOPICTITLE", "").strip()


def read_topic(text: str) -> Topic:
    """What a topic's file, or the answer to `raw=all`, says."""
    fields = [(match[1], _attributes(match[2])) for match in _META.finditer(text)]
    info = next((found for name, found in fields if name == "TOPICINFO"), {})
    moved = next((found for name, found in fields if name == "TOPICMOVED"), {})
    modified = _date(info.get("date", ""))
    version = info.get("version", "").removeprefix("1.")
    return Topic(
        settings=_settings(_META.sub("", text), fields),
        attachments=tuple(
            Attachment(
                found["name"], _person(found.get("user", "")), _date(found.get("date", "")), found.get("version", "")
            )
            for name, found in fields
            if name == "FILEATTACHMENT" and found.get("name")
        ),
        author=_person(info.get("author", "")),
        modified=modified,
        created=modified if version == "1" else "",
        moved_from=moved.get("from", ""),
    )


def _settings(text: str, fields: list[tuple[str, dict[str, str]]]) -> dict[str, str]:
    found: dict[str, str] = {}
    open_name = ""  # of the setting that the next line may go on with
    for line in text.replace("\r", "").split("\n"):
        if match := _SET.match(line):
            open_name = match[2] if match[1] == "Set" else ""
            if open_name:
                found[open_name] = match[3]
        elif open_name and _INDENTED.match(line) and not _BULLET.match(line):
            found[open_name] += "\n" + line
        else:
            open_name = ""
    has_form = any(name == "FORM" for name, _ in fields)
    for name, field in fields:
        is_set = name == "PREFERENCE" and field.get("type", "Set") == "Set"
        if is_set or (has_form and name == "FIELD" and "S" in field.get("attributes", "")):
            found[field.get("name", "")] = field.get("value", "")
    return {name: re.sub(r"(?<=[^\\])\\n", "\n", value) for name, value in found.items()}  # a line feed may be written


def _attributes(text: str) -> dict[str, str]:
    """Values as they were before the engine wrote them: Foswiki writes %22 for a quote, TWiki %_Q_%."""
    return {
        name: re.sub(r"%([0-9a-fA-F]{2})", lambda code: chr(int(code[1], 16)), _older(value))
        for name, value in _ATTRIBUTE.findall(text)
    }


def _older(value: str) -> str:
    return re.sub(r"%(_[QNP]_)%", lambda code: _CODES[code[1]], value)


def _person(name: str) -> str:
    return name.rpartition(".")[2]


def _date(seconds: str) -> str:
    if not seconds.isdecimal() or len(seconds) > 11:
        return ""
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
