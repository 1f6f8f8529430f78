"""Chromium, a small library of documents written here, and the app as users start it."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = [
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
REFDESK = Path(sys.executable).with_name("refdesk")
FACT = "The lighthouse of Port Ambrel was built in 1871 and is 43 m high."


@pytest.fixture(scope="session")
def write_documents() -> Callable[[Path], Path]:
    return _write_documents


def _write_documents(folder: Path) -> Path:
    """A long page with a table, a formula and markup that attacks, a page of another kind, and three bad files."""
    (folder / "nested").mkdir(parents=True)
    filler = "\n\n".join(f"Paragraph {n} tells of the tides and of ships that came and went." for n in range(60))
    table = "| Lamp | Power in W |\n|------|-----------:|\n| main | 1000 |\n| spare | 400 |\n"
    attack = "<script>window.attacked = 1</script><img src=x onerror='window.attacked = 1'> **bold** & $E = mc^2$\n"
    (folder / "lighthouse.md").write_text(
        f"# Lighthouse of Port Ambrel\n\n{filler}\n\n## History\n\n{FACT} It was painted red.\n\n"
        f"## Lamps\n\n{table}\n## Attack\n\n{attack}"
    )
    (folder / "nested/harbour.rst").write_text(
        "Harbour rules\n=============\n\nShips longer than 80 m need a pilot to enter the harbour of Port Ambrel.\n"
    )
    (folder / "broken.pdf").write_bytes(b"%PDF-1.7 and then nothing of the kind")
    (folder / "nothing.md").write_text("\n")
    (folder / "data.xyz").write_bytes(bytes(range(256)))
    return folder


@pytest.fixture(scope="session")
def index() -> Callable[..., None]:
    return _index


def _index(documents: Path, library: Path, *options: str) -> None:
    command = [REFDESK, "index", documents, "--library", library, *options]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode in (0, 3), done.stdout + done.stderr


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory, model_cache: Path) -> Path:
    folder = tmp_path_factory.mktemp("app")
    _index(_write_documents(folder / "port"), folder / "library")
    return folder / "library"


StartApp = Callable[..., AbstractContextManager[tuple[str, subprocess.Popen[str]]]]


@pytest.fixture(scope="session")
def running_app() -> StartApp:
    return _running_app


@contextmanager
def _running_app(
    library: Path, llm_url: str = "http://127.0.0.1:9/v1", folder: Path | None = None, groups: str = "", **settings: str
) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """The app's address and process, started in `folder`, once it listens. Ends it by SIGTERM, and sees that nothing
    of it is left."""
    port = _free_port()
    process = subprocess.Popen(
        [REFDESK, "app", "--library", library, "--port", str(port), "--as", groups],
        # A busy machine may need longer than a person would wait for a server that is there.
        env={**os.environ, "REFDESK_LLM__URL": llm_url, "REFDESK_LLM__CONNECT_SECONDS": "60", **settings},
        cwd=folder,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        assert process.stdout
        assert process.stdout.readline() == f"Refdesk is at http://localhost:{port} (Ctrl-C ends it).\n"
        yield f"http://localhost:{port}", process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        code = process.wait(30)
        left = _group_members(process.pid)
        process.stdout.close() if process.stdout else None
    assert (code, left) == (0, [])


def _group_members(group: int) -> list[int]:
    from assistant.llm.process import running

    return [process.pid for process in running().values() if process.group == group]


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@pytest.fixture
def free_port() -> int:
    return _free_port()


@pytest.fixture(scope="session")
def app_url(library: Path, running_app: StartApp) -> Iterator[str]:
    """The app over the small library, with no LLM server at the URL that it knows."""
    with running_app(library) as (url, _):
        yield url


@pytest.fixture(scope="module")  # while it is open, its event loop keeps others of this thread from running
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if not found:
        pytest.skip("no Chromium on this machine; `make chromium` installs it")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=found, args=CHROMIUM)
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    """A page that fails the test if the app asks anything of another machine."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    context.set_default_timeout(60_000)
    elsewhere: list[str] = []
    own = ("http://localhost:", "data:", "about:", "blob:")
    context.on("request", lambda request: None if request.url.startswith(own) else elsewhere.append(request.url))
    yield context.new_page()
    context.close()
    assert not elsewhere


@pytest.fixture
def violations() -> Callable[[Any], list[str]]:
    """What axe finds on a page, by its default rules."""
    from axe_playwright_python.sync_playwright import Axe

    def found(page: Any) -> list[str]:
        return [
            f"{violation['id']}: {violation['help']}: {node['html'][:200]}"
            for violation in Axe().run(page).response["violations"]
            for node in violation["nodes"]
        ]

    return found
