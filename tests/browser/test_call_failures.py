"""When something breaks while people talk in their browsers: what they still hear, and what the page says."""

from __future__ import annotations

import json
import re
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.callers import Caller, caller
from tests.browser.conftest import CHROMIUM
from tests.browser.hosts import host_that_trusts
from tests.browser.people import MODIFIED
from tests.support.lab import WEB_NODE, ApartLab, apart_lab

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
        _comes_back_changed(apart, anita)


def _comes_back_changed(apart: ApartLab, anita: Caller) -> None:
    """The company uses the moment to change settings: a person who looks for them is told, and may wait."""
    text = apart.file.read_text()
    assert "Persistent_Chat_Enabled = true" in text
    apart.file.write_text(text.replace("Persistent_Chat_Enabled = true", "Persistent_Chat_Enabled = false"))
    apart.start()
    anita.turn("/settings/connection")
    look = anita.page.get_by_role("button", name="Look for new settings now")
    bar = anita.page.get_by_role("status").filter(has_text="Your company changed settings")
    look.click()
    expect(bar).to_be_visible(timeout=NOTICED)
    bar.get_by_role("button", name="What changed").click()
    expect(anita.page.get_by_text("Persistent_Chat_Enabled: true → false")).to_be_visible()
    anita.picture("configuration-changed")
    bar.get_by_role("button", name="Later").click()
    expect(bar).to_have_count(0, timeout=MODIFIED)


def _connect(anita: Caller, bruno: Caller) -> None:
    """Both ready, the first calls the second, and both hear each other."""
    for one in (anita, bruno):
        one.get_ready()
    anita.call(bruno)
    bruno.answer(anita)
    anita.hears(bruno)
    bruno.hears(anita)


# A phone whose connection is gone has the keep-alive interval and ten seconds to come back; this is the shortest one.
SHORT = "\n[calls]\nkeep-alive-seconds = 10\n"


def test_when_a_host_is_killed_the_other_side_is_told_and_its_page_says_how_to_come_back(
    browser: Browser, built_page: None, tmp_path: Path
) -> None:
    chromium = browser.browser_type
    with ExitStack() as stack:
        apart = stack.enter_context(apart_lab(tmp_path / "lab", WEB_NODE, SHORT))
        lab = replace(apart.rest, info=json.loads((apart.rest.data / "lab.json").read_text()))
        elsewhere = stack.enter_context(host_that_trusts(lab, lab.ca_file, tmp_path / "host"))
        anita = stack.enter_context(caller(chromium, lab, tmp_path, "anita", CHROMIUM, leaves=False))
        bruno = stack.enter_context(caller(chromium, lab, tmp_path, "bruno", CHROMIUM))
        bruno.url = elsewhere.url
        _connect(anita, bruno)
        apart.kill()
        expect(anita.page.get_by_text(re.compile("^No connection to Ringback since"))).to_be_visible(timeout=MODIFIED)
        apart.start()
        expect(anita.page.get_by_role("heading", name="Open Ringback with its own link")).to_be_visible(timeout=NOTICED)
        # Nobody is left who could end the call in order: the other side hears of it, and its call ends with the reason.
        expect(bruno.window(anita)).to_have_count(0, timeout=NOTICED)
        bruno.turn("/calls")
        bruno.page.get_by_role("link", name=re.compile("^Anita Berg,.*Incoming")).first.click()
        story = bruno.page.get_by_role("region", name="How this call went").get_by_role("listitem")
        bruno.picture("call-other-host-killed")
        expect(story.last).to_contain_text("Anita Berg")
        expect(story.last).to_contain_text(re.compile("ended"))
