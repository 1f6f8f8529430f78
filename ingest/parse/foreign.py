"""Formats that Refdesk does not parse, by a reader of LlamaIndex or a document loader of LangChain."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from assistant.errors import SettingsError
from ingest.parse.parsed import Draft


def reader_class(suffix: str, dotted: str) -> Any:
    """The class that `ingest.readers` names for `suffix`; raises SettingsError if it cannot be used."""
    asked = f'ingest.readers: "{suffix}" = "{dotted}"'
    module, _, name = dotted.rpartition(".")
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise SettingsError(f"{asked} cannot be imported: {error}. Install its package or correct the name.") from error
    if not hasattr(found, "load_data") and not hasattr(found, "lazy_load"):
        raise SettingsError(f"{asked} is neither a LlamaIndex reader (load_data) nor a LangChain loader (lazy_load).")
    return found


def read_foreign(path: Path, suffix: str, dotted: str) -> Draft:
    """All documents that the reader finds in `path`, one after the other."""
    found = reader_class(suffix, dotted)
    if hasattr(found, "load_data"):
        texts = [document.get_content() for document in found().load_data(path)]
    else:
        texts = [document.page_content for document in found(str(path)).lazy_load()]
    return Draft(suffix.lstrip("."), tuple(texts))
