"""`refdesk eval mmlu` against a server that scores by a rule, knows no extension, and can die."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from assistant.errors import LLMGarbage, LLMUnavailable
from assistant.llm import smollm2
from assistant.settings import LLMSettings
from eval.cli import commands
from eval.runs.run import read_run, runs_in


def rule(token: int, place: int) -> float:
    """The log-probability that the server gives to a token at a place of a prompt."""
    return -1.0 - (token * 7 + place) % 11 / 8


@dataclass
class Server:
    """What it was asked for, how many answers it gives before it dies, and what it writes."""

    url: str = ""
    asked: list[dict[str, Any]] = field(default_factory=list)
    answers: int = 10_000
    writes: str = " B\n"
    echoes: bool = True
    tokens_more: int = 0
    likeliest: Any = -0.5


@pytest.fixture
def server(model_cache: Path) -> Iterator[Server]:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(smollm2.folder())
    state = Server()

    def choice(index: int, prompt: list[int], body: dict[str, Any]) -> dict[str, Any]:
        if not body.get("echo") or not state.echoes:
            return {"index": index, "text": state.writes, "logprobs": None}
        values = [None, *(rule(token, place) for place, token in enumerate(prompt) if place), -0.5]
        best = [None, *({"most": state.likeliest, "this": value} for value in values[1:])]
        if state.likeliest is None:
            best = [None] * len(values)
        names = [str(token) for token in [*prompt, 0]]
        return {"index": index, "logprobs": {"token_logprobs": values, "top_logprobs": best, "tokens": names}}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._send(200, {"data": [{"id": smollm2.NAME}]})

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            state.asked.append(body)
            if len(state.asked) > state.answers:
                self.close_connection = True
                self.connection.close()
            elif "logprob_token_ids" in body:
                self._send(400, {"error": "unknown field logprob_token_ids"})
            else:
                prompts = body["prompt"]
                texts = [tokenizer.encode(prompts)] if isinstance(prompts, str) else prompts
                choices = [choice(n, prompt, body) for n, prompt in enumerate(texts)]
                read = sum(map(len, texts)) + state.tokens_more
                self._send(200, {"choices": choices[::-1], "usage": {"prompt_tokens": read}})

        def _send(self, status: int, content: Any) -> None:
            data = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        state.url = f"http://127.0.0.1:{running.server_address[1]}/v1"
        threading.Thread(target=running.serve_forever, args=(0.02,), daemon=True).start()
        yield state
        running.shutdown()


@pytest.fixture
def here(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory whose settings name the server, and no cached results."""
    smollm2.folder()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REFDESK_LLM__URL", server.url)
    models = tmp_path / "cache/models"
    models.mkdir(parents=True)
    (models / smollm2.NAME).symlink_to(smollm2.folder())
    monkeypatch.setenv("REFDESK_CACHE", str(tmp_path / "cache"))
    return tmp_path


def run(*arguments: str) -> Any:
    return CliRunner().invoke(commands, ["eval", "mmlu", *arguments])


def test_scores_are_those_of_the_rule(mmlu: Path, here: Path) -> None:
    from transformers import AutoTokenizer

    done = run(str(mmlu), "--json")
    assert done.exit_code == 0, done.output
    (record,) = runs_in(here / "runs")
    assert record.finished
    assert (record.folder / "report.html").exists()
    tokenizer = AutoTokenizer.from_pretrained(smollm2.folder())
    letters = [tokenizer.encode(f" {letter}") for letter in "ABCD"]
    assert {len(tokens) for tokens in letters} == {1}
    results = record.results["without retrieval"]
    assert [one.id for one in results][:3] == ["astronomy-0", "astronomy-1", "conceptual_physics-0"]
    right = 0
    for one in results:
        detail = one.detail
        prompt = _prompt(mmlu, one.group, detail["question"])
        place = len(tokenizer.encode(prompt))
        expected = [rule(tokens[0], place) for tokens in letters]
        assert detail["log_likelihoods"] == pytest.approx(expected)
        assert detail["prediction"] == expected.index(max(expected))
        right += detail["prediction"] == detail["answer"]
        assert (detail["written"], one.values["no_letter"]) == (" B", 0)
        assert one.values["written_correct"] == float(detail["answer"] == 1)
    shown = json.loads(done.stdout)["overall"]["without retrieval"]
    assert shown["accuracy"]["value"] == pytest.approx(right / 5)
    assert shown["written_accuracy"]["value"] == pytest.approx(2 / 5)
    assert shown["accuracy"]["low"] < shown["accuracy"]["value"] < shown["accuracy"]["high"]


def _prompt(mmlu: Path, subject: str, question: str) -> str:
    import csv

    def block(row: list[str], answer: str) -> str:
        return f"{row[0].strip()}\nA. {row[1]}\nB. {row[2]}\nC. {row[3]}\nD. {row[4]}\nAnswer:{answer}"

    rows = {}
    for split in ("dev", "val"):
        with (mmlu / split / f"{subject}_{split}.csv").open(newline="") as file:
            rows[split] = list(csv.reader(file))
    head = f"The following are multiple choice questions (with answers) about {subject.replace('_', ' ')}.\n\n"
    solved = "".join(block(row, f" {row[5]}\n\n") for row in rows["dev"])
    return head + solved + block(next(row for row in rows["val"] if row[0] == question), "")


def test_a_server_that_dies_and_comes_back(mmlu: Path, here: Path, server: Server) -> None:
    server.answers = 4  # the tokenizer's check, the question for an extension, and two batches
    died = run(str(mmlu))
    assert isinstance(died.exception, LLMUnavailable)
    folder = runs_in(here / "runs")[0].folder
    assert f"What was answered is kept in runs/{folder.name}; the same command goes on." in str(died.exception)
    kept = read_run(folder)
    assert [one.id for one in kept.results["without retrieval"]] == ["astronomy-0", "astronomy-1"]
    assert not kept.finished
    server.answers, server.asked = 10_000, []
    done = run(str(mmlu))
    assert done.exit_code == 0, done.output
    asked = [body["prompt"] for body in server.asked[2:]]
    assert {len(prompts) for prompts in asked} == {3 * 4, 3}, "only the three questions that were missing"
    record = read_run(folder)
    assert record.finished
    assert len(record.results["without retrieval"]) == 5
    server.asked = []
    assert run(str(mmlu)).exit_code == 0
    assert len(server.asked) == 2, "a finished run asks nothing more"


def test_a_reply_without_a_letter_is_wrong(mmlu: Path, here: Path, server: Server) -> None:
    server.writes = " I think B\n"
    assert run(str(mmlu), "--shots", "0").exit_code == 0
    (record,) = runs_in(here / "runs")
    for one in record.results["without retrieval"]:
        assert (one.values["no_letter"], one.values["written_correct"]) == (1, 0)


def test_servers_that_cannot_score(server: Server) -> None:
    from lm_eval.api.instance import Instance

    from eval.harness.served import ServedModel

    settings = LLMSettings(url=server.url)
    server.tokens_more = 3
    with pytest.raises(LLMGarbage, match="Set REFDESK_LLM__MODEL to the model that is served"):
        ServedModel(settings)
    server.tokens_more, server.echoes = 0, False
    model = ServedModel(settings)
    assert not model.named
    with pytest.raises(LLMGarbage, match=r"without logprobs\.token_logprobs"):
        model.loglikelihood([Instance("loglikelihood", {}, ("Why", " not"), 0, ("t", 0, 1))])
    server.echoes = True
    for server.likeliest, complaint in (
        (float("nan"), "gave nan as a log-probability"),
        (float("-inf"), "gave -inf as a log-probability"),
        ("-1.0", r"gave '-1\.0' as a log-probability"),
        (None, "gave None as the likeliest tokens"),
    ):
        with pytest.raises(LLMGarbage, match=complaint):
            model.loglikelihood([Instance("loglikelihood", {}, ("Why", " not"), 0, ("t", 0, 1))])


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ([], "Give either DATA or --task."),
        (["nowhere", "--task", "arc_easy"], "Give either DATA or --task."),
        (["nowhere"], "neither a folder with MMLU's CSV files"),
        (["--task", "nowhere.yaml"], "The task nowhere.yaml cannot be had"),
    ],
)
def test_wrong_usage(arguments: list[str], complaint: str, here: Path) -> None:
    refused = run(*arguments)
    assert refused.exit_code == 2
    assert complaint in " ".join(refused.output.replace("│", " ").split())
    assert not (here / "runs").exists()


def test_no_server(mmlu: Path, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REFDESK_LLM__URL", "http://127.0.0.1:9/v1")
    assert isinstance(run(str(mmlu)).exception, LLMUnavailable)
    assert not (here / "runs").exists()
