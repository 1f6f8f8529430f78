"""`refdesk eval retrieval`: BEIR folders and a library's own questions, whole."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from assistant.types import Access
from eval.cli import commands
from eval.runs.run import read_run
from ingest import build_library

pytestmark = pytest.mark.usefixtures("embedder")
EVERY = ["fused", "lexical", "dense", "llama-index", "langchain"]
PAGES = {
    "wiki/tides.md": "# Tides\n\nThe moon raises two tides a day in the ocean.\n",
    "wiki/bread.md": "# Bread\n\nYeast makes dough rise because it gives off carbon dioxide.\n",
    "web/bees.html": "<html><title>Bees</title><h1>Bees</h1><p>Honey bees dance to tell where flowers are.</p></html>",
}
QUESTIONS: list[dict[str, Any]] = [
    {"id": "1", "question": "How many tides does the moon raise?", "documents": ["wiki/tides.md"], "wording": "exact"},
    {"id": "2", "question": "Which insects talk by moving?", "documents": ["web/bees.html"], "wording": "paraphrase"},
    {"id": "3", "question": "Who is the president?", "answerable": False, "split": "dev"},
    {"id": "4", "question": "Where do they go?", "documents": ["web/bees.html"], "after": "2", "split": "dev"},
]


@pytest.fixture(autouse=True)
def at_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model_cache: Path) -> None:
    """No results and vectors of other tests; only the converted models are shared."""
    (tmp_path / "cache").mkdir()
    for made in model_cache.iterdir():
        if made.is_dir():
            (tmp_path / "cache" / made.name).symlink_to(made)
    monkeypatch.setenv("REFDESK_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("REFDESK_EVAL__RUNS", str(tmp_path / "runs"))


@pytest.fixture
def asked(tmp_path: Path) -> Path:
    file = tmp_path / "about.jsonl"
    rows = [{"answers": ["so"] if row.get("documents") else [], "answerable": True, **row} for row in QUESTIONS]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


@pytest.fixture
def library(tmp_path: Path) -> Path:
    for name, text in PAGES.items():
        file = tmp_path / "pages" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    build_library([tmp_path / "pages"], tmp_path / "own")
    return tmp_path / "own"


def run(*arguments: Any) -> Any:
    return CliRunner().invoke(commands, ["eval", "retrieval", *map(str, arguments)])


def report(*arguments: Any) -> dict[str, Any]:
    done = run(*arguments, "--json")
    assert done.exit_code == 0, done.output
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def values(report: dict[str, Any], metric: str) -> dict[str, float]:
    return {system: found[metric]["value"] for system, found in report["overall"].items()}


def test_a_beir_folder_is_measured_with_both_baselines(beir: Path, tmp_path: Path) -> None:
    said = report("--beir", beir, "--split", "test", "--library", tmp_path / "library")
    assert list(said["overall"]) == EVERY
    assert "1 judged queries have no relevant document and are left out." in said["notes"]
    assert "The stage reranked is left out: `search.reranker` names no cross-encoder." in said["notes"]
    record = read_run(Path(said["folder"]))
    assert (record.finished, record.about.data.questions, record.about.data.name) == (True, 3, "small test")
    assert record.about.library
    assert record.about.library["documents"] == 6
    for system, results in record.results.items():
        assert [one.id for one in results] == ["q1", "q2", "q3"]
        assert [one.group for one in results] == ["small, beir"] * 3
        mrr = [max(1 / rank for rank in result.detail["ranks"].values() if rank) for result in results]
        assert values(said, "MRR")[system] == pytest.approx(sum(mrr) / 3)
    assert values(said, "Recall@100")["fused"] == 1
    q1 = record.results["dense"][0].detail
    assert (q1["question"], q1["answer"], q1["accepted"]) == ("why does dough rise", "d3", ["d3"])
    assert q1["passages"][0] == {"source": "small", "key": "d3", "title": "Bread"}
    assert (said["against"], list(said["differences"])) == ("fused", EVERY[1:])
    assert (record.folder / "report.html").exists()
    again = report("--beir", beir, "--split", "test")  # indexed anew, in a temporary folder
    assert (again["folder"], again["overall"]) == (said["folder"], said["overall"])


def test_an_interrupted_run_goes_on(beir: Path, tmp_path: Path) -> None:
    arguments = ("--beir", beir, "--split", "test", "--library", tmp_path / "library", "--out", tmp_path / "out")
    whole = report(*arguments)
    results = {file.name: file.read_bytes() for file in (tmp_path / "out/results").iterdir()}
    (tmp_path / "out/results/dense.jsonl").write_bytes(results["dense.jsonl"].splitlines(keepends=True)[0])
    (tmp_path / "cache/evaluations.sqlite3").unlink()
    assert report(*arguments)["overall"] == whole["overall"]
    assert {file.name: file.read_bytes() for file in (tmp_path / "out/results").iterdir()} == results


def test_a_library_is_measured_with_its_own_questions(library: Path, asked: Path) -> None:
    said = report("--questions", asked, "--library", library)
    assert list(said["overall"]) == EVERY
    assert "1 unanswerable questions have nothing to find and are left out." in said["notes"]
    assert values(said, "MRR")["dense"] == 1
    exact, paraphrased = values(said, "Recall@10, exact"), values(said, "nDCG@10, paraphrase")
    assert (exact["fused"], paraphrased["dense"]) == (1, 1)
    found = {one.id: one for one in read_run(Path(said["folder"])).results["langchain"]}
    assert found["4"].detail["question"] == "Which insects talk by moving? Where do they go?"
    assert [found[id_].group for id_ in ("1", "2")] == ["pages, markdown", "pages, html"]
    dev = report("--questions", asked, "--library", library, "--split", "dev", "--no-baselines")
    assert list(dev["overall"]) == EVERY[:3]
    assert dev["overall"]["fused"]["MRR"]["n"] == 1
    assert "LlamaIndex and LangChain are left out, as was asked (--no-baselines)." in dev["notes"]


def test_documents_of_two_sources_with_one_key_are_two(tmp_path: Path) -> None:
    for name, text in {
        "kitchen/page.md": "# Bread\n\nYeast makes dough rise because it gives off carbon dioxide.\n",
        "garden/page.md": "# Bees\n\nHoney bees dance to tell where flowers are.\n",
        "garden/ice.md": "# Glaciers\n\nIce flows slowly downhill under its own weight.\n",
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    build_library([tmp_path / "kitchen", tmp_path / "garden"], tmp_path / "own")
    asked = tmp_path / "asked.jsonl"
    both = "Honey bees dance to flowers while yeast makes dough rise"
    asked.write_text(
        "".join(
            json.dumps({"id": key, "question": both, "answers": ["so"], "answerable": True, "documents": documents})
            + "\n"
            for key, documents in {"page": ["page.md"], "ice": ["ice.md"], "all": ["ice.md", "page.md"]}.items()
        )
    )
    said = report("--questions", asked, "--library", tmp_path / "own")
    record = read_run(Path(said["folder"]))
    for system in ("dense", "llama-index", "langchain"):
        page, ice, every = record.results[system]
        found = [(one["source"], one["key"]) for one in page.detail["passages"]]
        assert sorted(found[:2]) == [("garden", "page.md"), ("kitchen", "page.md")]
        assert found[2] == ("garden", "ice.md")
        assert [one["title"] for one in ice.detail["passages"]] == [
            {"kitchen": "Bread", "garden": "Bees"}[source] for source, _ in found[:2]
        ] + ["Glaciers"]
        assert (page.values["mrr"], page.values["recall_at_1"], page.values["ndcg_at_10"]) == (1, 1, 1)
        assert (ice.detail["ranks"], ice.values["mrr"]) == ({"ice.md": 3}, pytest.approx(1 / 3))
        assert every.detail["ranks"] == {"ice.md": 3, "page.md": 1}
        assert (every.values["recall_at_1"], every.values["recall_at_5"]) == (0.5, 1)
        ideal = 1 + 1 / math.log2(3)
        assert every.values["ndcg_at_10"] == pytest.approx((1 + 1 / math.log2(4)) / ideal)


def test_who_asks_decides_what_there_is_to_find(library: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret/honey.md").write_text("# Honey\n\nThe honey of the bees is sold in June.\n")
    build_library([tmp_path / "secret"], library, access=Access.of("board"))
    asked = tmp_path / "asked.jsonl"
    rows = [("bees", "web/bees.html"), ("honey", "honey.md")]
    lines = [
        json.dumps({"id": id_, "question": "honey of bees", "answers": ["so"], "answerable": True, "documents": [key]})
        for id_, key in rows
    ]
    asked.write_text("\n".join(lines) + "\n")
    refused = run("--questions", asked, "--library", library, "--as", "staff")
    assert refused.exit_code == 2
    assert "not for who asks (--as): 'honey.md'" in " ".join(refused.stderr.replace("│", " ").split())

    record = read_run(Path(report("--questions", asked, "--library", library, "--as", "board")["folder"]))
    assert record.about.groups == ("board", "everyone")
    assert record.about.library
    assert record.about.library["documents"] == 4
    assert list(record.results) == EVERY
    for bees, honey in record.results.values():
        assert {"source": "secret", "key": "honey.md", "title": "Honey"} in bees.detail["passages"]
        assert honey.detail["ranks"]["honey.md"] is not None
        assert (bees.group, honey.group) == ("pages, html", "secret, markdown")

    asked.write_text(lines[0] + "\n")
    record = read_run(Path(report("--questions", asked, "--library", library)["folder"]))
    assert record.about.groups == ("everyone",)
    assert record.about.library
    assert record.about.library["documents"] == 3
    for (bees,) in record.results.values():
        assert {one["source"] for one in bees.detail["passages"]} == {"pages"}


def test_a_reranker_is_measured_where_there_is_one(
    library: Path, asked: Path, reranker_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REFDESK_SEARCH__RERANKER", str(reranker_folder))
    said = report("--questions", asked, "--library", library, "--no-baselines")
    assert list(said["overall"]) == ["reranked", "fused", "lexical", "dense"]
    assert not any("reranked" in note for note in said["notes"])
    found = read_run(Path(said["folder"])).results["reranked"]
    assert {one.detail["passages"][0]["title"] for one in found} == {"Bread"}  # what it was taught to prefer
    recall = values(said, "Recall@1")
    assert (recall["fused"], recall["reranked"]) == (1, 0)
    assert said["differences"]["fused"]["Recall@1"]["difference"] == 1


def test_figures_are_shown_as_a_table(beir: Path, tmp_path: Path) -> None:
    shown = run("--beir", beir, "--split", "test", "--library", tmp_path / "library", "--no-baselines")
    assert shown.exit_code == 0
    assert shown.stdout.split("\n")[0].split() == ["Metric", "fused", "lexical", "dense", "Over"]
    assert "\nnDCG@10 " in shown.stdout
    assert "names no cross-encoder" in shown.stdout


def test_what_cannot_be_measured_is_bad_usage(beir: Path, tmp_path: Path, asked: Path, library: Path) -> None:
    for arguments, said in [
        ((), "give one of the two"),
        (("--beir", beir, "--questions", asked), "give one of the two"),
        (("--beir", beir, "--split", "no"), "There is no split 'no'"),
        (("--questions", asked, "--library", library, "--split", "no"), "there are dev and test"),
    ]:
        done = run(*arguments)
        assert done.exit_code == 2
        assert said in " ".join(done.stderr.replace("│", " ").split())
    (tmp_path / "pages/web/bees.html").unlink()
    build_library([tmp_path / "pages"], library)
    done = run("--questions", asked, "--library", library)
    assert done.exit_code == 2
    assert (
        "1 documents of the questions are not in the library, or not for who asks (--as): 'web/bees.html'"
        in " ".join(done.stderr.replace("│", " ").split())
    )
    assert not (tmp_path / "runs").exists()
