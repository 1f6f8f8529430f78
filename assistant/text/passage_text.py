"""What an index reads for a chunk: its text with the document's title and the headings above it in front.

The splitter counts the tokens of this text, the embedder and the lexical index read it, so all three use this module.
"""

from __future__ import annotations

MOST_BYTES = 240
"""Room for title and headings, in bytes of UTF-8. A tokenizer makes at most one token of a byte, so this bounds their
tokens for every embedder; in English it is about 55 of MiniLM's 254."""

_BETWEEN = " > "


def heading_path(title: str, section: tuple[str, ...]) -> str:
    """Title and headings from the outermost to the innermost, `A > B > C`, in at most `MOST_BYTES` bytes.

    A heading that repeats the one before it (most documents' first heading is their title) is written once. What is
    too long loses its outermost parts first, the innermost heading its end.
    """
    parts: list[str] = []
    for part in (" ".join(heading.split()) for heading in (title, *section)):
        if part and (not parts or part.casefold() != parts[-1].casefold()):
            parts.append(part)
    while len(parts) > 1 and len(_BETWEEN.join(parts).encode()) > MOST_BYTES:
        del parts[0]
    return _BETWEEN.join(parts).encode()[:MOST_BYTES].decode(errors="ignore").rstrip()


def passage_text(title: str, section: tuple[str, ...], text: str) -> str:
    """`text` with its heading path on a line before it; `text` alone if there is neither title nor heading."""
    path = heading_path(title, section)
    return f"{path}\n{text}" if path else text
