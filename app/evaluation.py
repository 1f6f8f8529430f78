"""The page of evaluations: runs, the figures and plots of one, its questions, and how it differs from another.

Figures are for everybody who may open the page. Everything else of a run, which quotes documents and tells what there
is, is for those who are in all the groups in which it was asked; of its questions, `app.question` says what they see.
Its address may say what to show: `evaluation?run=...`, and `&question=...`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from app import comparison
from app.answer_text import plain_markdown
from app.question import Reader, answer_html, question_html, visible_text
from app.runs import GROUPS, RISK, SYSTEMS, Summary, can_draw, pictures, runs_below
from assistant import Assistant

if TYPE_CHECKING:
    from eval.metric import Metric, Result
    from eval.runs.sections import Table

_VIEWS = ["Figures", "Questions", "Comparison", "What was measured"]
_MOST_QUESTIONS = 500
_EMPTY = """<p>An evaluation asks questions with known answers and measures what comes. Start one in a shell, in the
folder in which this app was started:</p><pre>refdesk eval answers QUESTIONS.jsonl --library {library}</pre>
<p>Its run is then kept in <code>{folder}</code> and shown here.</p>"""
_FIGURES_ONLY = (
    "This run was asked in groups that you are not in. You see its figures, and none of its questions, groups and "
    "settings."
)


def show(assistant: Assistant, groups: Collection[str], folder: Path, library: str) -> None:
    """The page, for a caller in `groups`; `folder` is that of the runs."""
    st.title("Evaluation", anchor=False)
    runs, damaged = runs_below(folder)
    for problem in damaged:
        st.warning(plain_markdown(problem))
    if not runs:
        st.html(_EMPTY.format(library=escape(library), folder=escape(str(folder))))
        return
    st.html(_runs_html(runs))
    by_name = {run.name: run for run in runs}
    names = list(by_name)
    asked = st.query_params.get("run", "")
    chosen = st.selectbox(
        "Run",
        names,
        index=names.index(asked) if asked in names else 0,
        format_func=lambda name: _title(by_name[name]),
        key="evaluation-run",
    )
    run = by_name[chosen]
    st.html(_head(run))
    if not may_see(run, groups):
        st.html(f'<p class="about">{_FIGURES_ONLY}</p>')
        _show_figures(run, whole=False)
        return
    view = st.segmented_control(
        "Look at",
        _VIEWS,
        default="Questions" if st.query_params.get("question") else "Figures",
        required=True,
        key="evaluation-view",
    )
    if view == "Figures":
        _show_figures(run, whole=True)
    elif view == "Questions":
        _show_questions(run, Reader.of(assistant, run.about))
    elif view == "Comparison":
        comparison.show(run, [one for one in runs if may_see(one, groups)], Reader.of(assistant, run.about))
    else:
        _show_measured(run)


def may_see(run: Summary, groups: Collection[str]) -> bool:
    """More than its figures."""
    return set(run.about.groups) <= set(groups)


def _title(run: Summary) -> str:
    return f"{run.created[:16].replace('T', ' ')} · {run.about.kind} · {run.about.data.name} · {run.name[-8:]}"


def _runs_html(runs: Sequence[Summary]) -> str:
    """Each with its figures in the first of its metrics, where they are defined."""
    from eval.runs.sections import title_of
    from eval.runs.wording import figure_text
    from eval.statistics import Figure

    rows = []
    for run in runs:
        main = run.metrics[0].name
        figures = "<br>".join(
            f"{escape(system)} {figure_text(one)}"
            for system, found in run.figures.overall.items()
            if isinstance(one := found[main], Figure)
        )
        state = "" if run.finished else ", not finished"
        what = f'{escape(title_of(run.about))}<div class="place">{run.about.data.questions:,} questions{state}</div>'
        begun = f'<th scope="row">{escape(run.created[:16].replace("T", " "))}</th>'
        rows.append(
            f'<tr>{begun}<td>{what}</td><td class="main"><div class="place">{escape(main)}</div>{figures}</td></tr>'
        )
    head = "".join(f'<th scope="col">{name}</th>' for name in ("Begun (UTC)", "Evaluation", "First of its metrics"))
    return (
        '<div class="table list" role="region" aria-label="Runs" tabindex="0"><table class="runs">'
        f"<thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def _head(run: Summary) -> str:
    from eval.runs.sections import lead_of, title_of

    lead = lead_of(run.about, run.created, run.finished)
    return f'<h2>{escape(title_of(run.about))}</h2><p class="about">{escape(lead)}</p>'


def _show_figures(run: Summary, whole: bool) -> None:
    """Tables and plots; not `whole` is without what is told by groups."""
    from eval.runs.sections import MOST_METRICS, differences_tables, figures_table, group_tables, undefined_tables
    from eval.runs.wording import HOW_SURE

    figures, metrics = run.figures, run.metrics
    _show_pictures(run, {SYSTEMS})
    _show_tables([figures_table(figures, metrics)])
    _show_pictures(run, {RISK, GROUPS} if whole else {RISK})
    _show_tables(differences_tables(figures, metrics))
    if not can_draw():
        st.html('<p class="about">There are no plots: matplotlib is not installed (<code>refdesk[eval]</code>).</p>')
    if whole:
        _show_tables(group_tables(figures, metrics)[:MOST_METRICS])
    _show_tables(undefined_tables(figures))
    st.html(f'<p class="about">{escape(HOW_SURE)}</p>')


def _show_pictures(run: Summary, names: Collection[str]) -> None:
    """The plots of these names, of those that the run has."""
    for one in pictures(str(run.folder), run.stamp) if can_draw() else ():
        if one.name in names:
            st.html(
                f'<figure><img src="{one.address}" alt="{escape(one.alt)}">'
                f"<figcaption>{escape(one.caption)}</figcaption></figure>"
            )


def _show_tables(tables: Sequence[Table]) -> None:
    from eval.runs.html import table_html

    for table in tables:
        st.html(table_html(table))


def _show_measured(run: Summary) -> None:
    """Settings, versions, library, and what was left out."""
    from eval.runs.sections import meanings_table, measured_tables

    if run.notes:
        st.html(f'<ul class="notes">{"".join(f"<li>{escape(note)}</li>" for note in run.notes)}</ul>')
    _show_tables([*measured_tables(run.about), meanings_table(run.metrics)])


def _show_questions(run: Summary, reader: Reader) -> None:
    """A question chosen among those that may be seen, the worst first."""
    results = run.record().results
    texts = {one.id: visible_text(one, reader)[0] for found in results.values() for one in found}
    hidden = sum(not text for text in texts.values())
    groups = {one.id: one.group for found in results.values() for one in found}
    words_column, group_column = st.columns([3, 2])
    words = words_column.text_input("Question holds", placeholder="Any", key="evaluation-words")
    wanted = group_column.multiselect(
        "Group",
        sorted({groups[id_] for id_, text in texts.items() if text}),
        key="evaluation-groups",
        placeholder="Any",
    )
    worth = _worth(run.metrics[0], results)
    found = sorted(
        (
            id_
            for id_, text in texts.items()
            if text and words.casefold() in f"{id_} {text}".casefold() and (not wanted or groups[id_] in wanted)
        ),
        key=lambda id_: worth[id_],
    )
    said = f"{len(found):,} questions, the worst in {run.metrics[0].name} first."
    said += f" The first {_MOST_QUESTIONS} can be chosen; narrow the list." if len(found) > _MOST_QUESTIONS else ""
    said += f" {hidden:,} rest on documents that are not in the library or that you may not read." if hidden else ""
    st.html(f'<p class="about" role="status">{said}</p>')
    asked = st.query_params.get("question", "")
    shown = found[:_MOST_QUESTIONS]
    if asked in found and asked not in shown:
        shown = [asked, *shown]
    if shown:
        chosen = st.selectbox(
            "Question",
            shown,
            index=shown.index(asked) if asked in shown else 0,
            format_func=lambda id_: f"{id_}: {texts[id_]}",
            key=f"evaluation-question-{run.name}",
        )
        _show_question(run, chosen, reader)


def _show_question(run: Summary, id_: str, reader: Reader) -> None:
    from eval.runs.details import details
    from eval.runs.sections import question_table

    by_system = {system: one for system, found in run.record().results.items() for one in found if one.id == id_}
    first = next(iter(by_system.values()))
    st.html(question_html(details(first), first.group, reader))
    for system, result in by_system.items():
        st.html(f"<h3>{escape(system)}</h3>{answer_html(details(result), reader)}")
    _show_tables([question_table(by_system, run.metrics)])


def _worth(metric: Metric, results: dict[str, tuple[Result, ...]]) -> dict[str, float]:
    """For each question the mean over systems of the metric, less for the worse; where it is not defined, last."""
    from eval.runs.figures import by_question

    values: dict[str, list[float]] = {}
    for found in results.values():
        for one, value in zip(found, by_question(metric, found), strict=True):
            values.setdefault(one.id, []).extend([] if value is None else [value])
    sign = 1 if metric.better == "higher" else -1
    return {id_: sign * sum(each) / len(each) if each else float("inf") for id_, each in values.items()}
