from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assistant.check.extract import Evidence, rank
from assistant.errors import LLMError
from assistant.llm.prompts import COPY, REFUSAL, WRITE, messages
from assistant.settings import LLMSettings
from assistant.types import Passage


def passage(rank: int, text: str, title: str = "Magnets", section: tuple[str, ...] = ()) -> Passage:
    return Passage(rank, 1.0, "fused", rank, title, "s", f"k{rank}", "r", "", "text", None, section, 0, len(text), text)


def ranked(question: str, passages: list[Passage]) -> list[Evidence]:
    """Ranked by their words alone: all vectors are the same."""
    return rank(question, passages, lambda texts: np.ones((len(texts), 1), dtype=np.float32))


def test_short_passages_are_shown_whole_and_numbered_by_rank() -> None:
    table = "| Magnet | Field |\n|---|---|\n| D1 | 8.3 T |"
    shown = [passage(1, table, section=("Magnets", "Dipoles")), passage(2, "Cooled to 1.9 K.", title="Cooling")]
    told = messages("How strong is D1?", shown, ranked("How strong is D1?", shown), LLMSettings())
    assert [message["role"] for message in told] == ["system", "user"]
    assert told[1]["content"] == (
        "Question: How strong is D1?\n\nPassages:\n\n"
        f"[1] Magnets > Dipoles\n{table}\n\n[2] Cooling\nCooled to 1.9 K.\n\n{WRITE}"
    )
    assert REFUSAL in told[0]["content"]


def test_of_long_passages_the_best_statements_are_shown_best_first_and_once() -> None:
    filler = "Nothing of interest happened on that day at all. " * 40
    shown = [
        passage(1, f"{filler}\n\nThe weight of the yoke is 27 t. {filler}"),
        passage(2, f"{filler}", title="Diary"),
        passage(3, f"The weight of the yoke is 27 t. {filler} It weighs much.", title="Loads"),
    ]
    question = "What is the weight of the yoke?"
    asked = messages(question, shown, ranked(question, shown), LLMSettings(evidence_tokens=70))[-1]["content"]
    heading, *lines = asked.split("\n\n")[1].split("\n")
    assert heading == "Sentences:"
    assert lines[0] == "[1] The weight of the yoke is 27 t."
    assert "Nothing of interest happened on that day at all." in lines[1]
    assert asked.count("27 t") == 1
    assert asked.endswith(COPY)


def test_a_question_that_is_too_long_is_refused() -> None:
    shown = [passage(1, "Short.")]
    with pytest.raises(LLMError, match=r"9,000 characters.*1,024 tokens"):
        messages("why " * 2249 + "why?", shown, [], LLMSettings(context_tokens=1024))


@settings(max_examples=60)
@given(
    st.lists(st.text(max_size=400), min_size=1, max_size=6),
    st.integers(min_value=512, max_value=1500),
    st.integers(min_value=50, max_value=2000),
)
def test_prompt_and_answer_fit(texts: list[str], context_tokens: int, evidence_tokens: int) -> None:
    shown = [passage(rank, text) for rank, text in enumerate(texts, 1)]
    limits = LLMSettings(context_tokens=context_tokens, max_tokens=100, evidence_tokens=evidence_tokens)
    told = messages("Why?", shown, ranked("Why?", shown), limits)
    assert sum(len(message["content"]) for message in told) <= 3 * (context_tokens - 100)
    asked = told[-1]["content"]
    evidence = asked.removeprefix("Question: Why?\n\n").removesuffix(WRITE).removesuffix(COPY).rstrip()
    assert len(evidence) <= 3 * evidence_tokens + len("Sentences:\n")
    if asked.endswith(COPY):
        best = [f"[{shown[one.passage].rank}] {one.shown}" for one in ranked("Why?", shown)]
        for line in evidence.split("\n")[1:]:
            assert any(one.startswith(line) for one in best)
    else:
        for one in shown:
            assert one.text.strip() in evidence
