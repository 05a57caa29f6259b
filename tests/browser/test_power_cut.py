"""The presence service is killed while people write: every message that was acknowledged arrives, each exactly once."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.people import MODIFIED, arrive
from tests.support.lab import split_lab

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]

RECONNECTED = 60_000  # ms: the client waits longer between tries the longer a service is away


def test_messages_survive_kill_9_of_the_presence_service(browser: Browser, built_page: None, tmp_path: Path) -> None:
    with split_lab(tmp_path) as lab:
        anita, bruno = arrive(browser, lab.rest, "anita"), arrive(browser, lab.rest, "bruno")
        anita.sign_in()
        bruno.sign_in()
        anita.open_chat(bruno)
        bruno.open_chat(anita)
        for number in range(1, 6):
            anita.write(f"Before {number}")
        bruno.sees("Before 5")

        # Sent in the very moment of the cut: some are acknowledged, some are not.
        for number in range(1, 6):
            anita.write(f"During {number}")
        lab.kill_presence()
        expect(anita.page.get_by_text(re.compile("^No connection since"))).to_be_visible(timeout=MODIFIED)
        anita.write("While nobody serves")
        expect(anita.messages.get_by_role("listitem").last).to_contain_text(re.compile("Sending|Waits"))
        # Nobody sees her now: nothing else may be claimed of her, and it says why.
        me = anita.page.get_by_role("button", name="Anita Berg, Not connected")
        me.click()
        anita.page.get_by_role("button", name="Why?").click()
        expect(anita.page.get_by_role("region", name="Why “Not connected”").get_by_role("listitem")).not_to_have_count(
            0
        )
        anita.picture("offline")
        anita.page.keyboard.press("Escape")

        lab.start_presence()
        for one in (anita, bruno):
            expect(one.page.get_by_text(re.compile("^No connection since"))).to_have_count(0, timeout=RECONNECTED)
        expect(anita.page.get_by_role("button", name="Anita Berg, Available")).to_be_visible(timeout=RECONNECTED)
        anita.write("After the cut")
        expected = [*(f"Before {n}" for n in range(1, 6)), *(f"During {n}" for n in range(1, 6))]
        for text in [*expected, "While nobody serves", "After the cut"]:
            expect(bruno.messages.get_by_text(text, exact=True)).to_have_count(1, timeout=RECONNECTED)
            expect(anita.messages.get_by_text(text, exact=True)).to_have_count(1)
        for one in (anita, bruno):
            one.page.reload()
            for text in [*expected, "While nobody serves", "After the cut"]:
                one.sees(text)
            one.page.context.close()
