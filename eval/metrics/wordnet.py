"""WordNet as Debian packs it, for METEOR's synonyms (Fellbaum, WordNet: An Electronic Lexical Database, 1998).

nltk's reader wants a file `lexnames`, which Debian leaves out, and other releases of WordNet for its multilingual part.
METEOR needs neither.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import nltk
from nltk.corpus.reader.wordnet import WordNetCorpusReader

FOLDERS = (Path("/usr/share/wordnet"), Path("/usr/local/share/wordnet"))
_PARTS = ("adj", "adv", "noun", "verb")
_FILES = ("cntlist.rev", "index.sense", *(f"{kind}.{part}" for kind in ("index", "data") for part in _PARTS))
_SEARCHED = ("cntlist.rev", "index.sense")
"""What nltk searches by halves, for which it needs a stream of its own; METEOR needs neither."""
_LEXICOGRAPHER_FILES = 45


class _Debian(WordNetCorpusReader):  # type: ignore[misc]
    def open(self, file: str) -> Any:
        if file == "lexnames":  # only `Synset.lexname` says what stands here
            return io.StringIO("".join(f"{number:02d}\tunnamed\t1\n" for number in range(_LEXICOGRAPHER_FILES)))
        if file in _SEARCHED:
            return super().open(file)
        # Python's own stream reads lines several times as fast as nltk's, and a place in it is one in the file, too.
        return (Path(self.root) / file).open(encoding="utf-8")

    def map_wn(self, version: str = "wordnet") -> None:
        """No other release to translate to."""


def open_wordnet(folders: Sequence[Path] = FOLDERS) -> WordNetCorpusReader:
    """The WordNet in the first of `folders` that holds it.

    Raises ValueError that says how to install it, if none does.
    """
    for folder in folders:
        if all((folder / file).exists() for file in _FILES):
            return _opened(folder)
    raise ValueError(
        f"WordNet is in none of {', '.join(map(str, folders))}. On Debian and Ubuntu: "
        "apt-get install wordnet-base wordnet-sense-index."
    )


@cache
def _opened(folder: Path) -> WordNetCorpusReader:
    nltk.data.path.append(str(folder))  # nltk reads below these folders only
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The multilingual functions")
        return _Debian(str(folder), None)
