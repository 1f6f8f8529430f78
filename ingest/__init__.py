"""From sources to a library.

>>> from ingest import build_library
>>> report = build_library(["documents/"], "library/")  # doctest: +SKIP
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ingest.sync import Line, Report, build_library

__all__ = ["Line", "Report", "build_library"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from ingest import sync

        return getattr(sync, name)
    raise AttributeError(f"module 'ingest' has no attribute {name!r}")
