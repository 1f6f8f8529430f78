"""From sources to a library.

>>> from ingest import build_library
>>> report = build_library(["documents/"], "library/")  # doctest: +SKIP
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ingest.report import Line, Report, SourceReport
    from ingest.sync import build_library, sync_sources

__all__ = ["Line", "Report", "SourceReport", "build_library", "sync_sources"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from ingest import report, sync

        return getattr(sync if name.islower() else report, name)
    raise AttributeError(f"module 'ingest' has no attribute {name!r}")
