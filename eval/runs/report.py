"""The report of a run: report.md and report.html in its folder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from assistant.errors import RunError
from eval.metric import Metric
from eval.runs.figures import Figures
from eval.runs.html import html
from eval.runs.markdown import markdown
from eval.runs.plots import plots
from eval.runs.sections import lead_of, sections, title_of

if TYPE_CHECKING:
    from pathlib import Path

    from eval.runs.run import Record

MARKDOWN, HTML = "report.md", "report.html"


def write(record: Record, figures: Figures, metrics: Sequence[Metric]) -> Path:
    """Writes both, of the run's `figures` in these metrics; returns the HTML file.

    Raises RunError where the folder cannot be written."""
    said = sections(record, figures, metrics, plots(record, figures, metrics))
    head = title_of(record.about), lead_of(record.about, record.created, record.finished)
    for name, text in ((MARKDOWN, markdown(*head, said)), (HTML, html(*head, said))):
        try:
            (record.folder / name).write_text(text, encoding="utf-8")
        except OSError as error:
            raise RunError(f"The report of {record.folder} cannot be written ({error}).") from error
    return record.folder / HTML
