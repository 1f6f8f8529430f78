"""Starting and stopping the LLM server: the real vLLM once, and a stand-in that dies, hangs and leaves orphans."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from assistant.errors import LLMGarbage, LLMUnavailable, ModelNotFound, SettingsError
from assistant.llm import server as llm
from assistant.llm.cli import llm as commands
from assistant.llm.generate import probe, stream
from assistant.llm.process import running
from assistant.settings import LLMSettings

# --- the real one ----------------------------------------------------------------------------------------------------


def test_vllm_streams_an_answer(llm_settings: LLMSettings) -> None:
    assert probe(llm_settings) == "SmolLM2-135M-Instruct"
    told = [{"role": "user", "content": "What is the capital of France?"}]
    pieces = list(stream(told, llm_settings, "SmolLM2-135M-Instruct"))
    assert len(pieces) > 3
    assert "Paris" in "".join(pieces)


def test_vllm_is_known_and_not_started_twice(llm_settings: LLMSettings) -> None:
    found = llm.status(llm_settings)
    assert (found.state, found.model) == ("running", "SmolLM2-135M-Instruct")
    assert found.pid in running()
    assert found.log is not None
    assert found.log.stat().st_size > 0
    told: list[str] = []
    assert llm.start(llm_settings, told.append) == found
    assert told == []


def test_vllm_says_why_it_refuses(llm_settings: LLMSettings) -> None:
    told = [{"role": "user", "content": "word " * (llm_settings.context_tokens + 1)}]
    with pytest.raises(LLMUnavailable, match=r"HTTP 400.*(context|length|tokens)"):
        list(stream(told, llm_settings, "SmolLM2-135M-Instruct"))
    with pytest.raises(LLMUnavailable, match="HTTP 404"):
        list(stream(told, llm_settings, "another-model"))


def test_vllm_as_the_shell_sees_it(llm_settings: LLMSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REFDESK_LLM__URL", llm_settings.url)
    result = CliRunner().invoke(commands, ["status", "--json"])
    assert result.exit_code == 0
    shown = json.loads(result.stdout)
    assert shown["state"] == "running"
    assert shown["url"] == llm_settings.url
    assert shown["pid"] in running()
    assert "Already running" in CliRunner().invoke(commands, ["start"]).stdout


# --- a stand-in, for what vLLM does on a bad day ---------------------------------------------------------------------

STAND_IN = """#!{python}
import http.server, json, os, subprocess, sys, time
if "-c" in sys.argv:  # the question for its build
    print("cpu")
    sys.exit()
act, port = {act!r}, int(sys.argv[sys.argv.index("--port") + 1])
print("loading weights", flush=True)
if act == "dies":
    print("ValueError: the model has no weights", flush=True)
    sys.exit(7)
engine = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
open({engine!r}, "w").write(str(engine.pid))
if act == "hangs":
    time.sleep(600)

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps({{"data": [{{"id": "stand-in"}}]}}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

http.server.HTTPServer(("127.0.0.1", port), Handler).serve_forever()
"""


class Machine:
    """Settings that start the stand-in, in a state folder of its own."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.record, self.engine_file = folder, folder / "state/llm.json", folder / "engine"
        self.model = folder / "model"
        self.model.mkdir()
        monkeypatch.setenv("REFDESK_STATE", str(folder / "state"))

    def settings(self, act: str, start_seconds: float = 30.0) -> LLMSettings:
        python = self.folder / "python"
        python.write_text(STAND_IN.format(python=sys.executable, act=act, engine=str(self.engine_file)))
        python.chmod(0o755)
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            url = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
        return LLMSettings(url=url, model=str(self.model), python=str(python), start_seconds=start_seconds)

    def engine(self) -> int:
        """The process id of the stand-in's child, as soon as there is one."""
        wait_until(lambda: self.engine_file.exists() and self.engine_file.read_text() != "")
        return int(self.engine_file.read_text())


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    yield Machine(tmp_path, monkeypatch)
    llm.stop()


def wait_until(true: Callable[[], bool], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_start_status_stop(machine: Machine) -> None:
    settings, told = machine.settings("serves"), list[str]()
    assert llm.status(settings).state == "stopped"
    started = llm.start(settings, told.append)
    assert (started.state, started.model, started.url) == ("running", "stand-in", settings.url)
    assert "Starting vLLM" in told[0]
    assert "loading weights" in started.log.read_text() if started.log else False
    assert llm.status(settings) == started
    assert llm.start(settings) == started
    processes = {started.pid, machine.engine()}
    assert processes <= running().keys()
    assert llm.stop()
    assert not processes & running().keys()
    assert llm.status(settings).state == "stopped"
    assert not llm.stop()


def test_serving_leaves_a_server_that_ran_before(machine: Machine) -> None:
    settings = machine.settings("serves")
    with llm.serving(settings) as outer:
        with llm.serving(settings) as inner:
            assert inner == outer
        assert llm.status(settings) == outer
    assert llm.status(settings).state == "stopped"


def test_a_server_that_dies_is_noticed_at_once(machine: Machine) -> None:
    settings, begun = machine.settings("dies"), time.monotonic()
    with pytest.raises(LLMUnavailable, match=r"(?s)ended with code 7.*llm\.log.*the model has no weights"):
        llm.start(settings)
    assert time.monotonic() - begun < 10
    assert llm.status(settings).state == "stopped"
    assert not machine.record.exists()


def test_a_server_that_hangs_is_ended(machine: Machine) -> None:
    settings = machine.settings("hangs", start_seconds=2)
    with pytest.raises(LLMUnavailable, match=r"did not answer at .* within 2 s"):
        llm.start(settings)
    assert machine.engine() not in running()


def test_another_start_meanwhile(machine: Machine) -> None:
    settings = machine.settings("hangs", start_seconds=5)
    ended: list[str] = []

    def first() -> None:
        with pytest.raises(LLMUnavailable) as caught:
            llm.start(settings)
        ended.append(str(caught.value))

    thread = threading.Thread(target=first)
    thread.start()
    machine.engine()
    assert llm.status(settings).state == "starting"
    with pytest.raises(LLMUnavailable, match="being started already"):
        llm.start(settings)
    assert llm.stop()
    thread.join(10)
    assert len(ended) == 1


def test_ctrl_c_while_it_starts(machine: Machine) -> None:
    settings = machine.settings("hangs")
    environment = {**os.environ, "REFDESK_LLM__URL": settings.url, "REFDESK_LLM__PYTHON": settings.python}
    environment["REFDESK_LLM__MODEL"] = settings.model
    code = "from assistant.llm.cli import llm; llm()"
    shell = subprocess.Popen(
        [sys.executable, "-c", code, "start"],
        env=environment,
        stderr=subprocess.PIPE,
        cwd=Path(__file__).parents[3],
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # ignored where tests run in the background
    )
    engine = machine.engine()
    assert engine in running()
    shell.send_signal(signal.SIGINT)
    _, said = shell.communicate(timeout=20)
    assert shell.returncode not in (0, None)
    assert b"Traceback" not in said
    assert engine not in running()


def test_what_a_killed_server_leaves_is_cleared_away(machine: Machine) -> None:
    settings = machine.settings("serves")
    first = llm.start(settings)
    orphan = machine.engine()
    os.kill(first.pid or 0, signal.SIGKILL)
    wait_until(lambda: llm.status(settings).state == "stopped")
    assert orphan in running()
    machine.engine_file.unlink()
    second = llm.start(settings)
    assert second.pid != first.pid
    assert orphan not in running()


def test_a_server_elsewhere_is_not_ended_silently(machine: Machine) -> None:
    first = llm.start(machine.settings("serves"))
    with pytest.raises(LLMUnavailable, match=rf"{first.url} still runs \(process {first.pid}\).*refdesk llm stop"):
        llm.start(machine.settings("serves"))
    assert first.pid in running()


def test_a_process_that_took_over_the_number_lives_on(machine: Machine) -> None:
    """The record names a process id that has passed to somebody else since."""
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True) as innocent:
        wait_until(lambda: innocent.pid in running())
        leader = {"pid": innocent.pid, "group": innocent.pid, "started": "12 another-boot"}
        machine.record.parent.mkdir()
        machine.record.write_text(json.dumps({"leader": leader, "url": "http://127.0.0.1:8100/v1"}))
        assert not llm.stop()
        assert innocent.poll() is None
        innocent.kill()


def test_a_damaged_record_is_named(machine: Machine) -> None:
    machine.record.parent.mkdir()
    machine.record.write_text('{"leader": 3}')
    with pytest.raises(LLMUnavailable, match=r"llm\.json is damaged"):
        llm.stop()
    machine.record.unlink()


def test_something_else_answers_at_the_url(machine: Machine) -> None:
    with subprocess.Popen(
        [sys.executable, "-u", "-m", "http.server", "0", "--bind", "127.0.0.1", "--directory", str(machine.folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as web:
        assert web.stdout
        port = web.stdout.readline().split(b" port ")[1].split()[0].decode()
        (machine.folder / "v1").mkdir()
        (machine.folder / "v1/models").write_text("<html>")
        settings = LLMSettings(url=f"http://127.0.0.1:{port}/v1", python=sys.executable)
        with pytest.raises(LLMGarbage, match="not the list of models"):
            llm.start(settings)
        web.kill()


@pytest.mark.parametrize(
    ("changes", "error", "says"),
    [
        ({"url": "http://llm.example.org:8100/v1"}, SettingsError, "address of this machine"),
        ({"url": "https://127.0.0.1:9/v1"}, SettingsError, "address of this machine"),
        ({"url": "http://127.0.0.1:9/api"}, SettingsError, "address of this machine"),
        ({"url": "http://127.0.0.1:99999/v1"}, SettingsError, "no URL"),
        ({"python": "/nowhere/python"}, ModelNotFound, "/nowhere/python"),
        ({"python": sys.executable}, ModelNotFound, r"has no vLLM.*make \.venv-vllm"),
        ({"model": "./nowhere/model"}, ModelNotFound, "no such folder"),
    ],
)
def test_start_says_what_is_wrong(machine: Machine, changes: dict[str, str], error: type[Exception], says: str) -> None:
    settings = machine.settings("serves").model_copy(update={"connect_seconds": 0.5, **changes})
    with pytest.raises(error, match=says):
        llm.start(settings)
    assert not machine.record.exists()


def test_the_shell_without_a_server(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REFDESK_LLM__URL", machine.settings("serves").url)
    result = CliRunner().invoke(commands, ["status", "--json"])
    assert result.exit_code == 3
    assert json.loads(result.stdout)["state"] == "stopped"
    assert "Nothing to stop" in CliRunner().invoke(commands, ["stop"]).stdout
    assert CliRunner().invoke(commands, ["begin"]).exit_code == 2
