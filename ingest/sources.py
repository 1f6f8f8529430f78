"""From the sections `[sources.NAME]` of the settings to connectors."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from assistant.errors import SettingsError
from assistant.settings import FILE, Settings, what_is_wrong
from assistant.types import Access
from ingest.connectors.connector import Connector
from ingest.connectors.options import SourceOptions, WebOptions
from ingest.connectors.patterns import Patterns

KINDS = {
    "arxiv": "arxiv.Arxiv",
    "confluence": "confluence.Confluence",
    "confluence_export": "confluence.ConfluenceExport",
    "folder": "folder.Folder",
    "git": "git.Git",
    "indico": "indico.Indico",
    "inspire": "inspire.Inspire",
    "llama_index": "llama_index.LlamaIndex",
    "mediawiki": "mediawiki.MediaWiki",
    "mediawiki_dump": "mediawiki.MediaWikiDump",
    "oai": "oai.OAI",
    "twiki": "twiki.Twiki",
    "twiki_folder": "twiki.TwikiFolder",
    "web": "web.Site",
    "webdav": "webdav.WebDav",
}
"""Kind -> its module among the connectors, and the class there; that of its options has `Options` behind its name."""


@dataclass(frozen=True, slots=True)
class Source:
    """A source: its name in the library, its checked options, and the class that reads it, called with them and with
    an HTTP client, which is None unless they are WebOptions."""

    name: str
    options: SourceOptions
    connector: type[Connector]

    @property
    def readers(self) -> Access | None:
        """The rule that the settings add to the source's own."""
        return None if self.options.readers is None else Access.of(*self.options.readers)

    @property
    def full_hours(self) -> float:
        given = self.options.full_hours
        return self.connector.full_hours if given is None else given

    def open(self, opened: ExitStack, max_mb: float) -> tuple[Connector, Any]:
        """The connector, and its HTTP client or None; closed with `opened`. No item may be larger than `max_mb`.

        Raises SourceError and SettingsError (a secret that is not there).
        """
        connector: Any = self.connector
        if not isinstance(self.options, WebOptions):
            return connector(self.options, None), None
        from ingest.fetch import Client

        per_second, burst = connector.pace
        client = opened.enter_context(
            Client(self.options, per_second=per_second, burst=burst, max_mb=max_mb, sign_in=connector.sign_in)
        )
        return connector(self.options, client), client


def sources_of(settings: Settings, only: tuple[str, ...] = ()) -> list[Source]:
    """The sources that the settings list, or those of them that `only` names.

    Raises SettingsError where there is none, for a section with what is wrong in it, and for a name that is not there.
    """
    if not settings.sources:
        raise SettingsError(
            f"No source is listed. Add one to {Path(FILE).resolve()}, for example: [sources.docs] with "
            'kind = "folder", path = "docs" and readers = ["everyone"]'
        )
    unknown = sorted(set(only) - settings.sources.keys())
    if unknown:
        raise SettingsError(
            f"There is no source {unknown[0]}. The settings have: {', '.join(settings.sources) or 'none'}"
        )
    return [_source(name, table) for name, table in settings.sources.items() if not only or name in only]


def _source(name: str, table: Mapping[str, Any]) -> Source:
    kind = table.get("kind", "")
    if not isinstance(kind, str) or kind not in KINDS:
        near = get_close_matches(str(kind), KINDS, n=1)
        has = f"has the kind {kind!r}, which is unknown" if kind else "has no kind"
        meant = f"Did you mean {near[0]!r}?" if near else f"The kinds are: {', '.join(sorted(KINDS))}"
        raise SettingsError(f"[sources.{name}] {has}. {meant}")
    connector, options = classes_of(kind)
    try:
        source = Source(name, options(**table), connector)
    except ValidationError as error:
        raise SettingsError(f"[sources.{name}] is wrong: {what_is_wrong(error, options)}") from None
    try:
        Patterns(getattr(source.options, "include", ()), getattr(source.options, "exclude", ()))
    except ValueError as error:
        raise SettingsError(f"[sources.{name}] is wrong: {error}") from None
    if not connector.has_rules and source.options.readers is None:
        raise SettingsError(
            f"[sources.{name}] must say who may read it, because a source of kind {kind} does not: "
            'readers = ["atlas"], or readers = ["everyone"]'
        )
    if source.options.readers == ():
        raise SettingsError(f"[sources.{name}] has readers = [], which lets nobody read it. Name at least one group.")
    return source


def classes_of(kind: str) -> tuple[type[Connector], type[SourceOptions]]:
    """What reads sources of this kind, which is one of KINDS, and what their sections may say."""
    where, _, name = KINDS[kind].partition(".")
    module = import_module(f"ingest.connectors.{where}")
    return getattr(module, name), getattr(module, f"{name}Options")
