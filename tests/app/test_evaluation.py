"""The page of evaluations in a real browser: runs, figures and plots, questions, comparisons, and who sees what."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from app.question import Reader
from assistant import Assistant
from eval.answers import METRICS
from eval.metric import Result
from eval.runs.about import About, Data, library_of
from eval.runs.details import details
from eval.runs.figures import figures_of
from eval.runs.report import write
from eval.runs.run import Record, begin
from eval.statistics import Figure

PUBLIC_FACT = "The ferry to Sollen leaves Port Ambrel at noon."
SECRET_FACT = "Some 300 guillemots nest on the cliffs of Sollen every spring."
FERRY, BIRDS = "When does the ferry leave?", "How many guillemots nest on Sollen?"
ATTACK = "<script>window.attacked = 1</script><img src=x onerror='window.attacked = 1'>"
StartApp = Callable[..., AbstractContextManager[tuple[str, subprocess.Popen[str]]]]
Violations = Callable[[Any], list[str]]


@pytest.fixture(scope="module")
def isle(tmp_path_factory: pytest.TempPathFactory, index: Callable[..., None], model_cache: Path) -> Path:
    """A library of a page for everyone and a page for the wardens."""
    folder = tmp_path_factory.mktemp("isle")
    for source, name, text in (("port", "ferry.txt", PUBLIC_FACT), ("isle", "birds.txt", SECRET_FACT)):
        (folder / source).mkdir()
        (folder / source / name).write_text(f"{text} Nobody lives there.\n")
    index(folder / "port", folder / "library")
    index(folder / "isle", folder / "library", "--readers", "wardens")
    return folder / "library"


def make_run(
    folder: Path, assistant: Assistant, wrong: Mapping[str, set[int]], groups: tuple[str, ...] = (), **settings: Any
) -> Record:
    """A run of 24 questions: of each system those with these numbers are answered wrongly."""
    systems = {name: {"answer": {"k": 6}, **settings} for name in wrong}
    about = About.of(
        "answers", Data("isle", "ab" * 32, 24), systems, library=library_of(assistant), groups=groups, seed=1
    )
    with begin(folder, about, cached=False) as run:
        for name, missed in wrong.items():
            for number in range(24):
                run.add(name, _result(assistant, number, number not in missed))
        return run.finish()


def _result(assistant: Assistant, number: int, right: bool) -> Result:
    """Every other question is about the birds, the others about the ferry."""
    birds = number % 2 == 1
    asked = BIRDS if birds else FERRY
    passages = [asdict(one) for one in assistant.search(asked, 2)]
    values = {"accurate": float(right), "confidence": 0.5 + number / 50, "correct": float(right), "seconds": 0.5}
    detail = {
        "question": f"{asked} ({number})",
        "accepted": ["300"] if birds else ["noon"],
        "answer": (SECRET_FACT if birds else f"{PUBLIC_FACT} {ATTACK}") if right else "",
        "documents": ["birds.txt" if birds else "ferry.txt"],
        "passages": passages,
        "citations": [{**passages[0], "number": 1, "quote": passages[0]["text"]}] if right else [],
        "told": [{"role": "user", "content": ATTACK}],
    }
    return Result(f"q{number:02}", "birds" if birds else "ferry", values, detail)


@pytest.fixture(scope="module")
def runs(isle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder to start the app in. Its runs, in the order in which they are listed: one in which everybody asked, who
    might read of the birds then; one for wardens, which differs in two questions; and one that is damaged."""
    folder = tmp_path_factory.mktemp("work")
    warden = Assistant.open(isle).as_user({"wardens"})
    make_run(folder / "runs/a", warden, {"extract": {1, 2, 3}, "generate": {2, 4}}, ("wardens",))
    make_run(folder / "runs/b", warden, {"extract": {2, 3, 6}}, ("everyone",), reranker="small")
    header = json.loads((folder / "runs/b/run.json").read_text())
    (folder / "runs/b/run.json").write_text(json.dumps({**header, "created": "3026-01-01T00:00:00+00:00"}))
    (folder / "runs/c").mkdir()
    (folder / "runs/c/run.json").write_text("{")
    return folder


@pytest.fixture(scope="module")
def for_wardens(isle: Path, runs: Path, running_app: StartApp) -> Iterator[str]:
    with running_app(isle, folder=runs, groups="wardens") as (url, _):
        yield f"{url}/evaluation"


@pytest.fixture(scope="module")
def for_everyone(isle: Path, runs: Path, running_app: StartApp) -> Iterator[str]:
    with running_app(isle, folder=runs) as (url, _):
        yield f"{url}/evaluation"


def look_at(page: Page, view: str) -> None:
    page.get_by_role("radio", name=view).click()
    expect(page.get_by_role("radio", name=view)).to_be_checked()


def choose(page: Page, label: str, option: str) -> None:
    """Types what is chosen: of a long list only a part is there to be clicked."""
    settle(page)
    page.get_by_label(label, exact=True).click()
    page.get_by_label(label, exact=True).fill(option)
    page.get_by_role("option", name=option).click()


def settle(page: Page) -> None:
    """Waits until nothing is pale any more because it is about to be replaced."""
    expect(page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning", timeout=60_000)
    expect(page.locator("[data-stale=true]")).to_have_count(0, timeout=60_000)


def fits(page: Page) -> bool:
    return bool(page.evaluate("document.scrollingElement.scrollWidth <= window.innerWidth"))


def cells(page: Page, table: str) -> dict[str, list[str]]:
    """The cells of a table's rows by what names the row."""
    rows = page.get_by_role("region", name=table, exact=True).locator("tbody tr")
    rows.first.wait_for()
    return {row.locator("th").inner_text(): row.locator("td").all_inner_texts() for row in rows.all()}


def test_runs_and_figures(page: Page, for_wardens: str, runs: Path, violations: Violations) -> None:
    page.goto(for_wardens)
    page.get_by_text("Brackets hold 95 % intervals").wait_for()
    expect(page.get_by_text("c/run.json is damaged")).to_be_visible()
    listed = page.get_by_role("region", name="Runs").locator("tbody tr")
    expect(listed).to_have_count(2)
    expect(listed.nth(0)).to_contain_text("extract 0.88 [")
    expect(listed.nth(1)).to_contain_text("generate 0.92 [")
    choose(page, "Run", "isle · a")
    page.get_by_text("24 questions, 2 systems").wait_for()
    settle(page)

    from eval.runs.run import read_run

    figures = figures_of(read_run(runs / "runs/a"), METRICS)
    shown = cells(page, "Figures with 95 % intervals")
    for name, row in shown.items():
        for system, cell in zip(("extract", "generate"), row, strict=False):
            figure = figures.overall[system][name]
            assert isinstance(figure, Figure)
            assert float(cell.partition(" ")[0]) == pytest.approx(figure.value, abs=0.00501)
    assert {"accuracy", "risk_coverage_area", "seconds"} <= shown.keys()
    assert "bleu" not in shown
    assert cells(page, "Metrics without a value")["bleu"] == ["extract, generate", "there are no answerable questions"]
    assert set(cells(page, "accuracy by group")) == {"birds", "ferry"}
    plots = page.locator("figure img")
    expect(plots).to_have_count(3)
    settle(page)
    assert all(plot.evaluate("image => image.complete && image.naturalWidth > 300") for plot in plots.all())
    assert "generate 0.92 [" in str(plots.first.get_attribute("alt"))
    assert not violations(page)
    page.set_viewport_size({"width": 400, "height": 800})
    assert not violations(page)
    assert fits(page)


def test_a_question_with_its_answers_and_passages(page: Page, for_wardens: str, violations: Violations) -> None:
    page.goto(f"{for_wardens}?run=a&question=q00")
    main = page.get_by_test_id("stMain")
    page.get_by_text(f"{FERRY} (0)", exact=True).wait_for()
    expect(page.locator(".said").first).to_have_text(f"{PUBLIC_FACT} {ATTACK}")
    expect(page.get_by_role("heading", name="generate")).to_be_visible()
    assert cells(page, "This question alone")["accuracy"] == ["1", "1"]
    page.get_by_text("Passages that were read").first.click()
    page.get_by_text("Everything else that was kept").first.click()
    expect(main).to_contain_text('"role": "user"')
    assert page.evaluate("window.attacked") is None
    settle(page)
    assert not violations(page)
    with page.context.expect_page() as opened:
        page.locator(".evidence a").first.click()
    opened.value.locator("article mark").wait_for()
    expect(opened.value.locator("article mark")).to_contain_text(PUBLIC_FACT)
    opened.value.close()

    choose(page, "Question", "q02")
    expect(page.get_by_text("No answer.", exact=True)).to_have_count(2)
    page.get_by_label("Question holds").fill("guillemots")
    page.get_by_label("Question holds").press("Enter")
    expect(page.get_by_text("12 questions, the worst in accuracy first")).to_be_visible()
    # The worst first: 1 and 3 are wrong for one of the systems, and nothing says which of them is worse.
    expect(page.get_by_text(f"{BIRDS} (1)", exact=True)).to_be_visible()
    page.set_viewport_size({"width": 400, "height": 800})
    assert fits(page)


def test_what_changed_between_runs(page: Page, for_wardens: str, violations: Violations) -> None:
    page.goto(f"{for_wardens}?run=b")
    look_at(page, "Comparison")
    page.get_by_text("Questions that changed in").wait_for()
    expect(page.get_by_text("reranker: nothing → small")).to_be_visible()
    expect(page.get_by_text("groups: wardens → everyone")).to_be_visible()
    expect(page.get_by_text("24 questions in both, 2 with another answer.")).to_be_visible()
    assert cells(page, "What changed")["accuracy"][-2:] == ["1", "1"]
    better = cells(page, "Better in accuracy (1)")
    assert better == {"q01": [f"{BIRDS} (1)", "(no answer)", SECRET_FACT]}
    worse = cells(page, "Worse in accuracy (1)")
    assert worse == {"q06": [f"{FERRY} (6)", f"{PUBLIC_FACT} {ATTACK}", "(no answer)"]}
    settle(page)
    assert not violations(page)
    with page.context.expect_page() as opened:
        page.get_by_role("link", name="q01").click()
    opened.value.get_by_text(f"{BIRDS} (1)", exact=True).wait_for()
    opened.value.close()

    choose(page, "Run", "isle · a")
    choose(page, "Compared with", "Another system of this run")
    page.get_by_text("24 questions in both, 3 with another answer.").wait_for()
    assert set(cells(page, "Better in accuracy (2)")) == {"q01", "q03"}
    assert set(cells(page, "Worse in accuracy (1)")) == {"q04"}
    settle(page)
    page.set_viewport_size({"width": 400, "height": 800})
    assert not violations(page)
    assert fits(page)


def test_what_was_measured(page: Page, for_wardens: str, runs: Path) -> None:
    page.goto(f"{for_wardens}?run=b")
    look_at(page, "What was measured")
    page.get_by_text("What a run depends on").first.wait_for()
    assert cells(page, "Settings of the systems") == {"answer.k": ["6"], "reranker": ["small"]}
    assert cells(page, "What a run depends on")["library.documents"] == ["2"]
    assert set(cells(page, "Metrics")) == {metric.name for metric in METRICS}


def test_an_outsider_sees_figures_of_a_run_and_nothing_else(page: Page, for_everyone: str) -> None:
    for address in ("?run=a", "?run=a&question=q00", "?run=a&question=q01"):
        page.goto(for_everyone + address)
        page.get_by_text("This run was asked in groups that you are not in").wait_for()
        page.get_by_text("Brackets hold 95 % intervals").wait_for()
        assert "accuracy" in cells(page, "Figures with 95 % intervals")
        expect(page.locator("figure img")).to_have_count(2)
        expect(page.get_by_role("radio")).to_have_count(0)
        expect(page.get_by_role("region", name="accuracy by group")).to_have_count(0)
        for told in (FERRY, BIRDS, "guillemots", "wardens", "birds", PUBLIC_FACT):
            assert told not in page.content()


def test_what_is_restricted_by_now_is_not_shown(page: Page, for_everyone: str) -> None:
    page.goto(f"{for_everyone}?run=b&question=q01")
    page.get_by_text("12 questions, the worst in accuracy first").wait_for()
    expect(page.get_by_text("12 rest on documents that are not in the library")).to_be_visible()
    expect(page.get_by_text(f"{FERRY} (2)", exact=True)).to_be_visible()
    page.goto(f"{for_everyone}?run=b&question=q00")
    page.get_by_text(f"{FERRY} (0)", exact=True).wait_for()
    # The passage of the ferry may be read; the answer was written with that of the birds in sight.
    expect(page.get_by_text("Not shown: it rests on documents")).to_be_visible()
    page.get_by_text("Passages that were read").click()
    expect(page.locator(".evidence li")).to_have_count(1)
    expect(page.locator(".evidence li")).to_contain_text(PUBLIC_FACT)
    expect(page.locator(".said")).to_have_count(0)
    assert SECRET_FACT not in page.content()
    assert "guillemots" not in page.content()
    look_at(page, "Comparison")
    expect(page.get_by_text("There is no other run over the same questions")).to_be_visible()


def test_what_rests_on_a_published_corpus_is_for_everybody(isle: Path, tmp_path: Path) -> None:
    warden, everyone = Assistant.open(isle).as_user({"wardens"}), Assistant.open(isle)
    record = make_run(tmp_path / "run", warden, {"extract": set()})
    published = replace(record.about, library={**(record.about.library or {}), "corpus": "birds"})
    of_birds = details(record.results["extract"][1])
    seen = [Reader.of(everyone, about).may_see_answer(of_birds) for about in (record.about, published)]
    assert seen == [False, True]


def test_a_report_is_accessible_in_a_browser(page: Page, isle: Path, tmp_path: Path, violations: Violations) -> None:
    warden = Assistant.open(isle).as_user({"wardens"})
    record = make_run(tmp_path / "run", warden, {"extract": {1}, ATTACK.replace("/", ""): {2}})
    report = write(record, figures_of(record, METRICS), METRICS)
    page.set_content(report.read_text(encoding="utf-8"))
    page.get_by_role("heading", name="What was measured").wait_for()
    assert page.evaluate("window.attacked") is None
    assert page.locator("figure svg").count() == 3
    assert not violations(page)
    page.emulate_media(color_scheme="dark")
    assert not violations(page)
    page.set_viewport_size({"width": 400, "height": 800})
    assert fits(page)


def test_the_page_loads_what_it_needs_when_it_is_needed() -> None:
    code = "import sys, app.evaluation; print(*{name.split('.')[0] for name in sys.modules})"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "streamlit" in loaded
    assert not {"matplotlib", "lm_eval", "torch", "scipy", "sacrebleu", "nltk"} & set(loaded)
