"""Ctrl-C (or SIGTERM) in the middle of an evaluation: it ends at once and says how to go on; the same command does."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from assistant.llm import smollm2
from eval.runs.run import read_run
from ingest import build_library

ROOT = Path(__file__).parents[2]
SAID = "refdesk: stopped. {} of {} results are kept in {}: the same command goes on with the others."


class Shell:
    """The command line in a folder of its own, with a folder of its own for what is temporary."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self.folder, self.temporary, self.out = folder, folder / "tmp", folder / "run"
        self.temporary.mkdir()
        self.environment = {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(self.temporary), **settings}
        self.environment["REFDESK_EVAL__RUNS"] = str(folder / "runs")

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-c", "from assistant.cli import main; main()", "eval", *arguments],
            env=self.environment,
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def interrupted(self, *arguments: str, once: Callable[[], bool], by: signal.Signals = signal.SIGINT) -> str:
        """What a command says on standard error that is ended as soon as `once` is true."""
        with self.start(*arguments) as running:
            try:
                wait_until(once, running)
                running.send_signal(by)
                _, said = running.communicate(timeout=20)
            finally:
                running.kill()
        assert running.returncode == 130, said
        assert "Traceback" not in said
        assert not list(self.temporary.iterdir())
        return said

    def done(self) -> int:
        """How many results there are."""
        files = [file for runs in ("run", "runs/*") for file in self.folder.glob(f"{runs}/results/*.jsonl")]
        return sum(file.read_bytes().count(b"\n") for file in files)


def wait_until(true: Callable[[], bool], running: subprocess.Popen[str]) -> None:
    end = time.monotonic() + 120
    while not true():
        assert running.poll() is None, "\n".join(running.communicate())
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.fixture
def questions(tmp_path: Path) -> Path:
    """Four of them on a library of one document."""
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/pump.md").write_text("# The pump\n\nThe pump of hall 4 moves 70 litres per second.\n")
    build_library([tmp_path / "docs"], tmp_path / "library")
    rows = [
        {"id": str(n), "question": f"What moves {n} litres?", "answers": ["it"], "answerable": True} for n in "1234"
    ]
    (tmp_path / "questions.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return tmp_path / "questions.jsonl"


def test_answers(tmp_path: Path, questions: Path, serve_llm: Any) -> None:
    with serve_llm(model=f"stand-in-{uuid4()}", seconds=1.5) as server:  # in no cache yet
        shell = Shell(tmp_path, REFDESK_LLM__URL=server.url)
        command = ("answers", str(questions), "--out", str(shell.out), "--system", "closed-book")
        said = shell.interrupted(*command, once=lambda: shell.done() >= 1)
        assert said.splitlines()[-1] == SAID.format(1, 4, shell.out)
        left = read_run(shell.out)
        assert not left.finished
        server.seconds, before = 0.0, len(server.asked)
        with shell.start(*command) as again:
            said = again.communicate(timeout=120)[1]
        assert again.returncode == 0, said
    record = read_run(shell.out)
    assert record.finished
    assert record.results["closed-book"][:1] == left.results["closed-book"]
    assert len(server.asked) == before + 3


def test_drafts(tmp_path: Path, serve_llm: Any) -> None:
    (tmp_path / "docs").mkdir()
    prose = "The tide gauge of the harbour writes down the height of the water every ten minutes. " * 4
    (tmp_path / "docs/bureau.md").write_text(f"The Bureau of Quiet Affairs (BQA) has 44 offices.\n\n{prose}\n")
    build_library([tmp_path / "docs"], tmp_path / "library")
    drafts = tmp_path / "drafts.toml"
    with serve_llm(seconds=60.0) as server:
        shell = Shell(tmp_path, REFDESK_LLM__URL=server.url)
        command = ("make-questions", str(tmp_path / "library"), "--out", str(drafts), "--count", "8", "--llm")
        said = shell.interrupted(*command, once=lambda: len(server.bodies) > 0)
    kept = len(tomllib.loads(drafts.read_text("utf-8"))["draft"])
    assert kept > 0
    assert said.splitlines()[-1] == f"refdesk: stopped. The {kept} drafts made before are kept in {drafts}."


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Questions of PubMedQA, MMLU and BEIR that are in no cache yet."""
    studies = {
        str(n): {"QUESTION": f"Is it {n} {uuid4()}?", "CONTEXTS": ["It was seen."], "final_decision": "yes"}
        for n in range(40)
    }
    (tmp_path / "pubmedqa").mkdir()
    (tmp_path / "pubmedqa/pqal_500.json").write_text(json.dumps(studies))
    for split, number in (("dev", 5), ("val", 40)):
        (tmp_path / "mmlu" / split).mkdir(parents=True)
        rows = [f"Which is {n} {uuid4()}?,a,b,c,d,A" for n in range(number)]
        (tmp_path / f"mmlu/{split}/birds_{split}.csv").write_text("\n".join(rows) + "\n")
    (tmp_path / "beir/qrels").mkdir(parents=True)
    texts = [{"_id": str(n), "title": "", "text": f"The ferry number {n} sails at noon. {uuid4()}"} for n in range(800)]
    (tmp_path / "beir/corpus.jsonl").write_text("\n".join(map(json.dumps, texts)))
    asked = [{"_id": f"q{n}", "text": f"When does ferry {n} sail?"} for n in range(800)]
    (tmp_path / "beir/queries.jsonl").write_text("\n".join(map(json.dumps, asked)))
    judged = "".join(f"q{n}\t{n}\t1\n" for n in range(800))
    (tmp_path / "beir/qrels/train.tsv").write_text("query-id\tcorpus-id\tscore\n" + judged)
    return tmp_path


@pytest.fixture
def slow(serve_llm: Any, model_cache: Path) -> Iterator[Any]:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(smollm2.folder())
    with serve_llm(model=smollm2.NAME, tokenizer=tokenizer, seconds=0.5) as server:
        yield server


@pytest.mark.parametrize(
    ("command", "file", "total"),
    [
        ("pubmedqa", "pubmedqa/pqal_500.json", 5 * 40),
        ("mmlu", "mmlu", 40),
        ("retrieval", "beir", None),
    ],
)
def test_other_evaluations(command: str, file: str, total: int | None, tmp_path: Path, data: Path, slow: Any) -> None:
    shell = Shell(tmp_path, REFDESK_LLM__URL=slow.url)
    given = ["--beir"] if command == "retrieval" else []
    started = 45 if command == "pubmedqa" else 1  # the first 40 need no language model
    arguments = (command, *given, str(data / file), "--out", str(shell.out))
    said = shell.interrupted(*arguments, once=lambda: shell.done() >= started)
    left = read_run(shell.out)
    assert not left.finished
    total = total or 800 * len(left.results)
    assert said.splitlines()[-1] == SAID.format(shell.done(), total, shell.out)


def test_before_there_is_a_result(tmp_path: Path, data: Path, slow: Any) -> None:
    slow.seconds = 60.0
    shell = Shell(tmp_path, REFDESK_LLM__URL=slow.url)
    said = shell.interrupted("mmlu", str(data / "mmlu"), once=lambda: len(slow.bodies) > 0)
    assert said.splitlines()[-1] == "refdesk: stopped."
    assert not shell.done()


VLLM = """#!{python}
import importlib.util, sys, time
if "-c" in sys.argv:  # the question for its build
    print("cpu")
    sys.exit()
spec = importlib.util.spec_from_file_location("llm", {module!r})
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
with module.LLMServer(seconds=1.0, model={model!r}, port=int(sys.argv[sys.argv.index("--port") + 1])):
    time.sleep(600)
"""


@pytest.mark.usefixtures("embedder")  # converted before: what torch leaves then is not meant here
def test_a_table_ends_the_server_that_it_started(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    python, model = tmp_path / "python", tmp_path / f"model-{uuid4()}"
    python.write_text(VLLM.format(python=sys.executable, module=str(ROOT / "tests/servers/llm.py"), model=model.name))
    python.chmod(0o755)
    model.mkdir()
    shell = Shell(
        tmp_path,
        REFDESK_STATE=str(tmp_path / "state"),
        REFDESK_LLM__URL=f"http://127.0.0.1:{port}/v1",
        REFDESK_LLM__PYTHON=str(python),
        REFDESK_LLM__MODEL=str(model),
        REFDESK_LLM__START_SECONDS="60",
    )
    said = shell.interrupted("table", "meridian", once=lambda: shell.done() >= 1, by=signal.SIGTERM)
    (folder,) = (tmp_path / "runs").iterdir()
    stopped = next(line for line in said.splitlines() if line.startswith("refdesk: stopped."))
    assert stopped == SAID.format(shell.done(), 3 * 218, folder)
    assert "Stopping the LLM server" in said
    with pytest.raises(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port), timeout=5):
        pass
    assert not (tmp_path / "state/llm.json").exists()
