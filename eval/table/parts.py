"""The parts of the README's table: an evaluation each, how it is measured, and its rows as Markdown."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from eval.statistics import Figure

if TYPE_CHECKING:
    from assistant.progress import Progress
    from assistant.settings import Settings
    from eval.runs.figures import Figures
    from eval.runs.run import Record


PASSAGE_TOKENS = 400
"""Two abstracts before each prompt of MMLU: more would take a small machine many hours."""


@dataclass(frozen=True, slots=True)
class Part:
    """One evaluation of the table: what it is called, the command that measures it alone, the metrics that are shown,
    how it is measured, the `data` that it reads besides what comes with Refdesk, and whether it `asks_llm`."""

    title: str
    command: str
    metrics: tuple[str, ...]
    measure: Callable[[Progress], Record]
    data: Path | None = None
    asks_llm: bool = True


def parts(data: Path, work: Path, settings: Settings) -> tuple[Part, ...]:
    """`data` has the folders scifact, pubmedqa and mmlu; libraries are kept in `work`."""

    def scifact(progress: Progress) -> Record:
        from eval.retrieval.measure import measure
        from eval.retrieval.prepare import of_beir_folder

        with of_beir_folder(data / "scifact", "train", work / "scifact", settings, progress) as prepared:
            name, queries, notes, collection = prepared
            return measure(name, queries, collection, settings, progress, notes=notes)

    def meridian(progress: Progress) -> Record:
        from eval.answers.measure import measure
        from eval.domain import meridian
        from ingest import build_library
        from ingest.demo import documents

        library = work / "meridian"
        build_library([documents()], library, settings=settings)
        return measure(meridian(), library, settings, (), progress)

    def pubmedqa(progress: Progress) -> Record:
        from eval.answers.pubmedqa import measure

        return measure(data / "pubmedqa/pqal_500.json", work / "pubmedqa", settings, progress)

    def mmlu(progress: Progress) -> Record:
        from eval.harness.measure import Measured, measure_choices

        measured = Measured(library=work / "scifact", passage_tokens=PASSAGE_TOKENS)
        return measure_choices(str(data / "mmlu"), measured, settings, progress)

    answers = "refdesk eval answers eval/domain/meridian.jsonl"
    return (
        Part(
            "Retrieval: SciFact, train queries, 5,183 abstracts",
            "refdesk eval retrieval --beir ../shared/data/scifact",
            ("nDCG@10", "Recall@10", "Recall@100", "MRR"),
            scifact,
            data / "scifact",
            asks_llm=False,
        ),
        Part(
            "Answers: Meridian, the demonstration documents",
            answers,
            ("accuracy", "precision_answered", "answered", "refused", "contains", "number_match", "citation_precision"),
            meridian,
        ),
        Part(
            "Answers: PubMedQA, yes, no or maybe",
            "refdesk eval pubmedqa ../shared/data/pubmedqa/pqal_500.json",
            ("accuracy", "macro_f1", "own_abstract"),
            pubmedqa,
            data / "pubmedqa",
        ),
        Part(
            "Multiple choice: MMLU val, 5-shot, with retrieval from SciFact's abstracts",
            f"refdesk eval mmlu ../shared/data/mmlu --library scifact --passage-tokens {PASSAGE_TOKENS}",
            ("accuracy", "macro_accuracy", "written_accuracy"),
            mmlu,
            data / "mmlu",
        ),
    )


def markdown(part: Part, record: Record, figures: Figures) -> Iterator[str]:
    """The lines of one part: a row for each system, a column for each metric."""
    yield f"**{part.title}** ({record.about.data.questions} questions; `{part.command}`)"
    yield ""
    yield f"| | {' | '.join(metric.replace('_', ' ') for metric in part.metrics)} |"
    yield f"|---{'|---' * len(part.metrics)}|"
    for system, found in figures.overall.items():
        cells = [_cell(found[metric]) for metric in part.metrics]
        yield f"| {system} | {' | '.join(cells)} |"
    yield ""
    for note in record.notes:
        yield f"{note}\n"


def _cell(found: object) -> str:
    """`–` where the metric is not defined for the system; the report says why."""
    return f"{found.value:.3f} [{found.low:.3f}, {found.high:.3f}]" if isinstance(found, Figure) else "–"
