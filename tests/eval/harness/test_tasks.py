"""Any task of lm-evaluation-harness, with and without a library."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from assistant import Assistant
from assistant.llm import smollm2
from assistant.settings import LLMSettings
from ingest import build_library

pytestmark = pytest.mark.usefixtures("one_thread")

ROWS = [
    {
        "id": f"Q{number}",
        "question": question,
        "choices": {"text": choices, "label": ["1", "2", "3"]},
        "answerKey": str(right),
        "first": choices[right - 1].split()[0],
    }
    for number, (question, choices, right) in enumerate(
        [
            ("What pulls a stone to the ground?", ["gravity", "the wind", "a magnetic field of the ground"], 1),
            ("What does a thermometer measure?", ["the weight of a body", "temperature", "light"], 2),
            ("Which of these is a metal?", ["wood", "sulphur", "iron"], 3),
            ("What is water made of?", ["hydrogen and oxygen", "carbon", "iron and sulphur"], 1),
        ]
    )
]
CHOICE = {
    "task": "small_arc",
    "output_type": "multiple_choice",
    "doc_to_text": "Question: {{question}}\nAnswer:",
    "doc_to_target": "{{choices.label.index(answerKey)}}",
    "doc_to_choice": "{{choices.text}}",
    "num_fewshot": 1,
    "metric_list": [
        {"metric": "acc", "aggregation": "mean", "higher_is_better": True},
        {"metric": "acc_norm", "aggregation": "mean", "higher_is_better": True},
    ],
}
WRITTEN = {
    "task": "small_written",
    "output_type": "generate_until",
    "doc_to_text": "Question: {{question}}\nAnswer in one word:",
    "doc_to_target": "{{first}}",
    "generation_kwargs": {"until": ["\n", "."], "max_gen_toks": 8},
    "filter_list": [
        {"name": "whole", "filter": [{"function": "remove_whitespace"}, {"function": "take_first"}]},
        {
            "name": "first-word",
            "filter": [{"function": "regex", "regex_pattern": r"(\w+)"}, {"function": "take_first"}],
        },
    ],
    "metric_list": [{"metric": "exact_match", "aggregation": "mean", "higher_is_better": True, "ignore_case": True}],
}


@pytest.fixture(scope="module")
def model(one_thread: None) -> Any:
    from eval.harness.local import LocalModel

    return LocalModel(LLMSettings(precision="f32", context_tokens=400))


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")
    data = {}
    for split, rows in (("train", ROWS[:1]), ("test", ROWS[1:])):
        data[split] = str(tmp_path / f"{split}.jsonl")
        Path(data[split]).write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = {}
    for task in (CHOICE, WRITTEN):
        file = tmp_path / f"{task['task']}.yaml"
        splits = {"training_split": "train", "test_split": "test", "fewshot_split": "train"}
        file.write_text(
            yaml.safe_dump({**task, **splits, "dataset_path": "json", "dataset_kwargs": {"data_files": data}})
        )
        found[str(task["task"])] = str(file)
    return found


def _run(file: str, systems: dict[str, Any], folder: Path) -> Any:
    from eval.harness.any_task import NamedTasks
    from eval.harness.tasks import named_tasks
    from eval.runs.about import About
    from eval.runs.run import begin

    named = NamedTasks(file, named_tasks(file, None))
    about = About.of("task", named.data, {name: {"metrics": named.metrics} for name in systems})
    with begin(folder, about, cached=False) as run:
        named.evaluate(systems, run, lambda done, total, what: None)
        return run.finish()


@pytest.mark.parametrize(
    ("task", "metrics"),
    [("small_arc", ["acc", "acc_norm"]), ("small_written", ["exact_match, whole", "exact_match, first-word"])],
)
def test_a_task_as_lm_eval_runs_it(
    task: str, metrics: list[str], files: dict[str, str], model: Any, tmp_path: Path
) -> None:
    import lm_eval
    from lm_eval.tasks import TaskManager

    from eval.kinds import metrics_of
    from eval.statistics import Figure, figure

    direct = lm_eval.simple_evaluate(
        model="hf",
        model_args={"pretrained": str(smollm2.folder()), "dtype": "float32", "device": "cpu"},
        tasks=[files[task]],
        task_manager=TaskManager(include_defaults=False),
        bootstrap_iters=0,
    )
    record = _run(files[task], {"alone": model}, tmp_path / "run")
    results = record.results["alone"]
    assert [one.id for one in results] == [f"{task}-{n}" for n in range(3)]
    assert [one.group for one in results] == [task] * 3
    for sample in direct["samples"][task]:
        name, way = sample["metrics"][0], sample["filter"]
        values = results[sample["doc_id"]].values
        assert values[name if way == "none" else f"{name}, {way}"] == sample[name]
    figures = {one.name: figure(one, results) for one in metrics_of(record.about)}
    assert list(figures) == [*metrics, "cut_prompts"]
    for name in metrics:
        found = figures[name]
        assert isinstance(found, Figure)
        metric, _, way = name.partition(", ")
        assert found.value == pytest.approx(direct["results"][task][f"{metric},{way or 'none'}"])
        assert 0 <= found.low <= found.value <= found.high <= 1


def test_what_is_drawn_at_random_is_known(files: dict[str, str], tmp_path: Path) -> None:
    from eval.harness.any_task import NamedTasks
    from eval.harness.tasks import named_tasks

    config = yaml.safe_load(Path(files["small_written"]).read_text())
    file = tmp_path / "drawn.yaml"
    for more, drawn in (({}, False), ({"temperature": 0.0}, False), ({"do_sample": True, "temperature": 0.2}, True)):
        kwargs = {**config["generation_kwargs"], **more}
        file.write_text(yaml.safe_dump({**config, "generation_kwargs": kwargs}))
        assert NamedTasks("drawn", named_tasks(str(file), None)).drawn is drawn
    assert not NamedTasks("small_arc", named_tasks(files["small_arc"], None)).drawn


def test_what_cannot_be_had_is_refused(files: dict[str, str], tmp_path: Path) -> None:
    from eval.harness.any_task import NamedTasks
    from eval.harness.tasks import named_tasks

    with pytest.raises(ValueError, match="has no task 'small_arcs'"):
        named_tasks("small_arcs", None)
    config = yaml.safe_load(Path(files["small_arc"]).read_text())
    unsafe, summed = tmp_path / "unsafe.yaml", tmp_path / "summed.yaml"
    unsafe.write_text(yaml.safe_dump({**config, "unsafe_code": True}))
    with pytest.raises(ValueError, match="runs code that the model writes"):
        named_tasks(str(unsafe), None)
    summed.write_text(yaml.safe_dump({**config, "metric_list": [{"metric": "f1"}]}))
    with pytest.raises(ValueError, match=r"The metrics of small_arc \(f1\) are no means"):
        NamedTasks("summed", named_tasks(str(summed), None))


@pytest.fixture(scope="module")
def assistant(tmp_path_factory: pytest.TempPathFactory, embedder: Any) -> Assistant:
    folder = tmp_path_factory.mktemp("documents")
    (folder / "thermometer.md").write_text("# Instruments\n\nA thermometer measures temperature in degrees.\n")
    (folder / "metals.md").write_text("# Metals\n\nIron is a metal; wood and sulphur are not.\n")
    library = tmp_path_factory.mktemp("library") / "library"
    build_library([folder], library)
    return Assistant.open(library)


def test_passages_stand_before_the_prompt(
    files: dict[str, str], model: Any, assistant: Assistant, tmp_path: Path
) -> None:
    """What the model is shown is written here by hand, and scores the same as what retrieval made of the task."""
    from lm_eval.api.instance import Instance

    from eval.harness.passages import WithPassages

    reading = WithPassages(model, lambda question: assistant.search(question, 1), 200)
    record = _run(files["small_arc"], {"alone": model, "reading": reading}, tmp_path / "run")
    alone, informed = record.results["alone"], record.results["reading"]
    example = "Question: What pulls a stone to the ground?\nAnswer: gravity\n\n"
    asked = f"{example}Question: What does a thermometer measure?\nAnswer:"
    (passage,) = assistant.search("What does a thermometer measure?", 1)
    prompt = f"Passages:\n\n[1] Instruments\n{passage.text.strip()}\n\n{asked}"
    for results, expected in ((alone, asked), (informed, prompt)):
        requests = [
            Instance("loglikelihood", {}, (expected, f" {choice}"), n, ("by hand", 0, 1))
            for n, choice in enumerate(ROWS[1]["choices"]["text"])  # type: ignore[index]
        ]
        by_hand = [likelihood for likelihood, _ in model.loglikelihood(requests)]
        assert results[0].detail["responses"] == pytest.approx(by_hand, abs=1e-4)
    assert informed[0].detail["responses"] != pytest.approx(alone[0].detail["responses"], abs=0.01)
    (shown,) = informed[0].detail["passages"]
    assert (shown["key"], shown["start"], shown["end"]) == ("thermometer.md", passage.start, passage.end)
    assert informed[1].detail["passages"][0]["key"] == "metals.md"
    assert "passages" not in alone[0].detail


def test_passages_only_where_there_is_room(model: Any, assistant: Assistant) -> None:
    from lm_eval.api.instance import Instance

    from eval.harness.passages import WithPassages

    question = "What does a thermometer measure?"
    one = Instance("loglikelihood", {"question": question}, (f"{question} It is", " heat"), 0, ("t", 0, 1))
    empty = Instance("loglikelihood", {"question": question}, ("", " heat"), 1, ("t", 0, 1))
    long = Instance("loglikelihood", {"question": question}, ("Read on. " * 150, " heat"), 2, ("t", 0, 1))
    plain = [likelihood for likelihood, _ in model.loglikelihood([one, empty, long])]
    for tokens, ids in ((60, 2), (30, 1), (10, 0)):  # the two passages with what is around them have 44, the first 22
        reading = WithPassages(model, lambda asked: assistant.search(asked, 5), tokens)
        found = [likelihood for likelihood, _ in reading.loglikelihood([one])]
        assert len(reading.shown[question]) == ids
        assert (found == pytest.approx(plain[:1], abs=1e-4)) is (ids == 0)
        others = [likelihood for likelihood, _ in reading.loglikelihood([empty, long])]
        assert others == pytest.approx(plain[1:], abs=1e-4)
    assert reading.cut == {long.args[0]}
