"""The pages on which servers ask who one is, without our client: read by axe, by keyboard, dark, narrow."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from ringback.protocols.oauth.clients import RETURN_PATH, RINGBACK_CLIENT
from ringback.protocols.oauth.grants import AuthorizeRequest, challenge_of, new_state, new_verifier
from tests.browser.conftest import CHROMIUM, FLAGS
from tests.browser.dance import Dancer, dancer, knowing
from tests.browser.people import MODIFIED, PASSWORD
from tests.browser.test_views import violations
from tests.support.lab import RunningLab

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]


@pytest.fixture(scope="module")
def browser(lab: RunningLab) -> Iterator[Browser]:
    """A browser with the lab's names."""
    with sync_playwright() as playwright:
        browser = knowing(playwright.chromium, lab, CHROMIUM, FLAGS)
        yield browser
        browser.close()


class _Back(BaseHTTPRequestHandler):
    """The return address of a client that has nothing to say."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>Back</title>")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - named by http.server
        """Nothing: the address holds a code."""


@pytest.fixture(scope="module")
def back() -> Iterator[str]:
    """Where the browser is sent in the end."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Back) as server:
        thread = threading.Thread(target=server.serve_forever, name="return address")
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}{RETURN_PATH}"
        server.shutdown()
        thread.join(10)


def asked(lab: RunningLab, node: str, back: str) -> str:
    """The address of authorize, as a client makes it."""
    request = AuthorizeRequest(
        response_type="code",
        client_id=RINGBACK_CLIENT,
        redirect_uri=back,
        state=new_state(),
        challenge=challenge_of(new_verifier()),
    )
    port = next(row["port"] for row in lab.info["endpoints"] if row["node"] == node and row["service"] == "uds")
    return request.url(f"https://{node}:{port}")


def looks_right(one: Dancer, name: str) -> None:
    """Whoever reads it, and in whatever window: light, dark, forced colours, narrow, enlarged."""
    wrong = {}
    for scheme in ("light", "dark"):
        one.page.emulate_media(color_scheme=scheme)
        wrong[scheme] = violations(one)
        one.picture(f"{name}-{scheme}")
    one.page.emulate_media(color_scheme="light", forced_colors="active")
    one.picture(f"{name}-forced")
    one.page.emulate_media(forced_colors="none")
    for width, height in ((360, 640), (320, 480), (1280, 860)):
        one.page.set_viewport_size({"width": width, "height": height})
        one.fits()
        if width == 360:
            one.picture(f"{name}-{width}")
    assert not any(wrong.values()), wrong


def came_back(page: Page, back: str) -> None:
    """The browser was sent to the return address with a code, and with nothing that it should not carry."""
    page.wait_for_url(f"{back}?*", timeout=MODIFIED)
    assert "code=" in page.url
    assert PASSWORD not in page.url


def test_the_call_managers_log_in_page_is_used_by_keyboard_and_read_by_everybody(
    browser: Browser, lab: RunningLab, back: str
) -> None:
    anita = dancer(browser, lab, "anita")
    page = anita.page
    page.goto(asked(lab, "cm1.example.com", back))
    expect(page.get_by_label("User name")).to_be_focused()
    looks_right(anita, "log-in")
    page.keyboard.type("anita")
    page.keyboard.press("Tab")
    page.keyboard.type("not this one")
    page.keyboard.press("Enter")
    alert = page.get_by_role("alert")
    expect(alert).to_be_visible(timeout=MODIFIED)
    # What was typed stays, except the password; the next key goes there, and what is wrong is read with the field.
    expect(page.get_by_label("User name")).to_have_value("anita")
    expect(page.get_by_label("Password")).to_have_value("")
    expect(page.get_by_label("Password")).to_be_focused()
    expect(page.get_by_label("Password")).to_have_accessible_description(alert.inner_text())
    looks_right(anita, "log-in-wrong")
    page.get_by_label("Password").focus()
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    came_back(page, back)
    page.context.close()


def test_the_identity_providers_pages_are_used_by_keyboard_and_read_by_everybody(
    browser: Browser, lab: RunningLab, back: str
) -> None:
    mateus = dancer(browser, lab, "mateus")
    page = mateus.page
    page.goto(asked(lab, "cm-berlin.example.com", back))
    assert mateus.host == "idp.example.com"
    expect(page.get_by_label("User name")).to_be_focused()
    looks_right(mateus, "identity-provider")
    mateus.give_password("not this one")
    expect(page.get_by_role("alert")).to_be_visible(timeout=MODIFIED)
    expect(page.get_by_label("User name")).to_have_value("mateus")
    expect(page.get_by_label("Password")).to_be_focused()
    looks_right(mateus, "identity-provider-wrong")
    mateus.give_password()
    code = page.get_by_label("Code from your authenticator app")
    expect(code).to_be_focused()
    looks_right(mateus, "identity-provider-code")
    code.fill("000000")
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("alert")).to_be_visible(timeout=MODIFIED)
    mateus.give_code()
    came_back(page, back)
    # The next service gets its answer without a question.
    page.goto(asked(lab, "cm-berlin.example.com", back))
    came_back(page, back)
    page.context.close()


def test_a_foreign_return_address_is_refused_in_words(browser: Browser, lab: RunningLab) -> None:
    anita = dancer(browser, lab, "anita")
    anita.page.goto(asked(lab, "cm1.example.com", f"https://attacker.example{RETURN_PATH}"))
    expect(anita.page.get_by_role("alert")).to_be_visible(timeout=MODIFIED)
    assert anita.host == "cm1.example.com"
    expect(anita.page.get_by_label("Password")).to_have_count(0)
    looks_right(anita, "log-in-refused")
    anita.page.context.close()
