"""Refdesk from Python: open a library, search it, ask it.

>>> from assistant import Assistant
>>> assistant = Assistant.open("library/")           # doctest: +SKIP
>>> answer = assistant.ask("How is the run number made?")  # doctest: +SKIP
>>> print(answer.text, answer.citations)             # doctest: +SKIP
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from assistant.answering import Assistant
    from assistant.errors import (
        FetchError,
        LibraryDamaged,
        LibraryDiskFull,
        LibraryError,
        LibraryLocked,
        LibraryMismatch,
        LibraryNotFound,
        LibraryReadOnly,
        LibraryTooNew,
        LibraryTooOld,
        LLMError,
        LLMGarbage,
        LLMSilent,
        LLMUnavailable,
        ModelNotFound,
        ParseError,
        RefdeskError,
        RunError,
        SettingsError,
        SourceError,
    )
    from assistant.settings import Settings
    from assistant.types import Access, Answer, Chunk, Citation, Document, Item, Passage, Section

_HOMES = ("types", "errors", "settings", "answering")  # the quick ones to import first

__all__ = [
    "Access",
    "Answer",
    "Assistant",
    "Chunk",
    "Citation",
    "Document",
    "FetchError",
    "Item",
    "LLMError",
    "LLMGarbage",
    "LLMSilent",
    "LLMUnavailable",
    "LibraryDamaged",
    "LibraryDiskFull",
    "LibraryError",
    "LibraryLocked",
    "LibraryMismatch",
    "LibraryNotFound",
    "LibraryReadOnly",
    "LibraryTooNew",
    "LibraryTooOld",
    "ModelNotFound",
    "ParseError",
    "Passage",
    "RefdeskError",
    "RunError",
    "Section",
    "Settings",
    "SettingsError",
    "SourceError",
]


def __getattr__(name: str) -> Any:
    if name in __all__:
        for home in _HOMES:
            if found := getattr(import_module(f"assistant.{home}"), name, None):
                return found
    raise AttributeError(f"module 'assistant' has no attribute {name!r}")
