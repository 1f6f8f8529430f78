"""Whether an answer says the same as an accepted one, word by word.

Exact match and token F1 are those of SQuAD, with the same normalisation (Rajpurkar et al., "SQuAD: 100,000+ questions
for machine comprehension of text", EMNLP 2016, and its official script evaluate-v1.1). They favour short answers: an
extractive answer quotes a sentence, so `contains` says more about it.
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Iterable

from eval.metric import Metric

_MARKERS = re.compile(r"\s*\[\d+(?:\s*[,–-]\s*\d+)*\]")
_PUNCTUATION = str.maketrans("", "", string.punctuation)

_OVER = "answerable questions"
METRICS = (
    Metric("exact_match", "share that is an accepted answer, word for word", ("exact_match",), over=_OVER),
    Metric("f1", "overlap with the nearest accepted answer in words (SQuAD's F1)", ("f1",), over=_OVER),
    Metric("contains", "share that holds an accepted answer", ("contains",), over=_OVER),
)


def without_markers(text: str) -> str:
    """An answer's text without the numbers of its passages, such as [2] or [1, 3]."""
    return _MARKERS.sub("", text)


def normalized(text: str) -> str:
    """SQuAD's form of an answer: lower case, without punctuation, English articles and needless white space."""
    bare = text.lower().translate(_PUNCTUATION)
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", bare).split())


def exact_match(text: str, answers: Iterable[str]) -> float:
    return float(any(normalized(text) == normalized(answer) for answer in answers))


def token_f1(text: str, answers: Iterable[str]) -> float:
    """The best harmonic mean of precision and recall over the words that `text` shares with an answer."""
    return max(_f1(normalized(text).split(), normalized(answer).split()) for answer in answers)


def _f1(given: list[str], expected: list[str]) -> float:
    same = sum((Counter(given) & Counter(expected)).values())
    return 2 * same / (len(given) + len(expected)) if same else 0.0


def contains(text: str, answers: Iterable[str]) -> float:
    """1 if the words of an answer stand side by side in `text`."""
    within = f" {normalized(text)} "
    return float(any(normalized(answer) and f" {normalized(answer)} " in within for answer in answers))
