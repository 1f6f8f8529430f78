"""The demonstration documents, a made-up collaboration's; `questions.jsonl` beside them holds questions on them."""

from __future__ import annotations

from pathlib import Path


def documents() -> Path:
    """The folder of the demonstration documents, about 40 files in one folder for each kind of source.

    They are about foundation models in science and about Meridian, a collaboration that does not exist. A
    document's key is its path relative to this folder, with forward slashes.
    """
    return Path(__file__).resolve().parent / "documents"
