"""Runs as evaluations leave them, of results that tests make up."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from eval.metric import Result
from eval.runs.about import About, Data
from eval.runs.run import Record, begin, read_run

MakeRun = Callable[..., Record]


@pytest.fixture(scope="session")
def make_run(tmp_path_factory: pytest.TempPathFactory) -> MakeRun:
    """`make_run("a", {"extract": results})`: a run in a new folder of that name."""

    def make(
        name: str,
        systems: Mapping[str, Sequence[Result]],
        *,
        settings: Mapping[str, dict[str, Any]] | None = None,
        data: Data | None = None,
        notes: Sequence[str] = (),
        **about: Any,
    ) -> Record:
        made_of = {system: (settings or {}).get(system, {"k": 6}) for system in systems}
        questions = data or Data("tides", "ab" * 32, max(map(len, systems.values())))
        kind = about.pop("kind", "answers")
        with begin(
            tmp_path_factory.mktemp("runs") / name, About.of(kind, questions, made_of, **about), notes, cached=False
        ) as run:
            for system, results in systems.items():
                for result in results:
                    run.add(system, result)
            if {len(results) for results in systems.values()} == {questions.questions}:
                run.finish()
        return read_run(run.folder)

    return make
