"""Somebody calls whom nobody knows: it becomes a contact, and is known everywhere without loading the page again."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Arrive
from tests.browser.desk import desk_phone
from tests.browser.test_views import violations
from tests.support.lab import RunningLab

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]

MARK = "window.loadedOnce"


def test_an_unknown_caller_becomes_known_everywhere(person: Arrive, lab: RunningLab) -> None:
    julia = person("julia")
    julia.sign_in()
    julia.see("Calls")
    page = julia.page
    page.evaluate(f"{MARK} = true")
    expect(page.get_by_text(re.compile("^Ready, number 2010"))).to_be_visible()
    with desk_phone(lab, "reception", "reception-phone", "2000") as reception:
        reception.call("2010")
        card = page.get_by_role("region", name="Reception is calling")
        expect(card).to_be_visible()
        card.get_by_role("button", name="Decline").click()
        expect(card).to_have_count(0)
        row = page.get_by_role("link", name=re.compile("^Reception,"))
        row.first.click()
        page.get_by_role("main").get_by_role("button", name="Add to contacts").click()
        form = page.get_by_role("dialog", name="New contact")
        form.get_by_role("textbox", name=re.compile("^Name")).fill("Front desk, Zürich")
        julia.still()
        assert violations(julia) == []
        form.get_by_role("button", name="Save").click()
        expect(page.get_by_role("link", name=re.compile("^Front desk, Zürich,")).first).to_be_visible()
        expect(page.get_by_role("main").get_by_role("heading", level=2)).to_contain_text("Front desk, Zürich")
        expect(page.get_by_role("button", name="Add to contacts")).to_have_count(0)
        julia.picture("caller-known")
        reception.call("2010")
        card = page.get_by_role("region", name="Front desk, Zürich is calling")
        expect(card).to_be_visible()
        card.get_by_role("button", name="Decline").click()
    assert page.evaluate(MARK) is True
    page.get_by_role("main").get_by_role("button", name="Contact").click()
    page.get_by_role("main").get_by_role("button", name="More").click()
    page.get_by_role("menuitem", name="Remove from the list").click()
    page.get_by_role("alertdialog").get_by_role("button", name="Remove").click()
    expect(page.locator("[data-contact]").filter(has_text="Front desk")).to_have_count(0)
