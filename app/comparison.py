"""How a run of an evaluation differs from another, or one of its systems from another: settings, figures, questions."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

import streamlit as st

from app.question import Reader, visible_text
from app.runs import Summary, compared

if TYPE_CHECKING:
    from eval.metric import Result
    from eval.runs.compare import Change, SystemChange

_MOST_ROWS = 100
_MOST_CHARACTERS = 240
_NOT_SHOWN = "(not shown)"


def show(run: Summary, runs: Sequence[Summary], reader: Reader) -> None:
    """What changed from a run that is chosen among `runs` to `run`."""
    from eval.runs.html import table_html
    from eval.runs.sections import change_table, reasons

    others = {one.name: one for one in runs if _comparable(one, run) and (one is not run or len(run.about.systems) > 1)}
    if not others:
        st.html('<p class="about">There is no other run over the same questions.</p>')
        return
    names = sorted(others, key=lambda name: others[name] is run)  # other runs before this one's own systems
    run_column, before_column, after_column = st.columns([2, 1, 1])
    other = others[
        run_column.selectbox("Compared with", names, format_func=lambda name: _name(others[name], run), key="with-run")
    ]
    before = before_column.selectbox("Its system", list(other.about.systems), key=f"with-{other.name}")
    after_systems = [name for name in run.about.systems if other is not run or name != before]
    after = after_column.selectbox(
        "This run's", after_systems, index=after_systems.index(before) if before in after_systems else 0
    )
    change = compared(other, run, before, after)
    system = change.systems[0]
    undefined = reasons(one.comparison for one in system.metrics.values())
    _list("What differs beside the systems", change.about)
    _list("What differs in the settings", system.about)
    _list("Beware", change.notes)
    st.html(
        f'<p class="about">{system.questions:,} questions in both, {system.answers:,} with another answer.</p>'
        + table_html(change_table(system))
    )
    _list("Not defined", undefined)
    _show_questions(run, other, system, reader)


def _comparable(one: Summary, run: Summary) -> bool:
    mine, theirs = run.about, one.about
    return (mine.kind, mine.data.sha256, mine.data.questions) == (
        theirs.kind,
        theirs.data.sha256,
        theirs.data.questions,
    )


def _name(other: Summary, run: Summary) -> str:
    if other is run:
        return "Another system of this run"
    return f"{other.created[:16].replace('T', ' ')} · {other.name[-8:]}"


def _list(title: str, lines: Sequence[str]) -> None:
    if lines:
        items = "".join(f"<li>{escape(line)}</li>" for line in lines)
        st.html(f'<p class="label">{title}</p><ul class="notes">{items}</ul>')


def _show_questions(run: Summary, other: Summary, system: SystemChange, reader: Reader) -> None:
    """Which questions changed in a metric that is chosen, of those that may be seen."""
    metric = st.selectbox("Questions that changed in", list(system.metrics), key="with-metric")
    before = {one.id: one for one in other.record().results[system.before]}
    after = {one.id: one for one in run.record().results[system.after]}
    chosen = system.metrics[metric]
    for title, changes in (
        ("Better", chosen.gained),
        ("Worse", chosen.lost),
        ("Defined in one of the two only", chosen.other),
    ):
        seen = [_row(one, before[one.id], after[one.id], run, reader) for one in changes]
        rows = [row for row in seen if row]
        if rows:
            st.html(_changes(title, metric, rows))
    if not (chosen.gained or chosen.lost or chosen.other):
        st.html('<p class="about" role="status">None.</p>')


def _row(change: Change, before: Result, after: Result, run: Summary, reader: Reader) -> str:
    """Empty where the question may not be seen."""
    question, now = visible_text(after, reader)
    if not question:
        return ""
    was = visible_text(before, reader)[1]
    address = "evaluation?" + urlencode({"run": run.name, "question": change.id}, quote_via=quote)
    link = f'<a href="{escape(address)}" target="_blank">{escape(change.id)}</a>'
    cells = "".join(f"<td>{escape(_cut(text or _NOT_SHOWN))}</td>" for text in (question, was, now))
    return f'<tr><th scope="row">{link}</th>{cells}</tr>'


def _changes(title: str, metric: str, rows: Sequence[str]) -> str:
    more = f", the first {_MOST_ROWS}" if len(rows) > _MOST_ROWS else ""
    caption = escape(f"{title} in {metric} ({len(rows)}{more})")
    head = "".join(f'<th scope="col">{name}</th>' for name in ("Question", "What was asked", "Before", "After"))
    return (
        f'<div class="table" role="region" aria-label="{caption}" tabindex="0"><table class="runs">'
        f"<caption>{caption}</caption><thead><tr>{head}</tr></thead><tbody>{''.join(rows[:_MOST_ROWS])}</tbody>"
        "</table></div>"
    )


def _cut(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _MOST_CHARACTERS else text[:_MOST_CHARACTERS] + " …"
