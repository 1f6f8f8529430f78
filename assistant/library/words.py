"""The words of a text, as the lexical index knows them: stemmed, and known by a 64-bit hash.

A hash instead of the word makes every posting list's name 8 bytes long and keeps no vocabulary that shelves would have
to share. Two of a million different words have the same hash with a probability of 3e-8 (birthday bound).
"""

from __future__ import annotations

from collections import Counter
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

import xxhash

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@cache
def _analyzer() -> Any:
    """The same words as tantivy's `en_stem`."""
    from tantivy import Filter, TextAnalyzerBuilder, Tokenizer

    builder = TextAnalyzerBuilder(Tokenizer.simple())
    return builder.filter(Filter.remove_long(40)).filter(Filter.lowercase()).filter(Filter.stemmer("english")).build()


def words(text: str) -> list[str]:
    """The words of a text, in order, with repetitions."""
    return list(_analyzer().analyze(text))


@lru_cache(maxsize=1 << 17)
def word_hash(word: str) -> int:
    """An unsigned 64-bit number for a word that `words` gave."""
    return xxhash.xxh3_64_intdigest(word.encode())


def counted(text: str) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """The hash of each different word of a text, and how often it stands there."""
    import numpy as np

    counts = Counter(words(text))
    hashes = np.fromiter(map(word_hash, counts), np.uint64, len(counts))
    return hashes, np.fromiter(counts.values(), np.int64, len(counts))
