"""Any reader of LlamaIndex as a source, for the many kinds that have no connector of their own.

Such a reader is foreign code: it runs in our process with all our rights, it opens connections of its own that nobody
checks, and it lists everything each time.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar, Literal

from pydantic import Field

from assistant.errors import SettingsError, SourceError
from assistant.types import PUBLIC
from ingest.connectors.connector import Connector, Fetched, Listed
from ingest.connectors.options import SourceOptions
from ingest.fetch import Client

_RANDOM = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
"""What LlamaIndex makes up for a document that its reader gives no id."""
_IDS = ("file_path", "page_id", "id", "url", "source_url", "source", "link", "file_name")
_TITLES = ("title", "page_title", "subject", "name", "file_name")
_AUTHORS = ("authors", "author", "creator", "created_by")
_CREATED = ("created", "created_at", "creation_date", "date", "published")
_MODIFIED = ("modified", "modified_at", "last_modified_date", "last_modified", "updated_at", "last_edited_time")
_ADDRESSES = ("url", "source_url", "link", "source")
_LANGUAGES = ("language", "lang")


class LlamaIndexOptions(SourceOptions):
    """A reader of LlamaIndex. Name only one that you trust as much as Refdesk: its connections are not checked, and the
    limits and the allow-list that other sources have do not hold for it."""

    kind: Literal["llama_index"] = "llama_index"
    reader: str
    """The class by its dotted name: "llama_index.readers.slack.SlackReader". Its package must be installed."""
    arguments: Mapping[str, Any] = Field(default_factory=dict)
    """What it is made with."""
    secrets: Mapping[str, str] = Field(default_factory=dict)
    """More of these that are secret -> the environment variable that holds each."""
    load: Mapping[str, Any] = Field(default_factory=dict)
    """What its `load_data` is called with."""


class LlamaIndex(Connector):
    """All documents that a reader loads, an item each.

    Its key is the document's id or file, numbered where several have the same (pages of a file); one that has neither
    is known by its content. It has no rules about readers: who may read is what `readers` says.
    """

    remote: ClassVar[bool] = False
    at_once: ClassVar[int] = 1
    has_rules: ClassVar[bool] = False

    def __init__(self, options: LlamaIndexOptions, client: Client | None = None) -> None:
        self._options = options
        given = json.dumps([dict(options.arguments), dict(options.load)], sort_keys=True, default=str)
        self.root = f"llama_index {options.reader} {hashlib.sha256(given.encode()).hexdigest()[:12]}"

    def list(self) -> Iterator[Listed]:
        """Raises SourceError for whatever the reader raises, and SettingsError where it cannot be imported."""
        used: dict[str, int] = {}
        for document in self._documents():
            text, metadata = document.get_content(), dict(document.metadata)
            name = _name(document.doc_id, metadata) or hashlib.sha256(text.encode()).hexdigest()[:16]
            used[name] = used.get(name, 0) + 1
            key = name if used[name] == 1 else f"{name}#{used[name]}"
            facts = _facts(metadata)
            stamp = hashlib.sha256(repr((text, facts)).encode()).hexdigest()[:16]
            suffix = ".md" if _is_markdown(metadata) else ".txt"
            yield Listed(key, stamp, PUBLIC, hint=(suffix, text, facts))

    def fetch(self, item: Listed, folder: Path) -> Fetched:
        suffix, text, facts = item.hint
        path = folder / f"document{suffix}"
        path.write_text(text, encoding="utf-8")
        return Fetched(path, hashlib.sha256(text.encode()).hexdigest()[:16], **facts)

    def _documents(self) -> Sequence[Any]:
        reader = self._class()
        secrets = self._secrets()
        try:
            documents = list(reader(**self._options.arguments, **secrets).load_data(**self._options.load))
        except Exception as error:  # noqa: BLE001 foreign code, which may raise anything; all of it means: not read
            said = f"{type(error).__name__}: {error}"
            for secret in secrets.values():
                said = said.replace(secret, "***")
            raise SourceError(f"{self._options.reader} failed: {said[:500]}. Nothing was removed.") from None
        wrong = [found for found in documents if not hasattr(found, "get_content") or not hasattr(found, "metadata")]
        if wrong:
            raise SourceError(f"{self._options.reader} loaded a {type(wrong[0]).__name__}, which is no document")
        return documents

    def _class(self) -> Any:
        module, _, name = self._options.reader.rpartition(".")
        try:
            found = getattr(importlib.import_module(module), name)
        except (ImportError, AttributeError, ValueError) as error:
            raise SettingsError(
                f"reader = {self._options.reader!r} cannot be imported: {error}. Install its package or correct "
                "the name."
            ) from error
        if not hasattr(found, "load_data"):
            raise SettingsError(f"reader = {self._options.reader!r} is no reader of LlamaIndex: it has no load_data")
        return found

    def _secrets(self) -> dict[str, str]:
        missing = [variable for variable in self._options.secrets.values() if not os.environ.get(variable)]
        if missing:
            raise SettingsError(f"The environment variable {missing[0]} is to hold a secret, but is not set.")
        return {name: os.environ[variable] for name, variable in self._options.secrets.items()}


def _name(given: str, metadata: Mapping[str, Any]) -> str:
    return given if given and not _RANDOM.fullmatch(given) else _first(metadata, _IDS)


def _facts(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """What `Fetched` has room for, from the names that readers use for it."""
    language = _first(metadata, _LANGUAGES)
    return {
        "url": next((text for key in _ADDRESSES if (text := str(metadata.get(key, ""))).startswith("http")), ""),
        "title": _first(metadata, _TITLES),
        "authors": next((names for key in _AUTHORS if (names := _names(metadata.get(key)))), ()),
        "created": next((day for key in _CREATED if (day := _date(metadata.get(key)))), ""),
        "modified": next((day for key in _MODIFIED if (day := _date(metadata.get(key)))), ""),
        "language": language if re.fullmatch(r"[A-Za-z-]{2,12}", language) else "",
    }


def _first(metadata: Mapping[str, Any], keys: tuple[str, ...]) -> str:
    values = (metadata.get(key) for key in keys)
    return next((str(value).strip() for value in values if isinstance(value, str | int) and str(value).strip()), "")


def _names(value: Any) -> tuple[str, ...]:
    """One name or several; a text is one name, because names hold commas."""
    listed = value if isinstance(value, list | tuple) else [value]
    return tuple(name.strip() for name in listed if isinstance(name, str) and name.strip())


def _date(value: Any) -> str:
    """A date or time as ISO 8601, in UTC where it says its zone; "" for others."""
    if isinstance(value, str):
        try:
            value = date.fromisoformat(value) if len(value) == len("2026-11-20") else datetime.fromisoformat(value)
        except ValueError:
            return ""
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if value.tzinfo else value.date().isoformat()
    return value.isoformat() if isinstance(value, date) else ""


def _is_markdown(metadata: Mapping[str, Any]) -> bool:
    named = PurePosixPath(_first(metadata, ("file_name", "file_path"))).suffix.lower()
    return named in (".md", ".markdown") or metadata.get("file_type") == "text/markdown"
