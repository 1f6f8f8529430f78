"""`refdesk eval mmlu` against a server that scores by a rule, knows no extension, and can die."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from assistant.errors import LLMGarbage, LLMUnavailable, ModelNotFound
from assistant.llm import smollm2
from assistant.settings import LLMSettings
from eval.cli import commands
from eval.runs.run import read_run


@pytest.fixture
def server(model_cache: Path, serve_llm: Any) -> Iterator[Any]:
    from transformers import AutoTokenizer

    with serve_llm(model=smollm2.NAME, tokenizer=AutoTokenizer.from_pretrained(smollm2.folder())) as running:
        yield running


@pytest.fixture
def here(server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
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


def test_scores_are_those_of_the_rule(mmlu: Path, here: Path, server: Any) -> None:
    from transformers import AutoTokenizer

    done = run(str(mmlu), "--json")
    assert done.exit_code == 0, done.output
    (record,) = map(read_run, (here / "runs").iterdir())
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
        expected = [server.rule(tokens[0], place) for tokens in letters]
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


def test_a_server_that_dies_and_comes_back(mmlu: Path, here: Path, server: Any) -> None:
    server.answers = 4  # the tokenizer's check, the question for an extension, and two batches
    died = run(str(mmlu))
    assert isinstance(died.exception, LLMUnavailable)
    (folder,) = (here / "runs").iterdir()
    assert f"2 of 5 results are kept in runs/{folder.name}: the same command goes on" in str(died.exception)
    kept = read_run(folder)
    assert [one.id for one in kept.results["without retrieval"]] == ["astronomy-0", "astronomy-1"]
    assert not kept.finished
    server.answers, server.bodies = 10_000, []
    done = run(str(mmlu))
    assert done.exit_code == 0, done.output
    asked = [body["prompt"] for body in server.bodies[2:]]
    assert {len(prompts) for prompts in asked} == {3 * 4, 3}, "only the three questions that were missing"
    record = read_run(folder)
    assert record.finished
    assert len(record.results["without retrieval"]) == 5
    server.bodies = []
    assert run(str(mmlu)).exit_code == 0
    assert len(server.bodies) == 2, "a finished run asks nothing more"


def test_a_reply_without_a_letter_is_wrong(mmlu: Path, here: Path, server: Any) -> None:
    server.writes = " I think B\n"
    assert run(str(mmlu), "--shots", "0").exit_code == 0
    (record,) = map(read_run, (here / "runs").iterdir())
    for one in record.results["without retrieval"]:
        assert (one.values["no_letter"], one.values["written_correct"]) == (1, 0)


def test_servers_that_cannot_score(server: Any) -> None:
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


def test_what_leaves_no_room_for_the_reply_is_cut_or_refused(server: Any) -> None:
    from lm_eval.api.instance import Instance

    from eval.harness.served import ServedModel

    model = ServedModel(LLMSettings(url=server.url, context_tokens=256))
    fits, long = "Read on. " * 20, "Read on. " * 80
    for most in (100, 300):
        asked = {"until": ["."], "max_gen_toks": most}
        requests = [
            Instance("generate_until", {}, (text, asked), n, ("t", n, 1)) for n, text in enumerate((fits, long))
        ]
        if most == 300:
            with pytest.raises(ValueError, match="up to 300 tokens written, but the model's context has only 254"):
                model.generate_until(requests)
            continue
        model.generate_until(requests)
        assert model.cut == {long}
        prompts = [prompt for body in server.bodies if body.get("stop") for prompt in body["prompt"]]
        assert sorted(map(len, prompts)) == [len(model.tok_encode(fits)), 154]
        assert max(prompts, key=len) == model.tok_encode(long)[-154:]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ([], "Give either DATA or --task."),
        (["nowhere", "--task", "arc_easy"], "Give either DATA or --task."),
        (["nowhere"], "neither a folder with MMLU's CSV files"),
        (["--task", "nowhere.yaml"], "The task nowhere.yaml cannot be had"),
        (["--task", "arc_easy", "--split", "test"], "--split and --config choose from DATA"),
        (["nowhere", "--as", "board"], "who asks matters to a --library only"),
    ],
)
def test_wrong_usage(arguments: list[str], complaint: str, here: Path) -> None:
    refused = run(*arguments)
    assert refused.exit_code == 2
    assert complaint in " ".join(refused.output.replace("│", " ").split())
    assert not (here / "runs").exists()


@pytest.mark.parametrize("options", [[], ["--in-process"]])
def test_a_folder_without_a_model(
    mmlu: Path, here: Path, server: Any, options: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    server.model = str(here / "empty")
    Path(server.model).mkdir()
    monkeypatch.setenv("REFDESK_LLM__MODEL", server.model)
    refused = run(str(mmlu), *options)
    assert isinstance(refused.exception, ModelNotFound)
    assert server.model in str(refused.exception)
    assert not (here / "runs").exists()


def test_no_server(mmlu: Path, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REFDESK_LLM__URL", "http://127.0.0.1:9/v1")
    assert isinstance(run(str(mmlu)).exception, LLMUnavailable)
    assert not (here / "runs").exists()
