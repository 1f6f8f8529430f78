"""Language models behind servers: a real vLLM, once per session, with the small model that comes by pip, and a stand-in
that does as it is told. `conftest.py` loads this file."""

from __future__ import annotations

import importlib.util
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from assistant.llm import server as llm
from assistant.llm.process import running
from assistant.settings import LLMSettings


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@pytest.fixture(scope="session")
def llm_settings(tmp_path_factory: pytest.TempPathFactory, model_cache: Path) -> Iterator[LLMSettings]:
    """Settings whose URL answers: vLLM, started for the session (25 to 200 s) and stopped after it, wholly.

    In single precision, so that what it says can be compared with what is computed elsewhere.
    """
    state = tmp_path_factory.mktemp("llm-state")
    before = os.environ.get("REFDESK_STATE")
    os.environ["REFDESK_STATE"] = str(state)
    settings = LLMSettings(url=f"http://127.0.0.1:{free_port()}/v1", precision="f32", answer_seconds=300)
    try:
        with llm.serving(settings) as server:
            group = {pid for pid, process in running().items() if process.group == server.pid}
            assert len(group) > 1, "vLLM's engine is a process of its own"
            yield settings
        assert not [process for pid, process in running().items() if pid in group or process.group == server.pid]
    finally:
        os.environ.pop("REFDESK_STATE")
        if before is not None:
            os.environ["REFDESK_STATE"] = before


@pytest.fixture(scope="session")
def llm_url(llm_settings: LLMSettings) -> str:
    """The base URL of the session's vLLM server, such as `http://127.0.0.1:40123/v1`."""
    return llm_settings.url


@pytest.fixture(scope="session")
def serve_llm() -> Any:
    """The class of `servers/llm.py`: a stand-in for a server of a language model."""
    spec = importlib.util.spec_from_file_location("llm_server", Path(__file__).parent / "servers/llm.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.LLMServer
