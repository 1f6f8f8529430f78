"""A library of two documents, and a stand-in for a server of a language model."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from assistant import Assistant
from assistant.settings import LLMSettings, Settings
from eval.questions import Question
from ingest import build_library


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory, model_cache: Path) -> Path:
    folder = tmp_path_factory.mktemp("answers")
    (folder / "docs").mkdir()
    (folder / "docs/pump.md").write_text("# The pump\n\nThe pump of hall 4 moves 70 litres per second.\n")
    (folder / "docs/valve.md").write_text("# The valve\n\nThe valve of hall 4 closes in 3 seconds.\n")
    build_library([folder / "docs"], folder / "library")
    return folder / "library"


@pytest.fixture(scope="session")
def assistant(library: Path) -> Assistant:
    return Assistant.open(library)


@pytest.fixture(scope="session")
def pump() -> Question:
    return Question(
        "1", "How much does the pump of hall 4 move?", ("70 litres per second", "70 l/s"), ("pump.md",), True
    )


@pytest.fixture(scope="session")
def unknown() -> Question:
    return Question("2", "How heavy is the magnet?", (), (), False)


def settings_for(url: str, tmp_path: Path) -> Settings:
    limits = LLMSettings(url=url, connect_seconds=5, token_seconds=5, answer_seconds=10)
    found = Settings(llm=limits)
    return found.model_copy(update={"eval": found.eval.model_copy(update={"runs": str(tmp_path / "runs")})})


@pytest.fixture
def model() -> str:
    """The stand-in's name, which no other test has: results are cached by it."""
    return f"stand-in-{uuid4()}"


@pytest.fixture
def serve(serve_llm: Any, model: str) -> Callable[..., Any]:
    """`serve(says)`: a server that tells no probabilities."""
    return partial(serve_llm, model=model)


@pytest.fixture
def with_server(tmp_path: Path) -> Callable[[str], Settings]:
    """Settings whose language model is at a URL, and whose runs are kept in the test's folder."""
    return lambda url: settings_for(url, tmp_path)
