"""JSON Lines: an object a line, as question files and benchmarks hold them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def objects(file: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """The place of each object, for messages ("questions.jsonl, line 3"), and the object; blank lines are passed over.

    Raises FileNotFoundError, and ValueError that names the line for what is no object, or not UTF-8.
    """
    # Lines end with \n only: a text may hold other ends of lines, such as U+2028.
    with file.open(encoding="utf-8", newline="\n") as lines:
        try:
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    yield (where := f"{file}, line {number}"), _object(line, where)
        except UnicodeDecodeError as error:
            raise ValueError(f"{file} is not UTF-8: {error}.") from error


def _object(line: str, where: str) -> dict[str, Any]:
    try:
        found = json.loads(line)
        json.dumps(found, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"{where}: half of a character ({error.object[error.start]!r}) is no text.") from error
    except ValueError as error:  # no JSON, or a number of thousands of digits
        raise ValueError(f"{where}: not JSON ({error}).") from error
    except RecursionError as error:
        raise ValueError(f"{where}: JSON that is nested too deeply.") from error
    if not isinstance(found, dict):
        raise ValueError(f"{where}: expected an object, found {line.rstrip()[:80]!r}.")
    return found
