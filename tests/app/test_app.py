"""The app in a real browser: asked, searched and looked through as its users do."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from playwright.sync_api import Page, expect

from app.feedback import FILE, FeedbackStore
from assistant import Assistant

QUESTION = "When was the lighthouse of Port Ambrel built?"
FACT = "The lighthouse of Port Ambrel was built in 1871 and is 43 m high."
REFDESK = Path(sys.executable).with_name("refdesk")
Violations = Callable[[Any], list[str]]
StartApp = Callable[..., AbstractContextManager[tuple[str, subprocess.Popen[str]]]]
_RECORD_DRAFTS = """() => {
  window.drafts = [];
  new MutationObserver(() => {
    const words = document.querySelector('.draft .words'), label = document.querySelector('.draft .label');
    if (words && words.textContent !== window.drafts.at(-1)?.words)
      window.drafts.push({words: words.textContent, label: label.textContent});
  }).observe(document.body, {subtree: true, childList: true, characterData: true});
}"""


def ask(page: Page, question: str, way: str = "Automatic") -> None:
    """Types a question and waits until its answer stands there, whole: thumbs come last."""
    before = page.get_by_test_id("stFeedback").count()
    page.get_by_role("radio", name=way).click()
    box = page.get_by_test_id("stChatInput").get_by_role("textbox")
    box.fill(question)
    box.press("Enter")
    expect(page.get_by_test_id("stFeedback")).to_have_count(before + 1, timeout=200_000)


def open_chat(page: Page, url: str) -> None:
    page.goto(url)
    page.get_by_role("heading", name="Ask the library").wait_for()
    page.get_by_test_id("stChatInput").wait_for()


def narrow(page: Page) -> None:
    page.set_viewport_size({"width": 400, "height": 800})


def fits(page: Page) -> bool:
    """Whether nothing makes the page wider than the window."""
    return bool(page.evaluate("document.scrollingElement.scrollWidth <= window.innerWidth"))


def test_answer_and_citation(page: Page, app_url: str, library: Path, violations: Violations) -> None:
    answer = Assistant.open(library).ask(QUESTION, mode="extract")
    assert answer.answered
    open_chat(page, app_url)
    assert not violations(page)
    ask(page, QUESTION, "Quote the library")
    expect(page.get_by_text(FACT).first).to_be_visible()
    markers = page.get_by_test_id("stChatMessage").last.get_by_test_id("stMarkdown").get_by_role("link")
    assert markers.all_inner_texts() == [f"[{citation.number}]" for citation in answer.citations]
    expect(page.get_by_text(f"{answer.confidence:.0%} sure", exact=False)).to_be_visible()
    assert not violations(page)
    for marker, citation in zip(markers.all(), answer.citations, strict=True):
        with page.context.expect_page() as opened:
            marker.click()
        document = opened.value
        expect(document.locator("mark").first).to_be_in_viewport()
        assert "".join(document.locator("article mark").all_text_contents()) == citation.quote
        document.wait_for_function("document.activeElement?.id === 'cited'")
        document.close()
    page.get_by_text("How this answer was made").click()
    page.get_by_text("Passages that were read").wait_for()
    narrow(page)
    assert not violations(page)
    assert fits(page)


def test_without_llm_the_answer_says_so(page: Page, app_url: str) -> None:
    open_chat(page, app_url)
    ask(page, QUESTION)
    expect(page.get_by_text("Extracted without a language model: No LLM server listens")).to_be_visible()


def test_refusal_shows_the_nearest_passages(page: Page, app_url: str, violations: Violations) -> None:
    open_chat(page, app_url)
    ask(page, "What does a neutron star weigh?")
    expect(page.get_by_text("I cannot answer this from the library").first).to_be_visible()
    expect(page.get_by_role("heading", name="The nearest passages")).to_be_visible()
    assert page.locator(".evidence").first.locator("li").count() > 0
    assert not violations(page)


def test_history_and_newest_question_in_sight(page: Page, app_url: str) -> None:
    open_chat(page, app_url)
    for question in (QUESTION, "Which ships need a pilot?", "What does a neutron star weigh?"):
        ask(page, question, "Quote the library")
        expect(page.get_by_text(question, exact=True)).to_be_in_viewport()
    page.get_by_role("link", name="Search").click()
    page.get_by_role("heading", name="Search").wait_for()
    page.get_by_role("link", name="Ask", exact=True).click()
    expect(page.get_by_text(QUESTION, exact=True)).to_have_count(1)
    expect(page.get_by_test_id("stFeedback")).to_have_count(3)


def test_feedback_is_stored(page: Page, app_url: str, library: Path) -> None:
    store = FeedbackStore(library / FILE)
    before = len(store.all())
    open_chat(page, app_url)
    ask(page, QUESTION, "Quote the library")
    page.get_by_role("radio", name="Thumbs up").click()
    page.get_by_text("kept as helpful").wait_for()
    first = store.all()[-1]
    assert (first.question, first.helpful, first.mode, first.generation) == (QUESTION, True, "extract", 1)
    assert FACT in first.answer
    assert first.citations[0]["key"] == "lighthouse.md"
    assert "embedder" in first.models
    page.get_by_role("radio", name="Thumbs down").click()
    page.get_by_text("kept as not helpful").wait_for()
    assert [row.helpful for row in store.all()[before:]] == [False]
    page.get_by_role("radio", name="Thumbs down").click()
    page.get_by_text("Judgement withdrawn").wait_for()
    assert len(store.all()) == before


def test_search(page: Page, app_url: str, violations: Violations) -> None:
    page.goto(f"{app_url}/search")
    box = page.get_by_label("What to look for")
    box.fill("Port Ambrel")
    box.press("Enter")
    found = page.locator(".evidence a")
    expect(found.filter(has_text="Harbour rules").first).to_be_visible()
    expect(found.filter(has_text="Lighthouse of Port Ambrel").first).to_be_visible()
    expect(page.locator(".evidence .place").first).to_contain_text("score")
    assert not violations(page)
    page.get_by_label("Only these kinds").click()
    page.get_by_role("option", name="rst").click()
    expect(found).to_have_count(1)
    expect(found).to_contain_text("Harbour rules")
    page.get_by_label("Only these kinds").press("Escape")
    expect(page.get_by_role("listbox")).to_have_count(0)  # it closes after a moment
    narrow(page)
    assert not violations(page)
    assert fits(page)
    with page.context.expect_page() as opened:
        found.click()
    opened.value.locator("article mark").last.wait_for()
    assert "need a pilot" in "".join(opened.value.locator("article mark").all_text_contents())


def test_library(page: Page, app_url: str, violations: Violations) -> None:
    page.goto(f"{app_url}/library")
    table = page.get_by_role("region", name="Files")
    expect(table.get_by_role("row")).to_have_count(6)
    expect(page.get_by_text("Of 5 files, 2 are indexed, 1 were skipped, 2 failed")).to_be_visible()
    expect(table.get_by_role("row").filter(has_text="broken.pdf")).to_contain_text("failed")
    expect(table.get_by_role("row").filter(has_text="nothing.md")).to_contain_text("no text in it")
    expect(table.get_by_role("row").filter(has_text="data.xyz")).to_contain_text("does not read")
    assert not violations(page)
    narrow(page)
    assert not violations(page)
    assert fits(page)
    box = page.get_by_label("Title or file holds")
    box.fill("harbour")
    box.press("Enter")
    expect(table.get_by_role("row")).to_have_count(2)
    with page.context.expect_page() as opened:
        table.get_by_role("link").click()
    expect(opened.value.get_by_role("heading", name="Harbour rules").first).to_be_visible()


def test_without_evaluations_the_page_says_how_to_make_one(page: Page, app_url: str, violations: Violations) -> None:
    page.goto(f"{app_url}/evaluation")
    expect(page.get_by_text("refdesk eval answers QUESTIONS.jsonl")).to_be_visible()
    assert not violations(page)
    narrow(page)
    assert fits(page)


def test_document(page: Page, app_url: str, violations: Violations, library: Path) -> None:
    document = Assistant.open(library).document("port", "lighthouse.md")
    assert document
    start, end = document.text.index("painted"), document.text.index("400")  # from a paragraph into a table
    span = f"&revision={document.revision}&start={start}&end={end}"
    page.goto(f"{app_url}/document?source=port&key=lighthouse.md{span}")
    expect(page.locator("article mark").first).to_be_in_viewport()
    assert "".join(page.locator("article mark").all_text_contents()) == document.text[start:end]
    assert page.locator("article").text_content() == document.text
    assert page.locator("article :is(script, img)").count() == 0
    assert page.evaluate("window.attacked") is None
    expect(page.get_by_role("columnheader", name="Power in W")).to_be_visible()
    expect(page.locator(".facts")).to_contain_text("History")
    assert page.title().startswith("Lighthouse of Port Ambrel")
    assert not violations(page)
    narrow(page)
    assert not violations(page)
    assert fits(page)
    with page.expect_download() as download:
        page.get_by_role("button", name="Download the text").click()
    assert Path(download.value.path()).read_text() == document.text


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("source=port&key=gone.md", "No such document"),
        ("source=port&key=lighthouse.md&revision=before&start=1&end=2", "has changed since it was cited"),
        ("source=port&key=lighthouse.md&revision={revision}&start=x&end=-1", "does not have"),
        (f"source=port&key={quote('<b>gone</b>')}", "<b>gone</b>"),
    ],
)
def test_addresses_that_lead_nowhere(page: Page, app_url: str, library: Path, query: str, said: str) -> None:
    document = Assistant.open(library).document("port", "lighthouse.md")
    assert document
    page.goto(f"{app_url}/document?{query.format(revision=document.revision)}")
    expect(page.get_by_text(said).first).to_be_visible()
    assert page.locator("mark").count() == 0


def test_library_appears_and_grows_while_the_app_runs(
    page: Page,
    tmp_path: Path,
    running_app: StartApp,
    index: Callable[[Path, Path], None],
    write_documents: Callable[[Path], Path],
) -> None:
    documents = write_documents(tmp_path / "port")
    with running_app(tmp_path / "library") as (url, _):
        page.goto(url)
        page.get_by_role("heading", name="There is no library yet").wait_for()
        expect(page.get_by_text("refdesk index")).to_be_visible()
        index(documents, tmp_path / "library")
        page.goto(f"{url}/library")
        expect(page.get_by_text("Generation 1: 2 documents")).to_be_visible()
        (documents / "buoys.md").write_text("# Buoys\n\nThere are 17 buoys before Port Ambrel.\n")
        index(documents, tmp_path / "library")
        page.reload()
        expect(page.get_by_text("Generation 2: 3 documents")).to_be_visible()


def look_for(page: Page, words: str) -> None:
    """Types, submits and waits until there are passages, which may be those of the search before."""
    box = page.get_by_label("What to look for")
    box.fill(words)
    box.press("Enter")
    page.get_by_text("passages, best first").wait_for()


def test_a_running_app_follows_the_library(
    page: Page, library: Path, tmp_path: Path, running_app: StartApp, index: Callable[..., None]
) -> None:
    copy = shutil.copytree(library, tmp_path / "library")
    birds = tmp_path / "isle" / "birds.txt"
    birds.parent.mkdir()
    fact = "Some 300 guillemots nest on the cliffs of Sollen every spring."
    question = "How many guillemots nest on the cliffs of Sollen?"
    link = page.locator(".evidence a").filter(has_text="birds")
    with running_app(copy) as (url, _):
        page.goto(f"{url}/search")
        look_for(page, question)
        expect(link).to_have_count(0)
        birds.write_text(f"{fact} Nobody lives there.\n")
        index(birds.parent, copy)
        look_for(page, question)
        expect(link).to_have_count(1, timeout=60_000)
        address = str(link.get_attribute("href"))
        page.get_by_role("link", name="Ask", exact=True).click()
        ask(page, question, "Quote the library")
        expect(page.get_by_test_id("stChatMessage").last).to_contain_text(fact)

        index(birds.parent, copy, "--readers", "wardens")
        again = "Where do the guillemots of Sollen nest?"
        box = page.get_by_test_id("stChatInput").get_by_role("textbox")
        box.fill(again)
        box.press("Enter")
        expect(page.get_by_test_id("stChatMessage").last).to_contain_text("I cannot answer", timeout=200_000)
        expect(page.get_by_text("This answer is gone")).to_have_count(1)
        expect(page.get_by_text(question, exact=True)).to_have_count(1)
        expect(page.locator("body")).not_to_contain_text("300 guillemots")
        expect(page.locator("body")).not_to_contain_text("birds")
        page.get_by_role("link", name="Search", exact=True).click()
        look_for(page, question)
        expect(link).to_have_count(0)
        page.get_by_role("link", name="Library", exact=True).click()
        expect(page.get_by_text("2 documents in")).to_be_visible()
        expect(page.get_by_role("region", name="Files").get_by_role("row")).to_have_count(6)
        expect(page.get_by_text("birds")).to_have_count(0)
        page.goto(f"{url}/{address.removeprefix('/')}")
        page.get_by_role("heading", name="No such document").wait_for()


def test_chosen_filters_stay_when_the_library_changes(
    page: Page, library: Path, tmp_path: Path, running_app: StartApp, index: Callable[..., None]
) -> None:
    copy = shutil.copytree(library, tmp_path / "library")
    (tmp_path / "isle").mkdir()
    found = page.locator(".evidence a")
    with running_app(copy) as (url, _):
        page.goto(f"{url}/search")
        look_for(page, "Port Ambrel")
        page.get_by_label("Only these kinds").click()
        page.get_by_role("option", name="rst").click()
        expect(found).to_have_count(1)
        page.keyboard.press("Escape")
        (tmp_path / "isle" / "ferry.txt").write_text("A ferry goes from Port Ambrel to the isle each day at noon.\n")
        index(tmp_path / "isle", copy)  # text, from another source
        look_for(page, "Port Ambrel")
        page.get_by_label("Only these kinds").click()
        page.get_by_role("option", name="text").wait_for()
        expect(page.get_by_test_id("stMultiSelect").last).to_contain_text("rst")
        expect(found).to_have_count(1)
        page.get_by_role("option", name="text").click()
        expect(found).to_have_count(2)


def test_streamed_draft_then_checked_answer(
    page: Page, library: Path, running_app: StartApp, llm_url: str, violations: Violations
) -> None:
    with running_app(library, llm_url) as (url, _):
        open_chat(page, url)
        page.evaluate(_RECORD_DRAFTS)
        ask(page, QUESTION, "Let the LLM write")
        drafts = page.evaluate("window.drafts")
        assert len(drafts) > 2
        assert {draft["label"] for draft in drafts} == {"Draft, not checked yet"}
        for earlier, later in pairwise(drafts):
            assert later["words"].startswith(earlier["words"])
        expect(page.locator(".draft")).to_have_count(0)
        marker = page.get_by_test_id("stChatMessage").last.get_by_test_id("stMarkdown").get_by_role("link").first
        quoted = page.locator(".evidence blockquote").first.inner_text()
        assert not violations(page)
        with page.context.expect_page() as opened:
            marker.click()
        expect(opened.value.locator("mark").first).to_be_in_viewport()
        marked = "".join(opened.value.locator("article mark").all_text_contents())
        assert " ".join(marked.split()) == " ".join(quoted.split())


def test_stop_by_interrupt(library: Path, running_app: StartApp) -> None:
    with running_app(library) as (_, process):
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0


class SilentLLM(BaseHTTPRequestHandler):
    """An OpenAI-compatible server that accepts a question and then says nothing, as an overloaded one does."""

    asked = threading.Event()
    over = threading.Event()

    def do_GET(self) -> None:
        body = b'{"object": "list", "data": [{"id": "double", "object": "model"}]}'
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        self.asked.set()
        self.over.wait(120)

    def log_message(self, format: str, *args: Any) -> None:
        pass


class EndlessLLM(SilentLLM):
    """One that writes and writes, ten words a second, as small models do when they lose the thread."""

    def do_POST(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        event = {"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": {"content": "and so on "}}]}
        with suppress(ConnectionError):
            while not self.over.wait(0.1):
                self.wfile.write(f"data: {json.dumps(event)}\n\n".encode())


@pytest.fixture
def llm_double() -> Iterator[Callable[[type[SilentLLM]], str]]:
    """Starts a server of a kind and returns its base URL."""
    servers: list[ThreadingHTTPServer] = []

    def start(kind: type[SilentLLM]) -> str:
        kind.asked.clear()
        kind.over.clear()
        servers.append(ThreadingHTTPServer(("127.0.0.1", 0), kind))
        threading.Thread(target=servers[-1].serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{servers[-1].server_port}/v1"

    yield start
    SilentLLM.over.set()
    for server in servers:
        server.shutdown()
        server.server_close()


def test_stop_while_an_answer_is_awaited(
    page: Page, library: Path, running_app: StartApp, llm_double: Callable[[type[SilentLLM]], str]
) -> None:
    with running_app(library, llm_double(SilentLLM)) as (url, process):
        open_chat(page, url)
        page.get_by_test_id("stChatInput").get_by_role("textbox").fill(QUESTION)
        page.keyboard.press("Enter")
        assert SilentLLM.asked.wait(60)
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0


def test_a_draft_can_be_stopped(
    page: Page, library: Path, running_app: StartApp, llm_double: Callable[[type[SilentLLM]], str]
) -> None:
    with running_app(library, llm_double(EndlessLLM)) as (url, _):
        open_chat(page, url)
        page.get_by_test_id("stChatInput").get_by_role("textbox").fill(QUESTION)
        page.keyboard.press("Enter")
        expect(page.locator(".draft")).to_contain_text("and so on and so on", timeout=60_000)
        page.get_by_test_id("stChatInput").get_by_role("button").last.click()
        expect(page.get_by_test_id("stChatInput").get_by_role("textbox")).to_be_enabled(timeout=60_000)
        expect(page.locator(".draft .label")).to_have_text("Draft, not checked yet")  # stands until something is done
        page.get_by_role("radio", name="Quote the library").click()
        expect(page.get_by_text("Stopped before there was a checked answer")).to_be_visible(timeout=60_000)
        expect(page.get_by_text(QUESTION, exact=True)).to_be_visible()
        expect(page.locator(".draft")).to_have_count(0)


def test_port_in_use(library: Path, app_url: str) -> None:
    port = app_url.rpartition(":")[2]
    done = subprocess.run([REFDESK, "app", "--library", library, "--port", port], capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr == f"refdesk: Port {port} of 127.0.0.1 cannot be used (Address already in use). " + (
        "Name another with --port.\n"
    )


def test_demo_once(tmp_path: Path, llm_url: str) -> None:
    def demo(**settings: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "REFDESK_STATE": str(tmp_path / "state"), **settings}
        return subprocess.run(
            [REFDESK, "demo", "--once"], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=400
        )

    dead = "http://127.0.0.1:9/v1"  # the discard port, at which nothing listens
    without = demo(REFDESK_LLM__PYTHON=str(tmp_path / "no-python"), REFDESK_LLM__URL=dead)
    assert without.returncode == 1, without.stderr
    assert "The LLM could not be started" in without.stdout
    assert "more than 1 million wiki pages" in " ".join(without.stdout.split())
    assert (tmp_path / "demo-library/catalog.sqlite").exists()
    with_llm = demo(REFDESK_LLM__URL=llm_url)
    assert with_llm.returncode == 0, with_llm.stderr
    assert " unchanged. Library" in with_llm.stdout
    assert f"answers at {llm_url}" in with_llm.stdout
    assert "[1]" in with_llm.stdout
