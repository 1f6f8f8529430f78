"""Cut a document into chunks that fit the embedder, along its structure.

A chunk is packed from pieces: whole blocks where they fit, else table rows, code lines, sentences, words, and only at
last parts of a word. No chunk holds more than one section, with one exception: a section that has nothing but its
heading is read together with the section after it, so that no chunk is a bare heading and no heading is lost.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from assistant.text.blocks import Block, blocks, lines, stripped
from assistant.text.passage_text import passage_text
from assistant.text.sentences import prose_sentences, whole_spans
from assistant.types import Chunk, Document, Section

TokenStarts = Callable[[str], Sequence[int]]

LEAST_ROOM = 8
"""Tokens that must remain for a chunk's own text beside its heading path."""


@dataclass(frozen=True, slots=True)
class _Piece:
    """`text[start:end]`, which is not cut any more. `leads` says that it means little without the piece after it."""

    start: int
    end: int
    tokens: int
    leads: bool = False


def split(document: Document, token_starts: TokenStarts, max_tokens: int) -> list[Chunk]:
    """The chunks of a document, ascending; each character that is not white space lies in exactly one of them.

    `token_starts(text)` gives the offset at which each token of the embedder starts, ascending and without special
    tokens. It is called once for the whole text, so a tokenizer must treat words apart from one another, as WordPiece
    and SentencePiece do. `passage_text(document.title, chunk.section, chunk.text)` has at most `max_tokens` tokens.
    Within this, chunks of one section are as even as their pieces allow. A section under a bibliography heading gives
    chunks of kind `bibliography`.

    Raises ValueError if `max_tokens` leaves fewer than `LEAST_ROOM` tokens beside the heading path.
    """
    starts = token_starts(document.text)
    found = []
    for start, section in _readable(document):
        joined = [one for one in document.sections if start <= one.start < section.end]
        room = max_tokens - max(len(token_starts(passage_text(document.title, one.path, ""))) for one in joined)
        if room < LEAST_ROOM:
            raise ValueError(
                f"The headings of {document.key!r} leave {room} of max_tokens={max_tokens} tokens for its text, and "
                f"{LEAST_ROOM} are needed; use an embedder that reads more."
            )
        cutter = _Cutter(document.text, starts, token_starts, room)
        for a, b in _packed(cutter.pieces(start, section.end), room):
            page = bisect_right(document.pages, a) or None
            owner = next(one for one in joined if b <= one.end)  # so many bare headings may fill a chunk of their own
            found.append(Chunk(a, b, document.text[a:b], owner.path, page, owner.kind))
    return found


def _readable(document: Document) -> list[tuple[int, Section]]:
    """Each section that has a text, with the offset from which it is read: where bare headings before it begin.

    Bare headings stay alone at the end of a document, at a page break (a slide that has only a title is found as that
    slide) and between text and bibliography.
    """
    found: list[tuple[int, Section]] = []
    start: int | None = None
    for n, section in enumerate(document.sections):
        start = section.start if start is None else start
        following = document.sections[n + 1] if n + 1 < len(document.sections) else None
        if following and _belong_together(document, section, following) and _is_bare(document.text, section):
            continue
        if not document.text[start : section.end].isspace():
            found.append((start, section))
        start = None
    return found


def _belong_together(document: Document, section: Section, following: Section) -> bool:
    pages = [bisect_right(document.pages, one.start) for one in (section, following)]
    return section.kind == following.kind and pages[0] == pages[1]


def _is_bare(text: str, section: Section) -> bool:
    """Whether a section has neither letter nor digit outside its heading."""
    body = (text[b.start : b.end] for b in blocks(text, section.start, section.end) if b.kind != "heading")
    return not any(c.isalnum() for block in body for c in block)


@dataclass(frozen=True, slots=True)
class _Cutter:
    """Cuts a span into pieces of at most `room` tokens, as few and as natural as possible."""

    text: str
    starts: Sequence[int]
    token_starts: TokenStarts
    room: int

    def pieces(self, start: int, end: int) -> list[_Piece]:
        found: list[_Piece] = []
        leading = 0
        for block in blocks(self.text, start, end):
            piece = self._piece(block.start, block.end)
            # A heading must not stand alone because the block after it just fills a chunk.
            room = self.room if block.kind == "equation" else self.room - leading
            leads = block.kind == "heading" or self.text[block.end - 1] == ":"
            found += [replace(piece, leads=leads)] if piece.tokens <= room else self._parts(block)
            leading = leading + piece.tokens if leads else 0
        return _joined(found, self.room)

    def _parts(self, block: Block) -> list[_Piece]:
        if block.kind == "equation":
            return self._finer([(block.start, block.end)])
        if block.kind not in ("table", "code"):
            return self._finer(prose_sentences(self.text, block.start, block.end))
        rows = self._finer(stripped(self.text, *line) for line in lines(self.text, block.start, block.end))
        # A table's header and separator stay with its first row.
        return [replace(row, leads=block.kind == "table" and n < 2) for n, row in enumerate(rows)]

    def _finer(self, spans: Iterable[tuple[int, int]]) -> list[_Piece]:
        """The spans as pieces, and in place of each that is too long its words."""
        found: list[_Piece] = []
        for span in spans:
            piece = self._piece(*span)
            if piece.tokens <= self.room:
                found += [piece] if piece.start < piece.end else []
            else:
                for word in self._words(*span):
                    found += [word] if word.tokens <= self.room else self._parts_of_word(word)
        return found

    def _words(self, start: int, end: int) -> list[_Piece]:
        """What white space parts; a formula or code within the text that fits counts as one word."""
        found: list[_Piece] = []
        whole = whole_spans(self.text, start, end)
        at = 0
        for match in re.compile(r"\S+").finditer(self.text, start, end):
            word = self._piece(*match.span())
            while at < len(whole) and whole[at][1] <= word.start:
                at += 1
            if found and at < len(whole) and whole[at][0] < word.start:
                joined = self._piece(found[-1].start, word.end)
                if joined.tokens <= self.room:
                    found[-1] = joined
                    continue
            found.append(word)
        return found

    def _parts_of_word(self, word: _Piece) -> list[_Piece]:
        """The last resort: cut at token borders. Parts of a word may make other tokens, so these are counted anew."""
        borders = sorted({start for start in self._starts_within(word) if start > word.start} | {word.end})
        found = []
        start, at = word.start, 0
        while at < len(borders):
            stop = min(at + self.room, len(borders))
            while (tokens := self._tokens_of(start, borders[stop - 1])) > self.room and stop > at + 1:
                stop -= 1
            found.append(_Piece(start, borders[stop - 1], tokens))
            start, at = borders[stop - 1], stop
        return found

    def _piece(self, start: int, end: int) -> _Piece:
        return _Piece(start, end, bisect_left(self.starts, end) - bisect_left(self.starts, start))

    def _starts_within(self, piece: _Piece) -> Sequence[int]:
        return self.starts[bisect_left(self.starts, piece.start) : bisect_left(self.starts, piece.end)]

    def _tokens_of(self, start: int, end: int) -> int:
        return len(self.token_starts(self.text[start:end]))


def _joined(pieces: list[_Piece], room: int) -> list[_Piece]:
    """The pieces, with each that leads joined to what follows it if both fit."""
    found: list[_Piece] = []
    for piece in reversed(pieces):
        if piece.leads and found and piece.tokens + found[-1].tokens <= room:
            piece = _Piece(piece.start, found[-1].end, piece.tokens + found.pop().tokens)
        found.append(piece)
    return found[::-1]


def _packed(pieces: list[_Piece], room: int) -> list[tuple[int, int]]:
    """The spans of as few chunks as possible; among those, of the least size of the largest."""
    fewest = len(_greedy(pieces, room))
    low, high = max((piece.tokens for piece in pieces), default=0), room
    while low < high:
        middle = (low + high) // 2
        if len(_greedy(pieces, middle)) == fewest:
            high = middle
        else:
            low = middle + 1
    return [(group[0].start, group[-1].end) for group in _greedy(pieces, high)]


def _greedy(pieces: list[_Piece], room: int) -> list[list[_Piece]]:
    found: list[list[_Piece]] = []
    tokens = 0
    for piece in pieces:
        if found and tokens + piece.tokens <= room:
            found[-1].append(piece)
            tokens += piece.tokens
        else:
            found.append([piece])
            tokens = piece.tokens
    return found
