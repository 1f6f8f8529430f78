"""Question sets that come with the project; README.md is their card."""

from __future__ import annotations

from pathlib import Path


def meridian() -> Path:
    """The file of test questions on the documents of `ingest.demo.documents()`, to be read by `eval.questions`.

    Nothing may be tuned on them; the questions for that are `questions.jsonl` in `ingest/demo`.
    """
    return Path(__file__).resolve().parent / "meridian.jsonl"
