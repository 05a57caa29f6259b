"""The keys that the users' page lists, each doing what it says."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Arrive
from tests.browser.people import MODIFIED

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]


def titled(name: str) -> re.Pattern[str]:
    """The title of a page; how much waits to be read or heard stands before it."""
    return re.compile(rf"^(\(\d+\) )?{name} · Ringback$")


def test_every_key_that_is_documented(person: Arrive) -> None:
    anita, bruno, chiara = person("anita"), person("bruno"), person("chiara")
    anita.sign_in()
    for other in (bruno, chiara):
        anita.open_chat(other)
        anita.write(f"To {other.user}")
        anita.sees(f"To {other.user}")
    page, keys = anita.page, anita.page.keyboard
    search = page.get_by_role("combobox", name="Search people, or call a number")
    keys.press("Control+k")
    expect(search).to_be_focused()
    keys.press("Control+Shift+Digit1")
    expect(page.get_by_role("heading", name="Contacts", level=1)).to_be_visible()
    keys.press("Control+Shift+Digit3")
    expect(page.get_by_role("heading", name="Calls", level=1)).to_be_visible(timeout=MODIFIED)
    keys.press("Control+Shift+Digit4")
    expect(page.get_by_role("heading", name="Settings", level=1)).to_be_visible(timeout=MODIFIED)
    keys.press("Control+Shift+Digit2")
    expect(page.get_by_role("heading", name="Chats", level=1)).to_be_visible()
    anita.open_chat(chiara)
    keys.press("Alt+ArrowDown")
    expect(page).to_have_title(titled("Bruno Keller"))
    keys.press("Alt+ArrowUp")
    expect(page).to_have_title(titled("Chiara Moretti"))
    keys.press("Alt+c")
    expect(page.get_by_role("dialog")).to_be_visible()
    keys.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    anita.go("/contacts")
    expect(page.get_by_role("heading", name="Contacts", level=1)).to_be_visible(timeout=MODIFIED)
    keys.press("/")
    expect(search).to_be_focused()
    keys.press("Escape")
    expect(search).not_to_be_focused()
    keys.press("?")
    expect(page.get_by_role("dialog", name="Keyboard")).to_be_visible()
