"""Our scores are those of lm-evaluation-harness run directly: its own model, its own task, the same CSV files.

The long form compares all of the validation questions of MMLU, a subject a test:

    pytest -m long tests/eval/harness/test_agreement.py
"""

from __future__ import annotations

import csv
import json
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from assistant.llm import smollm2
from assistant.settings import LLMSettings

pytestmark = pytest.mark.usefixtures("one_thread")

RESULTS = dict[str, tuple[list[float], int]]
"""Question -> log-likelihoods, prediction."""
PUBLISHED = Path(__file__).parents[4] / "shared/data/mmlu"
SUBJECTS = sorted(file.name.removesuffix("_val.csv") for file in PUBLISHED.glob("val/*_val.csv"))
SLICE = "global_facts"
"""A subject with short prompts, to whose first questions the model does not always give the same letter."""
SHORT = 256
QUICK = ("in process", "named tokens")
WAYS = (*QUICK, "prompt")


@pytest.fixture(scope="module")
def hf(one_thread: None) -> Any:
    """lm-eval's own model."""
    from lm_eval.models.huggingface import HFLM

    return HFLM(pretrained=str(smollm2.folder()), dtype="float32", device="cpu", batch_size=1)


def reference(hf: Any, data: Path, subject: str, folder: Path) -> RESULTS:
    """By nothing of ours: lm-eval's `hf` model and its `mmlu_*.yaml`, which is pointed at the files as JSON."""
    import lm_eval
    import yaml
    from lm_eval.tasks import TaskManager

    files = {}
    for split, role in (("dev", "dev"), ("val", "test")):
        with (data / split / f"{subject}_{split}.csv").open(newline="", encoding="utf-8") as opened:
            rows = [
                {"question": asked, "choices": choices, "answer": "ABCD".index(letter)}
                for asked, *choices, letter in csv.reader(opened)
            ]
        files[role] = str(folder / f"{subject}_{split}.jsonl")
        Path(files[role]).write_text("".join(json.dumps(row) + "\n" for row in rows))
    published = Path(lm_eval.__file__).parent / f"tasks/mmlu/default/mmlu_{subject}.yaml"
    pointed = {"dataset_path": "json", "dataset_name": None, "dataset_kwargs": {"data_files": files}}
    task = {"include": str(published), "task": f"reference_{subject}", **pointed}
    (folder / f"{subject}.yaml").write_text(yaml.safe_dump(task))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("datasets.config.HF_DATASETS_CACHE", folder / "cache")
        measured = lm_eval.simple_evaluate(
            model=hf,
            tasks=[f"reference_{subject}"],
            num_fewshot=5,
            task_manager=TaskManager(include_path=str(folder), include_defaults=False),
            bootstrap_iters=0,
        )
    found = {}
    for sample in measured["samples"][f"reference_{subject}"]:
        likelihoods = [float(response[0][0]) for response in sample["resps"]]
        prediction = likelihoods.index(max(likelihoods))
        assert sample["acc"] == float(prediction == sample["target"])
        found[f"{subject}-{sample['doc_id']}"] = (likelihoods, prediction)
    return found


def opened(way: str, settings: LLMSettings) -> Any:
    """Our model, by one of the ways that it computes."""
    if way == "in process":
        from eval.harness.local import LocalModel

        return LocalModel(settings)
    from eval.harness.served import ServedModel

    assert ServedModel(settings).named, "vLLM gives log-probabilities of named tokens"
    return ServedModel(settings, named=way == "named tokens")


def agree(data: Path, subject: str, models: dict[str, Any], hf: Any, folder: Path) -> set[int]:
    """Whether each of our models gives what lm-eval's does; returns the letters that were chosen, by number."""
    from eval.harness.mmlu import evaluate
    from eval.harness.questions import read
    from eval.runs.about import About, Data
    from eval.runs.run import begin

    expected = reference(hf, data, subject, folder)
    alone = folder / "data"  # the files of this subject
    for split in ("dev", "val"):
        (alone / split).mkdir(parents=True)
        (alone / split / f"{subject}_{split}.csv").symlink_to(data / split / f"{subject}_{split}.csv")
    asked = read(str(alone))
    about = About.of("mmlu", Data(subject, asked.sha256, len(asked)), {way: {} for way in models})
    with begin(folder / "run", about, cached=False) as run:
        evaluate(asked, models, run, lambda done, total, what: None)
        found = run.finish().results
    for results in found.values():
        assert {one.id for one in results} == expected.keys()
        for one in results:
            likelihoods, prediction = expected[one.id]
            assert one.detail["log_likelihoods"] == pytest.approx(likelihoods, abs=1e-3)
            assert one.detail["prediction"] == prediction
            assert one.values["correct"] == float(prediction == one.detail["answer"])
    return {prediction for _, prediction in expected.values()}


@pytest.fixture(scope="module")
def models(llm_settings: LLMSettings) -> dict[str, Any]:
    assert llm_settings.precision == "f32"
    return {way: opened(way, llm_settings) for way in WAYS}


def test_small_mmlu(models: dict[str, Any], hf: Any, mmlu: Path, tmp_path: Path) -> None:
    agree(mmlu, "astronomy", models, hf, tmp_path)


@pytest.mark.shared_data
def test_slice_of_published_mmlu(models: dict[str, Any], hf: Any, tmp_path: Path) -> None:
    for split, most in (("dev", 5), ("val", 4)):
        (tmp_path / "slice" / split).mkdir(parents=True)
        name = f"{split}/{SLICE}_{split}.csv"
        with (PUBLISHED / name).open(newline="") as whole, (tmp_path / "slice" / name).open("w", newline="") as part:
            csv.writer(part).writerows(islice(csv.reader(whole), most))
    letters = agree(tmp_path / "slice", SLICE, {way: models[way] for way in QUICK}, hf, tmp_path)
    assert len(letters) > 1, "one letter for all would agree too easily"


@pytest.mark.long
@pytest.mark.shared_data
@pytest.mark.parametrize("subject", SUBJECTS)
def test_published_mmlu(subject: str, models: dict[str, Any], hf: Any, tmp_path: Path) -> None:
    agree(PUBLISHED, subject, {way: models[way] for way in QUICK}, hf, tmp_path)


@pytest.fixture(scope="module", params=WAYS)
def model(request: pytest.FixtureRequest, llm_settings: LLMSettings) -> Any:
    """In a context that is soon full."""
    return opened(request.param, llm_settings.model_copy(update={"context_tokens": SHORT}))


def _requests(kind: str, *arguments: tuple[Any, ...]) -> list[Any]:
    from lm_eval.api.instance import Instance

    return [Instance(kind, {}, one, n, ("task", n, 1)) for n, one in enumerate(arguments)]


LONG = "The detector was read out. " * 50
PAIRS = (
    ("The capital of France is", " Paris"),
    ("The capital of France is", " Paris, which lies on the Seine"),
    ("The capital of France is", " not known"),
    ("", "A text by itself"),
    ("Trailing blank ", "goes over"),
    ("The capital of France is", " Paris"),
    (LONG, " It ended"),
    (LONG, " Done"),
)


TEXTS = (("A short text.",), (LONG,))
WRITTEN = (
    ("Q: What is the capital of France?\nA:", {"until": ["\n"], "max_gen_toks": 12}),
    ("1, 2, 3, 4,", {"until": ["9"], "max_gen_toks": 40, "do_sample": False}),
    (LONG, {"until": [], "max_gen_toks": 8}),
)


@pytest.fixture(scope="module")
def expected(hf: Any) -> tuple[list[tuple[float, bool]], list[float], list[str]]:
    """What lm-eval's model says to `PAIRS`, `TEXTS` and `WRITTEN`, in a context as long as ours."""
    whole, hf._max_length = hf._max_length, SHORT - 2
    pairs = hf.loglikelihood(_requests("loglikelihood", *PAIRS), disable_tqdm=True)
    texts = hf.loglikelihood_rolling(_requests("loglikelihood_rolling", *TEXTS), disable_tqdm=True)
    written = hf.generate_until(_requests("generate_until", *WRITTEN), disable_tqdm=True)
    hf._max_length = whole
    return pairs, texts, written


def test_any_likelihood(model: Any, expected: Any) -> None:
    """Of continuations of several tokens, with no context, twice, and of prompts that do not fit."""
    found = model.loglikelihood(_requests("loglikelihood", *PAIRS))
    assert [likelihood for likelihood, _ in found] == pytest.approx([one for one, _ in expected[0]], abs=1e-3)
    assert [greedy for _, greedy in found] == [greedy for _, greedy in expected[0]]
    assert {True, False} == {greedy for _, greedy in found}
    assert model.cut == {LONG}
    texts = _requests("loglikelihood_rolling", *TEXTS)
    assert model.loglikelihood_rolling(texts) == pytest.approx(expected[1], rel=1e-4)


def test_any_text(model: Any, expected: Any) -> None:
    found = model.generate_until(_requests("generate_until", *WRITTEN))
    assert found == expected[2]
    assert all(found)
