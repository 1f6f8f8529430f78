"""A real vLLM: what it says the right answers' likelihoods are is what transformers computes, token by token."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from assistant import Assistant
from assistant.llm import smollm2
from assistant.llm.prompts import messages
from assistant.settings import LLMSettings, Settings
from eval.answers import METRICS
from eval.answers.pubmedqa import measure as measure_pubmedqa
from eval.answers.pubmedqa import prompt
from eval.answers.systems import CLOSED_BOOK
from eval.metric import Result
from eval.runs.run import Record
from eval.statistics import Figure, figure

Likelihood = Callable[[str, str], tuple[float, int]]
QUESTION = "How much does the pump of hall 4 move?"


@pytest.fixture(scope="module")
def likelihood() -> Iterator[Likelihood]:
    """From a prompt and what follows it to its log-likelihood and tokens, by transformers alone."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    before = torch.get_num_threads()
    torch.set_num_threads(1)  # threads that wait for each other are slow where other programs run
    tokenizer = AutoTokenizer.from_pretrained(smollm2.folder())
    model = AutoModelForCausalLM.from_pretrained(smollm2.folder(), dtype=torch.float32)

    def computed(before: str, after: str) -> tuple[float, int]:
        context, whole = (tokenizer.encode(text) for text in (before, before + after))
        assert whole[: len(context)] == context
        with torch.no_grad():
            logits = model(torch.tensor([whole])).logits[0].double().log_softmax(-1)
        span = range(len(context), len(whole))
        return sum(float(logits[i - 1, whole[i]]) for i in span), len(span)

    yield computed
    torch.set_num_threads(before)


def chat(told: list[dict[str, str]]) -> str:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(smollm2.folder())
    return str(tokenizer.apply_chat_template(told, tokenize=False, add_generation_prompt=True))


def settings_of(limits: LLMSettings, tmp_path: Path) -> Settings:
    found = Settings(llm=limits.model_copy(update={"max_tokens": 24}))
    return found.model_copy(update={"eval": found.eval.model_copy(update={"runs": str(tmp_path / "runs")})})


def of(record: Record, system: str, id_: str) -> Result:
    return next(one for one in record.results[system] if one.id == id_)


def test_perplexity_is_that_of_the_prompt_that_was_used(
    llm_settings: LLMSettings, library: Path, assistant: Assistant, tmp_path: Path, likelihood: Likelihood
) -> None:
    from eval.answers.measure import measure

    settings = settings_of(llm_settings, tmp_path)
    file = tmp_path / "questions.jsonl"
    row = {"id": "p", "question": QUESTION, "answers": ["70 litres per second", "70 l/s"], "answerable": True}
    other = {"id": "q", "question": "What closes in 3 seconds?", "answers": ["the valve"], "answerable": True}
    file.write_text(json.dumps({**row, "documents": ["pump.md"]}) + "\n" + json.dumps(other))
    record = measure(file, library, settings, (), lambda done, total, what: None)
    assert list(record.results) == ["extract", "generate", "closed-book"]
    assert not [note for note in record.notes if "Perplexity" in note]
    inquiry = assistant.inquire(QUESTION)
    told = {
        "generate": messages(QUESTION, inquiry.passages, inquiry.ranked, settings.llm),
        "closed-book": [{"role": "system", "content": CLOSED_BOOK}, {"role": "user", "content": QUESTION}],
    }
    for system, shown in told.items():
        values = of(record, system, "p").values
        expected, tokens = likelihood(chat(shown), "70 litres per second")
        assert values["answer_tokens"] == tokens
        assert values["nats"] / tokens == pytest.approx(-expected / tokens, abs=1e-3)
        found = next(figure(metric, record.results[system]) for metric in METRICS if metric.name == "perplexity")
        assert isinstance(found, Figure)
        both = [one.values for one in record.results[system]]
        nats, counted = (sum(one[name] for one in both) for name in ("nats", "answer_tokens"))
        assert found.value == pytest.approx(math.exp(nats / counted))
        assert values["tokens"] > 0
    assert of(record, "generate", "p").values["nats"] < of(record, "closed-book", "p").values["nats"]
    assert "nats" not in of(record, "extract", "p").values


def test_pubmedqas_answer_is_the_likeliest(llm_settings: LLMSettings, tmp_path: Path, likelihood: Likelihood) -> None:
    rows = {
        "11": {"QUESTION": "Does the pump leak?", "CONTEXTS": ["No leak was seen."], "final_decision": "no"},
        "12": {"QUESTION": "Do magnets warm it?", "CONTEXTS": ["It was", "2 K warmer."], "final_decision": "yes"},
    }
    file = tmp_path / "pqal.json"
    file.write_text(json.dumps(rows))
    settings = settings_of(llm_settings, tmp_path)
    record = measure_pubmedqa(file, tmp_path / "library", settings, lambda done, total, what: None)
    assert list(record.results) == ["always yes", "closed-book", "with its abstract", "with retrieval", "extract"]
    abstracts = {"11": "No leak was seen.", "12": "It was\n2 K warmer."}
    for id_, row in rows.items():
        asked = str(row["QUESTION"])
        retrieved = [one["text"] for one in of(record, "with retrieval", id_).detail["passages"]]
        assert sorted(retrieved) == sorted(abstracts.values())
        shown = {"closed-book": "", "with its abstract": abstracts[id_], "with retrieval": "\n".join(retrieved)}
        for system, abstract in shown.items():
            result = of(record, system, id_)
            expected = {one: likelihood(prompt(asked, abstract), f" {one}")[0] for one in ("yes", "no", "maybe")}
            assert result.detail["log_likelihoods"] == pytest.approx(expected, abs=0.15)
            best, second, _ = sorted(expected.values(), reverse=True)
            if best - second > 0.3:
                assert expected[result.detail["answer"]] == best
            assert result.values["right"] == float(result.detail["answer"] == row["final_decision"])
