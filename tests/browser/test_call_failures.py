"""When something breaks while people talk in their browsers: what they still hear, and what the page says."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.callers import Caller, caller
from tests.browser.conftest import CHROMIUM
from tests.browser.people import MODIFIED, Person
from tests.support.lab import WEB_NODE, apart_lab

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

NOTICED = 60_000  # ms: a phone looks after its server every half keep-alive interval at the latest


def test_the_sound_goes_on_when_the_call_manager_is_killed(browser: Browser, built_page: None, tmp_path: Path) -> None:
    chromium = browser.browser_type
    with (
        apart_lab(tmp_path / "lab", "cm1.example.com") as apart,
        caller(chromium, apart.rest, tmp_path, "anita", CHROMIUM) as anita,
        caller(chromium, apart.rest, tmp_path, "bruno", CHROMIUM) as bruno,
    ):
        _connect(anita, bruno)
        apart.kill()
        for one, other in ((anita, bruno), (bruno, anita)):
            expect(one.window(other)).to_contain_text(
                "cm1.example.com does not answer. The call goes on", timeout=NOTICED
            )
            one.picture(f"call-no-server-{one.user}")
        anita.hears(bruno)
        bruno.hears(anita)
        hold = anita.page.get_by_role("toolbar", name="Call controls").get_by_role("button", name=re.compile("^Hold"))
        hold.click()
        expect(anita.window(bruno).get_by_role("status")).to_contain_text(
            ["does not answer. The call goes on, but this must wait"]
        )
        anita.hears(bruno)
        bruno.hears(anita)
        for one, other in ((anita, bruno), (bruno, anita)):
            one.press("End")
            expect(one.window(other)).to_have_count(0, timeout=MODIFIED)


def _connect(anita: Caller, bruno: Caller) -> None:
    """Both ready, the first calls the second, and both hear each other."""
    for one in (anita, bruno):
        one.get_ready()
    anita.call(bruno)
    bruno.answer(anita)
    anita.hears(bruno)
    bruno.hears(anita)


def test_a_page_whose_session_ended_with_the_host_says_how_to_come_back(
    browser: Browser, built_page: None, tmp_path: Path
) -> None:
    with apart_lab(tmp_path / "lab", WEB_NODE) as apart:
        url = json.loads((apart.rest.data / "lab.json").read_text())["web"]["office"]
        page = browser.new_context().new_page()
        Person("anita", page, url).sign_in()
        apart.kill()
        expect(page.get_by_text(re.compile("^No connection to Ringback since"))).to_be_visible(timeout=MODIFIED)
        apart.start()
        expect(page.get_by_role("heading", name="Open Ringback with its own link")).to_be_visible(timeout=NOTICED)
        page.context.close()
