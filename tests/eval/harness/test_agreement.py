"""Our scores are those of lm-evaluation-harness run directly: its own model, its own task, the same CSV files."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from assistant.llm import server, smollm2
from assistant.settings import LLMSettings

RESULTS = dict[str, tuple[list[float], int]]
"""Question -> log-likelihoods, prediction."""


@pytest.fixture(scope="module")
def reference(mmlu: Path, tmp_path_factory: pytest.TempPathFactory) -> RESULTS:
    """By nothing of ours: lm-eval's `hf` model and its `mmlu_*.yaml`, which are pointed at the files as JSON."""
    import lm_eval
    import yaml
    from lm_eval.tasks import TaskManager

    folder = tmp_path_factory.mktemp("reference")
    os.environ["HF_DATASETS_CACHE"] = str(folder / "cache")
    subjects = ("astronomy", "conceptual_physics")
    for subject in subjects:
        files = {}
        for split, role in (("dev", "dev"), ("val", "test")):
            with (mmlu / split / f"{subject}_{split}.csv").open(newline="", encoding="utf-8") as opened:
                rows = [
                    {"question": row[0], "choices": row[1:5], "answer": "ABCD".index(row[5])}
                    for row in csv.reader(opened)
                ]
            files[role] = str(folder / f"{subject}_{split}.jsonl")
            Path(files[role]).write_text("".join(json.dumps(row) + "\n" for row in rows))
        published = Path(lm_eval.__file__).parent / f"tasks/mmlu/default/mmlu_{subject}.yaml"
        pointed = {"dataset_path": "json", "dataset_name": None, "dataset_kwargs": {"data_files": files}}
        (folder / f"{subject}.yaml").write_text(
            yaml.safe_dump({"include": str(published), "task": f"reference_{subject}", **pointed})
        )
    measured = lm_eval.simple_evaluate(
        model="hf",
        model_args={"pretrained": str(smollm2.folder()), "dtype": "float32", "device": "cpu"},
        tasks=[f"reference_{subject}" for subject in subjects],
        num_fewshot=5,
        task_manager=TaskManager(include_path=str(folder), include_defaults=False),
        bootstrap_iters=0,
    )
    found = {}
    for subject in subjects:
        for sample in measured["samples"][f"reference_{subject}"]:
            likelihoods = [float(response[0][0]) for response in sample["resps"]]
            prediction = likelihoods.index(max(likelihoods))
            assert sample["acc"] == float(prediction == sample["target"])
            found[f"{subject}-{sample['doc_id']}"] = (likelihoods, prediction)
    return found


@pytest.fixture(scope="module")
def f32(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LLMSettings]:
    """vLLM in f32, beside the session's in bf16, whose log-probabilities differ in the second digit."""
    from fixtures_llm import free_port

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REFDESK_STATE", str(tmp_path_factory.mktemp("state")))
        settings = LLMSettings(url=f"http://127.0.0.1:{free_port()}/v1", precision="f32", answer_seconds=300)
        with server.serving(settings):
            yield settings


def _measured(model: Any, mmlu: Path, folder: Path) -> list[Any]:
    from eval.harness.mmlu import evaluate
    from eval.harness.questions import read
    from eval.runs.about import About, Data
    from eval.runs.run import begin

    asked = read(str(mmlu))
    about = About.of("mmlu", Data("small", asked.sha256, len(asked)), {"alone": {}})
    with begin(folder, about, cached=False) as run:
        evaluate(asked, {"alone": model}, run, lambda done, total, what: None)
        return list(run.finish().results["alone"])


def _agree(results: list[Any], reference: RESULTS) -> None:
    assert {one.id for one in results} == reference.keys()
    assert len({reference[one.id][1] for one in results}) > 1, (
        "a model that always says the same would agree too easily"
    )
    for one in results:
        likelihoods, prediction = reference[one.id]
        assert one.detail["log_likelihoods"] == pytest.approx(likelihoods, abs=1e-3)
        assert one.detail["prediction"] == prediction
        assert one.values["correct"] == float(prediction == one.detail["answer"])


def test_in_process(mmlu: Path, reference: RESULTS, tmp_path: Path) -> None:
    from eval.harness.local import LocalModel

    _agree(_measured(LocalModel(LLMSettings(precision="f32")), mmlu, tmp_path / "run"), reference)


@pytest.mark.parametrize("named", [True, False])
def test_through_vllm(named: bool, mmlu: Path, reference: RESULTS, f32: LLMSettings, tmp_path: Path) -> None:
    from eval.harness.served import ServedModel

    assert ServedModel(f32).named, "this vLLM gives log-probabilities of named tokens"
    _agree(_measured(ServedModel(f32, named=named), mmlu, tmp_path / "run"), reference)
