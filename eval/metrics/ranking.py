"""How well documents are ranked: nDCG, recall and reciprocal rank of one query, and the metrics that they make.

Computed by ir_measures with trec_eval's code. A document's relevance is 0 (or not judged), or more for more relevant.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from eval.metric import Metric

DEPTH = 100
"""How many documents of a ranking count."""

Wording = Literal["", "exact", "paraphrase"]
WORDINGS: dict[Wording, str] = {"exact": "in the words of the document", "paraphrase": "in other words"}
"""How a question can be worded, and how that reads."""

_NDCG = "nDCG (Jarvelin and Kekalainen, ACM TOIS 20(4), 2002, with linear gain) of the first 10 documents"
_RECALLS = (1, 5, 10, 100)


def ranking_values(relevance: Mapping[str, int], ranked: Sequence[str], wording: Wording = "") -> dict[str, float]:
    """The values of one query, each from 0 to 1, from the keys of the first `DEPTH` documents, best first.

    `ndcg_at_10`; `recall_at_<k>`, the share of the relevant documents among the first k; `mrr`, 1 / the rank of the
    first relevant one, 0 where none is found. For a `wording` that is known, nDCG and recall at 10 once more under its
    name. Raises ValueError where no document is relevant, because then none of them is defined, and for a document
    that comes twice.
    """
    import ir_measures

    relevant = {key: degree for key, degree in relevance.items() if degree > 0}
    if not relevant:
        raise ValueError("The query has no relevant document, so neither nDCG nor recall nor a rank is defined.")
    ranked = ranked[:DEPTH]
    if len(set(ranked)) < len(ranked):
        raise ValueError("A document comes twice in the ranking; it counts once, where it comes first.")
    measures = {"ndcg_at_10": ir_measures.nDCG @ 10, "mrr": ir_measures.RR}
    measures |= {f"recall_at_{k}": ir_measures.R @ k for k in _RECALLS}
    # Scores that fall with the rank: equal scores would be put in another order by the library that measures.
    run = [ir_measures.ScoredDoc("", key, -rank) for rank, key in enumerate(ranked)]
    qrels = [ir_measures.Qrel("", key, degree) for key, degree in relevant.items()]
    found = ir_measures.calc_aggregate(measures.values(), qrels, run)
    values = {name: float(found[measure]) for name, measure in measures.items()}
    if wording:
        values |= {f"{name}_{wording}": values[name] for name in ("ndcg_at_10", "recall_at_10")}
    return values


def _metrics() -> tuple[Metric, ...]:
    every = [
        Metric("nDCG@10", _NDCG, ("ndcg_at_10",), over="queries"),
        *(
            Metric(
                f"Recall@{k}",
                f"share of the relevant documents among the first {k}",
                (f"recall_at_{k}",),
                over="queries",
            )
            for k in _RECALLS
        ),
        Metric(
            "MRR", f"mean of 1 / rank of the first relevant document among the first {DEPTH}", ("mrr",), over="queries"
        ),
    ]
    apart = [
        Metric(
            f"{name}, {wording}",
            f"{name} of questions {meaning}",
            (f"{column}_{wording}",),
            over=f"questions {meaning}",
        )
        for wording, meaning in WORDINGS.items()
        for name, column in (("nDCG@10", "ndcg_at_10"), ("Recall@10", "recall_at_10"))
    ]
    return (*every, *apart)


METRICS = _metrics()
