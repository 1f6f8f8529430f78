"""What all tests share: no network, one cache of converted models per session, the real embedder."""

from __future__ import annotations

import importlib.util
import os
import signal
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from assistant.embed import Embedder

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"
# A developer's own settings must not change what a test sees; a test that needs one sets it itself.
for _name in [name for name in os.environ if name.startswith("REFDESK_") and "__" in name]:
    del os.environ[_name]
# What a test starts can be ended by Ctrl-C, even if the tests themselves were started where it is ignored: by `&`, say.
signal.signal(signal.SIGINT, signal.default_int_handler)
# Several workers, each with as many threads as there are cores, would wait for one another.
if workers := os.environ.get("PYTEST_XDIST_WORKER_COUNT"):
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // int(workers))))
# No test hangs on how fast a machine is.
settings.register_profile("any-machine", deadline=None)
settings.load_profile("any-machine")


def pytest_configure(config: pytest.Config) -> None:
    """Loads the files beside this one by their paths: tests are no package, so `pytest_plugins` cannot name them."""
    for name in ("fixtures_llm", "fixtures_reranker", "real_servers"):
        file = Path(__file__).parent / f"{name}.py"
        if not file.exists() or config.pluginmanager.has_plugin(name):
            continue
        spec = importlib.util.spec_from_file_location(name, file)
        assert spec
        assert spec.loader
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
        config.pluginmanager.register(module, name)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Tests that need vLLM come first, for they take longest, and of these the app's last: by then another worker has
    converted the embedder that they wait for."""
    items.sort(key=lambda item: (not _needs_vllm(item.path), _needs_vllm(item.path) and item.path.parent.name == "app"))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """With several workers (`-n 2`): a file stays with one, as what it shares is made once, and all files that need
    vLLM stay with one, as it fills half of a small machine. These come first, for they take longest.

    (xdist's own `--dist loadgroup` puts groups into node ids that pytest 9.2 no longer reads.)
    """
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.partition("::")[0]
            return "vLLM" if _needs_vllm(config.rootpath / file) else file

    config.option.loadscopereorder = False
    return ByFile(config, log)


@cache
def _needs_vllm(file: Path) -> bool:
    text = file.read_text(encoding="utf-8")
    return any(name in text for name in ("llm_settings", "llm_url", "serving("))


@pytest.fixture(scope="session", autouse=True)
def model_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where converted models are kept: `$REFDESK_CACHE` if it is set, else one folder for all workers of a session."""
    session = tmp_path_factory.getbasetemp()
    session = session.parent if "PYTEST_XDIST_WORKER" in os.environ else session
    os.environ.setdefault("REFDESK_CACHE", str(session / "model-cache"))
    return Path(os.environ["REFDESK_CACHE"])


@pytest.fixture(scope="session")
def embedder(model_cache: Path) -> Embedder:
    """all-MiniLM-L6-v2 as Refdesk opens it by default, so on most CPUs in int8: what is tested is what people use.

    The first use of a new cache exports and quantises it, which takes 20 s.
    """
    from assistant.embed import open_embedder
    from assistant.settings import EmbedderSettings

    return open_embedder(EmbedderSettings())
