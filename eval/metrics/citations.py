"""Whether citations bear out what is said, and whether all that is said is borne out.

The idea of citation precision and recall is that of ALCE (Gao et al., "Enabling large language models to generate text
with citations", EMNLP 2023), which asks a model whether a quote entails a sentence. Here nothing is asked and nothing
of `assistant.check` is used, which made the citations: a citation is right if

1. its document is one of those that the question's author says hold the answer, and
2. its quote holds an accepted answer, or the right number, or every word of the sentence that it is put to.

Both are lower bounds: a document that the author missed, a quote that says the same in other words, and the row of a
table, whose columns are named elsewhere, count as wrong unless the answer is in them.
"""

from __future__ import annotations

from collections.abc import Sequence

from assistant.types import Citation
from eval.metric import Metric, ratio
from eval.metrics.numbers import number_match
from eval.metrics.text import contains, normalized, without_markers
from eval.questions import Question

_KNOWN = "answered questions whose documents are known"
METRICS = (
    Metric(
        "citation_precision",
        "share of citations that are right",
        ("citations_right", "citations_judged"),
        statistic=ratio,
        over=f"{_KNOWN}, with citations",
    ),
    Metric(
        "citation_recall",
        "share of an answer's statements that have a right citation",
        ("statements_borne_out", "statements"),
        statistic=ratio,
        over=_KNOWN,
    ),
    Metric(
        "citation_hit",
        "share of answers that cite a document that holds the answer",
        ("citation_hit",),
        over=_KNOWN,
    ),
    Metric(
        "documents_cited",
        "share of the documents that an answer needs that it cites rightly",
        ("documents_cited",),
        over="answered questions that need several documents",
    ),
    Metric(
        "quote_verbatim",
        "share of citations whose quote stands at its place in its document, letter by letter",
        ("quotes_verbatim", "quotes"),
        statistic=ratio,
        over="answers with citations",
    ),
)


def is_right(citation: Citation, question: Question) -> bool:
    """Whether a citation bears out its sentence, as the head of this module defines it."""
    if citation.key not in question.documents:
        return False
    if contains(citation.quote, question.answers):
        return True
    if question.number and number_match(citation.quote, question.number):
        return True
    return set(normalized(citation.sentence).split()) <= set(normalized(citation.quote).split())


def citation_values(text: str, citations: Sequence[Citation], question: Question) -> dict[str, float]:
    """What the answer `text` to a question with known documents adds to the metrics, by column.

    The statements of an answer are its lines, as the check writes them.
    """
    right = [one for one in citations if is_right(one, question)]
    borne_out = {without_markers(one.sentence).strip() for one in right}
    statements = [statement for line in text.splitlines() if (statement := without_markers(line).strip())]
    values = {
        "statements": float(len(statements)),
        "statements_borne_out": float(sum(statement in borne_out for statement in statements)),
        "citation_hit": float(any(one.key in question.documents for one in citations)),
    }
    if citations:
        values |= {"citations_judged": float(len(citations)), "citations_right": float(len(right))}
    if question.needs == "all":
        values["documents_cited"] = len({one.key for one in right}) / len(question.documents)
    return values
