"""Reports are read back, as a browser and a Markdown reader would, and compared with the statistics."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from markdown_it import MarkdownIt

from eval.metric import Metric, Result
from eval.metrics.abstention import METRICS as ABSTENTION
from eval.runs import report
from eval.runs.figures import figures_of
from eval.runs.run import Record
from eval.statistics import Figure, compare, figure

METRICS = (*ABSTENTION, Metric("perplexity", "of the LLM", ("nats",), "lower", bounds=None, over="LLM answers"))
ATTACK = "</td><script>window.attacked = 1</script><img src='http://x/' onerror='window.attacked = 1'>"
LINK = "![p](http://x/p.png) [l](http://x/) | `c` $m$ <b>"
EXTRACT = "extract <img src=x onerror=attack()>"  # no slash: it names a file, too
VOID = {"meta", "br", "img", "link", "input", "hr"}
MakeRun = Callable[..., Record]


def write(record: Record) -> str:
    return report.write(record, figures_of(record, METRICS), METRICS).read_text(encoding="utf-8")


class Page(HTMLParser):
    """Elements with their attributes, text of table cells by caption, and what is not closed as it should be."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.tables: dict[str, list[list[str]]] = {}
        self.open: list[str] = []
        self.texts: list[str] = []
        self.rows: list[list[str]] = []
        self.wrong: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "table":
            self.rows = []
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th", "caption", "title"):
            self.texts = []

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)
        if tag in ("td", "th"):
            self.rows[-1].append("".join(self.texts))
        if tag == "caption":
            self.tables["".join(self.texts)] = self.rows


def results(seed: int, group: str = "fact") -> list[Result]:
    random = np.random.default_rng(seed)
    found = []
    for number in range(60):
        right = float(random.random() < 0.6)
        values = {"accurate": right, "right": right, "answered": 1.0, "confidence": random.random(), "correct": right}
        detail = {"question": f"Why {number}? {ATTACK}", "accepted": [LINK], "answer": ATTACK, "passages": [ATTACK]}
        found.append(Result(f"q{number}", f"{group if number % 3 else 'table'} {ATTACK}", values, detail))
    return found


@pytest.fixture(scope="module")
def record(make_run: MakeRun) -> Record:
    return make_run(
        "run",
        {EXTRACT: results(1), "generate": results(2)},
        settings={EXTRACT: {"model": ATTACK}, "generate": {"model": LINK, "temperature": 0.0}},
        library={"generation": 4, "documents": 62},
        notes=[f"No LLM server: {ATTACK} {LINK}"],
        groups=("everyone", "higgs"),
        seed=5,
    )


@pytest.fixture(scope="module")
def html(record: Record) -> str:
    return write(record)


def numbers(cell: str) -> list[float]:
    return [float(found) for found in re.findall(r"[+-]?\d+\.?\d*", cell)]


def assert_as_reckoned(cell: str, expected: list[float]) -> None:
    """To the last decimal that is printed, and that is two digits of the interval's half width at least."""
    printed = numbers(cell)
    places = max(len(found.partition(".")[2]) for found in re.findall(r"\d+\.?\d*", cell))
    assert printed == pytest.approx(expected, abs=0.5001 * 10**-places)
    assert 10**-places <= max(expected[2] - expected[1], 0.01) / 2 / 9


def tables_of_html(folder: Path) -> dict[str, list[list[str]]]:
    page = Page((folder / "report.html").read_text(encoding="utf-8"))
    assert not page.wrong
    assert not page.open
    return page.tables


def tables_of_markdown(folder: Path) -> dict[str, list[list[str]]]:
    """Tables by the bold line above them."""
    text = (folder / "report.md").read_text(encoding="utf-8")
    tables: dict[str, list[list[str]]] = {}
    caption, rows = "", []
    for token in MarkdownIt("commonmark").enable("table").parse(text):
        if token.type == "table_open":
            rows = tables[caption] = []
        elif token.type == "tr_open":
            rows.append([])
        elif token.type == "inline":
            children = token.children or []
            said = "".join(child.content for child in children)
            assert {child.type for child in children} <= {"text", "strong_open", "strong_close", "text_special"}
            if rows and tables.get(caption) is rows and token.level > 1:
                rows[-1].append(said)
            else:
                caption, rows = said, []
    return tables


@pytest.mark.parametrize("read", [tables_of_html, tables_of_markdown])
def test_figures_are_those_of_the_statistics(
    record: Record, html: str, read: Callable[[Path], dict[str, list[list[str]]]]
) -> None:
    tables = read(record.folder)
    head, *rows = tables["Figures with 95 % intervals"]
    assert head == ["Metric", EXTRACT, "generate", "Over"]
    by_name = {row[0]: row for row in rows}
    assert list(by_name) == ["accuracy", "precision_answered", "answered", "risk_coverage_area"]
    for metric in METRICS:
        for column, found in enumerate(record.results.values(), start=1):
            expected = figure(metric, found, 5)
            if isinstance(expected, Figure):
                cell = by_name[metric.name][column]
                assert_as_reckoned(cell, [expected.value, expected.low, expected.high])
                assert by_name[metric.name][3] == f"{expected.n} {metric.over}"
    undefined = {(row[0], row[2]) for row in tables["Metrics without a value"][1:]}
    assert undefined == {("refused", "there are no unanswerable questions"), ("perplexity", "there are no LLM answers")}
    caption = next(name for name in tables if name.startswith("generate, compared with extract"))
    for row in tables[caption][1:]:
        metric = next(one for one in METRICS if one.name == row[0])
        change = compare(metric, record.results[EXTRACT], record.results["generate"], 5)
        assert not isinstance(change, type(None))
        assert numbers(row[1]) + numbers(row[2]) == pytest.approx([change.before, change.after], abs=0.006)
        assert_as_reckoned(row[3], [change.difference, change.low, change.high])
        assert numbers(row[4])[0] == pytest.approx(change.p_differs, abs=0.001)


def test_groups_have_figures(record: Record, html: str) -> None:
    rows = tables_of_html(record.folder)["accuracy by group"][1:]
    assert [row[0] for row in rows] == [f"fact {ATTACK}", f"table {ATTACK}"]
    for row, third in zip(rows, (False, True), strict=True):
        for cell, found in zip(row[1:3], record.results.values(), strict=True):
            expected = figure(METRICS[0], [one for n, one in enumerate(found) if (n % 3 == 0) == third], 5)
            assert isinstance(expected, Figure)
            assert_as_reckoned(cell, [expected.value, expected.low, expected.high])
        assert row[3] == ("20 questions" if third else "40 questions")


def test_what_was_measured_and_what_was_left_out(record: Record, html: str) -> None:
    tables = tables_of_html(record.folder)
    rows = {row[0]: row[1] for row in tables["What a run depends on"][1:]}
    about = record.about
    assert rows["data.sha256"] == about.data.sha256
    assert (rows["library.generation"], rows["seed"], rows["code"]) == ("4", "5", about.code)
    assert rows["versions.numpy"] == np.__version__
    settings = {row[0]: row[1:] for row in tables["Settings of the systems"][1:]}
    assert settings == {"model": [ATTACK, LINK], "temperature": ["", "0.0"]}
    text = (record.folder / "report.md").read_text()
    assert "No LLM server" in text
    assert "Asked in the groups higgs: " in text


def test_what_everyone_may_read_is_nothing_to_warn_of(make_run: MakeRun) -> None:
    public = make_run("public", {EXTRACT: results(1)}, groups=("everyone",))
    write(public)
    assert "Asked in the groups" not in (public.folder / "report.md").read_text()


def test_the_worst_questions_are_the_wrong_and_sure(record: Record, html: str) -> None:
    tables = tables_of_html(record.folder)
    rows = next(rows for caption, rows in tables.items() if caption.startswith("generate: 10 of"))[1:]
    wrong = [one for one in record.results["generate"] if one.values["accurate"] == 0]
    expected = sorted(wrong, key=lambda one: -one.values["confidence"])[:10]
    assert [row[0] for row in rows] == [one.id for one in expected]
    assert rows[0][4:] == [expected[0].detail["question"], LINK, ATTACK]


def test_nothing_from_documents_acts(html: str) -> None:
    page = Page(html)
    tags = Counter(tag for tag, _ in page.tags)
    assert not {"script", "img", "b", "iframe", "link", "object", "a"} & tags.keys()
    attributes = [(name, value) for _, found in page.tags for name, value in found.items()]
    assert not [name for name, _ in attributes if name.startswith("on")]
    assert not [value for name, value in attributes if name in ("src", "href", "xlink:href") and value[:1] != "#"]
    assert "default-src 'none'" in next(found["content"] for tag, found in page.tags if "http-equiv" in found)


def test_html_can_be_read_by_everybody(record: Record, html: str) -> None:
    page = Page(html)
    assert html.startswith("<!DOCTYPE html>")
    assert ("html", {"lang": "en"}) in page.tags
    ids = [found["id"] for _, found in page.tags if "id" in found]
    assert len(ids) == len(set(ids)) > 10
    tags = Counter(tag for tag, _ in page.tags)
    assert tags["h1"] == tags["title"] == tags["main"] == 1
    assert tags["table"] == tags["caption"] == len(page.tables) > 5
    assert tags["figure"] == tags["figcaption"] == tags["svg"] == 3
    assert {found.get("scope") for tag, found in page.tags if tag == "th"} == {"col", "row"}
    images = [found["aria-label"] for _, found in page.tags if found.get("role") == "img"]
    accuracy = figure(METRICS[0], record.results["generate"], 5)
    assert isinstance(accuracy, Figure)
    assert f"generate {accuracy.value:.2f} [{accuracy.low:.2f}, {accuracy.high:.2f}]" in images[0]


def test_plots_hold_text_and_the_colour_of_their_page(html: str) -> None:
    svgs = [ElementTree.fromstring(found) for found in re.findall(r"<svg.*?</svg>", html, re.DOTALL)]
    texts = ["".join(text.itertext()) for svg in svgs for text in svg.iter("{http://www.w3.org/2000/svg}text")]
    assert {"generate", EXTRACT, "accuracy", f"fact {ATTACK}  (n = 40)"} <= set(texts)
    assert html.count("currentColor") > 50
    assert "#010203" not in html


def test_a_run_without_results_has_a_report(make_run: MakeRun) -> None:
    record = make_run("run", {"extract": []})
    write(record)
    tables = tables_of_html(record.folder)
    assert tables["Figures with 95 % intervals"] == [["Metric", "extract", "Over"]]
    assert [row[0] for row in tables["Metrics without a value"][1:]] == [metric.name for metric in METRICS]


def test_the_same_run_gives_the_same_report(record: Record, html: str) -> None:
    assert write(record) == html


def test_wording() -> None:
    from eval.runs.wording import counted_text, figure_text, p_text

    def said(value: float, low: float, high: float, **rest: Any) -> str:
        return figure_text(Figure("m", value, low, high, 9, "questions"))

    assert said(0.61234, 0.5712, 0.6523) == "0.612 [0.571, 0.652]"
    assert said(0.61234, 0.6112, 0.6133) == "0.6123 [0.6112, 0.6133]"
    assert said(12.34, 8.0, 40.0) == "12 [8, 40]"
    assert said(1.0, 1.0, 1.0) == "1.000 [1.000, 1.000]"
    assert (p_text(0.00099), p_text(0.0213), p_text(1.0)) == ("< 0.001", "0.021", "1.000")
    both = [Figure("m", 1, 1, 1, n, "questions") for n in (1200, 9)]
    assert (counted_text(both), counted_text(both[:1]), counted_text([])) == (
        "9–1,200 questions",
        "1,200 questions",
        "",
    )
