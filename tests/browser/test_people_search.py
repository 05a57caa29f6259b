"""Searching as one types: by keys alone, in any notation of a number, page by page, and while the directory dies."""

from __future__ import annotations

import json
import re
import signal
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.conftest import Arrive
from tests.browser.people import arrive
from tests.browser.test_views import violations
from tests.support.lab import WEB_NODE, apart_lab, stop

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]

FOUND = """() => {
  const found = performance.getEntriesByName("search.first").at(-1);
  return found && found.duration;
}"""
FOCUS = "() => document.activeElement.getAttribute('aria-label')"
CROWD = 45


def field(page: Page) -> Locator:
    """The search field."""
    return page.get_by_role("combobox", name="Search people, or call a number")


def rows(page: Page) -> Locator:
    """What is offered."""
    return page.get_by_role("listbox", name="Search results").get_by_role("option")


def test_a_search_by_keys_alone(person: Arrive) -> None:
    julia = person("julia")
    julia.sign_in()
    page = julia.page
    page.keyboard.press("Control+k")
    page.keyboard.type("mat")
    row = rows(page).filter(has_text="Mateus Oliveira")
    expect(row.locator("b").first).to_have_text("Mat")
    expect(row).to_have_attribute("aria-selected", "true")
    expect(field(page)).to_have_attribute("aria-activedescendant", re.compile("mateus"))
    expect(page.get_by_role("status").filter(has_text=re.compile(r"^1 result$"))).to_have_count(1)
    assert page.evaluate(FOUND) > 0
    page.keyboard.press("Tab")
    assert page.evaluate(FOCUS) == "Chat"
    page.keyboard.press("ArrowRight")
    assert page.evaluate(FOCUS) == "Call"
    page.keyboard.press("Escape")
    expect(field(page)).to_be_focused()
    field(page).fill("o")
    expect(rows(page).nth(2)).to_be_visible()
    page.keyboard.press("ArrowDown")
    expect(rows(page).nth(1)).to_have_attribute("aria-selected", "true")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")
    expect(rows(page).last).to_have_attribute("aria-selected", "true")
    page.keyboard.press("Escape")
    expect(rows(page).first).to_be_hidden()
    assert field(page).input_value() == ""
    page.keyboard.press("Control+k")
    page.keyboard.type("priya")
    expect(rows(page).filter(has_text="Priya Raman")).to_be_visible()
    page.keyboard.press("Shift+Enter")
    expect(page.get_by_role("main").get_by_role("heading", name="Priya Raman", exact=True)).to_be_visible()
    page.keyboard.press("Control+k")
    page.keyboard.type("priya")
    expect(rows(page).filter(has_text="Priya Raman")).to_be_visible()
    page.keyboard.press("Enter")
    expect(julia.composer).to_be_visible()


def _number(page: Page, typed: str) -> None:
    field(page).fill(typed)
    expect(rows(page).first).to_contain_text("Call ")
    priya = rows(page).filter(has_text="Priya Raman")
    expect(priya.locator("b").last).to_have_text(re.compile("44 555 20 12$"))


def test_a_number_in_any_notation_finds_and_calls_and_becomes_a_contact(person: Arrive) -> None:
    ivan = person("ivan")
    ivan.sign_in()
    page = ivan.page
    for typed in ("044 555 20 12", "+41 (44) 555-20-12", "0041445552012"):
        _number(page, typed)
    field(page).fill("+49 89 555 77 01")
    expect(rows(page).first).to_contain_text("+49 89 5557701")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    form = page.get_by_role("dialog", name="New contact")
    form.get_by_role("textbox", name=re.compile("^Name")).fill("Workshop Süd")
    ivan.still()
    assert violations(ivan) == []
    form.get_by_role("button", name="Save").click()
    expect(page.get_by_role("main").get_by_role("heading", name="Workshop Süd")).to_be_visible()
    expect(page.get_by_role("main").get_by_role("button", name="Call +49 89 5557701")).to_be_visible()
    field(page).fill("werkshop")
    expect(rows(page).filter(has_text="Workshop")).to_have_count(0)
    field(page).fill("sud work")
    expect(rows(page).filter(has_text="Workshop Süd")).to_be_visible()
    page.keyboard.press("Escape")
    page.get_by_role("main").get_by_role("button", name="More").click()
    page.get_by_role("menuitem", name="Remove from the list").click()
    page.get_by_role("alertdialog").get_by_role("button", name="Remove").click()
    expect(page.get_by_role("link", name=re.compile("^Workshop Süd,"))).to_have_count(0)


@pytest.mark.parametrize(("scheme", "query"), [("dark", ""), ("light", "?lang=ar")])
def test_axe_finds_nothing_in_a_search(person: Arrive, scheme: str, query: str) -> None:
    julia = person("julia", color_scheme=scheme)
    julia.sign_in()
    julia.go("/contacts", query)
    search = julia.page.get_by_role("combobox")
    search.fill("o")
    expect(rows_of(julia.page).nth(2)).to_be_visible()
    found = violations(julia)
    julia.picture(f"search-{scheme}{query.replace('?lang=', '-')}")
    search.fill("0445552012")
    expect(rows_of(julia.page).nth(1)).to_be_visible()
    julia.picture(f"search-number-{scheme}{query.replace('?lang=', '-')}")
    found += violations(julia)
    julia.fits()
    assert found == []


def rows_of(page: Page) -> Locator:
    """What is offered, in any language."""
    return page.get_by_role("listbox").get_by_role("option")


def places(page: Page) -> list[str]:
    """Those of the crowd who are offered, from top to bottom."""
    return [str(row.get_attribute("id")) for row in rows(page).filter(has_text="Oona").all()]


def crowd() -> str:
    """Many people of one name."""
    return "".join(
        f'\n[[person]]\nuser = "oona{n:02}"\nfirst = "Oona"\nlast = "Number {n:02}"\ncluster = "head-office"\n'
        f'password = "ringback"\n'
        for n in range(CROWD)
    )


def test_rows_keep_their_places_and_a_silent_directory_says_why(
    browser: Browser, built_page: None, tmp_path: Path
) -> None:
    with apart_lab(tmp_path / "lab", WEB_NODE, crowd()) as apart:
        lab = replace(apart.rest, info=json.loads((apart.rest.data / "lab.json").read_text()))
        anita = arrive(browser, lab, "anita")
        anita.sign_in()
        page = anita.page
        anita.turn("/settings/connection")
        directory = page.get_by_role("region", name="Directories").get_by_role("listitem").first
        directory.get_by_role("button", name=re.compile("^Check now")).click()
        expect(directory.get_by_role("list", name="What was checked")).to_contain_text("The directory knows anita")
        field(page).fill("oona")
        expect(rows(page).filter(has_text="Show more people")).to_be_visible()
        before = places(page)
        page.keyboard.press("ArrowUp")
        page.keyboard.press("Enter")
        expect(rows(page).filter(has_text="Oona")).to_have_count(2 * len(before))
        assert places(page)[: len(before)] == before
        anita.picture("search-more")
        stop(apart.rest.process, signal.SIGKILL)
        field(page).fill("o")
        expect(rows(page).filter(has_text="Emeka Okoro")).to_be_visible()
        expect(page.get_by_text(re.compile("The directory does not answer")).last).to_be_visible()
        expect(rows(page).filter(has_text="Emeka Okoro")).to_be_visible()
        anita.picture("search-silent")
        assert violations(anita) == []
        page.get_by_role("button", name="Why?").last.click()
        expect(directory).to_contain_text("Your own contacts and people you found before are still shown")
        anita.picture("directory-silent")
        page.context.close()
