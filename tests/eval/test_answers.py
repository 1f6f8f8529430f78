from __future__ import annotations

import collections
import json
import re
import string
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from assistant import Assistant
from assistant.types import Answer, Citation
from eval.answers import Scored, contains, evaluate, exact_match, means, normalized, score, token_f1
from eval.cli import commands
from eval.questions import Question
from ingest import build_library

WORDS = st.text(alphabet="aAnThe tb1,.-' \t", max_size=30)


def squad_normalize(text: str) -> str:
    """As SQuAD's official script does it, step by step."""
    lower = text.lower()
    without_punctuation = "".join(c for c in lower if c not in set(string.punctuation))
    without_articles = re.sub(r"\b(a|an|the)\b", " ", without_punctuation)
    return " ".join(without_articles.split())


def squad_f1(prediction: str, truth: str) -> float:
    given_tokens, true_tokens = squad_normalize(prediction).split(), squad_normalize(truth).split()
    same = sum((collections.Counter(given_tokens) & collections.Counter(true_tokens)).values())
    if same == 0:
        return 0
    precision, recall = same / len(given_tokens), same / len(true_tokens)
    return (2 * precision * recall) / (precision + recall)


@given(WORDS, st.lists(WORDS, min_size=1, max_size=3))
def test_scores_equal_those_of_squad(text: str, answers: list[str]) -> None:
    assert normalized(text) == squad_normalize(text)
    assert exact_match(text, answers) == max(squad_normalize(text) == squad_normalize(answer) for answer in answers)
    assert token_f1(text, answers) == pytest.approx(max(squad_f1(text, answer) for answer in answers))


def test_scores_by_hand() -> None:
    assert exact_match("The 3.5 billion.", ["3.5 billion"]) == 1
    assert token_f1("about 3.5 billion parameters", ["3.5 billion"]) == pytest.approx(2 * 2 / (4 + 2))
    assert contains("It has 3.5 billion parameters", ["4 billion", "3.5 Billion"]) == 1
    assert contains("It is 0.512 wide", ["0.5"]) == 0
    assert contains("anything", ["the"]) == 0


@pytest.fixture(scope="module")
def assistant(tmp_path_factory: pytest.TempPathFactory, model_cache: Path) -> Assistant:
    folder = tmp_path_factory.mktemp("answers")
    (folder / "docs").mkdir()
    (folder / "docs/pump.md").write_text("# The pump\n\nThe pump of hall 4 moves 70 litres per second.\n")
    (folder / "docs/valve.md").write_text("# The valve\n\nThe valve of hall 4 closes in 3 seconds.\n")
    build_library([folder / "docs"], folder / "library")
    return Assistant.open(folder / "library")


def an_answer(assistant: Assistant, text: str, quote: str, answered: bool = True, shift: int = 0) -> Answer:
    """An answer that cites `quote` of pump.md, `shift` characters beside where it stands."""
    document = next(d for d in assistant.documents() if d.key == "pump.md")
    whole = assistant.document(document.source, document.key)
    assert whole
    start = whole.text.index(quote) + shift
    citation = Citation(
        1,
        text,
        quote,
        1.0,
        whole.title,
        whole.source,
        whole.key,
        whole.revision,
        "",
        None,
        (),
        start,
        start + len(quote),
    )
    return Answer("q", text, answered, 0.9, "extract", (citation,), (), 1, {})


PUMP = Question("1", "How much does the pump move?", ("70 litres per second", "70 l/s"), ("pump.md",), True)
UNKNOWN = Question("2", "Who paid for it?", (), (), False)


def test_an_answer_is_scored_without_its_markers(assistant: Assistant) -> None:
    scored = score(PUMP, an_answer(assistant, "70 litres per second [1].", "moves 70 litres"), 2.0, assistant)
    assert (scored.exact_match, scored.f1, scored.contains, scored.citation_hit) == (1, 1, 1, 1)
    assert (scored.citations, scored.verbatim, scored.seconds) == (1, 1, 2.0)


def test_a_quote_beside_its_span_is_not_verbatim(assistant: Assistant) -> None:
    scored = score(PUMP, an_answer(assistant, "70 litres", "moves 70 litres", shift=1), 1.0, assistant)
    assert (scored.citations, scored.verbatim) == (1, 0)


def test_a_citation_of_another_document_is_no_hit(assistant: Assistant) -> None:
    elsewhere = Question("1", PUMP.question, PUMP.answers, ("valve.md",), True)
    assert score(elsewhere, an_answer(assistant, "70", "70 litres"), 1.0, assistant).citation_hit == 0


def test_a_refusal_is_wrong_for_an_answerable_question_and_right_for_another(assistant: Assistant) -> None:
    refusal = Answer("q", "I cannot answer this. 70 litres per second", False, 0.1, "extract", (), (), 1, {})
    refused = score(PUMP, refusal, 1.0, assistant)
    assert (refused.exact_match, refused.f1, refused.contains, refused.citation_hit) == (0, 0, 0, None)
    answered = an_answer(assistant, "70 litres per second", "70 litres")
    both = [score(PUMP, answered, 1.0, assistant), refused, score(UNKNOWN, refusal, 4.0, assistant)]
    found = {mean.metric: (mean.value, mean.n) for mean in means(both)}
    assert found == {
        "exact_match": (0.5, 2),
        "f1": (0.5, 2),
        "contains": (0.5, 2),
        "answered_or_refused_rightly": (pytest.approx(2 / 3), 3),
        "answered": (0.5, 2),
        "refused": (1.0, 1),
        "citation_hit": (1.0, 1),
        "quote_verbatim": (1.0, 1),
        "seconds": (2.0, 3),
    }


def test_what_is_not_defined_has_no_value(assistant: Assistant) -> None:
    refusal = Answer("q", "no", False, 0.1, "extract", (), (), 1, {})
    undefined = {mean.metric for mean in means([score(UNKNOWN, refusal, 1.0, assistant)]) if mean.value is None}
    assert undefined == {"exact_match", "f1", "contains", "answered", "citation_hit", "quote_verbatim"}


def test_real_questions_are_asked(assistant: Assistant) -> None:
    scored: list[Scored] = evaluate([PUMP, UNKNOWN], assistant, "extract")
    assert [one.question.id for one in scored] == ["1", "2"]
    assert scored[0].answered
    assert (scored[0].contains, scored[0].citation_hit) == (1, 1)
    assert scored[0].verbatim == scored[0].citations > 0
    with pytest.raises(ValueError, match=r"lacks 1 documents .* 'docs/pump.md' of question '9'"):
        evaluate([Question("9", "How?", ("so",), ("docs/pump.md",), True)], assistant)


def test_the_command_omits_what_is_not_defined(assistant: Assistant, tmp_path: Path) -> None:
    library = tmp_path / "library"
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/pump.md").write_text("The pump of hall 4 moves 70 litres per second.\n")
    build_library([tmp_path / "docs"], library)
    file = tmp_path / "questions.jsonl"
    file.write_text(json.dumps({"id": "u", "question": "Who wrote Hamlet?", "answers": [], "answerable": False}))
    arguments = ["eval", "answers", str(file), "--library", str(library), "--mode", "extract"]
    found = json.loads(CliRunner().invoke(commands, [*arguments, "--json"]).stdout)
    assert found["metrics"]["refused"] == {"mean": 1.0, "n": 1}
    assert "f1" not in found["metrics"]
    assert found["undefined"]["f1"] == "there are no answerable questions"
    assert found["questions"][0]["question"] == "u"
    assert "not defined" in CliRunner().invoke(commands, arguments).stdout
    file.write_text("{")
    assert CliRunner().invoke(commands, arguments).exit_code == 2
