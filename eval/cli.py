"""`refdesk eval`: each room brings its own commands."""

from __future__ import annotations

import typer

from eval.answers.command import commands as answers
from eval.attacks.command import commands as attacks
from eval.drafting.command import make_questions
from eval.harness.command import mmlu
from eval.retrieval.command import commands as retrieval
from eval.runs.command import commands as runs
from eval.runs.gate_command import commands as gate
from eval.speed.command import commands as speed
from eval.table.command import commands as table

commands = typer.Typer()
_eval = typer.Typer(help="Measure how good search and answers are.", no_args_is_help=True)
commands.add_typer(_eval, name="eval")
for room in (answers, retrieval, attacks, runs, gate, table, speed):
    _eval.add_typer(room)
_eval.command()(mmlu)
_eval.command()(make_questions)
