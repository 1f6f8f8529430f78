"""BLEU, ROUGE and METEOR: how much of an answer's wording is that of an accepted one.

All favour short answers, and none knows whether what is said is true. They are here because others report them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from eval.metric import Metric

if TYPE_CHECKING:
    from nltk.corpus.reader.wordnet import WordNetCorpusReader

    from eval.metric import Floats

_ORDERS = 4
_ALPHA, _BETA, _GAMMA = 0.9, 3.0, 0.5
BLEU_COLUMNS = (
    *(f"bleu_matches_{n}" for n in range(1, _ORDERS + 1)),
    *(f"bleu_ngrams_{n}" for n in range(1, _ORDERS + 1)),
    "bleu_length",
    "bleu_reference_length",
)


def bleu(rows: Floats) -> Floats:
    """BLEU of all answers together, 0 to 1, from the counts in `BLEU_COLUMNS`.

    Papineni et al., "BLEU: a method for automatic evaluation of machine translation", ACL 2002, smoothed as NIST's
    mteval does for orders without a match (Chen and Cherry, WMT 2014, method 3), which is sacrebleu's default.
    """
    import numpy as np

    sums = np.nansum(rows, axis=-2)
    matches, ngrams = sums[..., :_ORDERS], sums[..., _ORDERS : 2 * _ORDERS]
    length, reference = sums[..., -2], sums[..., -1]
    missed = (matches == 0) & (ngrams > 0)
    smoothed = np.where(missed, 0.5 ** np.cumsum(missed, axis=-1), matches)
    with np.errstate(divide="ignore", invalid="ignore"):
        precision = np.exp(np.log(smoothed / ngrams).mean(-1))
        brevity = np.exp(np.minimum(0, 1 - reference / length))
    defined = (matches[..., 0] > 0) & (ngrams > 0).all(-1)  # no n-gram of an order, or no word in common
    return np.where(reference > 0, np.where(defined, precision * brevity, 0.0), np.nan)


_OVER = "answerable questions"
METRICS = (
    Metric(
        "bleu",
        "overlap with accepted answers in runs of up to four words (BLEU)",
        BLEU_COLUMNS,
        statistic=bleu,
        over=_OVER,
    ),
    Metric("rouge_1", "overlap with the nearest accepted answer in stems (ROUGE-1 F)", ("rouge_1",), over=_OVER),
    Metric(
        "rouge_l",
        "longest common sequence of stems with the nearest accepted answer (ROUGE-L F)",
        ("rouge_l",),
        over=_OVER,
    ),
    Metric("meteor", "overlap in words, stems and synonyms, in order (METEOR)", ("meteor",), over=_OVER),
)


def bleu_counts(text: str, answers: Sequence[str]) -> dict[str, float]:
    """What one answer adds to BLEU (sacrebleu, tokenizer 13a), by column; the reference length is the nearest one."""
    found = _sacrebleu().sentence_score(text, list(answers))
    counted = (*found.counts, *found.totals, found.sys_len, found.ref_len)
    return dict(zip(BLEU_COLUMNS, map(float, counted), strict=True))


def rouge(text: str, answers: Sequence[str]) -> dict[str, float]:
    """ROUGE-1 and ROUGE-L, F measure, with Porter's stems, of the answer that each is best for.

    Lin, "ROUGE: a package for automatic evaluation of summaries", Text Summarization Branches Out, 2004.
    """
    found = _rouge_scorer().score_multi(list(answers), text)
    return {"rouge_1": float(found["rouge1"].fmeasure), "rouge_l": float(found["rougeL"].fmeasure)}


@dataclass(frozen=True, slots=True)
class Meteor:
    """METEOR: words, then stems, then synonyms are aligned.

    Banerjee and Lavie, "METEOR: an automatic metric for MT evaluation", ACL workshop, 2005, in the form of Lavie and
    Agarwal (WMT 2007). Alpha, beta and gamma are those of 2005, as in nltk, not those that were tuned in 2007.
    The alignment is nltk's, stage by stage. Its own `meteor_score` looks synonyms up by their stems, so that
    "automobile", whose stem is no word, has none; here they are looked up by the words.
    """

    wordnet: WordNetCorpusReader

    @classmethod
    def open(cls) -> Meteor:
        """Raises ValueError that says how to install WordNet where there is none."""
        from eval.metrics.wordnet import open_wordnet

        return cls(open_wordnet())

    def score(self, text: str, answers: Sequence[str]) -> float:
        """The best score over the answers, 0 to 1."""
        return max(self._single(_words(text), _words(answer)) for answer in answers)

    def _single(self, given: list[str], expected: list[str]) -> float:
        pairs = self._aligned(given, expected)
        if not pairs:
            return 0.0
        precision, recall = len(pairs) / len(given), len(pairs) / len(expected)
        mean = precision * recall / (_ALPHA * precision + (1 - _ALPHA) * recall)
        apart = sum((b[0] - a[0], b[1] - a[1]) != (1, 1) for a, b in pairwise(pairs))
        penalty = _GAMMA * ((apart + 1) / len(pairs)) ** _BETA
        return float(mean * (1 - penalty))

    def _aligned(self, given: list[str], expected: list[str]) -> list[tuple[int, int]]:
        """Places of words that go together, in the order of `given`."""
        from nltk.translate.meteor_score import exact_match, stem_match, wordnetsyn_match

        left, right = list(range(len(given))), list(range(len(expected)))
        pairs: list[tuple[int, int]] = []
        for stage, more in ((exact_match, {}), (stem_match, {}), (wordnetsyn_match, {"wordnet": self.wordnet})):
            found, _, _ = stage([given[i] for i in left], [expected[j] for j in right], **more)
            pairs += [(left[i], right[j]) for i, j in found]
            left = [i for i in left if i not in {pair[0] for pair in pairs}]
            right = [j for j in right if j not in {pair[1] for pair in pairs}]
        return sorted(pairs)


def _words(text: str) -> list[str]:
    """Runs of letters and digits, and single signs, in lower case."""
    from nltk.tokenize import wordpunct_tokenize

    return [word.lower() for word in wordpunct_tokenize(text)]


@cache
def _sacrebleu() -> Any:
    from sacrebleu.metrics.bleu import BLEU

    return BLEU(effective_order=True)  # silences advice for single sentences; the counts are the same


@cache
def _rouge_scorer() -> Any:
    from rouge_score.rouge_scorer import RougeScorer

    return RougeScorer(["rouge1", "rougeL"], use_stemmer=True)
