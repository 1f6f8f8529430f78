from __future__ import annotations

from pathlib import Path

from assistant.settings import LLMSettings
from eval.weights import served, weights


def test_a_model_that_was_trained_anew_is_another_one(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(b"one")
    settings = LLMSettings(url="http://127.0.0.1:9/v1", model=str(folder))
    before = served(settings, str(folder))
    assert before == {"model": str(folder), "weights": weights(str(folder))}
    assert served(settings.model_copy(update={"url": "http://127.0.0.1:10/v1"}), str(folder)) == before
    (folder / "model.safetensors").write_bytes(b"two")
    assert served(settings, str(folder))["weights"] != before["weights"]


def test_of_a_model_elsewhere_name_and_server_are_known(tmp_path: Path) -> None:
    elsewhere = LLMSettings(url="https://llm.example.org/v1", model=str(tmp_path))
    assert served(elsewhere, str(tmp_path)) == {"model": str(tmp_path), "server": "https://llm.example.org/v1"}
    here = LLMSettings(url="http://127.0.0.1:9/v1", model="some/model")
    assert served(here, "another") == {"model": "another", "server": "this machine"}
    assert weights("some/model") is None
