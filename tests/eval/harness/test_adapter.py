"""A model in this process with a LoRA adapter scores as transformers with PEFT do."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from assistant.errors import ModelNotFound
from assistant.llm import smollm2
from assistant.settings import LLMSettings

pytestmark = pytest.mark.usefixtures("one_thread")

F32 = LLMSettings(precision="f32", context_tokens=512)
PROMPT = "Which particle has no electric charge?\nA. proton\nB. electron\nC. neutron\nD. muon\nAnswer:"
LETTERS = (" A", " B", " C", " D")


@pytest.fixture(scope="module")
def adapted(one_thread: None, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[float]]:
    """The folder of an adapter with weights of chance, and the log-likelihood of each letter by PEFT's own model."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM, AutoTokenizer

    torch.manual_seed(0)
    tokenizer = AutoTokenizer.from_pretrained(smollm2.folder())
    plain = AutoModelForCausalLM.from_pretrained(smollm2.folder(), dtype=torch.float32)
    model: Any = get_peft_model(plain, LoraConfig(r=4, target_modules=["q_proj", "v_proj"], init_lora_weights=False))
    model.eval()
    folder = tmp_path_factory.mktemp("adapter")
    model.save_pretrained(folder)
    with torch.no_grad():
        logits = model(**tokenizer(PROMPT, return_tensors="pt")).logits[0, -1]
    scores = torch.log_softmax(logits, dim=-1)
    return folder, [float(scores[tokenizer.encode(letter)[0]]) for letter in LETTERS]


def log_likelihoods(adapter: Path | None) -> list[float]:
    from lm_eval.api.instance import Instance

    from eval.harness.local import LocalModel

    asked: list[Any] = [Instance("loglikelihood", {}, (PROMPT, letter), n) for n, letter in enumerate(LETTERS)]
    return [likelihood for likelihood, _ in LocalModel(F32, adapter).loglikelihood(asked)]


def test_an_adapter_scores_as_peft_does(adapted: tuple[Path, list[float]]) -> None:
    folder, expected = adapted
    assert log_likelihoods(folder) == pytest.approx(expected, abs=1e-3)
    assert log_likelihoods(None) != pytest.approx(expected, abs=0.01)


def test_an_adapter_trained_anew_is_another_system(adapted: tuple[Path, list[float]], tmp_path: Path) -> None:
    import torch
    from safetensors.torch import load_file, save_file

    from eval.harness.systems import open_model

    folder, _ = adapted
    other = Path(shutil.copytree(folder, tmp_path / "other"))
    weights = load_file(folder / "adapter_model.safetensors")
    save_file({name: torch.zeros_like(one) for name, one in weights.items()}, other / "adapter_model.safetensors")
    (_, first), (_, second) = (open_model(F32, True, str(one)) for one in (folder, other))
    assert first["weights"] == second["weights"] is not None
    assert first["adapter_weights"] != second["adapter_weights"]


def test_a_folder_without_an_adapter_is_named(tmp_path: Path) -> None:
    from eval.harness.local import LocalModel

    with pytest.raises(ModelNotFound, match=r"is no adapter: it has no adapter_config\.json"):
        LocalModel(F32, tmp_path)
