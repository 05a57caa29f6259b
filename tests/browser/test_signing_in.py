"""The way in: by keyboard alone, with a wrong password, and where nothing is found."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Arrive
from tests.browser.people import MODIFIED, PASSWORD

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]


def test_keyboard_alone_signs_in_and_sends(person: Arrive) -> None:
    fatima = person("fatima")
    fatima.open()
    keys = fatima.page.keyboard
    expect(fatima.page.get_by_label("Work address")).to_be_focused()
    fatima.picture("sign-in-address")
    keys.type(fatima.address)
    keys.press("Enter")
    expect(fatima.page.get_by_label("Password")).to_be_focused(timeout=MODIFIED)
    fatima.picture("sign-in-password")
    keys.type(PASSWORD)
    keys.press("Enter")
    expect(fatima.page.get_by_role("navigation", name="Places")).to_be_visible(timeout=MODIFIED)
    keys.press("Control+k")
    keys.type("Anita")
    expect(fatima.page.get_by_role("option", name=re.compile("Anita Berg"))).to_be_visible(timeout=MODIFIED)
    keys.press("Enter")
    expect(fatima.composer).to_be_focused(timeout=MODIFIED)
    keys.type("By keyboard alone")
    keys.press("Enter")
    fatima.sees("By keyboard alone")
    # F6 walks the panes, arrows walk the messages.
    for _ in range(6):
        keys.press("F6")
        if fatima.page.evaluate("document.activeElement?.closest('[data-pane]')?.dataset.pane") == "list":
            break
    expect(fatima.page.get_by_role("region", name="Chats").locator(":focus")).to_have_count(1)


def test_a_wrong_password_is_said_at_its_field(person: Arrive) -> None:
    anita = person("anita")
    anita.open()
    anita.page.get_by_label("Work address").fill(anita.address)
    anita.page.get_by_role("button", name="Continue").click()
    anita.page.get_by_label("Password").fill("not this one")
    anita.page.get_by_role("button", name="Sign in").click()
    expect(anita.page.get_by_role("alert")).to_be_visible(timeout=MODIFIED)
    anita.picture("sign-in-wrong-password")
    anita.page.get_by_label("Password").fill(PASSWORD)
    anita.page.get_by_role("button", name="Sign in").click()
    expect(anita.page.get_by_role("navigation", name="Places")).to_be_visible(timeout=MODIFIED)


def test_a_failure_says_what_why_and_what_to_do_with_the_whole_trace(person: Arrive, tmp_path: Path) -> None:
    stranger = person("anita")
    stranger.open()
    stranger.page.get_by_label("Work address").fill("anita@exmaple.com")
    stranger.page.get_by_role("button", name="Continue").click()
    card = stranger.page.get_by_role("alert")
    expect(card.get_by_role("heading")).to_contain_text("exmaple.com", timeout=MODIFIED)
    expect(card.get_by_text("What to do")).to_be_visible()
    stranger.picture("sign-in-failure")
    card.get_by_role("button", name="Show the whole trace").click()
    trace = stranger.page.get_by_role("region", name="How Ringback looked for your services")
    expect(trace.get_by_text("_cisco-uds._tcp.exmaple.com").first).to_be_visible()
    expect(stranger.page.get_by_role("complementary", name="For your IT department")).to_be_visible()
    stranger.picture("sign-in-trace")
    everything = trace.get_by_role("listitem").count()
    stranger.page.get_by_role("button", name="Decisions").click()
    expect(trace.get_by_text("Asked", exact=True)).to_have_count(0)
    expect(trace.get_by_text("Decided", exact=True).first).to_be_visible()
    with stranger.page.expect_download() as download:
        stranger.page.get_by_role("button", name="Save as JSON").click()
    saved = tmp_path / "trace.json"
    download.value.save_as(saved)
    report = json.loads(saved.read_text())
    assert len(report["trace"]) == everything
    assert PASSWORD not in saved.read_text()
    stranger.page.get_by_role("button", name="Back").click()
    stranger.page.get_by_role("button", name=re.compile("Enter the servers by hand")).click()
    stranger.page.get_by_text("Servers by hand", exact=True).click()
    field = stranger.page.get_by_label("Call manager", exact=True)
    field.fill("https://cm1.example.com")
    field.blur()
    expect(stranger.page.get_by_text("without https://")).to_be_visible()
    stranger.picture("sign-in-advanced")
