"""Fits the coefficients of `assistant.check.confidence` on questions whose answer the passages hold, and on others.

    python -m finetune.confidence v1.1-44-articles.json v2.0-16-articles.json

The questions are SQuAD's (Rajpurkar et al. 2016, arXiv:1606.05250; 2018, arXiv:1806.03822). The articles are dealt into
two halves. In each, two thirds of the articles are a library, in three rotations, which is asked its own questions and
those of the other third, which it cannot answer. Harder ones are SQuAD 2.0's impossible questions, and questions in
which a name was exchanged for one that the library does not know ("exchanged") or knows from another article
("confused"), or a number for another ("renumbered"). The figures are for each half by coefficients that were fitted on
the other; the coefficients that are written were fitted on both.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import astuple, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from assistant.check.confidence import FILE, Features, features
from assistant.check.extract import rank
from assistant.embed import Embedder, open_embedder
from assistant.library.bm25 import idf
from assistant.library.view import Hit
from assistant.library.words import words
from assistant.search import fuse
from assistant.settings import AnswerSettings, EmbedderSettings, SearchSettings
from assistant.text import quantities, terms
from assistant.text.passage_text import passage_text
from assistant.types import Passage

if TYPE_CHECKING:
    from numpy.typing import NDArray

    FloatVector = NDArray[np.float64]

_PARAGRAPHS = 20  # of each article
_THIRDS = 3
_MIX = {
    "answerable": 240,
    "outside": 120,
    "impossible": 40,
    "exchanged": 40,
    "confused": 40,
    "renumbered": 40,
}  # questions of one rotation


@dataclass(frozen=True, slots=True)
class Question:
    text: str
    article: str
    paragraph: str
    answers: tuple[str, ...]
    possible: bool


@dataclass(frozen=True, slots=True)
class Example:
    """A question put to a library: its features, whether the passages hold the answer, and where it came from."""

    values: tuple[float, ...]
    holds: bool
    kind: str
    half: int
    question: str


def read_squad(paths: Sequence[Path]) -> tuple[dict[str, list[str]], list[Question]]:
    """Paragraphs by article, and the questions. An article that is in several files counts once."""
    paragraphs: dict[str, list[str]] = {}
    questions = []
    for path in paths:
        for article in json.loads(path.read_text(encoding="utf-8"))["data"]:
            title = article["title"].replace("_", " ")
            if title in paragraphs:
                continue
            paragraphs[title] = [paragraph["context"] for paragraph in article["paragraphs"]]
            for paragraph in article["paragraphs"]:
                for qa in paragraph["qas"]:
                    answers = tuple(answer["text"] for answer in qa["answers"])
                    possible = not qa.get("is_impossible", False)
                    questions.append(Question(qa["question"].strip(), title, paragraph["context"], answers, possible))
    return paragraphs, questions


class Memory:
    """Embeds each text once; most statements are asked about many times."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self._rows: dict[str, NDArray[np.float32]] = {}

    def __call__(self, texts: list[str]) -> NDArray[np.float32]:
        if fresh := list(dict.fromkeys(text for text in texts if text not in self._rows)):
            self._rows.update(zip(fresh, self._embedder.embed_passages(fresh), strict=True))
        return np.stack([self._rows[text] for text in texts])


class Shelf:
    """A library in memory, searched as the product does: BM25 and cosine, fused by reciprocal rank."""

    def __init__(self, paragraphs: Sequence[tuple[str, str]], embed: Memory) -> None:
        import tantivy

        self._paragraphs = paragraphs
        texts = [passage_text(title, (), text) for title, text in paragraphs]
        self._embed = embed
        self._rows = embed(texts)
        schema = tantivy.SchemaBuilder()
        schema.add_text_field("text", tokenizer_name="en_stem")
        self._index = tantivy.Index(schema.add_unsigned_field("number", stored=True).build())
        writer = self._index.writer(num_threads=1)
        for number, text in enumerate(texts):
            writer.add_document(tantivy.Document(text=text, number=number))
        writer.commit()
        self._index.reload()
        self._searcher = self._index.searcher()

    def idf(self, stem: str) -> float:
        return idf(self._searcher.num_docs, self._searcher.doc_freq("text", stem))

    def knows(self, name: str) -> bool:
        return all(self._searcher.doc_freq("text", stem) for stem in words(name))

    def search(self, question: str) -> list[Passage]:
        settings = SearchSettings()
        query = self._index.parse_query(" ".join(words(question)), ["text"])
        found = self._searcher.search(query, settings.candidates).hits
        numbers = [int(self._searcher.doc(address)["number"][0]) for _, address in found]
        lexical = [Hit(float(score), i, 0, i) for i, (score, _) in zip(numbers, found, strict=True)]
        cosines = self._rows @ self._embed([question])[0]
        dense = [Hit(float(cosines[i]), int(i), 0, int(i)) for i in np.argsort(-cosines)[: settings.candidates]]
        best = fuse([lexical, dense], settings.rrf_k)[: AnswerSettings().k]
        return [_passage(rank, hit.score, hit.order, *self._paragraphs[hit.order]) for rank, hit in enumerate(best, 1)]


def _passage(rank: int, score: float, i: int, title: str, text: str) -> Passage:
    return Passage(rank, score, "fused", i, title, "squad", title, "1", "", "txt", None, (), 0, len(text), text)


def examples(
    paragraphs: dict[str, list[str]], questions: Sequence[Question], embed: Memory, seed: int
) -> list[Example]:
    """The questions of all rotations of both halves, put to their libraries."""
    random_ = random.Random(seed)
    articles = sorted(paragraphs)
    random_.shuffle(articles)
    kept = {title: set(random_.sample(texts, min(len(texts), _PARAGRAPHS))) for title, texts in paragraphs.items()}
    questions = [question for question in questions if question.paragraph in kept[question.article]]
    found = []
    for half in (0, 1):
        own = articles[half::2]
        for third in range(_THIRDS):
            outside = set(own[third::_THIRDS])
            inside = [title for title in own if title not in outside]
            shelf = Shelf([(title, text) for title in inside for text in sorted(kept[title])], embed)
            found += _rotation(shelf, questions, set(inside), outside, half, embed, random_)
    return found


def _rotation(
    shelf: Shelf,
    questions: Sequence[Question],
    inside: set[str],
    outside: set[str],
    half: int,
    embed: Memory,
    random_: random.Random,
) -> list[Example]:
    possible = [q for q in questions if q.article in inside and q.possible]
    strange = [q for q in questions if q.article in outside and q.possible]
    strange_names = [n for q in strange for n in terms.names(q.text)[-1:] if not shelf.knows(n)]
    known_names = [(q.article, n) for q in possible for n in terms.names(q.text)[-1:]]
    pools = {
        "answerable": possible,
        "outside": strange,
        "impossible": [q for q in questions if q.article in inside and not q.possible],
        "exchanged": [e for q in possible if (e := _exchanged(q, random_.choice(strange_names)))],
        "confused": [
            e
            for q in possible
            if (other := random_.choice(known_names))[0] != q.article and (e := _exchanged(q, other[1]))
        ],
        "renumbered": [e for q in possible if (e := _renumbered(q, random_))],
    }
    found = []
    for kind, size in _MIX.items():
        for question in random_.sample(pools[kind], min(size, len(pools[kind]))):
            if example := _example(question, kind, shelf, half, embed):
                found.append(example)
    return found


def _exchanged(question: Question, name: str) -> Question | None:
    """The question about something else that is called `name`; None if it names nothing."""
    if not (own := terms.names(question.text)):
        return None
    text = re.sub(rf"\b{re.escape(own[-1])}\b", lambda _: name, question.text)
    return replace(question, text=text, possible=False)


def _renumbered(question: Question, random_: random.Random) -> Question | None:
    """The question about another year or number that its paragraph does not hold; None if it has none of two digits."""
    numbers = [q for q in quantities.quantities(question.text) if q.text.isdigit() and len(q.text) > 1]
    if not numbers:
        return None
    old = numbers[-1]
    new = str(int(old.text) + random_.choice([-11, -7, -4, -3, 3, 4, 7, 11]))
    if not quantities.missing(new, question.paragraph):
        return None
    text = question.text[: old.start] + new + question.text[old.end :]
    return replace(question, text=text, possible=False)


def _example(question: Question, kind: str, shelf: Shelf, half: int, embed: Memory) -> Example | None:
    """None where the answer stands in a passage that is not the question's own: nobody knows whether it is meant."""
    passages = shelf.search(question.text)
    ranked = rank(question.text, passages, embed, shelf.idf)
    holds = question.possible and any(passage.text == question.paragraph for passage in passages)
    if kind == "answerable" and not holds:
        kind = "missed"
        if any(answer in passage.text for passage in passages for answer in question.answers):
            return None
    values = astuple(features(question.text, passages, ranked))
    return Example(values, holds and kind == "answerable", kind, half, question.text)


def fit(found: Sequence[Example]) -> tuple[FloatVector, float]:
    """Coefficients of the features as they are, and the intercept, by logistic regression with L2 regularisation."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    values, holds = _table(found)
    scaler = StandardScaler().fit(values)
    model = LogisticRegression(C=1.0).fit(scaler.transform(values), holds)
    weights = model.coef_[0] / scaler.scale_
    return weights, float(model.intercept_[0] - weights @ scaler.mean_)


def predict(weights: FloatVector, intercept: float, found: Sequence[Example]) -> FloatVector:
    probabilities: FloatVector = 1 / (1 + np.exp(-(_table(found)[0] @ weights + intercept)))
    return probabilities


def _table(found: Sequence[Example]) -> tuple[FloatVector, NDArray[np.bool_]]:
    return np.array([one.values for one in found], dtype=np.float64), np.array([one.holds for one in found])


def measure(probabilities: FloatVector, holds: NDArray[np.bool_], kinds: Sequence[str]) -> dict[str, float]:
    """AUROC, Brier score, ECE, area under risk-coverage, and rates at the default threshold.

    ECE: ten bins of equal size (Naeini et al., AAAI 2015). Risk-coverage: El-Yaniv and Wiener, JMLR 2010; the risk is
    the share of answered questions whose passages do not hold the answer.
    """
    from sklearn.metrics import brier_score_loss, roc_auc_score

    answered = probabilities >= AnswerSettings().min_confidence
    order = np.argsort(-probabilities, kind="stable")
    risk = np.cumsum(~holds[order]) / np.arange(1, len(holds) + 1)
    bins = np.array_split(np.argsort(probabilities, kind="stable"), 10)
    gaps = [len(b) * abs(probabilities[b].mean() - holds[b].mean()) for b in bins if len(b)]
    figures = {
        "auroc": float(roc_auc_score(holds, probabilities)),
        "brier": float(brier_score_loss(holds, probabilities)),
        "ece": float(sum(gaps) / len(holds)),
        "area_under_risk_coverage": float(risk.mean()),
        "risk_at_80_percent_coverage_of_answerable": float(risk[_coverage_place(holds[order], 0.8)]),
        "over_refusal": float((~answered[holds]).mean()),
        "refusal": float((~answered[~holds]).mean()),
    }
    for kind in sorted(set(kinds) - {"answerable"}):
        figures[f"refusal_{kind}"] = float((~answered[np.array(kinds) == kind]).mean())
    return figures


def _coverage_place(holds: NDArray[np.bool_], share: float) -> int:
    return int(np.searchsorted(np.cumsum(holds), share * holds.sum()))


def held_out(found: Sequence[Example], seed: int) -> dict[str, list[float]]:
    """Each figure with its 95% interval, [figure, low, high], by a bootstrap over questions; each half is judged by the
    coefficients of the other."""
    parts = [[one for one in found if one.half == half] for half in (0, 1)]
    judged = [*parts[0], *parts[1]]
    probabilities = np.concatenate([predict(*fit(parts[1 - half]), parts[half]) for half in (0, 1)])
    holds, kinds = _table(judged)[1], [one.kind for one in judged]
    figures = measure(probabilities, holds, kinds)
    generator = np.random.default_rng(seed)
    draws = []
    for _ in range(500):
        drawn = generator.integers(0, len(judged), len(judged))
        draws.append(measure(probabilities[drawn], holds[drawn], [kinds[i] for i in drawn]))
    return {
        name: [round(v, 4) for v in (value, *np.quantile([draw[name] for draw in draws], [0.025, 0.975]))]
        for name, value in figures.items()
    }


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m finetune.confidence", description=__doc__.partition("\n")[0])
    parser.add_argument("squad", type=Path, nargs="+", help="SQuAD files, versions 1.1 and 2.0")
    parser.add_argument("--out", type=Path, default=FILE)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(arguments)
    embedder = open_embedder(EmbedderSettings())
    paragraphs, questions = read_squad(given.squad)
    found = examples(paragraphs, questions, Memory(embedder), given.seed)
    weights, intercept = fit(found)
    written = {
        "coefficients": dict(zip(Features.__dataclass_fields__, (round(float(w), 4) for w in weights), strict=True)),
        "intercept": round(intercept, 4),
        "provenance": {
            "data": {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in given.squad},
            "articles": len(paragraphs),
            "questions": dict(Counter(one.kind for one in found)),
            "embedder": f"{embedder.name} ({embedder.fingerprint})",
            "seed": given.seed,
            "held_out": held_out(found, given.seed),
        },
    }
    given.out.write_text(json.dumps(written, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
