"""Takes the screenshots of the README: `python tests/app/take_screenshots.py http://localhost:8501`.

The address is of an app over the demonstration library (`refdesk demo` opens one), in a folder in which
`refdesk eval answers` has put its questions.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from playwright.sync_api import expect, sync_playwright

FOLDER = Path(__file__).parents[2] / "app/screenshots"
QUESTION = "How many wiki pages does CERN's Confluence hold?"


def main(url: str) -> None:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
        )
        page = chromium.new_page(viewport={"width": 1280, "height": 800})
        page.goto(url)
        box = page.get_by_test_id("stChatInput").get_by_role("textbox")
        box.fill(QUESTION)
        box.press("Enter")
        page.get_by_test_id("stFeedback").wait_for(timeout=200_000)
        expect(page.get_by_text(QUESTION, exact=True)).to_be_in_viewport()
        page.screenshot(path=FOLDER / "chat.png")
        with page.context.expect_page() as opened:
            page.get_by_test_id("stChatMessage").last.get_by_test_id("stMarkdown").get_by_role("link").first.click()
        document = opened.value
        expect(document.locator("mark").first).to_be_in_viewport()
        document.get_by_role("button", name="Download the text").wait_for()
        document.wait_for_function("document.activeElement?.id === 'cited'")
        document.screenshot(path=FOLDER / "document.png")
        page.goto(f"{url}/library")
        page.get_by_role("region", name="Files").wait_for()
        page.screenshot(path=FOLDER / "library.png")
        page.goto(f"{url}/evaluation")
        page.get_by_text("Brackets hold").wait_for()
        page.locator(".stHtml h2").evaluate("heading => heading.scrollIntoView()")
        page.screenshot(path=FOLDER / "evaluation.png")
        chromium.close()


if __name__ == "__main__":
    main(sys.argv[1])
