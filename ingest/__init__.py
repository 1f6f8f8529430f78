"""From sources to a library.

>>> from ingest import build_library
>>> report = build_library(["documents/"], "library/")  # doctest: +SKIP
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ingest.report import Line, Report, SourceReport
    from ingest.sources import Source, sources_of
    from ingest.sync import build_library, sync_sources

__all__ = ["Line", "Report", "Source", "SourceReport", "build_library", "sources_of", "sync_sources"]

_HOMES = ("report", "sources", "sync")  # the quick ones to import first


def __getattr__(name: str) -> Any:
    if name in __all__:
        for home in _HOMES:
            if found := getattr(import_module(f"ingest.{home}"), name, None):
                return found
    raise AttributeError(f"module 'ingest' has no attribute {name!r}")
