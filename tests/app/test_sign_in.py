"""The app in a real browser, with people who sign in at a real provider of OpenID Connect."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

REFDESK = Path(sys.executable).with_name("refdesk")
QUESTION = "How many guillemots nest on the cliffs of Sollen?"
FACT = "Some 300 guillemots nest on the cliffs of Sollen every spring."
PUBLIC_FACT = "The ferry to Sollen leaves Port Ambrel at noon."
SECRET = re.compile("300 guillemots|birds")
StartApp = Callable[..., AbstractContextManager[tuple[str, subprocess.Popen[str]]]]
pytestmark = pytest.mark.filterwarnings("ignore:get_jwt_config")  # of Authlib, in the provider


@pytest.fixture(scope="module")
def provider() -> Iterator[str]:
    """Anne is in the group of the wardens by what the provider says, Bob is in none. The provider's own pages are shown
    without their style sheet, which would come from another machine."""
    from oidc_provider_mock import User, run_server_in_thread

    def without_style(response: Any) -> Any:
        if response.mimetype == "text/html":
            response.set_data(re.sub(r"<link\b[^>]*>", "", response.get_data(as_text=True)))
        return response

    anne = User(sub="1", claims={"preferred_username": "anne", "groups": ["wardens"]})
    bob = User(sub="2", claims={"preferred_username": "bob", "groups": ["everyone", "user:anne", "signed-in"]})
    with run_server_in_thread(user_claims=[anne, bob]) as server:
        server.app.after_request(without_style)
        yield f"http://localhost:{server.server_port}"


@pytest.fixture(scope="module")
def isle(tmp_path_factory: pytest.TempPathFactory, index: Callable[..., None], model_cache: Path) -> Path:
    """A library of a page for everyone and a page for the wardens."""
    folder = tmp_path_factory.mktemp("isle")
    for source, name, text in (("port", "ferry.txt", PUBLIC_FACT), ("isle", "birds.txt", FACT)):
        (folder / source).mkdir()
        (folder / source / name).write_text(f"{text} Nobody lives there.\n")
    index(folder / "port", folder / "library")
    index(folder / "isle", folder / "library", "--readers", "wardens")
    return folder / "library"


def configured(folder: Path, provider: str, groups: str = "", auth: str = "") -> Path:
    """A folder to start the app in."""
    (folder / ".streamlit").mkdir()
    (folder / ".streamlit/secrets.toml").write_text(
        auth
        or f"""[auth]
redirect_uri = "http://localhost:{{port}}/oauth2callback"
cookie_secret = "{"0123456789abcdef" * 2}"
client_id = "refdesk"
client_secret = "of-the-test"
server_metadata_url = "{provider}/.well-known/openid-configuration"
"""
    )
    if groups:
        (folder / "groups.toml").write_text(groups)
        (folder / "refdesk.toml").write_text('[people]\ngroups_file = "groups.toml"\n')
    return folder


def sign_in(page: Page, sub: str) -> None:
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.get_by_role("heading", name="Authenticate predefined users").wait_for()
    page.get_by_role("button", name=sub, exact=True).click()
    page.get_by_role("heading", name="Ask the library").wait_for()


def ask(page: Page, question: str) -> None:
    """Asks, and waits for the whole answer to what is then the only question of the chat."""
    page.get_by_role("radio", name="Quote the library").click()
    box = page.get_by_test_id("stChatInput").get_by_role("textbox")
    box.fill(question)
    box.press("Enter")
    expect(page.get_by_text(question, exact=True)).to_have_count(1)
    expect(page.get_by_test_id("stChatMessage")).to_have_count(2, timeout=200_000)
    expect(page.get_by_test_id("stChatMessage").first).to_contain_text(question)
    expect(page.get_by_test_id("stChatMessage").last).to_contain_text("sure that the passages", timeout=200_000)
    expect(page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning", timeout=60_000)


def test_a_member_finds_more_until_signing_out(
    page: Page,
    provider: str,
    isle: Path,
    tmp_path: Path,
    running_app: StartApp,
    violations: Callable[[Any], list[str]],
) -> None:
    with running_app(isle, folder=configured(tmp_path, provider)) as (url, _):
        page.goto(url)
        page.get_by_text("There may be more after you sign in").wait_for()
        assert not violations(page)
        ask(page, QUESTION)
        expect(page.locator("body")).not_to_contain_text(SECRET)
        page.set_viewport_size({"width": 400, "height": 800})
        assert not violations(page)
        assert page.evaluate("document.scrollingElement.scrollWidth <= window.innerWidth")

        sign_in(page, "1")
        expect(page.get_by_text("Signed in as anne")).to_be_visible()
        assert page.get_by_text(QUESTION, exact=True).count() == 0
        ask(page, QUESTION)
        expect(page.get_by_test_id("stChatMessage").last).to_contain_text(FACT)
        cited = page.locator(".evidence a").filter(has_text="birds").first
        address = f"{url}/{cited.get_attribute('href')}"
        assert not violations(page)
        with page.context.expect_page() as opened:
            cited.click()
        expect(opened.value.locator("article mark")).to_contain_text(FACT)
        opened.value.close()

        page.get_by_role("button", name="Sign out").click()
        page.get_by_role("button", name="End session").click()
        page.get_by_role("button", name="Sign in", exact=True).wait_for()
        assert not SECRET.search(page.content())
        ask(page, QUESTION)
        assert not SECRET.search(page.content())
        page.goto(address)
        page.get_by_role("heading", name="No such document").wait_for()
        assert not SECRET.search(page.locator("body").inner_text().replace("birds.txt that you", ""))


def test_a_group_that_is_taken_away_is_gone_at_the_next_question(
    page: Page, provider: str, isle: Path, tmp_path: Path, running_app: StartApp
) -> None:
    folder = configured(tmp_path, provider, '[groups]\nwardens = ["keepers"]\nkeepers = ["user:bob"]\n')
    with running_app(isle, folder=folder) as (url, _):
        page.goto(url)
        sign_in(page, "2")
        ask(page, QUESTION)
        expect(page.get_by_test_id("stChatMessage").last).to_contain_text(FACT)

        (folder / "groups.toml").write_text('[groups]\nwardens = ["keepers"]\nkeepers = ["user:anne"]\n')
        ask(page, "Where do the guillemots nest?")
        expect(page.get_by_text(QUESTION, exact=True)).to_have_count(0)
        assert not SECRET.search(page.content())

        (folder / "groups.toml").write_text("[groups]\nwardens = [")
        page.get_by_role("link", name="Search", exact=True).click()
        expect(page.get_by_text("groups.toml cannot be used")).to_be_visible()
        page.get_by_role("button", name="Sign out").click()
        page.get_by_role("button", name="End session").wait_for()


def test_an_old_sign_in_counts_as_none(
    page: Page, provider: str, isle: Path, tmp_path: Path, running_app: StartApp
) -> None:
    folder = configured(tmp_path, provider)
    with running_app(isle, folder=folder, REFDESK_PEOPLE__CLAIMS_HOURS="1e-9") as (url, _):
        page.goto(url)
        sign_in(page, "1")
        page.get_by_role("button", name="Sign in", exact=True).wait_for()
        ask(page, QUESTION)
        assert not SECRET.search(page.content())


COMPLETE = """[auth]
redirect_uri = "http://localhost:8501/oauth2callback"
cookie_secret = "0123456789abcdef0123456789abcdef"
client_id = "refdesk"
client_secret = "of-the-test"
server_metadata_url = "http://localhost:9/"
"""


@pytest.mark.parametrize(
    ("auth", "options", "said"),
    [
        (COMPLETE, ["--as", "wardens"], "exclude each other"),
        (COMPLETE.replace("client_id", "client"), [], "must have client_id"),
        (COMPLETE.replace("0123456789abcdef", "01"), [], "cookie_secret"),
        (COMPLETE.replace("oauth2callback", ""), [], "must end in /oauth2callback"),
        (COMPLETE + "[", [], "cannot be read"),
    ],
)
def test_a_sign_in_that_is_set_up_wrongly_is_refused(
    auth: str, options: list[str], said: str, tmp_path: Path, free_port: int
) -> None:
    command = [REFDESK, "app", "--library", "nowhere", "--port", str(free_port), *options]
    done = subprocess.run(
        command, cwd=configured(tmp_path, "", auth=auth), capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 1, done.stderr
    assert done.stderr.startswith("refdesk: ")
    assert said in done.stderr
    assert "of-the-test" not in done.stderr
    assert "Traceback" not in done.stderr
